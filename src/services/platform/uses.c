/* uses: when, and from where, a sign-in was last used. A request costs a look into memory; the database learns of it once a minute, from
 * platform_follow, so that no request waits for it.
 *
 * The look: a table that the workers share, of sets of WAYS slots. A slot is a hash of the token's or session's name, and the minute in which
 * it was last noted. A name that has no slot takes the one with the oldest minute. Slots are read and written without a lock: what two
 * workers do at once can only cost a statement more, which finds its row noted already and changes nothing. */
#include "core/hash.h"
#include "core/time.h"
#include "loop/loop.h"
#include "services/platform/internal.h"

#include <stdatomic.h>

#define SETS        ((size_t)16384)
#define WAYS        4
#define MINUTE_USEC (60 * SF_USEC)
#define MINUTE_BITS                                                                                          \
	24 /* of a slot; they last for 31 years, and an older slot reads as a younger one at worst */
#define PENDING                                                                                              \
	512 /* that wait for the next look of platform_follow; what comes when they are full is noted a minute later */
#define MINUTE_MASK (((uint64_t)1 << MINUTE_BITS) - 1)

struct use {
	char name[65], address[46];
	bool token; /* name: an access token's, else a session's */
	int64_t at;
};
static struct {
	_Atomic uint64_t (*sets)[WAYS]; /* shared by the workers */
	struct use pending[PENDING];    /* this worker's */
	size_t n;
} state;

/* Whether this is the first use within this minute; notes it. */
static bool first_in_minute(struct sf_str name, int64_t now) {
	if (!state.sets) state.sets = sf_shm_area("platform.uses", SETS * sizeof(*state.sets));
	uint64_t hash = sf_hash64_fixed(name.p, name.n), minute = (uint64_t)(now / MINUTE_USEC) & MINUTE_MASK;
	_Atomic uint64_t *set = state.sets[hash % SETS], *oldest = &set[0];
	uint64_t mine = (hash & ~MINUTE_MASK) | minute, least = UINT64_MAX;
	for (size_t i = 0; i < WAYS; i++) {
		uint64_t slot = atomic_load_explicit(&set[i], memory_order_relaxed);
		if (slot == mine) return false;
		bool same = ((slot ^ hash) & ~MINUTE_MASK) == 0;
		uint64_t age = same ? 0 : (slot & MINUTE_MASK) + 1;
		if (age < least) oldest = &set[i], least = age;
	}
	atomic_store_explicit(oldest, mine, memory_order_relaxed);
	return true;
}

static void copy(char *out, size_t size, struct sf_str text) {
	size_t n = text.n < size - 1 ? text.n : size - 1;
	memcpy(out, text.p, n);
	out[n] = '\0';
}

void platform__used(struct sf_req *r) {
	const struct sf_caller *c = sf_req_caller(r);
	bool token = c->via == SF_VIA_TOKEN;
	if (!token && c->via != SF_VIA_SESSION) return;
	struct sf_str name = token ? sf_str(c->jti) : platform__session_id(r, c->session);
	int64_t now = sf_req_now(r);
	if (state.n == PENDING || !first_in_minute(name, now)) return;
	struct use *u = &state.pending[state.n++];
	u->token = token, u->at = now;
	copy(u->name, sizeof u->name, name);
	copy(u->address, sizeof u->address, sf_req_ip(r));
}

static int store(struct sf_dbh *h, const struct use *u) {
	int64_t before = u->at - MINUTE_USEC;
	struct platform_q_session_used_by_in of_token = {
		.access_jti = sf_str(u->name), .address = sf_str(u->address), .now = u->at, .before = before
	};
	struct platform_q_session_used_in of_session = {
		.id_hash = sf_str(u->name), .address = sf_str(u->address), .now = u->at, .before = before
	};
	return u->token ? platform_q_session_used_by(h, &of_token, NULL)
					: platform_q_session_used(h, &of_session, NULL);
}

void platform__uses_store(struct sf_dbh *h) {
	size_t n = state.n;
	if (n == 0) return;
	struct use *now = sf_arena_alloc(sf_dbh_arena(h), n * sizeof *now); /* the list goes on while we wait */
	memcpy(now, state.pending, n * sizeof *now);
	state.n = 0;
	for (size_t i = 0; i < n; i++)
		if (store(h, &now[i])) return; /* the database is not there: what was not written is forgotten */
}
