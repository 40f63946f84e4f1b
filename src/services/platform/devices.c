/* devices: who is asking, as far as strangers are to be told from an account's own people: a client is its address, and a browser
 * also the cookie sf_device, a random name that it is given for this alone. Neither is stored, only keyed digests: names from
 * which nobody finds the address. */
#include "core/hash.h"
#include "services/platform/internal.h"

#define COOKIE      "sf_device"
#define COOKIE_TEXT 22 /* 16 random bytes as base64url */
#define COOKIE_S    (INT64_C(365) * 86400)

/* Under the i-th secret; empty when there are no more. Hex of 16 bytes, in the arena. */
static struct sf_str digest(struct sf_arena *a, size_t i, const char *kind, struct sf_str text) {
	unsigned char key[32], d[32];
	char *hex = sf_arena_alloc(a, 33);
	if (!text.n || !sf_secret_key(i, "client", key)) return SF_STR("");
	sf_hmac_sha256((struct sf_str) { (const char *)key, sizeof key },
				   sf_arena_printf(a, "%s:" SF_PRI, kind, SF_ARG(text)), d);
	explicit_bzero(key, sizeof key);
	sf_hex(d, 16, hex);
	return (struct sf_str) { hex, 32 };
}

static struct sf_str cookie_of(struct sf_req *r) {
	struct sf_str cookie = sf_http_cookie(sf_req_http(r), COOKIE);
	unsigned char bytes[16];
	size_t n = 0;
	bool ours =
		cookie.n == COOKIE_TEXT && sf_unbase64url(cookie, bytes, sizeof bytes, &n) == 0 && n == sizeof bytes;
	return ours ? cookie : SF_STR_NULL;
}

static struct platform_client of(struct sf_req *r, struct sf_str cookie) {
	struct sf_arena *a = sf_req_arena(r);
	struct sf_str address = sf_client_bucket(a, sf_req_ip(r));
	return (struct platform_client) { .address = digest(a, 0, "address", address),
									  .address_before = digest(a, 1, "address", address),
									  .device = digest(a, 0, "device", cookie),
									  .device_before = digest(a, 1, "device", cookie) };
}

struct platform_client platform__client(struct sf_req *r) {
	return of(r, cookie_of(r));
}

struct platform_client platform__client_named(struct sf_req *r) {
	unsigned char random[16];
	struct sf_str cookie = cookie_of(r);
	if (!cookie.n) {
		char *text = sf_arena_alloc(sf_req_arena(r), COOKIE_TEXT + 2);
		sf_random(random, sizeof random);
		cookie = (struct sf_str) { text, sf_base64url(random, sizeof random, text) };
	}
	sf_reply_cookie(r, COOKIE, cookie, COOKIE_S, false);
	return of(r, cookie);
}
