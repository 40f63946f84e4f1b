/* revoke: which tokens are taken back, in memory shared by all workers, without a lock.
 *
 * One table of open addressing. A slot is a key and a number: for a token, a hash of its jti and when it would
 * have expired; for a user, the id and the second before which all that was issued is void. Both numbers only ever
 * grow, so that "store" is an atomic maximum and every interleaving ends right:
 *
 *   - A slot is free when its key is 0, or when its number says that nothing it could refuse is alive any more. A
 *     writer takes it by exchanging the key, then raises the number, then looks whether the key is still its own (another
 *     writer may have thought the slot free in between) and otherwise begins again.
 *   - A reader takes the largest number among the slots of its key within PROBES places. Until a revocation has
 *     returned it may or may not be seen; from then on it is.
 *
 * A key may stand twice; the larger number counts. Slots never become empty again, so that a look-up ends at the first empty
 * one. When all places of a key are taken, the number that runs out first is given up, with a line in the log: the table has
 * room for 262,144 revocations within the life of an access token.
 *
 * The hash of a jti is not keyed: jtis are random numbers of our own making, and unsigned ones are never looked up. */
#include "auth/internal.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/time.h"
#include "loop/loop.h"

#include <stdatomic.h>

#define SLOTS  ((size_t)1 << 18)
#define PROBES 32
/* Seconds that a user's entry matters: refresh tokens live longest. */
#define LIFE (INT64_C(31) * 86400)

struct slot {
	_Atomic uint64_t key; /* 0: never used; lowest bit 1: a token, 0: a user */
	_Atomic int64_t value;
};

static _Atomic(struct slot *) table;

static struct slot *slots(void) {
	struct slot *t = atomic_load_explicit(&table, memory_order_acquire);
	if (SF_LIKELY(t != NULL)) return t;
	t = sf_shm_area("auth.revoked", SLOTS * sizeof(struct slot));
	atomic_store_explicit(&table, t, memory_order_release);
	return t;
}

static uint64_t user_key(int64_t user) {
	return (uint64_t)user << 1;
}

static uint64_t token_key(const char *jti) {
	return sf_hash64_fixed(jti, strlen(jti)) | 1;
}

static size_t first_place(uint64_t key) {
	return (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 46);
}

/* The second from which the slot refuses nothing. */
static int64_t runs_out(uint64_t key, int64_t value) {
	return key & 1 ? value : value + LIFE;
}

/* The largest number stored for the key, 0 when there is none. */
static int64_t find(uint64_t key) {
	struct slot *t = slots();
	int64_t most = 0;
	for (size_t i = 0, at = first_place(key); i < PROBES; i++, at = (at + 1) % SLOTS) {
		uint64_t k = atomic_load_explicit(&t[at].key, memory_order_acquire);
		if (k == 0) break;
		if (k != key) continue;
		int64_t v = atomic_load_explicit(&t[at].value, memory_order_acquire);
		if (v > most) most = v;
	}
	return most;
}

static void raise_to(_Atomic int64_t *at, int64_t value) {
	int64_t now = atomic_load(at);
	while (now < value && !atomic_compare_exchange_weak(at, &now, value)) {
	}
}

/* The place to store the key at: its own, a free one, or the one that runs out first. */
static struct slot *place(uint64_t key, int64_t now, uint64_t *old, bool *lost) {
	struct slot *t = slots(), *best = NULL;
	int64_t soonest = INT64_MAX;
	for (size_t i = 0, at = first_place(key); i < PROBES; i++, at = (at + 1) % SLOTS) {
		struct slot *s = &t[at];
		uint64_t k = atomic_load(&s->key);
		int64_t end = k ? runs_out(k, atomic_load(&s->value)) : 0;
		if (k == key) {
			*old = k, *lost = false;
			return s;
		}
		if (end < soonest) best = s, soonest = end, *old = k;
		if (k == 0) break;
	}
	*lost = soonest > now;
	return best;
}

static void store(uint64_t key, int64_t value) {
	int64_t now = sf_time_now() / SF_USEC;
	if (runs_out(key, value) <= now) return;
	for (;;) {
		uint64_t old;
		bool lost;
		struct slot *s = place(key, now, &old, &lost);
		if (old != key) {
			if (!atomic_compare_exchange_strong(&s->key, &old, key)) continue;
			if (lost) {
				sf_log(SF_WARN, "revocations: the table is full, the oldest one is dropped");
				atomic_store(&s->value, value); /* may be less than what stood there */
			}
		}
		raise_to(&s->value, value);
		if (atomic_load(&s->key) == key) return;
	}
}

void sf_token_revoke(const char *jti, int64_t exp) {
	store(token_key(jti), exp);
}

void sf_token_revoke_user(int64_t user, int64_t before_sec) {
	if (user > 0) store(user_key(user), before_sec);
}

bool sf_auth__revoked(int64_t user, int64_t iat, const char *jti) {
	return iat < sf_token_revoked_before(user) || sf_token_revoked(jti);
}

bool sf_token_revoked(const char *jti) {
	return find(token_key(jti)) != 0;
}

int64_t sf_token_revoked_before(int64_t user) {
	return find(user_key(user));
}
