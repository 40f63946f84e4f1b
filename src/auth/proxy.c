/* proxy: whose request it is when proxies stand in between.
 *
 * Anyone can send X-Forwarded-For. It is believed only as far as it was written by proxies we trust: from the socket's peer,
 * and then from its right end, while the address is a trusted one. The first that is not is the client. An entry that is no address
 * ends the walk, and the proxy that passed it on counts as the client. */
#include "auth/internal.h"

#include <arpa/inet.h>

#define NETWORKS_MAX 256

/* IPv4 is held as ::ffff:a.b.c.d, so that one kind of compare does. */
struct address {
	unsigned char b[16];
};
struct network {
	struct address base;
	unsigned bits; /* 0..128 */
};

static struct {
	struct network networks[NETWORKS_MAX];
	size_t n;
} state;

static const unsigned char v4_prefix[12] = { [10] = 0xFF, [11] = 0xFF };

static bool is_v4(const struct address *a) {
	return memcmp(a->b, v4_prefix, sizeof(v4_prefix)) == 0;
}

/* "1.2.3.4", "2001:db8::1", without port or zone */
static int parse_bare(struct sf_str s, struct address *out) {
	char text[INET6_ADDRSTRLEN + 1];
	if (s.n == 0 || s.n >= sizeof(text) || memchr(s.p, 0, s.n)) return SF_EINVAL;
	memcpy(text, s.p, s.n);
	text[s.n] = 0;
	memcpy(out->b, v4_prefix, sizeof(v4_prefix));
	if (inet_pton(AF_INET, text, out->b + 12) == 1) return 0;
	return inet_pton(AF_INET6, text, out->b) == 1 ? 0 : SF_EINVAL;
}

/* As proxies write them: also "1.2.3.4:567", "[::1]", "[::1]:567" */
static int parse_address(struct sf_str s, struct address *out) {
	struct sf_str host, port;
	if (s.n && s.p[0] == '[') {
		const char *end = memchr(s.p, ']', s.n);
		if (!end) return SF_EINVAL;
		return parse_bare((struct sf_str) { s.p + 1, (size_t)(end - s.p) - 1 }, out);
	}
	if (sf_str_cut(s, ':', &host, &port) && !(port.n && memchr(port.p, ':', port.n)) && host.n &&
		memchr(host.p, '.', host.n))
		return parse_bare(host, out);
	return parse_bare(s, out);
}

static struct sf_str text_of(struct sf_arena *a, const struct address *at) {
	char text[INET6_ADDRSTRLEN];
	if (is_v4(at))
		inet_ntop(AF_INET, at->b + 12, text, sizeof(text));
	else
		inet_ntop(AF_INET6, at->b, text, sizeof(text));
	return sf_arena_str(a, sf_str(text));
}

/* ---- trusted networks --------------------------------------------------------------------------------- */

static int parse_network(struct sf_str s, struct network *out) {
	struct sf_str host, bits;
	int64_t n = 128;
	bool cut = sf_str_cut(s, '/', &host, &bits);
	if (parse_bare(host, &out->base)) return SF_EINVAL;
	bool v4 = is_v4(&out->base) && !memchr(host.p, ':', host.n);
	if (cut) {
		if (sf_str_int(bits, &n) || n < 0 || n > (v4 ? 32 : 128)) return SF_EINVAL;
		if (v4) n += 96;
	}
	out->bits = (unsigned)n;
	return 0;
}

static bool within(const struct network *net, const struct address *a) {
	unsigned whole = net->bits / 8, rest = net->bits % 8;
	if (memcmp(net->base.b, a->b, whole) != 0) return false;
	return rest == 0 || (net->base.b[whole] ^ a->b[whole]) >> (8 - rest) == 0;
}

static bool trusted(const struct address *a) {
	for (size_t i = 0; i < state.n; i++)
		if (within(&state.networks[i], a)) return true;
	return false;
}

bool sf_proxy_trusted(struct sf_str ip) {
	struct address a;
	return parse_address(ip, &a) == 0 && trusted(&a);
}

int sf_proxies_setup(const char *list) {
	struct sf_str rest = sf_str(list), head;
	size_t n = 0;
	struct network networks[NETWORKS_MAX];
	for (bool more = rest.n > 0; more;) {
		more = sf_str_cut(rest, ',', &head, &rest);
		head = sf_str_trim(head);
		if (!head.n) continue;
		if (n == NETWORKS_MAX || parse_network(head, &networks[n])) return SF_EINVAL;
		n++;
	}
	if (n) memcpy(state.networks, networks, n * sizeof(*networks));
	state.n = n;
	return 0;
}

/* ---- the client ------------------------------------------------------------------------------------------ */

/* Cuts the last entry off the list. */
static struct sf_str take_last(struct sf_str *list) {
	const char *comma = memrchr(list->p, ',', list->n);
	size_t at = comma ? (size_t)(comma - list->p) + 1 : 0;
	struct sf_str last = { list->p + at, list->n - at };
	list->n = comma ? at - 1 : 0;
	return sf_str_trim(last);
}

struct sf_str sf_client_ip(struct sf_arena *a, struct sf_str peer, struct sf_str forwarded_for) {
	struct address client, next;
	if (parse_address(peer, &client)) return sf_arena_str(a, peer);
	while (forwarded_for.n && trusted(&client)) {
		if (parse_address(take_last(&forwarded_for), &next)) break;
		client = next;
	}
	return text_of(a, &client);
}

struct sf_str sf_client_bucket(struct sf_arena *a, struct sf_str ip) {
	struct address at;
	if (parse_address(ip, &at) || is_v4(&at)) return ip;
	memset(at.b + 8, 0, 8);
	return sf_arena_printf(a, SF_PRI "/64", SF_ARG(text_of(a, &at)));
}
