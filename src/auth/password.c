/* password: hashing and checking on the thread pool, in turn (line.c). */
#include "auth/internal.h"
#include "core/time.h"
#include "loop/loop.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>

#define OPSLIMIT crypto_pwhash_OPSLIMIT_INTERACTIVE
#define MEMLIMIT crypto_pwhash_MEMLIMIT_INTERACTIVE

/* Runs fn on the pool in its turn; outside of coroutines (tools) on the spot. */
static int run(struct sf_turn *t, int (*fn)(void *arg), void *arg) {
	if (!sf_co_self()) return fn(arg);
	struct sf_turn ours = { 0 };
	int err = sf_auth__line_take(t ? t : &ours);
	if (err) return err;
	int64_t start = sf_clock_ns();
	err = sf_offload(fn, arg);
	sf_auth__line_give((sf_clock_ns() - start) / 1000);
	return err;
}

/* ---- on the pool's threads ---------------------------------------------------------------------------- */

struct job {
	struct sf_str password, hash;
	const struct sf_str *methods;
	size_t nmethods;
	char *out;
	bool upgrade;
};

static int hash_now(void *arg) {
	struct job *j = arg;
	char text[crypto_pwhash_STRBYTES];
	_Static_assert(crypto_pwhash_STRBYTES <= SF_PASSWORD_HASH_MAX, "the hash fits its buffer");
	if (sodium_init() < 0) return SF_EINTERNAL;
	if (crypto_pwhash_str_alg(text, j->password.p ? j->password.p : "", j->password.n, OPSLIMIT, MEMLIMIT,
							  crypto_pwhash_ALG_ARGON2ID13))
		return SF_ENOMEM;
	memcpy(j->out, text, sizeof(text));
	return 0;
}

/* PHC text as hash_now makes it: $argon2id$v=19$m=KiB,t=passes,p=1$salt$hash. Computed here and compared, because the
 * library's own check answers alike for a wrong password and for memory it could not have. */
static int argon2_check(struct sf_str password, struct sf_str hash, bool *derived, bool *upgrade) {
	char text[SF_PASSWORD_HASH_MAX] = { 0 };
	unsigned char salt[crypto_pwhash_SALTBYTES], want[64], got[sizeof(want)];
	unsigned mem = 0, passes = 0;
	size_t nsalt = 0, nwant = 0;
	int at = 0;
	const char *end = NULL;
	if (hash.n >= sizeof(text)) return SF_EAUTH;
	memcpy(text, hash.p, hash.n);
	if (sscanf(text, "$argon2id$v=19$m=%7u,t=%3u,p=1$%n", &mem, &passes, &at) != 2 || at == 0)
		return SF_EAUTH;
	if (sodium_base642bin(salt, sizeof(salt), text + at, strlen(text + at), NULL, &nsalt, &end,
						  sodium_base64_VARIANT_ORIGINAL_NO_PADDING) ||
		nsalt != sizeof(salt) || *end++ != '$')
		return SF_EAUTH;
	if (sodium_base642bin(want, sizeof(want), end, strlen(end), NULL, &nwant, NULL,
						  sodium_base64_VARIANT_ORIGINAL_NO_PADDING) ||
		nwant < crypto_pwhash_BYTES_MIN)
		return SF_EAUTH;
	errno = 0;
	if (crypto_pwhash(got, nwant, password.p ? password.p : "", password.n, salt, passes, (size_t)mem * 1024,
					  crypto_pwhash_ALG_ARGON2ID13))
		return errno == ENOMEM ? SF_ENOMEM : SF_EAUTH;
	*derived = true;
	if (sodium_memcmp(got, want, nwant)) return SF_EAUTH;
	*upgrade = crypto_pwhash_str_needs_rehash(text, OPSLIMIT, MEMLIMIT) != 0;
	return 0;
}

/* *derived: the work was done, not refused as unreadable. */
static int check_one(struct sf_str password, struct sf_str hash, bool *derived, bool *upgrade) {
	*derived = false;
	if (sf_str_starts(hash, SF_STR("$argon2"))) return argon2_check(password, hash, derived, upgrade);
	*upgrade = true;
	return sf_auth__werkzeug_check(password, hash, derived);
}

/* ---- even work ----------------------------------------------------------------------------------------- */

/* How new passwords are hashed; what a method is to a hash, see auth.h. A salt and a digest that nobody has, of either family. */
#define PRESENT  "$argon2id$v=19$m=65536,t=2,p=1"
#define ARGON2   "$87427LzI8baYMrXuVpBB3w$IYNKB3NqDdK3R9Od7+c8GVlTSZGU2+9au5S1sIqjsd8"
#define WERKZEUG "$softfactory$00"

/* The hash without salt and digest: all before the fourth '$' of Argon2's, the first of Werkzeug's. */
static struct sf_str method_of(struct sf_str hash) {
	int marks = sf_str_starts(hash, SF_STR("$argon2")) ? 4 : 1;
	size_t n = 0;
	while (n < hash.n && (hash.p[n] != '$' || --marks > 0)) n++;
	return (struct sf_str) { hash.p, n };
}

/* What a wrong password costs by a method. SF_ENOMEM or 0. */
static int spend(struct sf_str password, struct sf_str method) {
	char text[SF_PASSWORD_HASH_MAX];
	bool derived, upgrade;
	bool argon2 = sf_str_starts(method, SF_STR("$argon2"));
	int n = snprintf(text, sizeof(text), SF_PRI "%s", SF_ARG(method), argon2 ? ARGON2 : WERKZEUG);
	if (n < 0 || (size_t)n >= sizeof(text)) return 0;
	int err = check_one(password, (struct sf_str) { text, (size_t)n }, &derived, &upgrade);
	return err == SF_ENOMEM ? err : 0;
}

/* Whatever the hash is, unreadable or none, a wrong password costs the same: once the present method and each of the others. */
static int check_now(void *arg) {
	struct job *j = arg;
	bool derived = false;
	if (sodium_init() < 0) return SF_EINTERNAL;
	int err = j->hash.p ? check_one(j->password, j->hash, &derived, &j->upgrade) : SF_EAUTH;
	if (err != SF_EAUTH) return err;
	struct sf_str own = derived ? method_of(j->hash) : SF_STR_NULL, present = SF_STR(PRESENT);
	err = sf_str_eq(own, present) ? 0 : spend(j->password, present);
	for (size_t i = 0; !err && i < j->nmethods; i++)
		if (!sf_str_eq(j->methods[i], own)) err = spend(j->password, j->methods[i]);
	return err ? err : SF_EAUTH;
}

/* ---- the face ------------------------------------------------------------------------------------------ */

int sf_password_hash(struct sf_turn *t, struct sf_str password, char out[SF_PASSWORD_HASH_MAX]) {
	struct job j = { .password = password, .out = out };
	return run(t, hash_now, &j);
}

int sf_password_check(struct sf_turn *t, struct sf_str password, struct sf_str hash,
					  const struct sf_str *methods, size_t nmethods, bool *upgrade) {
	struct job j = { .password = password, .hash = hash, .methods = methods, .nmethods = nmethods };
	int err = run(t, check_now, &j);
	if (!err && upgrade) *upgrade = j.upgrade;
	return err;
}
