/* listen: a PostgreSQL connection of its own that LISTENs for the wake-ups of other hosts, and comes back when it is lost. */
#include "jobs/internal.h"

#include "core/log.h"
#include <libpq-fe.h>
#include <stdlib.h>
#include <uv.h>

enum { AGAIN_MS = 1000, CONNECT_MS = 5000 };

struct sf_jobs__listener {    /* heap; freed when both handles have closed */
	struct sf_jobs__src *src; /* NULL: closing */
	struct sf_loop *loop;
	char *url;
	PGconn *pg;
	uv_poll_t *poll; /* of the present connection; NULL: none */
	uv_timer_t timer;
	bool listening, said;
};

static void closed(uv_handle_t *h) {
	free(h);
}

static void again(uv_timer_t *t);

static void drop(struct sf_jobs__listener *l, const char *why) {
	if (l->poll) {
		uv_poll_stop(l->poll);
		uv_close((uv_handle_t *)l->poll, closed);
	}
	if (why && !l->said)
		sf_log(SF_WARN, "wake-ups by PostgreSQL stopped; jobs are polled", SF_KV("why", why));
	l->said = why != NULL;
	PQfinish(l->pg);
	l->poll = NULL, l->pg = NULL, l->listening = false;
	if (l->src) uv_timer_start(&l->timer, again, AGAIN_MS, 0);
}

static void ready(uv_poll_t *p, int status, int events);

/* The socket may change while libpq tries one address after the other. */
static void watch(struct sf_jobs__listener *l, int events) {
	uv_os_fd_t fd = -1;
	if (l->poll && (uv_fileno((uv_handle_t *)l->poll, &fd) || fd != PQsocket(l->pg))) {
		uv_poll_stop(l->poll);
		uv_close((uv_handle_t *)l->poll, closed);
		l->poll = NULL;
	}
	if (!l->poll) {
		l->poll = sf_calloc(1, sizeof *l->poll);
		l->poll->data = l;
		if (uv_poll_init(sf_loop_uv(l->loop), l->poll, PQsocket(l->pg))) {
			free(l->poll);
			l->poll = NULL;
			drop(l, "its socket cannot be watched");
			return;
		}
	}
	uv_poll_start(l->poll, events, ready);
}

static void connecting(struct sf_jobs__listener *l) {
	switch (PQconnectPoll(l->pg)) {
	case PGRES_POLLING_READING: watch(l, UV_READABLE); return;
	case PGRES_POLLING_WRITING: watch(l, UV_WRITABLE); return;
	case PGRES_POLLING_OK: break;
	default: drop(l, PQerrorMessage(l->pg)); return;
	}
	uv_timer_stop(&l->timer);
	PQsetnonblocking(l->pg, 1);
	if (!PQsendQuery(l->pg, "LISTEN softfactory_jobs")) {
		drop(l, PQerrorMessage(l->pg));
		return;
	}
	l->listening = true, l->said = false;
	watch(l, PQflush(l->pg) == 1 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
	sf_jobs__wake_src(l->src, SF_JOBS__WAKE_CANCEL); /* what was missed meanwhile */
}

static void notices(struct sf_jobs__listener *l) {
	bool any = false, cancel = false;
	for (PGnotify *n; (n = PQnotifies(l->pg)); PQfreemem(n)) {
		if (n->be_pid == PQbackendPID(l->pg)) continue;
		any = true, cancel = cancel || n->extra[0] == SF_JOBS__WAKE_CANCEL;
	}
	if (any) sf_jobs__wake_src(l->src, cancel ? SF_JOBS__WAKE_CANCEL : SF_JOBS__WAKE_DUE);
}

static void ready(uv_poll_t *p, int status, int events) {
	struct sf_jobs__listener *l = p->data;
	if (!l->listening) {
		connecting(l);
		return;
	}
	if (status < 0 || ((events & UV_READABLE) && !PQconsumeInput(l->pg))) {
		drop(l, PQerrorMessage(l->pg));
		return;
	}
	while (!PQisBusy(l->pg)) {
		PGresult *r = PQgetResult(l->pg);
		if (!r) break;
		PQclear(r);
	}
	if (PQstatus(l->pg) != CONNECTION_OK) {
		drop(l, PQerrorMessage(l->pg));
		return;
	}
	notices(l);
	watch(l, PQflush(l->pg) == 1 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

static void too_long(uv_timer_t *t) {
	struct sf_jobs__listener *l = t->data;
	drop(l, "connecting took too long");
}

static void again(uv_timer_t *t) {
	struct sf_jobs__listener *l = t->data;
	const char *const keys[] = { "dbname", "fallback_application_name", "keepalives_idle", "tcp_user_timeout",
								 NULL };
	const char *const vals[] = { l->url, "softfactory jobs", "15", "10000", NULL };
	uv_timer_start(&l->timer, too_long, CONNECT_MS, 0);
	l->pg = PQconnectStartParams(keys, vals, 1);
	if (!l->pg || PQstatus(l->pg) == CONNECTION_BAD)
		drop(l, l->pg ? PQerrorMessage(l->pg) : "out of memory");
	else
		watch(l, UV_WRITABLE);
}

void sf_jobs__listen(struct sf_jobs__src *s) {
	struct sf_jobs__listener *l = sf_calloc(1, sizeof *l);
	l->src = s, l->loop = s->js->loop, l->url = sf_strdup(sf_db_url(s->db));
	l->timer.data = l;
	SF_BUG_ON(uv_timer_init(sf_loop_uv(l->loop), &l->timer));
	s->listener = l;
	again(&l->timer);
}

static void timer_closed(uv_handle_t *h) {
	struct sf_jobs__listener *l = h->data;
	free(l->url);
	free(l);
}

void sf_jobs__unlisten(struct sf_jobs__src *s) {
	struct sf_jobs__listener *l = s->listener;
	if (!l) return;
	s->listener = NULL, l->src = NULL;
	drop(l, NULL);
	uv_close((uv_handle_t *)&l->timer, timer_closed);
}
