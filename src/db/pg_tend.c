/* What a pool does as time passes: who has waited too long, what runs too long, what is idle, old or silent.
 *
 * One timer, fast while anything waits, runs or connects, and slow otherwise.
 *
 * Slow statements. Results come in order, and those of a group come together, so a slow read holds up its neighbours. After
 * SF_PG_RESCUE_US they are asked again elsewhere, each alone, and so it shows which one is slow: a read that took longer than
 * SF_PG_SLOW_US alone is remembered, and for a while gets a connection that nobody is put behind. What counts as slow
 * grows with what a group of statements takes at present: on a busy server all are slow, and sending each alone or twice
 * would only add to the load. */
#include "db/db.h"

#include "db/pg.h"

/* ---- is it still there? --------------------------------------------------------------------------------- */

static void checked(struct sf_pg_conn *c, struct sf_pg_op *op) {
	c->checking = false;
	if (PQresultStatus(op->res) != PGRES_TUPLES_OK || PQntuples(op->res) != 1) return;
	if (PQgetvalue(op->res, 0, 0)[0] != 0 && !c->pool->replica) sf_pg__demoted(c->pool);
}

/* Asks an idle connection whether it lives and is still a primary. */
void sf_pg__check(struct sf_pg_conn *c) {
	static const struct sf_query ping = { .name = "database.check",
										  .kind = SF_Q_ONE,
										  .pg = "SELECT pg_is_in_recovery()" };
	struct sf_pg_op *op = sf_pg__op_new(c->pool, SF_PG_CONTROL, &ping);
	op->done = checked;
	op->deadline_ms = sf_pg__now(c->pool) + SF_PG_GRACE_MS;
	c->checking = true;
	if (sf_pg__send(c, op) && sf_pg__sync(c)) sf_pg__watch(c);
}

/* An idle connection that has not been heard of for long is asked first, and not used until it answers. */
bool sf_pg__stale(struct sf_pg_conn *c, int64_t now) {
	if (c->in_flight > (size_t)c->checking || now - c->alive_ms <= SF_PG_STALE_MS) return false;
	if (!c->checking) sf_pg__check(c);
	return true;
}

/* ---- slow statements ------------------------------------------------------------------------------------ */

static struct sf_pg_slow *slow_slot(struct sf_pg_pool *p, const struct sf_query *q) {
	uintptr_t h = (uintptr_t)q >> 4;
	return &p->slow[(h ^ h >> 7) % SF_COUNT(p->slow)];
}

bool sf_pg__is_slow(struct sf_pg_pool *p, const struct sf_query *q, int64_t now) {
	struct sf_pg_slow *s = slow_slot(p, q);
	return s->q == q && now < s->until_ms && q->id != SF_DB__UNCACHED;
}

void sf_pg__took(struct sf_pg_pool *p, const struct sf_query *q, int64_t ns) {
	struct sf_pg_slow *s = slow_slot(p, q);
	if (ns > sf_pg__ns(p, SF_PG_SLOW_US, SF_PG_SLOW_TIMES))
		*s = (struct sf_pg_slow) { q, sf_pg__now(p) + SF_PG_SLOW_FOR_MS };
	else if (s->q == q)
		s->q = NULL;
}

void sf_pg__group_took(struct sf_pg_pool *p, int64_t ns) {
	int64_t most = 2 * p->typical_ns +
				   100000; /* an outlier counts little, a busy server is believed after some 50 groups */
	p->typical_ns += ((ns < most ? ns : most) - p->typical_ns) / 32;
}

static bool room_beside(const struct sf_pg_conn *c) {
	int64_t now_ns = sf_clock_ns();
	SF_PG_EACH(o, c->pool) {
		if (o != c && sf_pg__shared(o) && o->in_flight < SF_PG_GROW_AT && !sf_pg__stalled(o, now_ns))
			return true;
	}
	return c->pool->nconns < c->pool->max && !c->pool->backoff_ms;
}

/* Some statement in this flight is slow, and others wait for it; which one it is nobody knows. The reads are asked again, each
 * alone, where there is room; what was sent is left to itself, and is cancelled when nobody waits for any of it. Only
 * where there is room: when all are slow, asking twice makes it worse. */
static void rescue(struct sf_pg_conn *c) {
	struct sf_pg_pool *p = c->pool;
	if (!room_beside(c)) return;
	for (struct sf_node *n = c->flight.next; n != &c->flight; n = n->next) {
		struct sf_pg_op *op = SF_CONTAINER(n, struct sf_pg_op, node);
		if (op->kind != SF_PG_STMT || !op->wait || op->q->write || op->tries) continue;
		struct sf_pg_op *twin = sf_pg__op_new(p, SF_PG_STMT, op->q);
		twin->in = op->in, twin->deadline_ms = op->deadline_ms, twin->late = op->late;
		twin->tries = 1, twin->alone = true;
		twin->wait = op->wait, twin->wait->arg = twin;
		op->wait = NULL;
		c->waited_for--;
		sf_pg__submit(twin);
	}
	if (!c->waited_for) sf_pg__cancel(c);
}

/* ---- too late --------------------------------------------------------------------------------------------- */

static int too_late(const struct sf_pg_pool *p) {
	return p->nconns == p->opening && p->down ? SF_EUNAVAILABLE : SF_EOVERLOAD;
}

static void expire_lines(struct sf_pg_pool *p, int64_t now) {
	bool closed = p->db->closing && p->nconns == p->opening;
	int64_t wait = closed ? 0 : p->db->o->wait_ms;
	while (!sf_list_empty(&p->line)) {
		struct sf_pg_op *op = SF_CONTAINER(p->line.next, struct sf_pg_op, node);
		if (now - op->line_ms < wait) break;
		sf_list_del(&op->node);
		p->line_n--;
		sf_pg__drop(op, too_late(p));
	}
	while (!sf_list_empty(&p->leases)) {
		struct sf_pg_lease_wait *w = SF_CONTAINER(p->leases.next, struct sf_pg_lease_wait, node);
		if (now - w->line_ms < wait) break;
		sf_list_del(&w->node);
		p->leases_n--;
		sf_wake(&w->wait, too_late(p));
	}
}

/* The first command that is past its deadline and has somebody waiting. */
static struct sf_pg_op *overdue(struct sf_pg_conn *c, int64_t now) {
	for (struct sf_node *n = c->flight.next; n != &c->flight; n = n->next) {
		struct sf_pg_op *op = SF_CONTAINER(n, struct sf_pg_op, node);
		if (op->wait && op->deadline_ms && op->deadline_ms <= now) return op;
	}
	return NULL;
}

/* Statements past their deadline are let go; a server that is silent long past it is given up. */
static void expire_flight(struct sf_pg_conn *c, int64_t now) {
	struct sf_pg_op *op;
	while ((op = overdue(c, now))) {
		struct sf_wait *w = op->wait;
		op->wait = NULL;
		c->waited_for--;
		sf_wake(w, op->late);
	}
	if (sf_list_empty(&c->flight)) return;
	op = SF_CONTAINER(c->flight.next, struct sf_pg_op, node);
	int64_t silent = now - (c->alive_ms > op->sent_ms ? c->alive_ms : op->sent_ms);
	if (op->deadline_ms && now - op->deadline_ms > (op->kind == SF_PG_CONTROL ? 0 : SF_PG_GRACE_MS) &&
		silent > SF_PG_GRACE_MS)
		sf_pg__lose(c, "the server does not answer", true);
}

/* ---- the tick ------------------------------------------------------------------------------------------------- */

static void tend_ready(struct sf_pg_conn *c, int64_t now) {
	struct sf_pg_pool *p = c->pool;
	bool idle = c->in_flight == 0 && !c->leased;
	int64_t head_ns = c->in_flight && !c->leased ? sf_clock_ns() - c->head_ns : 0;
	if (head_ns > sf_pg__ns(p, SF_PG_RESCUE_US, SF_PG_RESCUE_TIMES) && c->waited_for > 1) rescue(c);
	if (head_ns > SF_PG_ORPHAN_MS * INT64_C(1000000) && !c->waited_for && !c->checking) {
		sf_pg__cancel(c); /* runs what nobody waits for */
	} else if (idle && p->db->closing) {
		sf_pg__lose(c, "closing", false);
	} else if (idle && p->nconns > p->keep && now - c->used_ms > SF_PG_SPARE_MS) {
		sf_pg__lose(c, "not needed any more", false);
	} else if (c->recycle_at_ms && now > c->recycle_at_ms && !c->leased) {
		if (idle)
			sf_pg__lose(c, "recycled", false);
		else
			c->retiring = true;
	} else if (idle && !c->checking && now - c->alive_ms > SF_PG_CHECK_MS) {
		sf_pg__check(c);
	}
}

static void tend(struct sf_pg_conn *c, int64_t now) {
	expire_flight(c, now);
	switch (c->state) {
	case SF_PG_RESOLVING:
	case SF_PG_CONNECTING:
	case SF_PG_HELLO:
		if (c->pool->db->closing)
			sf_pg__lose(c, "closing", false);
		else if (now - c->started_ms > SF_PG_CONNECT_MS)
			sf_pg__lose(c, "no answer while connecting", true);
		break;
	case SF_PG_READY: tend_ready(c, now); break;
	case SF_PG_CLEANING:
		if (now > c->clean_ms)
			sf_pg__lose(c, "not clean in time after a transaction", true);
		else if (c->in_flight && !c->rolling && !c->asked)
			sf_pg__cancel(c), c->asked = c->canceling;
		break;
	case SF_PG_LOST: break;
	}
}

static void on_tick(uv_timer_t *t) {
	struct sf_pg_pool *p = t->data;
	int64_t now = sf_pg__now(p);
	expire_lines(p, now);
	SF_PG_EACH(c, p) c->refs++; /* the list stays as it is while what is lost is kept */
	SF_PG_EACH(c, p) tend(c, now);
	SF_PG_EACH(c, p) {
		c->refs--;
		sf_pg__conn_free(c);
	}
	sf_pg__dispatch_later(p);
}

void sf_pg__pace(struct sf_pg_pool *p) {
	if (uv_is_closing((uv_handle_t *)&p->tick)) return;
	bool fast = p->line_n || p->leases_n || p->opening || p->nconns == 0 || p->db->closing;
	SF_PG_EACH(c, p) fast = fast || c->in_flight || c->state == SF_PG_CLEANING;
	if (fast == p->fast && uv_is_active((uv_handle_t *)&p->tick)) return;
	p->fast = fast;
	uint64_t ms = fast ? SF_PG_TICK_FAST_MS : SF_PG_TICK_SLOW_MS;
	uv_timer_start(&p->tick, on_tick, ms, ms);
}

void sf_pg__pool_shut(struct sf_pg_pool *p) {
	p->fast = true;
	uv_timer_start(&p->tick, on_tick, 0, SF_PG_TICK_FAST_MS);
}
