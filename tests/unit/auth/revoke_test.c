/* revoke: users and tokens do not mix, expired entries give way, processes share. */
#include "auth/test.h"
#include "core/time.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void make_jti(char out[33], int process, int i) {
	snprintf(out, 33, "%016x%016x", process + 1, i + 1);
}

static void tokens_and_users_apart(void **state) {
	(void)state;
	int64_t now = sf_time_now() / SF_USEC;
	assert_false(sf_auth__revoked(5, now, "aa"));
	sf_token_revoke("aa", now + 100);
	assert_true(sf_auth__revoked(5, now, "aa"));
	assert_true(sf_auth__revoked(6, now, "aa"));
	assert_false(sf_auth__revoked(5, now, "ab"));
	sf_token_revoke_user(5, now);
	assert_true(sf_auth__revoked(5, now - 1, "ab"));
	assert_false(sf_auth__revoked(5, now, "ab"));
	assert_false(sf_auth__revoked(6, now - 1, "ab"));
	sf_token_revoke_user(5, now - 50); /* an older one does not undo it */
	assert_true(sf_auth__revoked(5, now - 1, "ab"));
	assert_int_equal(sf_token_revoked_before(5), now);
	assert_int_equal(sf_token_revoked_before(6), 0);
	assert_true(sf_token_revoked("aa"));
	assert_false(sf_token_revoked("ab"));
	sf_token_revoke_user(5, now + 30);
	assert_int_equal(sf_token_revoked_before(5), now + 30);
	sf_token_revoke_user(0, now + 30);
	sf_token_revoke_user(-1, now + 30);
	sf_token_revoke("old", now - 1); /* over already: takes no place */
	assert_false(sf_auth__revoked(6, now, "old"));
}

static void many_are_all_found(void **state) {
	(void)state;
	int64_t now = sf_time_now() / SF_USEC;
	char jti[33];
	for (int i = 0; i < 100000; i++) {
		make_jti(jti, 100, i);
		sf_token_revoke(jti, now + 1000);
	}
	for (int i = 0; i < 100000; i++) {
		make_jti(jti, 100, i);
		assert_true(sf_auth__revoked(1, now, jti));
	}
	int wrong = 0;
	for (int i = 0; i < 100000; i++) {
		make_jti(jti, 101, i);
		wrong += sf_auth__revoked(1, now, jti);
	}
	assert_int_equal(wrong, 0);
}

/* Four processes revoke at the same time; each one's are there for all. */
static void processes_share(void **state) {
	(void)state;
	int64_t now = sf_time_now() / SF_USEC;
	char jti[33];
	pid_t pids[4];
	for (int p = 0; p < 4; p++) {
		pids[p] = fork();
		assert_true(pids[p] >= 0);
		if (pids[p] == 0) {
			for (int i = 0; i < 5000; i++) {
				make_jti(jti, p, i);
				sf_token_revoke(jti, now + 1000);
				sf_token_revoke_user(1000 + i % 50, now + p * 10);
			}
			_exit(0);
		}
	}
	for (int p = 0; p < 4; p++) {
		int status = -1;
		assert_int_equal(waitpid(pids[p], &status, 0), pids[p]);
		assert_int_equal(status, 0);
	}
	for (int p = 0; p < 4; p++)
		for (int i = 0; i < 5000; i++) {
			make_jti(jti, p, i);
			assert_true(sf_auth__revoked(1, now, jti));
		}
	for (int i = 0; i < 50; i++) assert_int_equal(sf_token_revoked_before(1000 + i), now + 30);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_and_users_apart),
		cmocka_unit_test(processes_share),
		cmocka_unit_test(many_are_all_found),
	};
	return cmocka_run_group_tests(tests, shared, NULL);
}
