/* hash: digests, hashes for tables and for lasting values, and random bytes. */
#include "core/hash.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <sys/random.h>

/* ---- random bytes ------------------------------------------------------------------------------- */

/* Every request needs an id, and a system call for each would be felt: a thread draws 512 bytes at a time.
 * What was given out is wiped, and a forked child throws its parent's bytes away. */
static _Thread_local struct {
	unsigned char bytes[512];
	size_t left;
	unsigned generation;
} pool;
static atomic_uint fork_generation = 1;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void forked(void) {
	atomic_fetch_add(&fork_generation, 1);
}

static void watch_forks(void) {
	SF_BUG_ON(pthread_atfork(NULL, NULL, forked) != 0);
}

static void from_kernel(void *p, size_t n) {
	unsigned char *to = p;
	while (n) {
		ssize_t got = getrandom(to, n, 0);
		if (got < 0) {
			SF_BUG_ON(errno != EINTR);
			continue;
		}
		to += got;
		n -= (size_t)got;
	}
}

void sf_random(void *p, size_t n) {
	if (n > 64) {
		from_kernel(p, n);
		return;
	}
	unsigned now = atomic_load_explicit(&fork_generation, memory_order_relaxed);
	if (SF_UNLIKELY(pool.generation != now || pool.left < n)) {
		pthread_once(&fork_once, watch_forks);
		from_kernel(pool.bytes, sizeof(pool.bytes));
		pool.left = sizeof(pool.bytes);
		pool.generation = now;
	}
	pool.left -= n;
	memcpy(p, pool.bytes + pool.left, n);
	explicit_bzero(pool.bytes + pool.left, n);
}

void sf_uuid(char out[37]) {
	unsigned char b[16];
	char hex[33];
	sf_random(b, sizeof(b));
	b[6] = (b[6] & 0x0F) | 0x40;
	b[8] = (b[8] & 0x3F) | 0x80;
	sf_hex(b, sizeof(b), hex);
	memcpy(out, hex, 8), out[8] = '-';
	memcpy(out + 9, hex + 8, 4), out[13] = '-';
	memcpy(out + 14, hex + 12, 4), out[18] = '-';
	memcpy(out + 19, hex + 16, 4), out[23] = '-';
	memcpy(out + 24, hex + 20, 13);
}

/* ---- for tables: keyed, so that nobody can choose keys that collide ------------------------------ */

static unsigned char table_key[crypto_shorthash_KEYBYTES];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;
static atomic_bool table_ready;

static void table_key_make(void) {
	from_kernel(table_key, sizeof(table_key));
	atomic_store_explicit(&table_ready, true, memory_order_release);
}

uint64_t sf_hash64(const void *p, size_t n) {
	if (SF_UNLIKELY(!atomic_load_explicit(&table_ready, memory_order_acquire)))
		pthread_once(&table_once, table_key_make);
	uint64_t h;
	crypto_shorthash((unsigned char *)&h, p, n, table_key);
	return h;
}

/* ---- for lasting values: XXH64 with seed 0 -------------------------------------------------------- */

#define P1 UINT64_C(0x9E3779B185EBCA87)
#define P2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define P3 UINT64_C(0x165667B19E3779F9)
#define P4 UINT64_C(0x85EBCA77C2B2AE63)
#define P5 UINT64_C(0x27D4EB2F165667C5)

static uint64_t rotl(uint64_t v, int by) {
	return v << by | v >> (64 - by);
}

static uint64_t read64(const unsigned char *p) {
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(v) : v;
}

static uint64_t read32(const unsigned char *p) {
	uint32_t v;
	memcpy(&v, p, sizeof(v));
	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap32(v) : v;
}

static uint64_t round64(uint64_t acc, uint64_t lane) {
	return rotl(acc + lane * P2, 31) * P1;
}

static uint64_t merge(uint64_t h, uint64_t acc) {
	return (h ^ round64(0, acc)) * P1 + P4;
}

uint64_t sf_hash64_fixed(const void *data, size_t n) {
	const unsigned char *p = data, *end = p + n;
	uint64_t h = P5;
	if (n >= 32) {
		uint64_t a = P1 + P2, b = P2, c = 0, d = -P1;
		for (; end - p >= 32; p += 32) {
			a = round64(a, read64(p));
			b = round64(b, read64(p + 8));
			c = round64(c, read64(p + 16));
			d = round64(d, read64(p + 24));
		}
		h = rotl(a, 1) + rotl(b, 7) + rotl(c, 12) + rotl(d, 18);
		h = merge(merge(merge(merge(h, a), b), c), d);
	}
	h += n;
	for (; end - p >= 8; p += 8) h = rotl(h ^ round64(0, read64(p)), 27) * P1 + P4;
	if (end - p >= 4) {
		h = rotl(h ^ read32(p) * P1, 23) * P2 + P3;
		p += 4;
	}
	for (; p < end; p++) h = rotl(h ^ *p * P5, 11) * P1;
	h = (h ^ h >> 33) * P2;
	h = (h ^ h >> 29) * P3;
	return h ^ h >> 32;
}

/* ---- digests -------------------------------------------------------------------------------------- */

void sf_sha256(const void *p, size_t n, unsigned char out[32]) {
	crypto_hash_sha256(out, p, n);
}

void sf_hmac_sha256(struct sf_str key, struct sf_str data, unsigned char out[32]) {
	crypto_auth_hmacsha256_state s;
	crypto_auth_hmacsha256_init(&s, (const unsigned char *)(key.p ? key.p : ""), key.n);
	crypto_auth_hmacsha256_update(&s, (const unsigned char *)(data.p ? data.p : ""), data.n);
	crypto_auth_hmacsha256_final(&s, out);
	sodium_memzero(&s, sizeof(s));
}

bool sf_equal_ct(const void *a, const void *b, size_t n) {
	return sodium_memcmp(a, b, n) == 0;
}
