/* secrets: the secrets that are accepted, and what is derived from them for each purpose.
 *
 * From one secret come three kinds of values, and none can be taken for another: a digest is HMAC-SHA256(secret, purpose ":" data),
 * a key HMAC-SHA256(secret, purpose), where a purpose contains no ':'; and a token's signature is over a text that begins with
 * "eyJ", the base64url of '{"' (RFC 7515). */
#include "auth/internal.h"
#include "core/hash.h"

#include <sodium.h>
#include <stdlib.h>

static struct {
	struct sf_auth__secret list[SF_SECRETS_MAX]; /* the first one is the present one */
	size_t n;
} secrets;

static struct sf_str text_of(const struct sf_auth__secret *s) {
	return (struct sf_str) { (const char *)s->text, (size_t)s->n };
}

static int add(const char *text) {
	size_t n = strlen(text);
	if (n < SF_SECRET_MIN || n > 4096 || secrets.n == SF_SECRETS_MAX) return SF_EINVAL;
	struct sf_auth__secret *s = &secrets.list[secrets.n++];
	unsigned char digest[32];
	s->text = (unsigned char *)sf_strdup(text);
	s->n = (int)n;
	sf_hmac_sha256(text_of(s), SF_STR("softfactory kid"), digest);
	sf_hex(digest, 8, s->kid);
	return 0;
}

static void forget_all(void) {
	for (size_t i = 0; i < secrets.n; i++) {
		explicit_bzero(secrets.list[i].text, (size_t)secrets.list[i].n);
		free(secrets.list[i].text);
	}
	memset(&secrets, 0, sizeof secrets);
	sf_auth__tokens_forget();
}

int sf_secrets_setup(const char *secret, const char *const *previous) {
	forget_all();
	if (!secret) return 0;
	int err = add(secret);
	for (; !err && previous && *previous; previous++) err = add(*previous);
	if (err) forget_all();
	return err;
}

const struct sf_auth__secret *sf_auth__secret_present(void) {
	SF_BUG_ON(secrets.n == 0);
	return &secrets.list[0];
}

const struct sf_auth__secret *sf_auth__secret_of(const char *kid) {
	for (size_t i = 0; kid && i < secrets.n; i++)
		if (strcmp(secrets.list[i].kid, kid) == 0) return &secrets.list[i];
	return NULL;
}

/* ---- digests and keys ------------------------------------------------------------------------------ */

static struct sf_str labelled(struct sf_arena *a, const char *purpose, struct sf_str data) {
	size_t n = strlen(purpose);
	char *text = sf_arena_alloc(a, n + 1 + data.n);
	SF_BUG_ON(strchr(purpose, ':'));
	memcpy(text, purpose, n);
	text[n] = ':';
	if (data.n) memcpy(text + n + 1, data.p, data.n);
	return (struct sf_str) { text, n + 1 + data.n };
}

void sf_secret_digest(struct sf_arena *a, const char *purpose, struct sf_str data, unsigned char out[32]) {
	sf_hmac_sha256(text_of(sf_auth__secret_present()), labelled(a, purpose, data), out);
}

bool sf_secret_verify(struct sf_arena *a, const char *purpose, struct sf_str data,
					  const unsigned char digest[32]) {
	struct sf_str text = labelled(a, purpose, data);
	unsigned char want[32];
	bool right = false;
	SF_BUG_ON(secrets.n == 0);
	for (size_t i = 0; i < secrets.n; i++) {
		sf_hmac_sha256(text_of(&secrets.list[i]), text, want);
		right |= sf_equal_ct(want, digest, sizeof want);
	}
	return right;
}

struct sf_str sf_secret_hex(struct sf_arena *a, const char *purpose, struct sf_str data) {
	unsigned char d[32];
	char *hex = sf_arena_alloc(a, 2 * sizeof d + 1);
	sf_secret_digest(a, purpose, data, d);
	sf_hex(d, sizeof d, hex);
	return (struct sf_str) { hex, 2 * sizeof d };
}

bool sf_secret_hex_verify(struct sf_arena *a, const char *purpose, struct sf_str data, struct sf_str hex) {
	unsigned char d[32];
	return sf_unhex(hex, d, sizeof d) == 0 && sf_secret_verify(a, purpose, data, d);
}

bool sf_secret_key(size_t i, const char *purpose, unsigned char out[32]) {
	SF_BUG_ON(secrets.n == 0 || strchr(purpose, ':'));
	if (i >= secrets.n) return false;
	sf_hmac_sha256(text_of(&secrets.list[i]), sf_str(purpose), out);
	return true;
}

/* ---- encryption: a random nonce, then what secretbox makes of the text ------------------------------------- */

#define NONCE crypto_secretbox_NONCEBYTES
#define HEAD  (crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES)

struct sf_str sf_secret_encrypt(struct sf_arena *a, const char *purpose, struct sf_str text) {
	unsigned char key[crypto_secretbox_KEYBYTES];
	size_t n = HEAD + text.n;
	unsigned char *box = sf_arena_alloc(a, n);
	char *out = sf_arena_alloc(a, (n * 4 + 2) / 3 + 1);
	SF_BUG_ON(!sf_secret_key(0, purpose, key));
	sf_random(box, NONCE);
	crypto_secretbox_easy(box + NONCE, (const unsigned char *)text.p, text.n, box, key);
	sodium_memzero(key, sizeof key);
	return (struct sf_str) { out, sf_base64url(box, n, out) };
}

int sf_secret_decrypt(struct sf_arena *a, const char *purpose, struct sf_str encrypted, struct sf_str *text) {
	unsigned char key[crypto_secretbox_KEYBYTES], *box = sf_arena_try(a, encrypted.n + 1),
												  *out = sf_arena_try(a, encrypted.n + 1);
	size_t n = 0;
	bool open = false;
	if (!box || !out) return SF_ENOMEM;
	if (sf_unbase64url(encrypted, box, encrypted.n, &n) || n < HEAD) return SF_EINVAL;
	for (size_t i = 0; !open && sf_secret_key(i, purpose, key); i++)
		open = crypto_secretbox_open_easy(out, box + NONCE, n - NONCE, box, key) == 0;
	sodium_memzero(key, sizeof key);
	if (!open) return SF_EINVAL;
	*text = (struct sf_str) { (char *)out, n - HEAD };
	return 0;
}
