/* wake: telling runners that there is something to claim, so that polling is only a net.
 *
 *   this process       at once, from the commit's hook
 *   this host          a byte to a datagram socket in the abstract name space; a runner binds the first free of SLOTS
 *                      names made of its database's URL, and who adds sends to all of them but its own
 *   other hosts        NOTIFY on PostgreSQL, outside of the adder's transaction, for commits with a NOTIFY go one by one
 *                      through a lock of the whole server. What is lost by a crash in between, the poll finds
 *
 * Both are held back so that a process sends at most one in DATAGRAM_MS and NOTIFY_MS however much it adds. Anybody on
 * the host may send such a byte: it makes a runner look, no more. */
#include "jobs/internal.h"

#include "core/hash.h"
#include "core/log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "jobs.q.h"

enum { SLOTS = 32, DATAGRAM_MS = 2, NOTIFY_MS = 5 };

struct ear;
struct pending;

static struct {
	struct sf_jobs *runners; /* by ->next */
	struct ear *ears;
	struct pending *pendings;
	int out;   /* the sending socket, -1: none yet */
	pid_t pid; /* whose these are: a forked child begins anew */
} process = { .out = -1 };

/* ---- the sockets -------------------------------------------------------------------------------------------------- */

struct ear { /* a runner's bound socket, one a source; freed when its handle has closed */
	struct ear *next;
	struct sf_jobs__src *src;
	uv_poll_t poll;
	int fd, slot;
};

static socklen_t name_of(const char *url, int slot, struct sockaddr_un *a) {
	*a = (struct sockaddr_un) { .sun_family = AF_UNIX };
	int n = snprintf(a->sun_path + 1, sizeof a->sun_path - 1, "softfactory-jobs-%016llx-%d",
					 (unsigned long long)sf_hash64_fixed(url, strlen(url)), slot);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

static void heard(uv_poll_t *p, int status, int events) {
	struct ear *e = p->data;
	char byte = 0;
	(void)status, (void)events;
	bool cancel = false, any = false;
	while (recv(e->fd, &byte, 1, MSG_DONTWAIT) == 1)
		any = true, cancel = cancel || byte == SF_JOBS__WAKE_CANCEL;
	if (any) sf_jobs__wake_src(e->src, cancel ? SF_JOBS__WAKE_CANCEL : SF_JOBS__WAKE_DUE);
}

static void listen_on(struct sf_jobs__src *s) {
	const char *url = sf_db_url(s->db);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), slot = 0;
	struct sockaddr_un a;
	if (fd < 0) return;
	for (; slot < SLOTS; slot++) {
		socklen_t n = name_of(url, slot, &a);
		if (!bind(fd, (struct sockaddr *)&a, n)) break;
	}
	if (slot == SLOTS) { /* more runners than names: the others are polled */
		close(fd);
		return;
	}
	struct ear *e = sf_calloc(1, sizeof *e);
	e->src = s, e->fd = fd, e->slot = slot;
	e->poll.data = e;
	SF_BUG_ON(uv_poll_init(sf_loop_uv(s->js->loop), &e->poll, fd) ||
			  uv_poll_start(&e->poll, UV_READABLE, heard));
	e->next = process.ears;
	process.ears = e;
}

static void ear_closed(uv_handle_t *h) {
	struct ear *e = h->data;
	close(e->fd);
	free(e);
}

static bool own_slot(const char *url, int slot) {
	for (const struct ear *e = process.ears; e; e = e->next)
		if (e->slot == slot && !strcmp(sf_db_url(e->src->db), url)) return true;
	return false;
}

static void send_all(const char *url, char what) {
	struct sockaddr_un a;
	if (process.out < 0) process.out = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	for (int slot = 0; process.out >= 0 && slot < SLOTS; slot++) {
		if (own_slot(url, slot)) continue;
		socklen_t n = name_of(url, slot, &a);
		/* nobody there, or its line is full, which wakes it as well */
		if (sendto(process.out, &what, 1, MSG_DONTWAIT, (struct sockaddr *)&a, n) < 0) continue;
	}
}

/* ---- telling others -------------------------------------------------------------------------------------------------- */

/* One notice on its way; heap, its coroutine frees it. */
struct notice {
	struct sf_db *db;
	char what;
};

static void notify(void *arg) {
	struct notice *n = arg;
	struct sf_arena *a = sf_arena_new(0);
	struct jobs_q_notify_row row;
	char text[2] = { n->what, 0 };
	int err = jobs_q_notify(sf_db_auto(n->db, a, SF_READ_PRIMARY, "jobs.notify"),
							&(struct jobs_q_notify_in) { .what = sf_str(text) }, &row);
	if (err) sf_log(SF_DEBUG, "runners elsewhere were not told", SF_KV("error", sf_err_symbol(err)));
	sf_arena_free(a);
	free(n);
}

struct pending { /* of one database: what is held back; freed with its timer */
	struct pending *next;
	struct sf_db *db;
	struct sf_loop *loop;
	uv_timer_t timer;
	char what;
	bool datagram, again; /* something is to be sent that way */
};

static void pending_closed(uv_handle_t *h) {
	free(h->data);
}

static void forget(struct pending *p) {
	for (struct pending **at = &process.pendings; *at; at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			break;
		}
	uv_close((uv_handle_t *)&p->timer, pending_closed);
}

/* What is held back dies with its database: the poll finds it. */
static void db_closes(struct sf_db *db) {
	if (process.pid != getpid()) return;
	for (struct pending *p = process.pendings, *next; p; p = next) {
		next = p->next;
		if (p->db == db) forget(p);
	}
}

static void send_pending(uv_timer_t *t) {
	struct pending *p = t->data;
	if (p->datagram) send_all(sf_db_url(p->db), p->what), p->datagram = false;
	if (!p->again || sf_db_engine(p->db) != SF_PG) {
		forget(p);
		return;
	}
	struct notice *n = sf_malloc(sizeof *n);
	*n = (struct notice) { p->db, p->what };
	p->again = false;
	uv_timer_start(t, send_pending, NOTIFY_MS, 0); /* what comes meanwhile goes then */
	if (sf_co_start(p->loop, notify, n, NULL)) free(n);
}

static void tell_others(struct sf_db *db, char what) {
	struct sf_loop *l = sf_loop_self();
	struct pending *p = process.pendings;
	while (p && p->db != db) p = p->next;
	if (!p) {
		p = sf_calloc(1, sizeof *p);
		p->db = db, p->loop = l, p->timer.data = p;
		sf_db_on_close(db, db_closes);
		p->next = process.pendings, process.pendings = p;
		SF_BUG_ON(uv_timer_init(sf_loop_uv(l), &p->timer));
		uv_timer_start(&p->timer, send_pending, DATAGRAM_MS, 0);
		send_all(sf_db_url(db), what); /* the first at once */
		p->what = what, p->again = true;
		return;
	}
	p->datagram = p->again = true;
	if (what == SF_JOBS__WAKE_CANCEL || !p->what) p->what = what;
}

/* ---- waking ---------------------------------------------------------------------------------------------------------- */

void sf_jobs__wake_src(struct sf_jobs__src *s, char what) {
	if (what == SF_JOBS__WAKE_CANCEL) sf_jobs__signal(&s->keep);
	sf_jobs__amqp_due(s);
	sf_jobs__signal(&s->pump);
}

/* A child that was forked off has its parent's list, sockets and timers, and none of them is its own. */
static void own(void) {
	if (process.pid == getpid()) return;
	process.runners = NULL, process.ears = NULL, process.pendings = NULL, process.out = -1;
	process.pid = getpid();
}

void sf_jobs__wake(struct sf_db *db, char what) {
	own();
	for (struct sf_jobs *js = process.runners; js; js = js->next)
		for (size_t i = 0; i < js->nsrc; i++)
			if (js->src[i].db == db) sf_jobs__wake_src(&js->src[i], what);
	tell_others(db, what);
}

static void wake_due(void *db) {
	sf_jobs__wake(db, SF_JOBS__WAKE_DUE);
}
static void wake_cancel(void *db) {
	sf_jobs__wake(db, SF_JOBS__WAKE_CANCEL);
}

void sf_jobs__wake_after(struct sf_dbh *h, char what) {
	if (!sf_dbh_in_tx(h))
		sf_jobs__wake(sf_dbh_db(h), what);
	else
		sf_tx_after(h, what == SF_JOBS__WAKE_DUE ? wake_due : wake_cancel, sf_dbh_db(h));
}

void sf_jobs__wake_add(struct sf_jobs *js) {
	own();
	js->next = process.runners;
	process.runners = js;
	for (size_t i = 0; i < js->nsrc; i++) listen_on(&js->src[i]);
}

void sf_jobs__wake_del(struct sf_jobs *js) {
	for (struct sf_jobs **at = &process.runners; *at; at = &(*at)->next)
		if (*at == js) {
			*at = js->next;
			break;
		}
	for (struct ear **at = &process.ears; *at;) {
		struct ear *e = *at;
		if (e->src->js != js) {
			at = &e->next;
			continue;
		}
		*at = e->next;
		uv_poll_stop(&e->poll);
		uv_close((uv_handle_t *)&e->poll, ear_closed);
	}
}
