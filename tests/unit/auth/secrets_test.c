/* secrets: what the present one makes, all accepted ones verify and open, each for its own purpose. */
#include "auth/test.h"
#include "core/hash.h"

static const char ONE[] = "the first secret of thirty-two bytes, for tests only";
static const char TWO[] = "the second secret of thirty-two bytes, for tests only";
static struct sf_arena *a;

static int setup(void **state) {
	(void)state;
	a = sf_arena_new(0);
	return sf_secrets_setup(ONE, NULL);
}
static int teardown(void **state) {
	(void)state;
	sf_arena_free(a);
	return sf_secrets_setup(NULL, NULL);
}

static void digests_verify_under_any_accepted_secret(void **state) {
	(void)state;
	unsigned char first[32], second[32], want[32];
	sf_secret_digest(a, "otp", SF_STR("x:1"), first);
	sf_hmac_sha256(sf_str(ONE), SF_STR("otp:x:1"), want);
	assert_memory_equal(first, want, 32); /* stored digests: the form may not change */
	assert_int_equal(sf_secrets_setup(TWO, (const char *const[]) { ONE, NULL }), 0);
	sf_secret_digest(a, "otp", SF_STR("x:1"), second);
	assert_memory_not_equal(first, second, 32);
	assert_true(sf_secret_verify(a, "otp", SF_STR("x:1"), first));
	assert_true(sf_secret_verify(a, "otp", SF_STR("x:1"), second));
	assert_int_equal(sf_secrets_setup(TWO, NULL), 0); /* the rotation is over */
	assert_false(sf_secret_verify(a, "otp", SF_STR("x:1"), first));
	assert_true(sf_secret_verify(a, "otp", SF_STR("x:1"), second));
}

static void purposes_and_data_are_told_apart(void **state) {
	(void)state;
	unsigned char d[32];
	sf_secret_digest(a, "otp", SF_STR("data"), d);
	assert_false(sf_secret_verify(a, "csrf", SF_STR("data"), d));
	assert_false(sf_secret_verify(a, "otp", SF_STR("datb"), d));
	assert_false(sf_secret_verify(a, "otp", SF_STR(""), d));
	for (size_t i = 0; i < sizeof d; i++) {
		d[i] ^= 1;
		assert_false(sf_secret_verify(a, "otp", SF_STR("data"), d));
		d[i] ^= 1;
	}
	assert_true(sf_secret_verify(a, "otp", SF_STR("data"), d));
	sf_secret_digest(a, "otp", (struct sf_str) { "a\0b", 3 }, d);
	assert_false(sf_secret_verify(a, "otp", (struct sf_str) { "a\0c", 3 }, d));
	sf_secret_digest(a, "otp", SF_STR_NULL, d);
	assert_true(sf_secret_verify(a, "otp", SF_STR(""), d));
}

static void keys_of_every_accepted_secret(void **state) {
	(void)state;
	unsigned char first[32], present[32], previous[32], other[32];
	assert_true(sf_secret_key(0, "purpose", first));
	assert_false(sf_secret_key(1, "purpose", other));
	assert_int_equal(sf_secrets_setup(TWO, (const char *const[]) { ONE, NULL }), 0);
	assert_true(sf_secret_key(0, "purpose", present));
	assert_true(sf_secret_key(1, "purpose", previous));
	assert_false(sf_secret_key(2, "purpose", other));
	assert_memory_equal(first, previous, 32);
	assert_memory_not_equal(first, present, 32);
	assert_true(sf_secret_key(0, "other", other));
	assert_memory_not_equal(present, other, 32);
	sf_secret_digest(a, "purpose", SF_STR(""), other);
	assert_memory_not_equal(present, other, 32);
}

static void wrong_secrets_are_refused_whole(void **state) {
	(void)state;
	const char *many[SF_SECRETS_MAX + 1] = { NULL };
	unsigned char key[32];
	assert_int_equal(sf_secrets_setup("0123456789abcdef0123456789abcde", NULL), SF_EINVAL); /* 31 */
	assert_int_equal(sf_secrets_setup("0123456789abcdef0123456789abcdef", NULL), 0);
	assert_int_equal(sf_secrets_setup(TWO, (const char *const[]) { ONE, "short", NULL }), SF_EINVAL);
	assert_null(sf_auth__secret_of("anything"));
	for (size_t i = 0; i < SF_SECRETS_MAX - 1; i++) many[i] = ONE;
	assert_int_equal(sf_secrets_setup(TWO, many), 0);
	assert_true(sf_secret_key(SF_SECRETS_MAX - 1, "purpose", key));
	many[SF_SECRETS_MAX - 1] = ONE;
	assert_int_equal(sf_secrets_setup(TWO, many), SF_EINVAL);
}

static void what_is_encrypted_is_read_here_alone(void **state) {
	(void)state;
	const struct sf_str plain = SF_STR("{\"otp\":\"012345\"}");
	struct sf_str out, before = sf_secret_encrypt(a, "mail", plain);
	assert_null(strstr(sf_arena_cstr(a, before), "otp"));
	assert_false(sf_str_eq(before, sf_secret_encrypt(a, "mail", plain))); /* a nonce each */
	assert_int_equal(sf_secret_decrypt(a, "mail", before, &out), 0);
	assert_true(sf_str_eq(out, plain));
	assert_int_equal(sf_secret_decrypt(a, "answer", before, &out), SF_EINVAL); /* of another purpose */
	for (size_t i = 0; i < before.n; i++) {
		char *changed = sf_arena_cstr(a, before);
		changed[i] = changed[i] == 'A' ? 'Q' : 'A';
		assert_int_equal(sf_secret_decrypt(a, "mail", (struct sf_str) { changed, before.n }, &out),
						 SF_EINVAL);
	}
	assert_int_equal(sf_secret_decrypt(a, "mail", SF_STR("AAAA"), &out), SF_EINVAL);
	assert_int_equal(sf_secret_decrypt(a, "mail", SF_STR_NULL, &out), SF_EINVAL);
	assert_int_equal(sf_secrets_setup(TWO, (const char *const[]) { ONE, NULL }), 0);
	assert_int_equal(sf_secret_decrypt(a, "mail", before, &out), 0); /* from before a rotation */
	assert_true(sf_str_eq(out, plain));
	struct sf_str after = sf_secret_encrypt(a, "mail", SF_STR(""));
	assert_int_equal(sf_secrets_setup(TWO, NULL), 0);
	assert_int_equal(sf_secret_decrypt(a, "mail", before, &out), SF_EINVAL);
	assert_int_equal(sf_secret_decrypt(a, "mail", after, &out), 0); /* under the present secret */
	assert_int_equal(out.n, 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		SET_UP(digests_verify_under_any_accepted_secret),
		SET_UP(purposes_and_data_are_told_apart),
		SET_UP(keys_of_every_accepted_secret),
		SET_UP(wrong_secrets_are_refused_whole),
		SET_UP(what_is_encrypted_is_read_here_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
