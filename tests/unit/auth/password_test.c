/* password: hashing and checking, on the calling thread. */
#include "auth/test.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void hashes_are_salted_argon2id(void **state) {
	(void)state;
	char a[SF_PASSWORD_HASH_MAX], b[SF_PASSWORD_HASH_MAX];
	bool upgrade = true;
	assert_int_equal(sf_password_hash(NULL, SF_STR("비밀번호 1!"), a), 0);
	assert_int_equal(sf_password_hash(NULL, SF_STR("비밀번호 1!"), b), 0);
	assert_string_not_equal(a, b);
	assert_memory_equal(a, "$argon2id$v=19$m=65536,t=2,p=1$", 31);
	assert_int_equal(sf_password_check(NULL, SF_STR("비밀번호 1!"), sf_str(a), NULL, 0, &upgrade), 0);
	assert_false(upgrade);
	assert_int_equal(sf_password_check(NULL, SF_STR("비밀번호 1"), sf_str(a), NULL, 0, &upgrade), SF_EAUTH);
	assert_int_equal(sf_password_check(NULL, SF_STR(""), sf_str(a), NULL, 0, NULL), SF_EAUTH);
}

static void cheaper_hashes_ask_for_an_upgrade(void **state) {
	(void)state;
	/* of "password", with less memory */
	static const char weak[] =
		"$argon2id$v=19$m=8192,t=1,p=1$HhfGrUrR4AHxoS9SsxE89w$6Hn9pEmCn2MjY3xothz+cc+nRfDyWlRnTM90DNf+ICA";
	bool upgrade = false;
	assert_int_equal(sf_password_check(NULL, SF_STR("password"), sf_str(weak), NULL, 0, &upgrade), 0);
	assert_true(upgrade);
	upgrade = false;
	assert_int_equal(sf_password_check(NULL, SF_STR("Password"), sf_str(weak), NULL, 0, &upgrade), SF_EAUTH);
	assert_false(upgrade);
}

static void unreadable_hashes_are_wrong(void **state) {
	(void)state;
	static const char *const bad[] = { "",      "$",       "$argon2id$", "$argon2id$v=19$m=65536,t=2,p=1$x$y",
									   "plain", "scrypt:", "md5$a$b" };
	for (size_t i = 0; i < SF_COUNT(bad); i++)
		assert_int_equal(sf_password_check(NULL, SF_STR("x"), sf_str(bad[i]), NULL, 0, NULL), SF_EAUTH);
	char longest[4096];
	memset(longest, '$', sizeof(longest));
	memcpy(longest, "$argon2id$", 10);
	assert_int_equal(
		sf_password_check(NULL, SF_STR("x"), (struct sf_str) { longest, sizeof(longest) }, NULL, 0, NULL),
		SF_EAUTH);
}

/* In a process that may have no more memory a right password is not called wrong. */
static void want_of_memory_is_not_a_wrong_password(void **state) {
	(void)state;
#ifdef __SANITIZE_ADDRESS__
	skip(); /* its own allocator dies of the limit */
#endif
	char hash[SF_PASSWORD_HASH_MAX], other[SF_PASSWORD_HASH_MAX];
	assert_int_equal(sf_password_hash(NULL, SF_STR("right"), hash), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit none = { 0, 0 };
		if (setrlimit(RLIMIT_AS, &none)) _exit(1);
		if (sf_password_check(NULL, SF_STR("right"), sf_str(hash), NULL, 0, NULL) != SF_ENOMEM) _exit(2);
		if (sf_password_check(NULL, SF_STR("right"), SF_STR_NULL, NULL, 0, NULL) != SF_ENOMEM) _exit(3);
		_exit(sf_password_hash(NULL, SF_STR("right"), other) == SF_ENOMEM ? 0 : 4);
	}
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Outside of a coroutine the work is done on the spot: what it takes of the CPU is the same on a busy machine. */
static int64_t cpu_ns(void) {
	struct timespec t;
	assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}
static int64_t took(struct sf_str hash) {
	int64_t start = cpu_ns();
	assert_int_equal(sf_password_check(NULL, SF_STR("not it"), hash, NULL, 0, NULL), SF_EAUTH);
	return cpu_ns() - start;
}

static void nobody_takes_as_long_as_somebody(void **state) {
	(void)state;
	char known[SF_PASSWORD_HASH_MAX];
	assert_int_equal(sf_password_hash(NULL, SF_STR("right"), known), 0);
	int64_t with = INT64_MAX, without = INT64_MAX;
	for (int i = 0; i < 4; i++) {
		int64_t a = took(sf_str(known)), b = took(SF_STR_NULL);
		if (a < with) with = a;
		if (b < without) without = b;
	}
	assert_true(without > with / 2 && with > without / 2);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_are_salted_argon2id),
		cmocka_unit_test(cheaper_hashes_ask_for_an_upgrade),
		cmocka_unit_test(unreadable_hashes_are_wrong),
		cmocka_unit_test(want_of_memory_is_not_a_wrong_password),
		cmocka_unit_test(nobody_takes_as_long_as_somebody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
