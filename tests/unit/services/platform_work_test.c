/* A wrong password costs the same whoever it is tried for: by whichever method a user's password is hashed, and whether there is
 * such a user. The functions that derive keys are this file's own here, and count what they are asked for. */
#include "platform.h"

#include <openssl/evp.h>
#include <sodium.h>

static struct {
	uint64_t argon2, scrypt, pbkdf2; /* work: passes over KiB; N·r·p; rounds */
	uint64_t calls;
} work;

static void answer(unsigned char *out, size_t n) { /* no password is right */
	memset(out, 0xA5, n);
	work.calls++;
}
int crypto_pwhash(unsigned char *const out, unsigned long long n, const char *const password,
				  unsigned long long password_n, const unsigned char *const salt, unsigned long long passes,
				  size_t memory, int alg) {
	(void)password, (void)password_n, (void)salt, (void)alg;
	answer(out, (size_t)n);
	work.argon2 += passes * (memory / 1024);
	return 0;
}
int EVP_PBE_scrypt(const char *password, size_t password_n, const unsigned char *salt, size_t salt_n,
				   uint64_t n, uint64_t r, uint64_t p, uint64_t memory, unsigned char *key, size_t key_n) {
	(void)password, (void)password_n, (void)salt, (void)salt_n, (void)memory;
	answer(key, key_n);
	work.scrypt += n * r * p;
	return 1;
}
int PKCS5_PBKDF2_HMAC(const char *password, int password_n, const unsigned char *salt, int salt_n, int rounds,
					  const EVP_MD *digest, int key_n, unsigned char *key) {
	(void)password, (void)password_n, (void)salt, (void)salt_n, (void)digest;
	answer(key, (size_t)key_n);
	work.pbkdf2 += (uint64_t)rounds;
	return 1;
}

#define HEX32 "a74e09701229752dc99fed3e687344487cde6d1405131ecfe2ada71d877b56ce"

static const char *const hashes[] = {
	"$argon2id$v=19$m=65536,t=2,p=1$87427LzI8baYMrXuVpBB3w$IYNKB3NqDdK3R9Od7+c8GVlTSZGU2+9au5S1sIqjsd8",
	"$argon2id$v=19$m=8192,t=1,p=1$HhfGrUrR4AHxoS9SsxE89w$6Hn9pEmCn2MjY3xothz+cc+nRfDyWlRnTM90DNf+ICA",
	"scrypt:32768:8:1$a1B2c3D4e5F6g7H8$" HEX32 HEX32,
	"pbkdf2:sha256:600000$saltSALTsalt$" HEX32,
	"pbkdf2:sha256:260000$saltSALTsalt$" HEX32,
	/* unreadable, of a method that occurs and of none */
	"scrypt:32768:8:1$$" HEX32 HEX32,
	"pbkdf2:sha256:600000$saltSALTsalt$zz",
	"$argon2id$v=19$m=65536,t=2,p=1$x$y",
	"plain",
	"",
};

/* ~ What a wrong password costs for the user of that number. */
static void guess(struct world *w, size_t i) {
	memset(&work, 0, sizeof(work));
	IS(login(w, sf_arena_printf(w->a, "work%zu@example.com", i).p, "wrong wrong"), 401);
}

static void a_wrong_password_costs_the_same(struct world *w) {
	/* nobody's is hashed in another way: nothing but Argon2id is computed */
	guess(w, 99);
	assert_int_equal(work.argon2, 2 * 65536);
	assert_int_equal(work.calls, 1);
	for (size_t i = 0; i < SF_COUNT(hashes); i++)
		OK(run_sql(w, sf_arena_printf(w->a,
									  "INSERT INTO users (email, password_hash, name) VALUES "
									  "('work%zu@example.com', '%s', 'X')",
									  i, hashes[i])
						  .p));
	for (size_t i = 0; i <= SF_COUNT(hashes); i++) { /* the last one is nobody */
		guess(w, i);
		if (work.argon2 != 2 * 65536 + 8192 || work.scrypt != 32768 * 8 || work.pbkdf2 != 600000 + 260000)
			fail_msg("%s: Argon2 %d, scrypt %d, PBKDF2 %d", i < SF_COUNT(hashes) ? hashes[i] : "nobody",
					 (int)work.argon2, (int)work.scrypt, (int)work.pbkdf2);
	}
	/* once a method has no users any more, nobody waits for it */
	OK(run_sql(w, "DELETE FROM users WHERE password_hash LIKE 'pbkdf2%'"));
	guess(w, 99);
	assert_int_equal(work.pbkdf2, 0);
	assert_int_equal(work.calls, 3);
}
WORLD_TEST(a_wrong_password_costs_the_same)

int main(void) {
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_wrong_password_costs_the_same_test) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
