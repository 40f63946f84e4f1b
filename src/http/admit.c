/* Whether a new connection may stay: its address must not hold too many, and at the limit of all, one that waits gives way to it.
 *
 * A client that connects and says nothing, or goes on holding a connection that it does not use, costs a place. At max_conns the
 * place is given to whoever comes: first goes the oldest connection that has been without a whole head for a second, then the
 * one that has been idle longest between requests. Which that is, is looked for among SAMPLE of those that were not looked at
 * for longest, so that a flood of new connections does not make each of them search through thousands. A connection whose
 * request has arrived but was not read yet is left alone. Only where nobody waits is the new one refused.
 *
 * Connections are counted by address in a hash table, an IPv6 address by its /64, which is what one subscriber is given. */
#include "http/http.h"
#include "http/internal.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "core/hash.h"
#include "loop/loop.h"

enum { BUCKETS = 4096, SAMPLE = 64, HEAD_GRACE_MS = 1000 };

/* Lifetime: as long as it has a connection. */
struct sf_http__address {
	struct sf_http__address *next; /* of its bucket */
	unsigned char key[16];
	size_t conns;
};

struct sf_http__addresses {
	struct sf_http__address *buckets[BUCKETS];
};

struct sf_http__addresses *sf_http__addresses_new(void) {
	return sf_calloc(1, sizeof(struct sf_http__addresses));
}

void sf_http__addresses_free(struct sf_http__addresses *t) {
	free(t); /* every connection has left it */
}

static struct sf_http__address **place(struct sf_http__addresses *t, const unsigned char key[16]) {
	struct sf_http__address **at = &t->buckets[sf_hash64(key, 16) % BUCKETS];
	while (*at && memcmp((*at)->key, key, 16) != 0) at = &(*at)->next;
	return at;
}

static void enter(struct sf_http_conn *c, const unsigned char key[16]) {
	struct sf_http__address **at = place(c->server->addresses, key);
	if (!*at) {
		*at = sf_calloc(1, sizeof(**at));
		memcpy((*at)->key, key, 16);
	}
	c->address = *at;
	c->address->conns++;
}

void sf_http__leave(struct sf_http_conn *c) {
	struct sf_http__address *a = c->address;
	c->address = NULL;
	if (!a || --a->conns) return;
	*place(c->server->addresses, a->key) = a->next;
	free(a);
}

/* ---- who is there ---------------------------------------------------------------------------- */

bool sf_http__address_key(const struct sockaddr_storage *ss, unsigned char key[16]) {
	static const unsigned char v4_prefix[12] = { [10] = 0xFF, [11] = 0xFF };
	if (ss->ss_family == AF_INET) {
		memcpy(key, v4_prefix, 12);
		memcpy(key + 12, &((const struct sockaddr_in *)ss)->sin_addr, 4);
		return true;
	}
	if (ss->ss_family != AF_INET6) return false;
	const struct in6_addr *in6 = &((const struct sockaddr_in6 *)ss)->sin6_addr;
	memcpy(key, in6, 16);
	if (!IN6_IS_ADDR_V4MAPPED(in6)) memset(key + 8, 0, 8);
	return true;
}

void sf_http__arrive(struct sf_http_conn *c) {
	const struct sf_http_opts *o = &c->server->opts;
	struct sockaddr_storage ss;
	int n = sizeof(ss);
	unsigned char key[16];
	if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&ss, &n) < 0 || !sf_http__address_key(&ss, key))
		return;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&ss;
	if (ss.ss_family == AF_INET)
		uv_ip4_name((const struct sockaddr_in *)&ss, c->peer, sizeof(c->peer));
	else if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		uv_inet_ntop(AF_INET, in6->sin6_addr.s6_addr + 12, c->peer, sizeof(c->peer));
	else
		uv_ip6_name(in6, c->peer, sizeof(c->peer));
	if (o->address_conns && !(o->uncounted && o->uncounted(sf_str(c->peer)))) enter(c, key);
}

/* ---- who gives way --------------------------------------------------------------------------- */

/* Bytes that have come and were not read yet. */
static bool has_input(const struct sf_http_conn *c) {
	uv_os_fd_t fd;
	int n = 0;
	return uv_fileno((const uv_handle_t *)&c->tcp, &fd) == 0 && ioctl(fd, FIONREAD, &n) == 0 && n > 0;
}

/* The oldest that has been without a whole head for `ms`. */
static struct sf_http_conn *without_head(const struct sf_http_server *s, int64_t ms) {
	const struct sf_node *list = &s->conns[SF_CONN_HEAD];
	int64_t due = sf_loop_now(s->loop) + s->opts.head_ms - ms;
	int looks = 0;
	for (struct sf_node *n = list->next; n != list && looks < SAMPLE; n = n->next, looks++) {
		struct sf_http_conn *c = SF_CONTAINER(n, struct sf_http_conn, node);
		if (c->due > due) return NULL; /* it is younger, and so are all behind it */
		if (!has_input(c)) return c;
	}
	return NULL;
}

static struct sf_http_conn *idle_longest(const struct sf_http_server *s) {
	struct sf_http_conn *oldest = NULL;
	int looks = 0;
	for (struct sf_node *n = s->calm.next; n != &s->calm && looks < SAMPLE; n = n->next) {
		struct sf_http_conn *c = SF_CONTAINER(n, struct sf_http_conn, node);
		if (c->state != SF_CONN_IDLE) continue; /* at most max_inflight of these */
		looks++;
		if ((!oldest || c->due < oldest->due) && !c->pend_n && !has_input(c)) oldest = c;
	}
	return oldest;
}

static bool evict(struct sf_http_server *s, const struct sf_http_conn *newcomer) {
	struct sf_http_conn *c = without_head(s, HEAD_GRACE_MS);
	if (!c) c = idle_longest(s);
	if (!c) c = without_head(s, 0);
	if (!c || c == newcomer) return false;
	s->stats.evicted++;
	sf_http__conn_gone(c);
	return true;
}

bool sf_http__admit(struct sf_http_conn *c) {
	struct sf_http_server *s = c->server;
	if (c->address && c->address->conns > s->opts.address_conns) {
		s->stats.crowded++;
		return false;
	}
	return s->stats.conns - s->closing <= s->opts.max_conns || evict(s, c);
}
