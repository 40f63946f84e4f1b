/* Addresses of outgoing requests as text: their parts, what a redirect means, and what is refused before anything is resolved.
 *
 * We cut them ourselves and give libcurl only what we put together from the parts, so that there are no two readings of one address:
 * what is checked is what is asked for. */
#include "http/client.h"

#include <arpa/inet.h>
#include <stdlib.h>

enum { URL_MAX = 8192, HOST_MAX = 253 };

static int bad(struct sf_str *why, const char *sentence) {
	*why = sf_str(sentence);
	return SF_EINVAL;
}
static int forbidden(struct sf_str *why, const char *sentence) {
	*why = sf_str(sentence);
	return SF_EFORBIDDEN;
}

static bool is_digit(char c) {
	return c >= '0' && c <= '9';
}
static char lower(char c) {
	if (c >= 'A' && c <= 'Z') c |= 0x20;
	return c;
}
static bool is_alnum(char c) {
	return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z');
}

/* "host", "[v6]", each with ":port" or without. */
static int read_host(struct sf_arena *a, struct sf_str s, struct sf_client__url *u, struct sf_str *why) {
	const char *end;
	struct sf_str host, port = SF_STR_NULL;
	if (s.n && s.p[0] == '[') {
		if (!(end = memchr(s.p, ']', s.n)))
			return bad(why, "The address's IPv6 host has no closing bracket.");
		host = (struct sf_str) { s.p + 1, (size_t)(end - s.p - 1) };
		struct sf_str rest = { end + 1, (size_t)(s.p + s.n - end - 1) };
		if (rest.n && rest.p[0] != ':') return bad(why, "The address's host could not be read.");
		if (rest.n) port = (struct sf_str) { rest.p + 1, rest.n - 1 };
		u->ipv6 = true;
	} else {
		sf_str_cut(s, ':', &host, &port);
	}
	if (host.n == 0 || host.n > HOST_MAX) return bad(why, "The address has no host.");
	for (size_t i = 0; i < host.n; i++) {
		char c = host.p[i];
		if ((unsigned char)c >= 0x80) return bad(why, "Write the address's host in its xn-- form.");
		if (!(u->ipv6 ? is_alnum(c) || c == ':' || c == '.'
					  : is_alnum(c) || c == '-' || c == '.' || c == '_'))
			return bad(why, "The address's host has a character that no host has.");
	}
	char *text = sf_arena_cstr(a, host);
	for (size_t i = 0; i < host.n; i++) text[i] = lower(text[i]);
	struct in6_addr v6;
	if (u->ipv6 && inet_pton(AF_INET6, text, &v6) != 1)
		return bad(why, "The address's host is no IPv6 address.");
	u->host = (struct sf_str) { text, host.n };
	int64_t n = u->tls ? 443 : 80;
	if (port.n && (port.n > 5 || !is_digit(port.p[0]) || sf_str_int(port, &n) || n < 1 || n > 65535))
		return bad(why, "The address's port must be a number from 1 to 65535.");
	u->port = (int)n;
	return 0;
}

/* Path and query as they go over the wire: what is no ASCII is escaped. */
static void add_path(struct sf_buf *b, struct sf_str path) {
	if (path.n == 0 || path.p[0] != '/') sf_buf_char(b, '/');
	for (size_t i = 0; i < path.n; i++)
		if ((unsigned char)path.p[i] >= 0x80 || path.p[i] == ' ')
			sf_buf_printf(b, "%%%02X", (unsigned char)path.p[i]);
		else
			sf_buf_char(b, path.p[i]);
}

static int put_together(struct sf_arena *a, struct sf_client__url *u, struct sf_str userinfo,
						struct sf_str path) {
	const char *open = u->ipv6 ? "[" : "", *shut = u->ipv6 ? "]" : "";
	u->key = sf_arena_printf(a, "%s" SF_PRI "%s:%d", open, SF_ARG(u->host), shut, u->port);
	struct sf_buf b;
	for (int shown = 0; shown < 2; shown++) {
		sf_buf_init(&b, a);
		sf_buf_cstr(&b, u->tls ? "https://" : "http://");
		if (!shown && u->userinfo) sf_buf_str(&b, userinfo), sf_buf_char(&b, '@');
		sf_buf_printf(&b, "%s" SF_PRI "%s", open, SF_ARG(u->host), shut);
		if (u->port != (u->tls ? 443 : 80)) sf_buf_printf(&b, ":%d", u->port);
		add_path(&b, path);
		sf_buf_char(&b, 0);
		if (b.failed) return SF_ENOMEM;
		if (shown)
			u->shown = (struct sf_str) { b.p, b.n - 1 };
		else
			u->text = b.p;
	}
	return 0;
}

int sf_client__url(struct sf_arena *a, struct sf_str text, struct sf_client__url *out, struct sf_str *why) {
	struct sf_client__url u = { 0 };
	if (!text.p || text.n > URL_MAX) return bad(why, "The address is missing or longer than 8192 bytes.");
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f || text.p[i] == '\\')
			return bad(why, "The address holds a control character or a backslash.");
	struct sf_str rest = text;
	if (text.n > 8 && sf_str_ieq((struct sf_str) { text.p, 8 }, SF_STR("https://")))
		u.tls = true, rest.p += 8, rest.n -= 8;
	else if (text.n > 7 && sf_str_ieq((struct sf_str) { text.p, 7 }, SF_STR("http://")))
		rest.p += 7, rest.n -= 7;
	else
		return bad(why, "The address must begin with http:// or https:// and a host.");
	size_t n = 0;
	while (n < rest.n && !strchr("/?#", rest.p[n])) n++;
	struct sf_str authority = { rest.p, n }, path = { rest.p + n, rest.n - n }, ignored,
				  userinfo = SF_STR_NULL;
	sf_str_cut(path, '#', &path, &ignored);
	const char *at = n ? memrchr(authority.p, '@', n) : NULL;
	if (at) {
		userinfo = (struct sf_str) { authority.p, (size_t)(at - authority.p) };
		authority = (struct sf_str) { at + 1, n - userinfo.n - 1 };
		u.userinfo = true;
		if (memchr(userinfo.p, '@', userinfo.n) || memchr(userinfo.p, ' ', userinfo.n))
			return bad(why, "The address's user information could not be read.");
	}
	int err = read_host(a, authority, &u, why);
	if (!err) err = put_together(a, &u, userinfo, path);
	if (!err) *out = u;
	return err;
}

int sf_client__location(struct sf_arena *a, const struct sf_client__url *base, struct sf_str location,
						struct sf_client__url *out, struct sf_str *why) {
	CURLU *u = curl_url();
	char *text = NULL;
	int err = SF_ENOMEM;
	if (!u) return err;
	/* spaces and letters beyond ASCII are common in Location, and forgiven as browsers do */
	const unsigned flags = CURLU_NON_SUPPORT_SCHEME | CURLU_ALLOW_SPACE | CURLU_URLENCODE;
	if (location.n > URL_MAX || curl_url_set(u, CURLUPART_URL, base->text, 0) ||
		curl_url_set(u, CURLUPART_URL, sf_arena_cstr(a, location), flags) ||
		curl_url_get(u, CURLUPART_URL, &text, 0))
		err = bad(why, "The answer redirects to something that is no address.");
	else
		err = sf_client__url(a, sf_str(text), out, why);
	curl_free(text);
	curl_url_cleanup(u);
	return err;
}

bool sf_client__same_origin(const struct sf_client__url *a, const struct sf_client__url *b) {
	return a->tls == b->tls && sf_str_eq(a->key, b->key);
}

/* The last label of a host decides whether it is meant as a number (WHATWG URL, "ends in a number"). */
static bool is_number_like(struct sf_str host) {
	const char *dot = memrchr(host.p, '.', host.n);
	struct sf_str last = dot ? (struct sf_str) { dot + 1, (size_t)(host.p + host.n - dot - 1) } : host;
	if (sf_str_starts(last, SF_STR("0x"))) return true;
	for (size_t i = 0; i < last.n; i++)
		if (!is_digit(last.p[i])) return false;
	return true;
}

static bool ends_with(struct sf_str s, struct sf_str end) {
	return s.n >= end.n && memcmp(s.p + s.n - end.n, end.p, end.n) == 0;
}

int sf_client__url_foreign(const struct sf_client__url *u, struct sf_str *why) {
	static const int ports[] = { 80, 443, 8080, 8443 };
	bool usual = false;
	for (size_t i = 0; i < SF_COUNT(ports); i++) usual |= u->port == ports[i];
	if (!usual) return forbidden(why, "The address may only name the ports 80, 443, 8080 and 8443.");
	if (u->userinfo) return forbidden(why, "The address may not hold a user name or password.");
	if (u->ipv6) {
		struct sockaddr_in6 in = { .sin6_family = AF_INET6 };
		if (inet_pton(AF_INET6, u->host.p, &in.sin6_addr) == 1 && sf_client__public((struct sockaddr *)&in))
			return 0;
		return forbidden(why, "The address is not one of the public Internet.");
	}
	if (u->host.p[u->host.n - 1] == '.' || u->host.p[0] == '.')
		return forbidden(why, "The address's host may not begin or end with a dot.");
	if (sf_str_eq(u->host, SF_STR("localhost")) || ends_with(u->host, SF_STR(".localhost")))
		return forbidden(why, "The address is not one of the public Internet.");
	if (!is_number_like(u->host)) return 0;
	struct sockaddr_in in = { .sin_family = AF_INET };
	if (inet_pton(AF_INET, u->host.p, &in.sin_addr) != 1)
		return forbidden(why, "An IPv4 address is written as four decimal numbers.");
	if (!sf_client__public((struct sockaddr *)&in))
		return forbidden(why, "The address is not one of the public Internet.");
	return 0;
}

bool sf_client__listed(const char *list, struct sf_str key) {
	struct sf_str rest = sf_str(list), head;
	for (bool more = list != NULL; more;) {
		more = sf_str_cut(rest, ',', &head, &rest);
		if (sf_str_ieq(sf_str_trim(head), key)) return true;
	}
	return false;
}
