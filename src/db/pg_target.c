/* Where a PostgreSQL URL leads: its hosts and options, and the lists libpq is given for one attempt.
 *
 * libpq resolves names with a blocking getaddrinfo in the middle of PQconnectPoll. So names are resolved here, in the
 * thread pool, and libpq gets addresses (hostaddr) beside the names (for TLS and .pgpass). A name with several
 * addresses becomes several hosts. libpq tries the hosts in order and, asked for target_session_attrs=read-write,
 * goes on to the next where a server is a standby; that is how a failover is followed. Its asynchronous interface has
 * no time-out a host, so an attempt that takes too long is dropped and the next begins one host further on. */
#include "db/db.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "db/pg.h"

/* The options of every connection, ahead of those of the URL, which win. */
static const char *const defaults[][2] = {
	{ "client_encoding", "UTF8" }, { "fallback_application_name", "softfactory" },
	{ "gssencmode", "disable" }, /* looks for tickets on disk and on the network */
	{ "keepalives_idle", "15" },   { "keepalives_interval", "5" },
	{ "keepalives_count", "3" },   { "tcp_user_timeout", "10000" },
};

static bool numeric(const char *name) {
	unsigned char a[16];
	return inet_pton(AF_INET, name, a) == 1 || inet_pton(AF_INET6, name, a) == 1;
}

/* Cuts "a,b,c"; an absent list gives "" for every i, one entry serves all. Heap string. */
static char *nth(const char *list, size_t i) {
	if (!list) return sf_strdup("");
	if (!strchr(list, ',')) return sf_strdup(list);
	for (; i > 0 && *list; i--) {
		list += strcspn(list, ",");
		if (*list) list++;
	}
	char *s = sf_strdup(list);
	s[strcspn(s, ",")] = 0;
	return s;
}

static size_t entries(const char *list) {
	size_t n = 1;
	for (; list && *list; list++) n += *list == ',';
	return n;
}

static void hosts_of(struct sf_pg_target *t, const char *name, const char *addr, const char *port) {
	t->nhost = entries(name) > entries(addr) ? entries(name) : entries(addr);
	t->host = sf_calloc(t->nhost, sizeof(*t->host));
	for (size_t i = 0; i < t->nhost; i++) {
		struct sf_pg_host *h = &t->host[i];
		h->name = nth(name, i), h->addr = nth(addr, i), h->port = nth(port, i);
		bool socket = !*h->name || *h->name == '/' || *h->name == '@';
		if (!*h->addr && !socket && !numeric(h->name)) t->by_name = true;
	}
}

/* Options in one list: defaults, then the URL's. */
static void options_of(struct sf_pg_target *t, const PQconninfoOption *opt) {
	size_t n = 0;
	for (const PQconninfoOption *o = opt; o->keyword; o++) n++;
	t->key = sf_calloc(n + SF_COUNT(defaults) + 1, sizeof(*t->key));
	t->val = sf_calloc(n + SF_COUNT(defaults) + 1, sizeof(*t->val));
	size_t at = 0;
	for (size_t i = 0; i < SF_COUNT(defaults); i++, at++)
		t->key[at] = sf_strdup(defaults[i][0]), t->val[at] = sf_strdup(defaults[i][1]);
	for (const PQconninfoOption *o = opt; o->keyword; o++) {
		const char *k = o->keyword;
		if (!o->val || strcmp(k, "host") == 0 || strcmp(k, "hostaddr") == 0 || strcmp(k, "port") == 0 ||
			strcmp(k, "target_session_attrs") == 0)
			continue;
		t->key[at] = sf_strdup(k), t->val[at] = sf_strdup(o->val), at++;
	}
}

static const char *option(const PQconninfoOption *opt, const char *key) {
	for (; opt->keyword; opt++)
		if (strcmp(opt->keyword, key) == 0) return opt->val && *opt->val ? opt->val : NULL;
	return NULL;
}

int sf_pg__target_parse(struct sf_pg_target *t, const char *url, struct sf_str *why) {
	/* libpq's message may quote the URL and with it the password, so it is not passed on. */
	*t = (struct sf_pg_target) { 0 };
	PQconninfoOption *opt = PQconninfoParse(url, NULL);
	if (!opt) {
		*why = SF_STR("not a PostgreSQL URL; write postgresql://user:password@host:5432/database");
		return SF_EINVAL;
	}
	const char *name = option(opt, "host"), *addr = option(opt, "hostaddr"), *port = option(opt, "port");
	const char *base = option(opt, "dbname");
	hosts_of(t, name ? name : getenv("PGHOST"), addr, port);
	options_of(t, opt);
	struct sf_buf shown = { 0 };
	sf_buf_printf(&shown, "%s:%s/%s",
				  name   ? name
				  : addr ? addr
						 : "local",
				  port ? port : "5432", base ? base : "");
	t->shown = sf_strdup(shown.failed ? "" : shown.p);
	sf_buf_fini(&shown);
	PQconninfoFree(opt);
	return 0;
}

void sf_pg__target_fini(struct sf_pg_target *t) {
	for (size_t i = 0; i < t->nhost; i++) free(t->host[i].name), free(t->host[i].port), free(t->host[i].addr);
	for (size_t i = 0; t->key && t->key[i]; i++) free(t->key[i]), free(t->val[i]);
	free(t->host), free(t->key), free(t->val), free(t->shown);
	*t = (struct sf_pg_target) { 0 };
}

struct lists {
	struct sf_buf host, addr, port;
	size_t n;
};

static void add(struct lists *l, const char *host, const char *addr, const char *port) {
	const char *comma = l->n++ ? "," : "";
	sf_buf_cstr(&l->host, comma), sf_buf_cstr(&l->host, host);
	sf_buf_cstr(&l->addr, comma), sf_buf_cstr(&l->addr, addr);
	sf_buf_cstr(&l->port, comma), sf_buf_cstr(&l->port, port);
}

static void add_resolved(struct lists *l, const struct sf_pg_host *h) {
	struct addrinfo hint = { .ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC }, *all = NULL;
	if (getaddrinfo(h->name, NULL, &hint, &all) != 0) return;
	for (struct addrinfo *a = all; a; a = a->ai_next) {
		char text[NI_MAXHOST];
		if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) == 0)
			add(l, h->name, text, h->port);
	}
	freeaddrinfo(all);
}

static char *take(struct sf_buf *b) {
	char *s = sf_strdup(b->n && !b->failed ? b->p : "");
	sf_buf_fini(b);
	return s;
}

int sf_pg__target_resolve(const struct sf_pg_target *t, size_t first, struct sf_pg_where *out) {
	struct lists l = { 0 };
	for (size_t i = 0; i < t->nhost; i++) {
		const struct sf_pg_host *h = &t->host[(first + i) % t->nhost];
		bool socket = !*h->name || *h->name == '/' || *h->name == '@';
		if (*h->addr || socket)
			add(&l, h->name, h->addr, h->port);
		else if (numeric(h->name))
			add(&l, h->name, h->name, h->port);
		else
			add_resolved(&l, h);
	}
	sf_buf_char(&l.host, 0), sf_buf_char(&l.addr, 0), sf_buf_char(&l.port, 0);
	*out = (struct sf_pg_where) { take(&l.host), take(&l.addr), take(&l.port) };
	if (l.n) return 0;
	sf_pg__where_fini(out);
	return SF_EUNAVAILABLE;
}

void sf_pg__where_fini(struct sf_pg_where *w) {
	free(w->host), free(w->addr), free(w->port);
	*w = (struct sf_pg_where) { 0 };
}
