/* token: what is signed is accepted, and everything a holder or a stranger could make of it is not. */
#include "auth/test.h"
#include "core/hash.h"
#include "core/json.h"
#include "core/time.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

static const char SECRET[] = "a secret of thirty-two bytes or more, for tests only";
static const char OLD[] = "an older secret of thirty-two bytes, for tests only";
static struct sf_arena *a;
static int64_t now;

static int setup(void **state) {
	(void)state;
	a = sf_arena_new(0);
	now = sf_time_now() / SF_USEC;
	return sf_secrets_setup(SECRET, (const char *const[]) { OLD, NULL });
}

static int teardown(void **state) {
	(void)state;
	sf_arena_free(a);
	return sf_secrets_setup(NULL, NULL);
}

static struct sf_str sign(struct sf_claims c) {
	struct sf_str token;
	if (!c.exp) c.exp = now + 3600;
	assert_int_equal(sf_token_sign(a, &c, &token), 0);
	return token;
}

static int verify(struct sf_str token) {
	struct sf_claims c;
	return sf_token_verify(token, SF_TOKEN_ACCESS, &c);
}

/* header.claims, signed with the secret by HMAC of that digest */
static struct sf_str forge(const char *header, const char *claims, const char *secret, const EVP_MD *digest) {
	struct sf_buf b;
	sf_buf_init(&b, a);
	char *p = sf_buf_reserve(&b, 4096);
	b.n = sf_base64url(header, strlen(header), p);
	p[b.n++] = '.';
	b.n += sf_base64url(claims, strlen(claims), p + b.n);
	unsigned char mac[64];
	unsigned n = 0;
	HMAC(digest, secret, (int)strlen(secret), (unsigned char *)p, b.n, mac, &n);
	p[b.n++] = '.';
	b.n += sf_base64url(mac, n, p + b.n);
	return sf_buf_view(&b);
}

static const char *kid(void) {
	unsigned char mac[32];
	char *hex = sf_arena_alloc(a, 65);
	sf_hmac_sha256(sf_str(SECRET), SF_STR("softfactory kid"), mac);
	sf_hex(mac, 8, hex);
	return hex;
}

static const char *header(const char *alg) {
	return sf_arena_printf(a, "{\"alg\":\"%s\",\"typ\":\"JWT\",\"kid\":\"%s\"}", alg, kid()).p;
}

static const char *claims(const char *more) {
	return sf_arena_printf(a,
						   "{\"sub\":\"7\",\"role\":\"user\",\"iat\":%lld,\"exp\":%lld,\"jti\":"
						   "\"0123456789abcdef0123456789abcdef\",\"typ\":\"access\"%s}",
						   (long long)now, (long long)now + 60, more)
		.p;
}

static void signed_tokens_are_read_back(void **state) {
	(void)state;
	struct sf_str t = sign((struct sf_claims) { .sub = 42, .role = SF_ROLE_ADMIN, .typ = SF_TOKEN_REFRESH });
	struct sf_claims c;
	for (int i = 0; i < 3; i++) { /* the second time from memory */
		memset(&c, 0xEE, sizeof(c));
		assert_int_equal(sf_token_verify(t, SF_TOKEN_REFRESH, &c), 0);
		assert_int_equal(c.sub, 42);
		assert_int_equal(c.role, SF_ROLE_ADMIN);
		assert_int_equal(c.exp, now + 3600);
		assert_true(c.iat >= now && c.iat <= now + 2);
		assert_int_equal(strlen(c.jti), 32);
	}
	struct sf_claims other = { .sub = 1 };
	assert_int_equal(sf_token_verify(t, SF_TOKEN_ACCESS, &other), SF_EAUTH);
	assert_int_equal(other.sub, 1);
}

static void only_hs256_with_our_key(void **state) {
	(void)state;
	const char *good = header("HS256");
	assert_int_equal(verify(forge(good, claims(""), SECRET, EVP_sha256())), 0); /* the forge works */
	assert_int_equal(verify(forge(header("none"), claims(""), SECRET, EVP_sha256())), SF_EAUTH);
	assert_int_equal(verify(forge(header("None"), claims(""), SECRET, EVP_sha256())), SF_EAUTH);
	assert_int_equal(verify(forge(header("HS512"), claims(""), SECRET, EVP_sha512())), SF_EAUTH);
	assert_int_equal(verify(forge(header("HS384"), claims(""), SECRET, EVP_sha384())), SF_EAUTH);
	assert_int_equal(verify(forge(header("RS256"), claims(""), SECRET, EVP_sha256())), SF_EAUTH);
	assert_int_equal(verify(forge(header("hs256"), claims(""), SECRET, EVP_sha256())), SF_EAUTH);
	assert_int_equal(
		verify(forge(good, claims(""), "another secret of thirty-two bytes, or more", EVP_sha256())),
		SF_EAUTH);
	assert_int_equal(
		verify(forge("{\"alg\":\"HS256\",\"kid\":\"0123456789abcdef\"}", claims(""), SECRET, EVP_sha256())),
		SF_EAUTH);
	assert_int_equal(verify(forge("{\"alg\":\"HS256\"}", claims(""), SECRET, EVP_sha256())), SF_EAUTH);
	assert_int_equal(verify(forge("{\"alg\":1,\"kid\":2}", claims(""), SECRET, EVP_sha256())), SF_EAUTH);
	assert_int_equal(verify(forge("[]", claims(""), SECRET, EVP_sha256())), SF_EAUTH);
	const char *crit = sf_arena_printf(a, "{\"alg\":\"HS256\",\"kid\":\"%s\",\"crit\":[\"b64\"]}", kid()).p;
	assert_int_equal(verify(forge(crit, claims(""), SECRET, EVP_sha256())), SF_EAUTH);
	/* alg none without a signature */
	struct sf_str none = forge(header("none"), claims(""), SECRET, EVP_sha256());
	none.n = (size_t)((const char *)memrchr(none.p, '.', none.n) - none.p) + 1;
	assert_int_equal(verify(none), SF_EAUTH);
}

static void claims_must_be_whole_and_in_time(void **state) {
	(void)state;
	const char *good = header("HS256");
	long long n = now;
	assert_int_equal(
		verify(forge(good, claims(sf_arena_printf(a, ",\"nbf\":%lld", n - 5).p), SECRET, EVP_sha256())), 0);
	assert_int_equal(
		verify(forge(good, claims(sf_arena_printf(a, ",\"nbf\":%lld", n + 50).p), SECRET, EVP_sha256())),
		SF_EAUTH);
	assert_int_equal(verify(forge(good, claims(",\"nbf\":\"0\""), SECRET, EVP_sha256())), SF_EAUTH);
	const char *const bad[] = {
		"{\"sub\":\"7\",\"role\":\"user\",\"iat\":%lld,\"exp\":%lld,\"jti\":\"a\",\"typ\":\"refresh\"}",
		"{\"sub\":\"7\",\"role\":\"user\",\"iat\":%lld,\"exp\":%lld,\"jti\":\"a\"}",
		"{\"sub\":\"7\",\"role\":\"user\",\"iat\":%lld,\"exp\":%lld,\"typ\":\"access\"}",
		"{\"sub\":\"7\",\"role\":\"user\",\"iat\":%lld,\"exp\":%lld,\"jti\":\"\",\"typ\":\"access\"}",
		"{\"sub\":\"7\",\"role\":\"king\",\"iat\":%lld,\"exp\":%lld,\"jti\":\"a\",\"typ\":\"access\"}",
		"{\"sub\":\"0\",\"role\":\"user\",\"iat\":%lld,\"exp\":%lld,\"jti\":\"a\",\"typ\":\"access\"}",
		"{\"sub\":\"-7\",\"role\":\"user\",\"iat\":%lld,\"exp\":%lld,\"jti\":\"a\",\"typ\":\"access\"}",
		"{\"sub\":7,\"role\":\"user\",\"iat\":%lld,\"exp\":%lld,\"jti\":\"a\",\"typ\":\"access\"}",
		"{\"role\":\"user\",\"iat\":%lld,\"exp\":%lld,\"jti\":\"a\",\"typ\":\"access\"}",
		"{\"sub\":\"7\",\"role\":\"user\",\"iat\":%lld,\"exp\":\"%lld\",\"jti\":\"a\",\"typ\":\"access\"}",
		"{\"sub\":\"7\",\"role\":\"user\",\"iat\":%lld,\"exq\":%lld,\"jti\":\"a\",\"typ\":\"access\"}",
		"{\"sub\":\"7\",\"role\":\"user\",\"ia\":%lld,\"exp\":%lld,\"jti\":\"a\",\"typ\":\"access\"}",
		"{\"sub\":\"7\",\"role\":\"user\",\"iat\":%lld,\"exp\":%lld,\"exp\":9999999999,\"jti\":\"a\",\"typ\":"
		"\"access\"}",
		"{\"sub\":\"7\",\"role\":\"user\",\"iat\":%lld,\"exp\":%lld.5,\"jti\":\"a\",\"typ\":\"access\"}",
		"{\"sub\":\"7\",\"role\":\"user\",\"iat\":%lld,\"exp\":%lld,\"jti\":"
		"\"0123456789abcdef0123456789abcdef0\",\"typ\":\"access\"}",
	};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	for (size_t i = 0; i < SF_COUNT(bad); i++)
		assert_int_equal(verify(forge(good, sf_arena_printf(a, bad[i], n, n + 60).p, SECRET, EVP_sha256())),
						 SF_EAUTH);
	const char *whole =
		"{\"sub\":\"7\",\"role\":\"user\",\"iat\":%lld,\"exp\":%lld,\"jti\":\"a\",\"typ\":\"access\"}";
	assert_int_equal(verify(forge(good, sf_arena_printf(a, whole, n - 60, n).p, SECRET, EVP_sha256())),
					 SF_EAUTH); /* expired now */
	assert_int_equal(verify(forge(good, sf_arena_printf(a, whole, n, n + 60).p, SECRET, EVP_sha256())), 0);
#pragma GCC diagnostic pop
}

static void junk_is_refused(void **state) {
	(void)state;
	static const char *const bad[] = { "",  ".",        "..",          "...",           "a.b.c",
									   "a", "e30.e30.", "e30.e30.e30", "Zg==.Zg==.Zg==" };
	for (size_t i = 0; i < SF_COUNT(bad); i++) assert_int_equal(verify(sf_str(bad[i])), SF_EAUTH);
	char big[5000];
	memset(big, 'A', sizeof(big));
	assert_int_equal(verify((struct sf_str) { big, sizeof(big) }), SF_EAUTH);
	/* nesting bombs in both parts */
	char deep[701];
	memset(deep, '[', 700), deep[700] = 0;
	assert_int_equal(verify(forge(deep, claims(""), SECRET, EVP_sha256())), SF_EAUTH);
	assert_int_equal(verify(forge(header("HS256"), deep, SECRET, EVP_sha256())), SF_EAUTH);
}

/* Each single character changed, dropped or added makes it another token. */
static void tampering_shows_everywhere(void **state) {
	(void)state;
	struct sf_str t = sign((struct sf_claims) { .sub = 7 });
	assert_int_equal(verify(t), 0);
	char *text = sf_arena_alloc(a, t.n + 2);
	for (size_t at = 0; at < t.n; at++) {
		memcpy(text, t.p, t.n);
		text[at] = text[at] == 'A' ? 'B' : 'A';
		assert_int_equal(verify((struct sf_str) { text, t.n }), SF_EAUTH);
		memcpy(text + at, t.p + at + 1, t.n - at - 1);
		assert_int_equal(verify((struct sf_str) { text, t.n - 1 }), SF_EAUTH);
	}
	memcpy(text, t.p, t.n);
	static const char ends[] = "A=.% \n";
	for (size_t i = 0; i < sizeof(ends); i++) {
		text[t.n] = ends[i];
		assert_int_equal(verify((struct sf_str) { text, t.n + 1 }), SF_EAUTH);
	}
	assert_int_equal(verify(t), 0);
}

static void tokens_outlive_a_rotation(void **state) {
	(void)state;
	struct sf_str t = sign((struct sf_claims) { .sub = 7 });
	assert_int_equal(sf_secrets_setup(OLD, (const char *const[]) { SECRET, NULL }), 0);
	assert_int_equal(verify(t), 0);
	assert_int_equal(sf_secrets_setup(OLD, NULL), 0);
	assert_int_equal(verify(t), SF_EAUTH);
}

static void revoking_one_token(void **state) {
	(void)state;
	struct sf_claims c = { .sub = 8, .exp = now + 100 }, got;
	struct sf_str one, other = sign((struct sf_claims) { .sub = 8 });
	assert_int_equal(sf_token_sign(a, &c, &one), 0);
	assert_int_equal(sf_token_verify(one, SF_TOKEN_ACCESS, &got), 0); /* now it is remembered */
	sf_token_revoke(c.jti, c.exp);
	assert_int_equal(sf_token_verify(one, SF_TOKEN_ACCESS, &got), SF_EAUTH);
	assert_int_equal(verify(other), 0);
}

/* A token is as old as its iat says: nobody lifts it over a revocation that was not known where it was decided to issue it. */
static void revoking_a_user_and_signing_in_again_at_once(void **state) {
	(void)state;
	int64_t from = sf_time_now() / SF_USEC;
	for (int round = 0; round < 5; round++) { /* all within the same second */
		struct sf_str old = sign((struct sf_claims) { .sub = 9, .iat = from });
		assert_int_equal(verify(old), 0);
		sf_token_revoke_user(9, ++from);
		assert_int_equal(verify(old), SF_EAUTH);
		assert_int_equal(verify(sign((struct sf_claims) { .sub = 9 })), SF_EAUTH);
		assert_int_equal(verify(sign((struct sf_claims) { .sub = 9, .iat = from })), 0);
		assert_int_equal(verify(sign((struct sf_claims) { .sub = 10 })), 0);
	}
}

static void many_tokens_push_out_the_oldest_only(void **state) {
	(void)state;
	struct sf_str hot = sign((struct sf_claims) { .sub = 11 });
	for (int i = 0; i < 2000; i++) {
		assert_int_equal(verify(sign((struct sf_claims) { .sub = 100 + i })), 0);
		assert_int_equal(verify(hot), 0);
		if (i % 100 == 0) sf_arena_reset(a), hot = sign((struct sf_claims) { .sub = 11 });
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		SET_UP(signed_tokens_are_read_back),
		SET_UP(only_hs256_with_our_key),
		SET_UP(claims_must_be_whole_and_in_time),
		SET_UP(junk_is_refused),
		SET_UP(tampering_shows_everywhere),
		SET_UP(tokens_outlive_a_rotation),
		SET_UP(revoking_one_token),
		SET_UP(revoking_a_user_and_signing_in_again_at_once),
		SET_UP(many_tokens_push_out_the_oldest_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
