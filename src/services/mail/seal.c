/* seal: codes that let somebody in stand in a mail; the queue keeps its rows for days and shows them to whoever operates it.
 * So such data is encrypted from mail_send to the job that sends it. */
#include <sodium.h>

#include "auth/auth.h"
#include "core/hash.h"
#include "services/mail/internal.h"

#define PURPOSE "mail seal 1"

struct sf_str mail__seal(struct sf_arena *a, struct sf_str text) {
	unsigned char key[crypto_secretbox_KEYBYTES];
	size_t n = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + text.n;
	unsigned char *box = sf_arena_alloc(a, n);
	char *out = sf_arena_alloc(a, (n * 4 + 2) / 3 + 1);
	SF_BUG_ON(!sf_secret_key(0, PURPOSE, key));
	sf_random(box, crypto_secretbox_NONCEBYTES);
	crypto_secretbox_easy(box + crypto_secretbox_NONCEBYTES, (const unsigned char *)text.p, text.n, box, key);
	sodium_memzero(key, sizeof key);
	return (struct sf_str) { out, sf_base64url(box, n, out) };
}

int mail__unseal(struct sf_arena *a, struct sf_str sealed, struct sf_str *text) {
	unsigned char key[crypto_secretbox_KEYBYTES], *box = sf_arena_try(a, sealed.n + 1),
												  *out = sf_arena_try(a, sealed.n + 1);
	const size_t head = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
	size_t n = 0;
	int err = SF_EINVAL;
	if (!box || !out) return SF_ENOMEM;
	if (sf_unbase64url(sealed, box, sealed.n, &n) || n < head) return SF_EINVAL;
	for (size_t i = 0; err && sf_secret_key(i, PURPOSE, key); i++)
		err = crypto_secretbox_open_easy(out, box + crypto_secretbox_NONCEBYTES,
										 n - crypto_secretbox_NONCEBYTES, box, key)
				  ? SF_EINVAL
				  : 0;
	sodium_memzero(key, sizeof key);
	if (!err) *text = (struct sf_str) { (char *)out, n - head };
	return err;
}
