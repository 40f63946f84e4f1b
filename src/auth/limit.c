/* limit: how many requests a key may make in a window, counted in memory shared by all workers, without a lock.
 *
 * A sliding-window counter: time is cut into fixed windows; the count of the one before weighs with the share of it that
 * still lies within the last window's length. That is close to a true sliding window, takes two counters a key
 * and cannot be cheated by asking at a window's edge.
 *
 * A key's slot holds a window's start and count in each of two words, used in turn, so that moving to the next window is an
 * exchange of one word and a count is exact over the processes. Slots are found by a keyed hash in sets of WAYS; where all are
 * taken, the one unused for longest is taken over, so that a flood of addresses costs accuracy for the quiet, never memory.
 * Requests that are refused are not counted. */
#include "auth/internal.h"
#include "core/hash.h"
#include "core/time.h"
#include "loop/loop.h"

#include <sodium.h>
#include <stdatomic.h>

#define SETS       ((size_t)1 << 13)
#define WAYS       8
#define COUNT_BITS 22 /* leaves 42 for the time: until 2109 */
#define COUNT_MAX  ((INT64_C(1) << COUNT_BITS) - 1)

struct slot {
	_Atomic uint64_t key;     /* 0: never used */
	_Atomic uint64_t word[2]; /* window's start in ms << COUNT_BITS | count */
};
struct table {
	_Atomic uint64_t seed[2]; /* of the hash, drawn by the first process */
	struct slot slots[SETS * WAYS];
};

static _Atomic(struct table *) table;

static uint64_t start_of(uint64_t word) {
	return word >> COUNT_BITS;
}

static int64_t count_of(uint64_t word) {
	return (int64_t)(word & (uint64_t)COUNT_MAX);
}

static struct table *open_table(void) {
	struct table *t = atomic_load_explicit(&table, memory_order_acquire);
	if (SF_LIKELY(t != NULL)) return t;
	t = sf_shm_area("auth.limits", sizeof(*t));
	for (size_t i = 0; i < 2; i++) {
		uint64_t none = 0, random;
		sf_random(&random, sizeof(random));
		atomic_compare_exchange_strong(&t->seed[i], &none, random | 1);
	}
	atomic_store_explicit(&table, t, memory_order_release);
	return t;
}

static uint64_t hash_of(struct table *t, const char *cls, struct sf_str key) {
	char text[160];
	uint64_t seed[2] = { atomic_load(&t->seed[0]), atomic_load(&t->seed[1]) }, h;
	size_t n = strnlen(cls, 31), m = key.n < sizeof(text) - n - 1 ? key.n : sizeof(text) - n - 1;
	memcpy(text, cls, n);
	text[n] = 0;
	memcpy(text + n + 1, key.p, m);
	_Static_assert(sizeof(seed) == crypto_shorthash_KEYBYTES, "the seed is a SipHash key");
	crypto_shorthash((unsigned char *)&h, (unsigned char *)text, n + 1 + m, (unsigned char *)seed);
	return h ? h : 1;
}

/* When the slot was last used, as a window's start. */
static uint64_t last_use(const struct slot *s) {
	uint64_t a = start_of(atomic_load(&s->word[0])), b = start_of(atomic_load(&s->word[1]));
	return a > b ? a : b;
}

static struct slot *find(struct table *t, uint64_t key) {
	struct slot *set = &t->slots[key % SETS * WAYS];
	for (;;) {
		struct slot *oldest = set;
		uint64_t oldest_use = UINT64_MAX;
		for (size_t i = 0; i < WAYS; i++) {
			uint64_t k = atomic_load_explicit(&set[i].key, memory_order_acquire);
			if (k == key) return &set[i];
			uint64_t use = k ? last_use(&set[i]) : 0;
			if (use < oldest_use) oldest = &set[i], oldest_use = use;
			if (k == 0) break;
		}
		uint64_t old = atomic_load(&oldest->key);
		if (old == key) return oldest;
		if (last_use(oldest) > oldest_use) continue; /* used in the meantime */
		if (!atomic_compare_exchange_strong(&oldest->key, &old, key)) continue;
		if (oldest_use) { /* someone else's counts */
			atomic_store(&oldest->word[0], 0);
			atomic_store(&oldest->word[1], 0);
		}
		return oldest;
	}
}

void sf_auth__limit_at(const char *cls, struct sf_str key, int64_t limit, int64_t window_ms, int64_t now_ms,
					   struct sf_limit_result *out) {
	int64_t at = now_ms - now_ms % window_ms, end = at + window_ms;
	*out = (struct sf_limit_result) {
		.allowed = true, .limit = limit, .remaining = limit, .reset_s = (end - now_ms + 999) / 1000
	};
	if (limit <= 0) return;
	if (limit > COUNT_MAX) limit = COUNT_MAX;
	struct table *t = open_table();
	struct slot *s = find(t, hash_of(t, cls, key));
	int64_t parity = at / window_ms & 1;
	_Atomic uint64_t *word = &s->word[parity];
	uint64_t before = atomic_load(&s->word[!parity]);
	int64_t old = start_of(before) == (uint64_t)(at - window_ms) ? count_of(before) : 0;
	int64_t share = (old * (end - now_ms) + window_ms - 1) / window_ms; /* up: never more than the limit */
	uint64_t have = atomic_load(word), want;
	int64_t used;
	do {
		used = start_of(have) == (uint64_t)at ? count_of(have) : 0;
		if (used + share >= limit) {
			out->allowed = false;
			out->remaining = 0;
			return;
		}
		want = (uint64_t)at << COUNT_BITS | (uint64_t)(used + 1);
	} while (!atomic_compare_exchange_weak(word, &have, want));
	out->remaining = limit - share - used - 1;
}

void sf_limit_take(const char *cls, struct sf_str key, int64_t limit, int64_t window_ms,
				   struct sf_limit_result *out) {
	sf_auth__limit_at(cls, key, limit, window_ms, sf_time_now() / 1000, out);
}
