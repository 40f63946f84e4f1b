/* auth: the mechanisms of identity: passwords, tokens, their revocation, and rate limits. Who the users are is
 * a service's business (services/platform); nothing here touches a database.
 *
 * Everything is per process, over memory shared by all workers (sf_shm_area) where it says so. */
#ifndef SF_AUTH_AUTH_H
#define SF_AUTH_AUTH_H

#include "core/core.h"

/* ---- passwords ---------------------------------------------------------------------------------- */

#define SF_PASSWORD_HASH_MAX 192
/* On whose behalf a password is hashed: hashing is costly, a few run at once, and who waits is served in turn by client and,
 * within a client, by name (line.c). Texts are borrowed until the call returns. */
struct sf_turn {
	struct sf_str client, name; /* the address's bucket (sf_client_bucket); the email */
	int64_t retry_s;            /* set with SF_EOVERLOAD: seconds after which to try again */
};
/* How many passwords this worker hashes at once (0 counts as 1; all workers together: no more than there are processors), and the longest
 * wait for a turn, ms. 2 and 5 s without a call. */
void sf_password_setup(size_t at_once, int64_t wait_ms);
/* ~ Argon2id (libsodium, RFC 9106; interactive limits) on the thread pool. out is NUL-terminated PHC text. SF_EOVERLOAD: the wait
 * for a turn would be too long. Outside of coroutines (tools) on the spot. t NULL: on our own behalf, which is one more client. */
SF_MUSTCHECK
int sf_password_hash(struct sf_turn *t, struct sf_str password, char out[SF_PASSWORD_HASH_MAX]);
/* ~ Checks against Argon2id, or Werkzeug's scrypt:N:r:p$salt$hex and pbkdf2:sha256:n$salt$hex, in constant time; waits as
 * sf_password_hash does. 0 right, SF_EAUTH wrong or unreadable hash, SF_ENOMEM its memory could not be had.
 * *upgrade (may be NULL): right, but not our present Argon2id: hash anew and store. hash.p NULL: nobody has that name.
 * methods: by which else passwords are hashed where this one comes from; a method is a hash without salt and digest, such as
 * "scrypt:32768:8:1". A check that fails has computed the present method and each of these once, so that its time does not tell by which
 * the password of that name is hashed, nor whether there is one. */
SF_MUSTCHECK
int sf_password_check(struct sf_turn *t, struct sf_str password, struct sf_str hash,
					  const struct sf_str *methods, size_t nmethods, bool *upgrade);

/* ---- secrets ---------------------------------------------------------------------------------------- */

/* The present secret signs, digests and encrypts; the previous ones only verify and decrypt, so that a rotation of JWT_SECRET ends
 * nothing that was begun under the one before. Everything that depends on a secret and outlives a request asks here. */
#define SF_SECRET_MIN  32 /* bytes */
#define SF_SECRETS_MAX 8  /* with the present one */
/* previous: NULL or a NULL-terminated list. secret NULL: there is none, and what needs one is a bug. SF_EINVAL: one is shorter
 * than SF_SECRET_MIN or there are more than SF_SECRETS_MAX; then there is none. Forgets remembered tokens. */
SF_MUSTCHECK
int sf_secrets_setup(const char *secret, const char *const *previous);
/* Keyed digest of data for one purpose ("csrf"; without ':') under the present secret. a: scratch. */
void sf_secret_digest(struct sf_arena *a, const char *purpose, struct sf_str data, unsigned char out[32]);
/* Whether digest is that of data for the purpose under any accepted secret; in constant time. a: scratch. */
bool sf_secret_verify(struct sf_arena *a, const char *purpose, struct sf_str data,
					  const unsigned char digest[32]);
/* The digest as it is stored, in hex, in the arena; and whether that text is the digest of data, as sf_secret_verify. */
struct sf_str sf_secret_hex(struct sf_arena *a, const char *purpose, struct sf_str data);
bool sf_secret_hex_verify(struct sf_arena *a, const char *purpose, struct sf_str data, struct sf_str hex);
/* A purpose's encryption key drawn from the i-th accepted secret: encrypt with that of 0, the present one, try all to decrypt.
 * False: there are no more. The caller wipes it. */
bool sf_secret_key(size_t i, const char *purpose, unsigned char out[32]);
/* Text encrypted for one purpose, so that only this installation reads it: XSalsa20-Poly1305 (libsodium's secretbox) under the
 * purpose's key of the present secret, in base64url. In the arena. */
struct sf_str sf_secret_encrypt(struct sf_arena *a, const char *purpose, struct sf_str text);
/* What was encrypted for the purpose under any accepted secret, in the arena. SF_EINVAL: it was under another one, or is changed. */
SF_MUSTCHECK
int sf_secret_decrypt(struct sf_arena *a, const char *purpose, struct sf_str encrypted, struct sf_str *text);

/* ---- tokens (JWT, RFC 7519, HS256 only) ----------------------------------------------------------- */

enum sf_token_type { SF_TOKEN_ACCESS, SF_TOKEN_REFRESH };
enum sf_role { SF_ROLE_USER, SF_ROLE_ADMIN };
struct sf_claims {
	int64_t sub;
	enum sf_role role;
	int64_t iat, exp; /* seconds since 1970 */
	char jti[33];     /* 16 random bytes in hex */
	enum sf_token_type typ;
};
/* Signs c under the present secret, which `kid` names (jti is made when empty; iat 0: the present second); text in the arena. A token
 * whose iat lies before the user's last revocation is refused: the iat comes from who holds the user's row locked, and nothing here
 * corrects it. */
SF_MUSTCHECK
int sf_token_sign(struct sf_arena *a, struct sf_claims *c, struct sf_str *out);
/* SF_EAUTH unless signature, alg, kid, exp, nbf, typ are right and it is not revoked. Verified tokens are remembered per worker, so
 * the usual cost is one look-up. */
SF_MUSTCHECK
int sf_token_verify(struct sf_str token, enum sf_token_type typ, struct sf_claims *out);

/* Revocation, in memory shared by the workers: takes effect everywhere at once. The owner also stores it durably and
 * replays it at start. */
void sf_token_revoke(const char *jti, int64_t exp);          /* one token, until it would have expired */
void sf_token_revoke_user(int64_t user, int64_t before_sec); /* all of a user's issued (iat) before then */
/* What of it this host knows: whether that token is revoked; the second before which all tokens of a user are, 0: none. Neither
 * suspends. */
bool sf_token_revoked(const char *jti);
int64_t sf_token_revoked_before(int64_t user);

/* ---- rate limits ------------------------------------------------------------------------------------ */

/* Fixed windows with the share of the one before (sliding-window counter), in shared memory: exact over the
 * workers of a host. key: "ip:1.2.3.4" or "user:7"; cls tells the limits apart. */
struct sf_limit_result {
	bool allowed;
	int64_t limit, remaining, reset_s; /* reset_s: seconds until the window ends */
};
void sf_limit_take(const char *cls, struct sf_str key, int64_t limit, int64_t window_ms,
				   struct sf_limit_result *out);

/* The client's address: the socket's peer, or, when that is in TRUSTED_PROXIES (comma-separated addresses and CIDR), the rightmost
 * address of X-Forwarded-For that is not [G-2]. sf_client_bucket turns IPv6 into its /64. Text in the arena. */
SF_MUSTCHECK
int sf_proxies_setup(const char *trusted);
struct sf_str sf_client_ip(struct sf_arena *a, struct sf_str peer, struct sf_str forwarded_for);
struct sf_str sf_client_bucket(struct sf_arena *a, struct sf_str ip);
bool sf_proxy_trusted(struct sf_str ip); /* in TRUSTED_PROXIES */

#endif
