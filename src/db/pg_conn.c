/* One connection: from the attempt to connect, through its hello, to its loss.
 *
 *     RESOLVING ──▶ CONNECTING ──▶ HELLO ──▶ READY ◀──▶ CLEANING
 *         └──────────────┴───────────┴─────────┴───────────┴──▶ LOST, freed when nothing refers to it
 *
 * The hello is one statement that sets the session's limits and asks for the server's role and size; only then may the
 * connection be used, so that nobody ever writes to a standby that took a primary's place [D-2].
 *
 * A socket belongs to libpq, which may replace it while connecting (next host, TLS refused): the poll handle is stopped
 * before each PQconnectPoll, so that libuv forgets the descriptor before libpq closes it. */
#include "db/db.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/hash.h"
#include "db/pg.h"

static void on_event(uv_poll_t *h, int status, int events);

/* ---- the poll handle ------------------------------------------------------------------------------- */

static void poll_closed(uv_handle_t *h) {
	struct sf_pg_conn *c = h->data;
	free(h);
	c->refs--;
	sf_pg__conn_free(c);
}

static void poll_close(struct sf_pg_conn *c) {
	if (!c->poll) return;
	uv_close((uv_handle_t *)c->poll, poll_closed); /* takes the descriptor off the poll set at once */
	c->poll = NULL, c->fd = -1, c->events = 0;
}

static bool poll_events(struct sf_pg_conn *c, int events) {
	int fd = PQsocket(c->pg);
	if (c->poll && c->fd != fd) poll_close(c);
	if (!c->poll) {
		c->poll = sf_malloc(sizeof(*c->poll));
		if (uv_poll_init(sf_loop_uv(c->pool->db->loop), c->poll, fd) != 0) {
			free(c->poll);
			c->poll = NULL;
			return false;
		}
		c->poll->data = c, c->fd = fd, c->events = 0;
		c->refs++;
	}
	if (c->events == events) return true;
	c->events = events;
	return uv_poll_start(c->poll, events, on_event) == 0;
}

void sf_pg__watch(struct sf_pg_conn *c) {
	int left = PQflush(c->pg);
	if (left < 0 || !poll_events(c, UV_READABLE | (left ? UV_WRITABLE : 0)))
		sf_pg__lose(c, left < 0 ? PQerrorMessage(c->pg) : "socket cannot be watched", true);
}

/* ---- end ---------------------------------------------------------------------------------------------- */

void sf_pg__conn_free(struct sf_pg_conn *c) {
	if (c->state != SF_PG_LOST || c->refs > 0 || c->leased) return;
	struct sf_pg_pool *p = c->pool;
	sf_list_del(&c->node);
	PQclear(c->last);
	free(c);
	p->db->live--;
	sf_pg__pool_close(p);
}

/* The commands of a lost connection: a read that still has somebody waiting goes back to the line once, the rest fails. */
static void fail_flight(struct sf_pg_conn *c) {
	while (!sf_list_empty(&c->flight)) {
		struct sf_pg_op *op =
			SF_CONTAINER(c->flight.prev, struct sf_pg_op, node); /* newest first keeps the line's order */
		sf_list_del(&op->node);
		op->conn = NULL;
		if (sf_pg__may_repeat(c, op) && !op->q->write) {
			sf_pg__again(op);
		} else {
			PQclear(op->res);
			op->res = NULL;
			sf_pg__drop(op, SF_EUNAVAILABLE);
		}
	}
}

void sf_pg__lose(struct sf_pg_conn *c, const char *why, bool bad) {
	if (c->state == SF_PG_LOST) return;
	struct sf_pg_pool *p = c->pool;
	char line[200];
	sf_pg__line(line, sizeof(line), why);
	bool was_open = c->state == SF_PG_READY || c->state == SF_PG_CLEANING;
	if (was_open)
		sf_log(bad ? SF_WARN : SF_DEBUG, "database connection closed", SF_KV("server", p->target.shown),
			   SF_KV("reason", line));
	else
		p->opening--;
	if (was_open && bad) p->lost++;
	c->state = SF_PG_LOST;
	p->nconns--;
	poll_close(c);
	PQfinish(c->pg);
	c->pg = NULL;
	sf_pg__where_fini(&c->where);
	sf_pg__stmts_fini(c);
	c->unsynced = c->in_flight = c->waited_for = c->solo = 0;
	c->refs++; /* what is woken below must not free it */
	if (!c->holder && c->leased) c->leased = false, p->leased--;
	fail_flight(c);
	c->refs--;
	if (!was_open && bad) sf_pg__connect_failed(p, line);
	sf_pg__dispatch_later(p);
	if (c->refs == 0) sf_pg__conn_free(c);
}

/* ---- connecting ----------------------------------------------------------------------------------------- */

static void on_notice(void *arg, const PGresult *res) {
	struct sf_pg_conn *c = arg;
	const char *msg = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	sf_log(SF_DEBUG, "database notice", SF_KV("server", c->pool->target.shown),
		   SF_KV("notice", msg ? msg : ""));
}

static void begin_attempt(struct sf_pg_conn *c) {
	const struct sf_pg_target *t = &c->pool->target;
	const char *key[96], *val[96];
	size_t n = 0;
	for (; t->key[n] && n < SF_COUNT(key) - 5; n++) key[n] = t->key[n], val[n] = t->val[n];
	const char *const more[][2] = { { "host", c->where.host },
									{ "hostaddr", c->where.addr },
									{ "port", c->where.port },
									{ "target_session_attrs", c->pool->replica ? "any" : "read-write" } };
	for (size_t i = 0; i < SF_COUNT(more); i++)
		if (more[i][1][strspn(more[i][1], ",")]) key[n] = more[i][0], val[n] = more[i][1], n++;
	key[n] = val[n] = NULL;
	c->state = SF_PG_CONNECTING;
	c->pg = PQconnectStartParams(key, val, 0);
	if (!c->pg || PQstatus(c->pg) == CONNECTION_BAD) {
		sf_pg__lose(c, c->pg ? PQerrorMessage(c->pg) : "out of memory", true);
		return;
	}
	PQsetNoticeReceiver(c->pg, on_notice, c);
	if (!poll_events(c, UV_WRITABLE)) sf_pg__lose(c, "socket cannot be watched", true);
}

struct resolve { /* a job of the thread pool; touches the target and itself only */
	uv_work_t work;
	struct sf_pg_conn *c;
	const struct sf_pg_target *target;
	size_t first;
	struct sf_pg_where where;
	int err;
};

static void resolve_run(uv_work_t *w) {
	struct resolve *r = w->data;
	r->err = sf_pg__target_resolve(r->target, r->first, &r->where);
}

static void resolve_done(uv_work_t *w, int status) {
	struct resolve *r = w->data;
	struct sf_pg_conn *c = r->c;
	(void)status; /* nobody cancels it */
	c->refs--;
	if (c->state == SF_PG_LOST) {
		sf_pg__where_fini(&r->where);
		sf_pg__conn_free(c);
	} else if (r->err) {
		sf_pg__lose(c, "no host of the URL can be resolved", true);
	} else {
		c->where = r->where;
		begin_attempt(c);
	}
	free(r);
}

void sf_pg__conn_open(struct sf_pg_pool *p) {
	struct sf_pg_conn *c = sf_calloc(1, sizeof(*c));
	c->pool = p, c->fd = -1, c->first = p->first;
	c->started_ms = sf_loop_now(p->db->loop);
	sf_list_init(&c->flight), sf_list_init(&c->lru);
	sf_list_push(&p->conns, &c->node);
	p->nconns++, p->opening++, p->db->live++;
	sf_pg__pace(p);
	if (!p->target.by_name) {
		if (sf_pg__target_resolve(&p->target, p->first, &c->where))
			sf_pg__lose(c, "no host in the URL", true);
		else
			begin_attempt(c);
		return;
	}
	struct resolve *r = sf_calloc(1, sizeof(*r));
	r->work.data = r, r->c = c, r->target = &p->target, r->first = p->first;
	c->refs++;
	SF_BUG_ON(uv_queue_work(sf_loop_uv(p->db->loop), &r->work, resolve_run, resolve_done) != 0);
}

/* ---- hello ------------------------------------------------------------------------------------------------ */

struct hello_in {
	int64_t statement_ms, idle_ms;
};
static const struct sf_dbcol hello_cols[] = {
	{ "statement_ms", SF_T_INT, false, offsetof(struct hello_in, statement_ms) },
	{ "idle_ms", SF_T_INT, false, offsetof(struct hello_in, idle_ms) },
};
/* jit: compiling a plan costs more than any statement of ours runs. plan_cache_mode: the plan that the EXPLAIN test has
 * seen, made once a connection; left to itself the server plans a statement with LIMIT $1 anew at each run, which halves
 * the rate of short reads. */
static const struct sf_query hello = {
	.name = "database.hello",
	.kind = SF_Q_ONE,
	.pg = "SELECT set_config('statement_timeout', $1::text, false), "
		  "set_config('idle_in_transaction_session_timeout', $2::text, false), "
		  "set_config('TimeZone', 'UTC', false), "
		  "set_config('jit', 'off', false) || set_config('plan_cache_mode', 'force_generic_plan', false), "
		  "pg_is_in_recovery() OR current_setting('transaction_read_only')::bool, "
		  "current_setting('max_connections')::int8::text, "
		  "current_setting('superuser_reserved_connections')::int8::text",
	.in = hello_cols,
	.nin = SF_COUNT(hello_cols),
	.id = SF_DB__UNCACHED,
};

static int64_t number(const PGresult *res, int col) {
	return strtoll(PQgetvalue(res, 0, col), NULL, 10);
}

static void said_hello(struct sf_pg_conn *c, struct sf_pg_op *op) {
	if (PQresultStatus(op->res) != PGRES_TUPLES_OK || PQntuples(op->res) != 1) {
		sf_pg__lose(c, PQresultErrorMessage(op->res), true);
		return;
	}
	bool read_only = PQgetvalue(op->res, 0, 4)[0] != 0;
	if (read_only && !c->pool->replica) {
		sf_pg__lose(c, "the server is read-only: a standby", true);
		return;
	}
	struct sf_pg_pool *p = c->pool;
	sf_pg__limit(p, number(op->res, 5), number(op->res, 6));
	p->opening--;
	c->state = SF_PG_READY;
	int64_t now = sf_loop_now(p->db->loop), age = p->db->o->recycle_ms;
	uint32_t dice;
	sf_random(&dice, sizeof(dice));
	c->ready_ms = c->used_ms = c->alive_ms = now;
	c->recycle_at_ms =
		age > 0 ? now + age - age / 10 + (int64_t)(dice % (uint64_t)(age / 5 + 1)) : 0; /* ± 10 % */
	sf_pg__connected(c);
}

static void say_hello(struct sf_pg_conn *c) {
	c->state = SF_PG_HELLO;
	if (PQsetnonblocking(c->pg, 1) != 0 || !PQenterPipelineMode(c->pg)) {
		sf_pg__lose(c, PQerrorMessage(c->pg), true);
		return;
	}
	int64_t ms = c->pool->db->o->statement_ms;
	struct hello_in in = { ms, ms * 6 > 60000 ? ms * 6 : 60000 };
	struct sf_pg_op *op = sf_pg__op_new(c->pool, SF_PG_CONTROL, &hello);
	op->in = &in, op->done = said_hello;
	if (sf_pg__send(c, op) && sf_pg__sync(c)) sf_pg__watch(c);
}

static void connect_step(struct sf_pg_conn *c) {
	uv_poll_stop(c->poll);
	c->events = 0;
	bool ok = true;
	switch (PQconnectPoll(c->pg)) {
	case PGRES_POLLING_READING: ok = poll_events(c, UV_READABLE); break;
	case PGRES_POLLING_WRITING: ok = poll_events(c, UV_WRITABLE); break;
	case PGRES_POLLING_OK: say_hello(c); return;
	default: sf_pg__lose(c, PQerrorMessage(c->pg), true); return;
	}
	if (!ok) sf_pg__lose(c, "socket cannot be watched", true);
}

/* ---- events ------------------------------------------------------------------------------------------------ */

static void on_readable(struct sf_pg_conn *c) {
	struct sf_pg_pool *p = c->pool;
	/* With TLS, a record may lie decrypted in OpenSSL while the socket is silent; a call takes 8 KiB of its 16 at least.
	 * Once libpq has given the socket up it has also forgotten what was asked: it reads what is left as answers to
	 * nothing (rows as an empty COMMAND_OK). So nothing is taken from it any more. */
	bool ok = true;
	c->alive_ms = sf_loop_now(p->db->loop);
	for (int calls = PQsslInUse(c->pg) ? 3 : 1; ok && calls > 0; calls--) {
		ok = PQconsumeInput(c->pg);
		if (ok) sf_pg__pump(c);
		if (!c->pg) return;
	}
	if (ok && sf_list_empty(&c->flight)) ok = !PQisBusy(c->pg) && PQstatus(c->pg) == CONNECTION_OK;
	if (!ok) {
		sf_pg__lose(c, PQerrorMessage(c->pg), true);
		return;
	}
	if (c->state == SF_PG_CLEANING)
		sf_pg__clean(c);
	else if (c->retiring && c->in_flight == 0 && !c->leased)
		sf_pg__lose(c, "recycled", false);
	if (p->line_n || p->leases_n) sf_pg__dispatch_later(p);
}

static void on_event(uv_poll_t *h, int status, int events) {
	struct sf_pg_conn *c = h->data;
	if (c->poll != h || !c->pg) return;
	c->refs++; /* what runs here may lose the connection */
	if (c->state == SF_PG_CONNECTING) {
		connect_step(c);
	} else {
		if (status < 0)
			c->events = 0; /* an error of the socket stops the handle: what else comes is to be read */
		if (status < 0 || events & UV_READABLE) on_readable(c);
		if (c->pg && c->events != UV_READABLE) sf_pg__watch(c);
	}
	c->refs--;
	sf_pg__conn_free(c);
}

/* ---- cancel ------------------------------------------------------------------------------------------------ */

struct cancel { /* a job of the thread pool: PQcancel connects and waits */
	uv_work_t work;
	struct sf_pg_conn *c;
	PGcancel *cancel;
	char why[256];
	bool ok;
};

static void cancel_run(uv_work_t *w) {
	struct cancel *k = w->data;
	k->ok = PQcancel(k->cancel, k->why, sizeof(k->why));
}

static void cancel_done(uv_work_t *w, int status) {
	struct cancel *k = w->data;
	struct sf_pg_conn *c = k->c;
	(void)status;
	if (!k->ok) {
		char line[200];
		sf_log(SF_WARN, "statement could not be canceled", SF_KV("server", c->pool->target.shown),
			   SF_KV("error", sf_pg__line(line, sizeof(line), k->why)));
	}
	PQfreeCancel(k->cancel);
	free(k);
	c->refs--;
	c->pool->cancels--;
	c->canceling = false;
	if (c->state == SF_PG_LOST)
		sf_pg__conn_free(c);
	else if (c->state == SF_PG_CLEANING)
		sf_pg__clean(c);
	else
		sf_pg__dispatch_later(c->pool);
}

void sf_pg__cancel(struct sf_pg_conn *c) {
	bool may =
		!c->canceling && c->pool->cancels < SF_PG_CANCELS_MAX; /* an unreachable server blocks the threads */
	PGcancel *cancel = may ? PQgetCancel(c->pg) : NULL;
	if (!cancel) return;
	c->pool->cancels++;
	struct cancel *k = sf_calloc(1, sizeof(*k));
	k->work.data = k, k->c = c, k->cancel = cancel;
	c->canceling = true;
	c->refs++;
	SF_BUG_ON(uv_queue_work(sf_loop_uv(c->pool->db->loop), &k->work, cancel_run, cancel_done) != 0);
}
