/* The pool of one server: which connection runs what, when it grows and shrinks, who waits and for how long.
 *
 * Statements gather in the line during an iteration of the loop and are assigned at its end, so that those of many
 * requests leave in one write. Each goes to the connection with the fewest in flight that is not stalled: one whose
 * oldest statement runs longer than usual gets nothing more while another can be had or opened,
 * because what is behind a slow statement waits for it. Reads are dealt in packs of SF_PG_PACK, which then share a Sync;
 * writes one by one, because each COMMIT waits for the disk and those of several connections share one flush. A pool
 * whose connections all have SF_PG_GROW_AT in flight, or writes ahead of a write, or are stalled, opens another in the
 * background, up to pool_size, and up to the overflow for those that wait.
 *
 * Measured 2026-11-22 on 2 busy cores, 64 coroutines, CPU of server + ours in µs a statement: read by id 46 + its own (pgbench),
 * 29 + 10 (a Sync each), 15 + 4 (shared, dealt singly over 20 connections), 10 + 3 (packs of 8); list of 12 rows 78 + its own, 73 + 14,
 * 61 + 9, 54 + 9. Packs of 16 are no better, and a pack is what the last of it waits for.
 *
 * Transactions wait in a line of their own, oldest first. As many connections as there are waiting transactions are
 * reserved: they take no more single statements and are leased when they are empty. One connection is never leased, so
 * that a pool full of transactions still runs single statements.
 */
#include "db/db.h"

#include <stdlib.h>
#include <unistd.h>

#include "core/config.h"
#include "core/hash.h"
#include "db/pg.h"

/* ---- growth -------------------------------------------------------------------------------------------- */

/* Connections that may be open now: pool_size, and the overflow while somebody has to wait. */
static size_t limit(const struct sf_pg_pool *p) {
	return p->line_n || p->leases_n ? p->max : p->keep;
}

static bool may_open(const struct sf_pg_pool *p) {
	if (p->db->closing || p->nconns >= limit(p)) return false;
	if (p->backoff_ms)
		return p->opening == 0 && sf_pg__now(p) >= p->retry_ms; /* one at a time while it fails */
	return p->opening < 4;
}

void sf_pg__connect_failed(struct sf_pg_pool *p, const char *why) {
	size_t ready = p->nconns - p->opening;
	p->backoff_ms = p->backoff_ms ? p->backoff_ms * 2 : SF_PG_BACKOFF_MIN_MS;
	if (p->backoff_ms > SF_PG_BACKOFF_MAX_MS) p->backoff_ms = SF_PG_BACKOFF_MAX_MS;
	uint32_t dice;
	sf_random(&dice, sizeof(dice));
	p->retry_ms = sf_pg__now(p) + p->backoff_ms - (int64_t)(dice % (uint64_t)(p->backoff_ms / 4 + 1));
	if (p->target.nhost) p->first = (p->first + 1) % p->target.nhost;
	if (ready == 0) p->down = true;
	if (!p->told) {
		sf_log(SF_WARN, "database cannot be reached", SF_KV("server", p->target.shown), SF_KV("reason", why),
			   SF_KV("connections", ready));
		p->told = true;
	}
	sf_pg__pace(p);
}

void sf_pg__limit(struct sf_pg_pool *p, int64_t max_connections, int64_t reserved) {
	int64_t n = sf_config_int("WORKERS");
	if (n < 1) n = sysconf(_SC_NPROCESSORS_ONLN);
	int64_t fit = (max_connections - reserved - 3) / n; /* 3: psql, a backup, the migrations */
	if (fit < 2) fit = 2;
	if ((int64_t)p->max <= fit) return;
	p->max = (size_t)fit;
	if (p->keep > p->max) p->keep = p->max;
	sf_log(SF_WARN, "database pool shrunk to what the server allows", SF_KV("server", p->target.shown),
		   SF_KV("max_connections", max_connections), SF_KV("workers", n), SF_KV("pool", p->max));
}

void sf_pg__demoted(struct sf_pg_pool *p) {
	sf_log(SF_WARN, "database primary takes no writes any more", SF_KV("server", p->target.shown));
	/* losing wakes coroutines, which may change the list: so from the start again each time */
	for (bool more = true; more;) {
		more = false;
		SF_PG_EACH(c, p) {
			if (c->state == SF_PG_LOST) continue;
			if (c->state == SF_PG_RESOLVING || c->state == SF_PG_CONNECTING || c->state == SF_PG_HELLO)
				continue;
			sf_pg__lose(c, "its server takes no writes", false);
			more = true;
			break;
		}
	}
	p->down = true;
}

/* ---- assignment ------------------------------------------------------------------------------------------ */

/* Reads are dealt in packs: the connection that got the last one, while the pack is not full. */
static struct sf_pg_conn *pack_of(struct sf_pg_pool *p, const struct sf_pg_op *op) {
	struct sf_pg_conn *c = p->filling;
	if (!c || op->q->write || op->alone || ++p->filled >= SF_PG_PACK) return NULL;
	return sf_pg__shared(c) && c->in_flight < SF_PG_DEPTH_MAX ? c : NULL;
}

/* Its oldest statement has run for half as long as anybody should wait for a connection. Who was put behind it would
 * wait for that one's time-out; in the line it gets the next connection that comes free, or is refused after wait_ms [D-3]. */
static bool stuck(const struct sf_pg_conn *c, int64_t now_ns) {
	return c->in_flight && now_ns - c->head_ns > c->pool->db->o->wait_ms * 1000000 / 2;
}

static struct sf_pg_conn *choose(struct sf_pg_pool *p, const struct sf_pg_op *op, int64_t now,
								 int64_t now_ns) {
	struct sf_pg_conn *best = pack_of(p, op), *stalled = NULL;
	if (best) return best;
	SF_PG_EACH(c, p) {
		if (!sf_pg__shared(c) || c->in_flight >= SF_PG_DEPTH_MAX || sf_pg__stale(c, now)) continue;
		if (stuck(c, now_ns)) continue;
		if (c->solo && now - op->line_ms < SF_PG_PATIENCE_MS) continue;
		struct sf_pg_conn **least = sf_pg__stalled(c, now_ns) ? &stalled : &best;
		if (!*least || c->in_flight < (*least)->in_flight) *least = c;
	}
	if (best) {
		p->filling = op->q->write || op->alone ? NULL : best;
		p->filled = 0;
		p->crowded = p->crowded || (op->q->write && best->in_flight >= SF_PG_WRITES_AT);
	}
	if (best || !stalled) return best;
	/* all are stalled: a new connection comes soon, if there may be one; later than that, behind another */
	bool wait = (p->nconns < p->max && !p->backoff_ms) || p->opening > 0;
	return wait && now - op->line_ms < SF_PG_TICK_FAST_MS ? NULL : stalled;
}

/* Puts one op on a connection, keeping the rules of groups (pg_stmt.c). */
static void assign(struct sf_pg_conn *c, struct sf_pg_op *op, int64_t now) {
	bool ends = op->q->write || op->alone || op->q->id == SF_DB__UNCACHED;
	if (op->alone && !sf_pg__sync(c)) {
		sf_pg__drop(op, SF_EUNAVAILABLE);
		return;
	}
	c->used_ms = now;
	if (!sf_pg__send(c, op)) return;
	if ((ends || c->unsynced >= SF_PG_GROUP_MAX) && !sf_pg__sync(c)) return;
}

/* A replica without connections gives what waits for it to the primary. */
static void pass_on(struct sf_pg_pool *p) {
	if (!p->replica || p->nconns > p->opening) return;
	while (!sf_list_empty(&p->line)) {
		struct sf_pg_op *op = SF_CONTAINER(p->line.next, struct sf_pg_op, node);
		sf_list_del(&op->node);
		p->line_n--;
		op->pool = &p->db->pool[0];
		sf_pg__submit(op);
	}
}

static void run_line(struct sf_pg_pool *p) {
	int64_t now = sf_pg__now(p), now_ns = sf_clock_ns();
	p->filling = NULL, p->crowded = false;
	while (!sf_list_empty(&p->line)) {
		struct sf_pg_op *op = SF_CONTAINER(p->line.next, struct sf_pg_op, node);
		op->alone = op->alone || sf_pg__is_slow(p, op->q, now);
		struct sf_pg_conn *c = choose(p, op, now, now_ns);
		if (!c) break;
		sf_list_del(&op->node);
		p->line_n--;
		assign(c, op, now);
	}
	p->filling = NULL;
	SF_PG_EACH(c, p)
	if (c->state == SF_PG_READY && !c->leased && c->in_flight && sf_pg__sync(c)) sf_pg__watch(c);
}

/* ---- leases ------------------------------------------------------------------------------------------------ */

static size_t lease_max(const struct sf_pg_pool *p) {
	return p->max > 1 ? p->max - 1 : 1;
}

static struct sf_pg_conn *idle_conn(struct sf_pg_pool *p) {
	int64_t now = sf_pg__now(p);
	SF_PG_EACH(c, p) {
		bool free = c->state == SF_PG_READY && !c->leased && !c->retiring && !c->canceling;
		if (free && c->in_flight == 0 && !sf_pg__stale(c, now)) return c;
	}
	return NULL;
}

static void lease(struct sf_pg_conn *c, struct sf_dbh *tx) {
	c->leased = true, c->holder = tx, c->begun = false, c->reserved = false;
	c->used_ms = sf_pg__now(c->pool);
	c->pool->leased++;
}

static void run_leases(struct sf_pg_pool *p) {
	while (!sf_list_empty(&p->leases) && p->leased < lease_max(p)) {
		struct sf_pg_conn *c = idle_conn(p);
		if (!c) break;
		struct sf_pg_lease_wait *w = SF_CONTAINER(p->leases.next, struct sf_pg_lease_wait, node);
		sf_list_del(&w->node);
		p->leases_n--;
		lease(c, w->tx);
		w->conn = c;
		sf_wake(&w->wait, 0);
	}
	/* those with the fewest in flight drain for who still waits; the last shared one stays */
	size_t want = p->leases_n, open = 0;
	if (p->leased + want > lease_max(p)) want = lease_max(p) > p->leased ? lease_max(p) - p->leased : 0;
	SF_PG_EACH(c, p) {
		c->reserved = false;
		open += c->state == SF_PG_READY && !c->leased;
	}
	if (open && want >= open && p->max > 1) want = open - 1;
	for (; want > 0; want--) {
		struct sf_pg_conn *least = NULL;
		SF_PG_EACH(c, p)
		if (sf_pg__shared(c) && (!least || c->in_flight < least->in_flight)) least = c;
		if (!least) break;
		least->reserved = true;
	}
}

static void lease_detach(struct sf_wait *w) {
	struct sf_pg_lease_wait *l = w->arg;
	sf_list_del(&l->node);
	sf_pg__of(l->tx->db)->pool[0].leases_n--;
}

/* ~ A connection for tx alone. */
int sf_pg__lease(struct sf_pg_pool *p, struct sf_dbh *tx, struct sf_pg_conn **out) {
	if (p->db->closing) return SF_EUNAVAILABLE;
	struct sf_pg_conn *c = sf_list_empty(&p->leases) && p->leased < lease_max(p) ? idle_conn(p) : NULL;
	if (c) {
		lease(c, tx);
		*out = c;
		return 0;
	}
	if (p->leases_n >= p->db->o->wait_max) return SF_EOVERLOAD;
	struct sf_pg_lease_wait w = { .tx = tx, .line_ms = sf_pg__now(p) };
	sf_wait_init(&w.wait, lease_detach, &w);
	sf_list_push(&p->leases, &w.node);
	p->leases_n++;
	sf_pg__dispatch_later(p);
	int err = sf_await(&w.wait, -1);
	if (!err) *out = w.conn;
	return err;
}

/* ---- dispatch ---------------------------------------------------------------------------------------------- */

/* Opens connections when those there are are not enough. */
static void grow(struct sf_pg_pool *p) {
	size_t free = 0, waiting = p->leases_n + p->line_n;
	int64_t now_ns = sf_clock_ns();
	SF_PG_EACH(c, p) {
		free += sf_pg__shared(c) && c->in_flight < SF_PG_GROW_AT && !sf_pg__stalled(c, now_ns);
	}
	bool short_of = free == 0 || p->crowded;
	size_t want = p->leases_n + (short_of && (p->line_n || p->nconns > p->opening)) + (p->nconns == 0);
	if (waiting == 0 && want > 1) want = 1;
	while (want > p->opening && may_open(p)) {
		size_t before = p->nconns;
		sf_pg__conn_open(p);
		if (p->nconns == before) break; /* failed at once */
	}
}

static void dispatch(void *arg) {
	struct sf_pg_pool *p = arg;
	p->later = false;
	pass_on(p);
	run_leases(p);
	run_line(p);
	grow(p);
	sf_pg__pace(p);
	if (p->db->closing) sf_pg__pool_close(p);
}

void sf_pg__dispatch_later(struct sf_pg_pool *p) {
	if (p->later) return;
	p->later = true;
	sf_loop_later(p->db->loop, dispatch, p);
}

void sf_pg__submit(struct sf_pg_op *op) {
	struct sf_pg_pool *p = op->pool;
	op->line_ms = sf_pg__now(p);
	sf_list_push(&p->line, &op->node);
	p->line_n++;
	sf_pg__dispatch_later(p);
}

void sf_pg__connected(struct sf_pg_conn *c) {
	struct sf_pg_pool *p = c->pool;
	if (p->told) sf_log(SF_INFO, "database reached again", SF_KV("server", p->target.shown));
	p->down = p->told = false;
	p->backoff_ms = 0;
	p->first = c->first;
	if (p->lost) p->lost--, p->db->head.stats.reconnects++;
	sf_pg__ready(c);
}

void sf_pg__ready(struct sf_pg_conn *c) {
	struct sf_pg_pool *p = c->pool;
	if (c->leased) c->leased = false, p->leased--;
	c->holder = NULL, c->begun = false;
	c->state = SF_PG_READY;
	c->used_ms = sf_pg__now(p);
	if (c->retiring) {
		sf_pg__lose(c, "recycled", false);
		return;
	}
	sf_pg__dispatch_later(p);
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

int sf_pg__pool_init(struct sf_pg *db, struct sf_pg_pool *p, const char *url, bool replica,
					 struct sf_str *why) {
	int err = sf_pg__target_parse(&p->target, url, why);
	if (err) return err;
	p->db = db, p->replica = replica;
	sf_list_init(&p->conns), sf_list_init(&p->line), sf_list_init(&p->leases);
	int keep = db->o->pool_size > 0 ? db->o->pool_size : 1,
		more = db->o->pool_overflow > 0 ? db->o->pool_overflow : 0;
	p->keep = (size_t)keep, p->max = (size_t)(keep + more);
	SF_BUG_ON(uv_timer_init(sf_loop_uv(db->loop), &p->tick) != 0);
	p->tick.data = p;
	db->live++;
	sf_pg__pace(p);
	sf_pg__dispatch_later(p);
	return 0;
}

static void tick_closed(uv_handle_t *h) {
	struct sf_pg_pool *p = h->data;
	p->db->live--;
	sf_pg__pool_close(p);
}

void sf_pg__pool_close(struct sf_pg_pool *p) {
	struct sf_pg *db = p->db;
	if (!db->closing || db->closed) return;
	bool empty = sf_list_empty(&p->conns) && !p->line_n && !p->leases_n && !p->later;
	if (empty && !uv_is_closing((uv_handle_t *)&p->tick)) uv_close((uv_handle_t *)&p->tick, tick_closed);
	if (db->live > 0) return;
	db->closed = true;
	sf_db__closed(&db->head);
}

void sf_pg__pool_fini(struct sf_pg_pool *p) {
	sf_pg__target_fini(&p->target);
	sf_buf_fini(&p->scratch);
}
