/* werkzeug: hashes made by Python's hashlib as Werkzeug calls it, and rows that must not harm. */
#include "auth/test.h"

static const char scrypt[] = "scrypt:32768:8:1$a1B2c3D4e5F6g7H8$"
							 "804f040d9c1c040ae5405574c078cd238bfd6292dd60036ac30240dd61375849fe20c9b0c92bdd1"
							 "1d03a7de2172cfdadb866a67b2c2e91d8b3f85ce0a842e943";
static const char pbkdf2[] =
	"pbkdf2:sha256:1000$saltSALTsalt$a74e09701229752dc99fed3e687344487cde6d1405131ecfe2ada71d877b56ce";

static void right_and_wrong(void **state) {
	(void)state;
	const char *const hashes[] = { scrypt, pbkdf2 };
	for (size_t i = 0; i < SF_COUNT(hashes); i++) {
		bool upgrade = false, derived = false;
		assert_int_equal(sf_auth__werkzeug_check(SF_STR("비밀번호 1!"), sf_str(hashes[i]), &derived), 0);
		assert_int_equal(sf_auth__werkzeug_check(SF_STR("비밀번호 1"), sf_str(hashes[i]), &derived),
						 SF_EAUTH);
		assert_int_equal(sf_auth__werkzeug_check(SF_STR(""), sf_str(hashes[i]), &derived), SF_EAUTH);
		assert_true(derived);
		assert_int_equal(sf_password_check(NULL, SF_STR("비밀번호 1!"), sf_str(hashes[i]), NULL, 0, &upgrade),
						 0);
		assert_true(upgrade);
	}
}

static void unreadable(void **state) {
	(void)state;
	static const char *const bad[] = { "",
									   "$",
									   "$$",
									   "scrypt:32768:8:1$salt$",
									   "scrypt:32768:8:1$$00",
									   "scrypt:32768:8$salt$00",
									   "scrypt:32767:8:1$salt$00",
									   "scrypt:0:8:1$salt$00",
									   "scrypt:-1:8:1$salt$00",
									   "scrypt:1048576:64:16$salt$00",
									   "scrypt:99999999999999999999:8:1$salt$00",
									   "scrypt:32768:8:1:1$salt$00",
									   "pbkdf2:sha256$salt$00",
									   "pbkdf2:sha256:$salt$00",
									   "pbkdf2:sha256:99999999999$salt$00",
									   "pbkdf2:sha1:1000$salt$00",
									   "pbkdf2:sha256:1000$salt$zz",
									   "plain$salt$00" };
	bool derived = false;
	for (size_t i = 0; i < SF_COUNT(bad); i++)
		assert_int_equal(sf_auth__werkzeug_check(SF_STR("x"), sf_str(bad[i]), &derived), SF_EAUTH);
}

static void every_prefix_is_wrong(void **state) {
	(void)state;
	bool derived = false;
	for (size_t n = 0; n < sizeof(pbkdf2) - 1; n++)
		assert_int_equal(
			sf_auth__werkzeug_check(SF_STR("비밀번호 1!"), (struct sf_str) { pbkdf2, n }, &derived),
			SF_EAUTH);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(right_and_wrong),
		cmocka_unit_test(unreadable),
		cmocka_unit_test(every_prefix_is_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
