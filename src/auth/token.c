/* token: signed tokens (JWT, RFC 7519) with one algorithm, HS256, and nothing the token says about itself believed before
 * its signature holds.
 *
 * The header is read first, by our own reader, which bounds its nesting: the algorithm must be HS256 and `kid` must name one of
 * our secrets, else the token is refused without looking further. libjwt then checks the signature over exactly that text, and only
 * then are the claims read.
 *
 * Verified tokens are remembered by their whole text, so that the usual cost is one look-up and no digest: a table of SETS × WAYS
 * entries, of which an entry that is asked for moves to the front of its set and the last one falls out. What
 * time changes (exp, revocation) is checked on every call. The table belongs to the worker's loop thread. */
#include "auth/internal.h"
#include "core/hash.h"
#include "core/json.h"
#include "core/time.h"

#include <errno.h>
#include <jansson.h>
#include <jwt.h>
#include <stdlib.h>

#define TOKEN_MAX 2048 /* bytes; ours have about 350 */
#define SETS      ((size_t)8192)
#define WAYS      4

struct known {
	uint64_t hash;
	char *text; /* NULL: free */
	size_t n;
	struct sf_claims claims;
};

static struct { struct known (*sets)[WAYS]; } state;

static const char *const type_names[] = { [SF_TOKEN_ACCESS] = "access", [SF_TOKEN_REFRESH] = "refresh" };
static const char *const role_names[] = { [SF_ROLE_USER] = "user", [SF_ROLE_ADMIN] = "admin" };

void sf_auth__tokens_forget(void) {
	for (size_t i = 0; state.sets && i < SETS * WAYS; i++) free(state.sets[i / WAYS][i % WAYS].text);
	free(state.sets);
	state.sets = NULL;
}

/* ---- signing ------------------------------------------------------------------------------------------- */

static int fill(jwt_t *jwt, const struct sf_claims *c, const struct sf_auth__secret *s) {
	char sub[24];
	struct sf_buf b = { .p = sub, .cap = sizeof(sub) };
	sf_buf_int(&b, c->sub);
	sub[b.n] = 0;
	return jwt_add_header(jwt, "kid", s->kid) || jwt_add_grant(jwt, "sub", sub) ||
		   jwt_add_grant(jwt, "role", role_names[c->role]) || jwt_add_grant_int(jwt, "iat", c->iat) ||
		   jwt_add_grant_int(jwt, "exp", c->exp) || jwt_add_grant(jwt, "jti", c->jti) ||
		   jwt_add_grant(jwt, "typ", type_names[c->typ]) || jwt_set_alg(jwt, JWT_ALG_HS256, s->text, s->n);
}

int sf_token_sign(struct sf_arena *a, struct sf_claims *c, struct sf_str *out) {
	unsigned char random[16];
	jwt_t *jwt = NULL;
	char *text = NULL;
	int err = SF_ENOMEM;
	if (!c->jti[0]) {
		sf_random(random, sizeof(random));
		sf_hex(random, sizeof(random), c->jti);
	}
	if (!c->iat) c->iat = sf_time_now() / SF_USEC;
	if (jwt_new(&jwt) || fill(jwt, c, sf_auth__secret_present())) goto out;
	text = jwt_encode_str(jwt);
	if (!text) goto out;
	*out = sf_arena_str(a, sf_str(text));
	err = 0;
out:
	free(text);
	jwt_free(jwt);
	return err;
}

/* ---- reading a token that is not known ------------------------------------------------------------------ */

/* One part of the token as JSON; a is a scratch arena. */
static int part_json(struct sf_arena *a, struct sf_str part, json_t **out) {
	size_t n;
	char *text = sf_arena_alloc(a, part.n + 1);
	if (sf_unbase64url(part, text, part.n, &n)) return SF_EAUTH;
	if (sf_json_parse(a, (struct sf_str) { text, n }, out, NULL) || !json_is_object(*out)) return SF_EAUTH;
	return 0;
}

static const char *text_of(const json_t *o, const char *key) {
	return json_string_value(json_object_get(o, key));
}

static int index_of(const char *const *names, size_t n, const char *name) {
	for (size_t i = 0; name && i < n; i++)
		if (strcmp(names[i], name) == 0) return (int)i;
	return -1;
}

static int read_claims(const json_t *o, struct sf_claims *c, int64_t *nbf) {
	const char *jti = text_of(o, "jti"), *sub = text_of(o, "sub");
	const json_t *exp = json_object_get(o, "exp"), *iat = json_object_get(o, "iat"),
				 *not_before = json_object_get(o, "nbf");
	int typ = index_of(type_names, SF_COUNT(type_names), text_of(o, "typ"));
	int role = index_of(role_names, SF_COUNT(role_names), text_of(o, "role"));
	if (typ < 0 || role < 0 || !jti || !sub || !json_is_integer(exp) || !json_is_integer(iat))
		return SF_EAUTH;
	if (not_before && !json_is_integer(not_before)) return SF_EAUTH;
	size_t n = strlen(jti);
	if (!n || n >= sizeof(c->jti)) return SF_EAUTH;
	if (sf_str_int(sf_str(sub), &c->sub) || c->sub <= 0) return SF_EAUTH;
	memcpy(c->jti, jti, n + 1);
	c->typ = (enum sf_token_type)typ;
	c->role = (enum sf_role)role;
	c->exp = json_integer_value(exp);
	c->iat = json_integer_value(iat);
	*nbf = not_before ? json_integer_value(not_before) : 0;
	return 0;
}

static int verify_signature(const char *token, const struct sf_auth__secret *s) {
	jwt_t *jwt = NULL;
	int bad = jwt_decode(&jwt, token, s->text, s->n);
	if (!bad && jwt_get_alg(jwt) != JWT_ALG_HS256) bad = EINVAL;
	jwt_free(jwt);
	return bad ? SF_EAUTH : 0;
}

/* Everything that cannot change while the token lives, and nbf. */
static int read_token(struct sf_arena *a, struct sf_str token, int64_t now, struct sf_claims *c) {
	struct sf_str head, body, rest;
	json_t *header = NULL, *claims = NULL;
	int64_t nbf = 0;
	if (!sf_str_cut(token, '.', &head, &rest) || !sf_str_cut(rest, '.', &body, &rest)) return SF_EAUTH;
	if (part_json(a, head, &header)) return SF_EAUTH;
	const char *alg = text_of(header, "alg");
	const struct sf_auth__secret *s = sf_auth__secret_of(text_of(header, "kid"));
	/* crit (RFC 7515 §4.1.11) names extensions that must be understood, and we understand none */
	if (!alg || strcmp(alg, "HS256") != 0 || !s || json_object_get(header, "crit")) return SF_EAUTH;
	/* reads the claims before libjwt does, only to bound their nesting; believed after the signature */
	if (part_json(a, body, &claims)) return SF_EAUTH;
	if (verify_signature(sf_arena_cstr(a, token), s)) return SF_EAUTH;
	if (read_claims(claims, c, &nbf)) return SF_EAUTH;
	return nbf > now ? SF_EAUTH : 0;
}

/* ---- remembering ------------------------------------------------------------------------------------------ */

static void to_front(struct known *set, size_t i) {
	struct known k = set[i];
	memmove(set + 1, set, i * sizeof(*set));
	set[0] = k;
}

static struct known *recall(struct sf_str token, uint64_t hash) {
	if (!state.sets) state.sets = sf_calloc(SETS, sizeof(*state.sets));
	struct known *set = state.sets[hash % SETS];
	for (size_t i = 0; i < WAYS && set[i].text; i++) {
		if (set[i].hash != hash || set[i].n != token.n || memcmp(set[i].text, token.p, token.n) != 0)
			continue;
		if (i) to_front(set, i);
		return &set[0];
	}
	return NULL;
}

static void remember(struct sf_str token, uint64_t hash, const struct sf_claims *c) {
	struct known *set = state.sets[hash % SETS];
	free(set[WAYS - 1].text);
	memmove(set + 1, set, (WAYS - 1) * sizeof(*set));
	set[0] = (struct known) { hash, memcpy(sf_malloc(token.n), token.p, token.n), token.n, *c };
}

int sf_token_verify(struct sf_str token, enum sf_token_type typ, struct sf_claims *out) {
	if (token.n == 0 || token.n > TOKEN_MAX || memchr(token.p, 0, token.n)) return SF_EAUTH;
	int64_t now = sf_time_now() / SF_USEC;
	uint64_t hash = sf_hash64(token.p, token.n);
	const struct known *k = recall(token, hash);
	struct sf_claims c;
	if (k) {
		c = k->claims;
	} else {
		struct sf_arena *scratch = sf_arena_new(0);
		memset(&c, 0, sizeof(c));
		int err = read_token(scratch, token, now, &c);
		sf_arena_free(scratch);
		if (err) return err;
	}
	if (c.exp <= now || c.typ != typ || sf_auth__revoked(c.sub, c.iat, c.jti)) return SF_EAUTH;
	if (!k) remember(token, hash, &c);
	*out = c;
	return 0;
}
