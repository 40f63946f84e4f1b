/* Transactions: a connection leased to one handle from begin to end.
 *
 * BEGIN travels with the first statement in one write, so that a transaction of n statements costs n + 1 round trips
 * and one that runs nothing costs none. COMMIT is awaited: 0 means that the server said COMMIT. It may travel with the
 * last statement, of which nothing but success can then be asked: whatever fails, the server skips the COMMIT.
 *
 * The end cannot suspend. A connection that comes back open or busy goes to CLEANING: what still runs is cancelled if it
 * does not finish by the next tick, then ROLLBACK; only a ROLLBACK that the server confirmed makes it READY. A
 * cancel request that arrives late may hit the ROLLBACK itself, which is then sent again. What is not clean in
 * time is closed. */
#include "db/db.h"

#include <inttypes.h>
#include <stdio.h>

#include "db/pg.h"

static const struct sf_query q_begin = { .name = "BEGIN", .kind = SF_Q_EXEC, .write = true, .pg = "BEGIN" };
static const struct sf_query q_commit = {
	.name = "COMMIT", .kind = SF_Q_EXEC, .write = true, .pg = "COMMIT"
};
static const struct sf_query q_rollback = {
	.name = "ROLLBACK", .kind = SF_Q_EXEC, .write = true, .pg = "ROLLBACK"
};

static struct sf_pg_conn *conn_of(const struct sf_dbh *tx) {
	struct sf_pg_conn *c = tx->lease;
	return c->state == SF_PG_READY ? c : NULL;
}

int sf_pg__tx_begin(struct sf_dbh *tx) {
	struct sf_pg_conn *c = NULL;
	int err = sf_pg__lease(&sf_pg__of(tx->db)->pool[0], tx, &c);
	if (!err) tx->lease = c;
	return err;
}

/* Puts BEGIN in front of the first statement, with the handle's own time-out. False: the connection is lost. */
static bool begin(struct sf_pg_conn *c, const struct sf_dbh *tx) {
	if (c->begun) return true;
	if (!sf_pg__send(c, sf_pg__op_new(c->pool, SF_PG_CONTROL, &q_begin))) return false;
	c->begun = true;
	if (tx->statement_ms == c->pool->db->o->statement_ms) return true;
	char sql[64];
	snprintf(sql, sizeof(sql), "SET LOCAL statement_timeout = %" PRId64, tx->statement_ms);
	if (sf_pg__send_text(c, sql)) return true;
	sf_pg__lose(c, PQerrorMessage(c->pg), true);
	return false;
}

static struct sf_pg_op *new_op(struct sf_pg_conn *c, enum sf_pg_op_kind kind, const struct sf_query *q,
							   int64_t ms, struct sf_wait *w) {
	struct sf_pg_op *op = sf_pg__op_new(c->pool, kind, q);
	op->late = SF_EDEADLINE;
	if (ms > 0) op->deadline_ms = sf_loop_now(c->pool->db->loop) + ms + SF_PG_SLACK_MS;
	sf_wait_init(w, sf_pg__detach, op);
	op->wait = w;
	return op;
}

int sf_pg__tx_run(struct sf_dbh *tx, const struct sf_query *q, const void *in, struct sf_pg_op **out) {
	struct sf_pg_conn *c = conn_of(tx);
	if (!c || !begin(c, tx)) return SF_EUNAVAILABLE;
	struct sf_wait w;
	struct sf_pg_op *op = new_op(c, SF_PG_STMT, q, tx->statement_ms, &w);
	op->in = in;
	c->used_ms = sf_loop_now(c->pool->db->loop);
	if (sf_pg__send(c, op) && sf_pg__sync(c)) sf_pg__watch(c); /* a failure has woken w already */
	if (!c->pool->fast) sf_pg__pace(c->pool);
	int err = sf_await(&w, -1);
	if (!err) *out = op;
	return err;
}

/* ~ Sends COMMIT, behind what was sent and not yet answered, and waits for its answer. */
static int commit(struct sf_pg_conn *c, int64_t ms) {
	struct sf_wait w;
	struct sf_pg_op *op = new_op(c, SF_PG_STMT, &q_commit, ms, &w);
	op->late = SF_EUNAVAILABLE; /* nobody knows how it ended */
	if (sf_pg__send(c, op) && sf_pg__sync(c)) sf_pg__watch(c);
	int err = sf_await(&w, -1);
	if (err) return err;
	err = op->err;
	if (!err && PQresultStatus(op->res) == PGRES_COMMAND_OK) {
		c->begun = false; /* COMMIT of a failed transaction answers ROLLBACK */
		if (strcmp(PQcmdStatus(op->res), "COMMIT") != 0) err = SF_EDB;
	} else if (!err) {
		err = sf_pg__error(op->res, &q_commit);
		if (err == SF_EDEADLINE) err = SF_EUNAVAILABLE;
	}
	sf_pg__op_free(op);
	return err;
}

int sf_pg__tx_commit(struct sf_dbh *tx) {
	struct sf_pg_conn *c = conn_of(tx);
	return !c ? SF_EUNAVAILABLE : c->begun ? commit(c, tx->statement_ms > 0 ? tx->statement_ms : 60000) : 0;
}

static void keep_last(struct sf_pg_conn *c, struct sf_pg_op *op) {
	PQclear(c->last);
	c->last = op->res, c->last_err = op->err;
	op->res = NULL;
}

int sf_pg__tx_commit_with(struct sf_dbh *tx, const struct sf_query *q, const void *in,
						  const PGresult **last) {
	struct sf_pg_conn *c = conn_of(tx);
	if (!c || !begin(c, tx)) return SF_EUNAVAILABLE;
	PQclear(c->last);
	c->last = NULL, c->last_err = 0;
	struct sf_pg_op *op = sf_pg__op_new(c->pool, SF_PG_STMT, q);
	op->in = in, op->done = keep_last;
	if (!sf_pg__send(c, op)) return SF_EUNAVAILABLE;
	int64_t ms = tx->statement_ms > 0 ? tx->statement_ms : 60000;
	int err = 0;
	if (!c->last_err)
		err = commit(c, 2 * ms);
	else if (sf_pg__sync(c)) /* it could not be sent: what was, is answered before the ROLLBACK */
		sf_pg__watch(c);
	if (c->last_err) return c->last_err;
	*last = c->last;
	return err;
}

/* ~ Waits until everything sent has been answered; the simple protocol needs that. */
static int settle(struct sf_pg_conn *c) {
	struct sf_wait w;
	struct sf_pg_op *op = new_op(c, SF_PG_SYNC, NULL, c->pool->db->o->statement_ms, &w);
	if (sf_pg__sync_with(c, op)) sf_pg__watch(c);
	int err = sf_await(&w, -1);
	if (err) return err;
	err = op->err;
	sf_pg__op_free(op);
	return err;
}

int sf_pg__tx_script(struct sf_dbh *tx, const char *sql, struct sf_str *why) {
	struct sf_pg_conn *c = conn_of(tx);
	if (!c || !begin(c, tx)) return SF_EUNAVAILABLE;
	int err = settle(c);
	if (err) return err;
	struct sf_wait w;
	struct sf_pg_op *op = new_op(c, SF_PG_SCRIPT, NULL, tx->statement_ms, &w);
	if (sf_pg__send_script(c, op, sql)) sf_pg__watch(c);
	err = sf_await(&w, -1);
	if (err) return err;
	err = op->err;
	if (!err && PQresultStatus(op->res) == PGRES_FATAL_ERROR) {
		const char *msg = PQresultErrorField(op->res, PG_DIAG_MESSAGE_PRIMARY);
		err = sf_pg__sqlstate(PQresultErrorField(op->res, PG_DIAG_SQLSTATE));
		*why = sf_arena_str(tx->arena, sf_str(msg ? msg : PQresultErrorMessage(op->res)));
	}
	sf_pg__op_free(op);
	return err;
}

/* ---- the end ------------------------------------------------------------------------------------------ */

static void rolled_back(struct sf_pg_conn *c, struct sf_pg_op *op) {
	c->rolling = false;
	if (PQresultStatus(op->res) == PGRES_COMMAND_OK)
		sf_pg__ready(c);
	else if (++c->rollbacks > 2)
		sf_pg__lose(c, "a transaction could not be rolled back", true);
	/* else: sf_pg__clean, which follows, sends it again */
}

void sf_pg__clean(struct sf_pg_conn *c) {
	if (c->in_flight || c->canceling) return;
	struct sf_pg_op *op = sf_pg__op_new(c->pool, SF_PG_CONTROL, &q_rollback);
	op->done = rolled_back;
	c->rolling = true;
	if (sf_pg__send(c, op) && sf_pg__sync(c)) sf_pg__watch(c);
}

static void let_go(void *arg) {
	struct sf_pg_conn *c = arg;
	c->refs--;
	sf_pg__conn_free(c);
}

void sf_pg__tx_end(struct sf_dbh *tx) {
	struct sf_pg_conn *c = tx->lease;
	struct sf_pg_pool *p = c->pool;
	PQclear(c->last);
	c->last = NULL;
	tx->lease = NULL;
	c->holder = NULL;
	if (c->state == SF_PG_LOST) {
		c->leased = false, p->leased--;
		c->refs++; /* whoever walks the list of connections right now is spared */
		sf_loop_later(p->db->loop, let_go, c);
		sf_pg__dispatch_later(p);
	} else if (!c->begun && c->in_flight == 0) {
		sf_pg__ready(c);
	} else {
		c->state = SF_PG_CLEANING;
		c->clean_ms = sf_loop_now(p->db->loop) + SF_PG_CLEAN_MS;
		c->asked = c->rolling = false, c->rollbacks = 0;
		sf_pg__clean(c);
		sf_pg__pace(p);
	}
}
