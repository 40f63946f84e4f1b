/* hash: published test vectors, and randomness that a fork does not repeat. */
#include "core/test.h"
#include "core/hash.h"

#include <sys/wait.h>
#include <unistd.h>

static void assert_hex(const unsigned char *p, size_t n, const char *want) {
	char hex[129];
	sf_hex(p, n, hex);
	assert_string_equal(hex, want);
}

static void sha256_vectors(void **state) {
	(void)state;
	unsigned char d[32];
	sf_sha256("abc", 3, d);
	assert_hex(d, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sf_sha256("", 0, d);
	assert_hex(d, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void hmac_vectors(void **state) { /* RFC 4231, cases 1, 2 and 6 (key longer than a block) */
	(void)state;
	unsigned char d[32];
	char key[131];
	memset(key, 0x0b, 20);
	sf_hmac_sha256((struct sf_str) { key, 20 }, SF_STR("Hi There"), d);
	assert_hex(d, 32, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	sf_hmac_sha256(SF_STR("Jefe"), SF_STR("what do ya want for nothing?"), d);
	assert_hex(d, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	sf_hmac_sha256((struct sf_str) { key, sizeof(key) },
				   SF_STR("Test Using Larger Than Block-Size Key - Hash Key First"), d);
	assert_hex(d, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void fixed_hash_vectors(void **state) { /* XXH64, seed 0 */
	(void)state;
	assert_true(sf_hash64_fixed("", 0) == UINT64_C(0xEF46DB3751D8E999));
	assert_true(sf_hash64_fixed("a", 1) == UINT64_C(0xD24EC4F1A98C6E5B));
	assert_true(sf_hash64_fixed("abc", 3) == UINT64_C(0x44BC2CF5AD770999));
	assert_true(sf_hash64_fixed("Nobody inspects the spammish repetition", 39) ==
				UINT64_C(0xFBCEA83C8A378BF1));
}

static void keyed_hash_tells_texts_apart(void **state) {
	(void)state;
	assert_true(sf_hash64("a", 1) == sf_hash64("a", 1));
	assert_true(sf_hash64("a", 1) != sf_hash64("b", 1));
	assert_true(sf_hash64("a", 1) != sf_hash64("a", 2));
}

static void constant_time_equality(void **state) {
	(void)state;
	assert_true(sf_equal_ct("abc", "abc", 3));
	assert_false(sf_equal_ct("abc", "abd", 3));
	assert_true(sf_equal_ct("x", "y", 0));
}

static void random_bytes_differ(void **state) {
	(void)state;
	unsigned char seen[2000][16];
	for (size_t i = 0; i < SF_COUNT(seen); i++) sf_random(seen[i], 16);
	for (size_t i = 1; i < SF_COUNT(seen); i++) assert_memory_not_equal(seen[0], seen[i], 16);
	unsigned char big[1000] = { 0 };
	sf_random(big, sizeof(big));
	size_t zeros = 0;
	for (size_t i = 0; i < sizeof(big); i++) zeros += big[i] == 0;
	assert_true(zeros < 50);
}

static void a_fork_draws_its_own(void **state) {
	(void)state;
	unsigned char mine[16], theirs[16];
	int fds[2];
	sf_random(mine, sizeof(mine)); /* the pool is filled */
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		sf_random(theirs, sizeof(theirs));
		_exit(write(fds[1], theirs, sizeof(theirs)) != sizeof(theirs));
	}
	sf_random(mine, sizeof(mine));
	assert_int_equal(read(fds[0], theirs, sizeof(theirs)), sizeof(theirs));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_memory_not_equal(mine, theirs, sizeof(mine));
	close(fds[0]), close(fds[1]);
}

static void uuids_have_the_form(void **state) {
	(void)state;
	for (int i = 0; i < 100; i++) {
		char u[37];
		sf_uuid(u);
		assert_int_equal(strlen(u), 36);
		for (size_t k = 0; k < 36; k++) {
			if (k == 8 || k == 13 || k == 18 || k == 23)
				assert_int_equal(u[k], '-');
			else
				assert_non_null(strchr("0123456789abcdef", u[k]));
		}
		assert_int_equal(u[14], '4');
		assert_non_null(strchr("89ab", u[19]));
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_vectors),         cmocka_unit_test(hmac_vectors),
		cmocka_unit_test(fixed_hash_vectors),     cmocka_unit_test(keyed_hash_tells_texts_apart),
		cmocka_unit_test(constant_time_equality), cmocka_unit_test(random_bytes_differ),
		cmocka_unit_test(a_fork_draws_its_own),   cmocka_unit_test(uuids_have_the_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
