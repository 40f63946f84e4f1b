/* werkzeug: password hashes as the Flask platform's library wrote them.
 *
 *     scrypt:32768:8:1$salt$hex          64 bytes of scrypt (RFC 7914)
 *     pbkdf2:sha256:600000$salt$hex      32 bytes of PBKDF2-HMAC-SHA256 (RFC 8018)
 *
 * The salt is used as the text it is. Costs come from our own database, but are bounded all the same: a row must not
 * be able to hold a thread for minutes. */
#include "auth/internal.h"
#include "core/hash.h"

#include <openssl/evp.h>
#include <openssl/kdf.h>

#define LONGEST 64 /* bytes of a derived key */

struct parts {
	struct sf_str method, salt, hex;
};

static int split(struct sf_str hash, struct parts *out) {
	struct sf_str rest;
	if (!sf_str_cut(hash, '$', &out->method, &rest) || !sf_str_cut(rest, '$', &out->salt, &out->hex))
		return SF_EAUTH;
	return out->salt.n && out->hex.n ? 0 : SF_EAUTH;
}

/* The numbers of "a:b:c"; exactly n of them, each from 1 to max. */
static int read_costs(struct sf_str s, int64_t *out, size_t n, int64_t max) {
	for (size_t i = 0; i < n; i++) {
		struct sf_str head;
		bool more = sf_str_cut(s, ':', &head, &s);
		if (more != (i + 1 < n) || sf_str_int(head, &out[i]) || out[i] < 1 || out[i] > max) return SF_EAUTH;
	}
	return 0;
}

static int derive_scrypt(struct sf_str password, struct sf_str salt, struct sf_str costs, unsigned char *key,
						 size_t *n) {
	int64_t c[3];
	if (read_costs(costs, c, 3, 1 << 20)) return SF_EAUTH;
	int64_t memory = 128 * c[0] * c[1];
	if ((c[0] & (c[0] - 1)) || c[1] > 64 || c[2] > 16 || memory > (INT64_C(256) << 20)) return SF_EAUTH;
	*n = 64;
	int ok = EVP_PBE_scrypt(password.p ? password.p : "", password.n, (const unsigned char *)salt.p, salt.n,
							(uint64_t)c[0], (uint64_t)c[1], (uint64_t)c[2],
							(uint64_t)(2 * memory + (1 << 20)), key, *n);
	return ok == 1 ? 0 : SF_EAUTH;
}

static int derive_pbkdf2(struct sf_str password, struct sf_str salt, struct sf_str costs, unsigned char *key,
						 size_t *n) {
	int64_t rounds;
	if (read_costs(costs, &rounds, 1, 10000000)) return SF_EAUTH;
	*n = 32;
	int ok = PKCS5_PBKDF2_HMAC(password.p ? password.p : "", (int)password.n, (const unsigned char *)salt.p,
							   (int)salt.n, (int)rounds, EVP_sha256(), (int)*n, key);
	return ok == 1 ? 0 : SF_EAUTH;
}

int sf_auth__werkzeug_check(struct sf_str password, struct sf_str hash, bool *derived) {
	static const struct sf_str scrypt = { "scrypt:", 7 }, pbkdf2 = { "pbkdf2:sha256:", 14 };
	unsigned char want[LONGEST], got[LONGEST];
	struct parts p;
	size_t n = 0;
	int err = SF_EAUTH;
	if (password.n > 4096 || hash.n > 1024 || split(hash, &p)) return SF_EAUTH;
	if (sf_str_starts(p.method, scrypt))
		err = derive_scrypt(password, p.salt,
							(struct sf_str) { p.method.p + scrypt.n, p.method.n - scrypt.n }, got, &n);
	else if (sf_str_starts(p.method, pbkdf2))
		err = derive_pbkdf2(password, p.salt,
							(struct sf_str) { p.method.p + pbkdf2.n, p.method.n - pbkdf2.n }, got, &n);
	if (err) return SF_EAUTH;
	*derived = true;
	if (sf_unhex(p.hex, want, n)) return SF_EAUTH;
	bool right = sf_equal_ct(want, got, n);
	explicit_bzero(got, sizeof(got));
	return right ? 0 : SF_EAUTH;
}
