/* The PostgreSQL engine's table: opening, closing, running single statements, counting. */
#include "db/db.h"

#include <stdlib.h>

#include "db/pg.h"

static int pg_open(struct sf_loop *l, const struct sf_db_opts *o, struct sf_db **out, struct sf_str *why) {
	struct sf_pg *db = sf_calloc(1, sizeof(*db));
	db->loop = l, db->opts = *o, db->o = &db->opts;
	sf_list_init(&db->free_ops);
	size_t n = 1;
	while (o->replica_urls && o->replica_urls[n - 1]) n++;
	/* all URLs are looked at before anything starts, so that a failure leaves nothing behind */
	for (size_t i = 0; i < n; i++) {
		struct sf_pg_target t;
		int err = sf_pg__target_parse(&t, i ? o->replica_urls[i - 1] : o->url, why);
		if (err) {
			free(db);
			return err;
		}
		sf_pg__target_fini(&t);
	}
	db->pool = sf_calloc(n, sizeof(*db->pool));
	for (size_t i = 0; i < n; i++)
		SF_BUG_ON(sf_pg__pool_init(db, &db->pool[i], i ? o->replica_urls[i - 1] : o->url, i > 0, why) != 0);
	db->npools = n;
	*out = &db->head;
	return 0;
}

static void pg_close(struct sf_db *head) {
	struct sf_pg *db = sf_pg__of(head);
	db->closing = true;
	for (size_t i = 0; i < db->npools; i++) sf_pg__pool_shut(&db->pool[i]);
}

static void pg_free(struct sf_db *head) {
	struct sf_pg *db = sf_pg__of(head);
	for (size_t i = 0; i < db->npools; i++) sf_pg__pool_fini(&db->pool[i]);
	while (!sf_list_empty(&db->free_ops)) {
		struct sf_pg_op *op = SF_CONTAINER(db->free_ops.next, struct sf_pg_op, node);
		sf_list_del(&op->node);
		free(op);
	}
	free(db->pool);
	free(db);
}

/* ---- running ------------------------------------------------------------------------------------------ */

/* The next replica that answers, else the primary. */
static struct sf_pg_pool *pool_for(struct sf_pg *db, const struct sf_dbh *h, const struct sf_query *q) {
	if (h->pref != SF_READ_REPLICA || q->write) return &db->pool[0];
	for (size_t i = 1; i < db->npools; i++) {
		struct sf_pg_pool *p = &db->pool[1 + db->next_replica++ % (db->npools - 1)];
		if (p->nconns > p->opening && !p->down) return p;
	}
	return &db->pool[0];
}

/* ~ A statement of its own: through the pool's line, down a shared connection. */
static int run_single(struct sf_dbh *h, struct sf_pg_pool *p, const struct sf_query *q, const void *in,
					  struct sf_pg_op **out) {
	struct sf_pg *db = sf_pg__of(h->db);
	if (db->closing) return SF_EUNAVAILABLE;
	if (p->line_n >= db->o->wait_max) return SF_EOVERLOAD;
	struct sf_pg_op *op = sf_pg__op_new(p, SF_PG_STMT, q);
	struct sf_wait w;
	sf_wait_init(&w, sf_pg__detach, op);
	op->in = in, op->wait = &w, op->late = SF_EDEADLINE;
	if (h->statement_ms > 0) op->deadline_ms = sf_loop_now(db->loop) + h->statement_ms + SF_PG_SLACK_MS;
	sf_pg__submit(op);
	int err = sf_await(&w, -1);
	if (!err) *out = w.arg; /* a twin may have taken op's place */
	return err;
}

static int failed(struct sf_dbh *h, const struct sf_query *q, const PGresult *res) {
	int err = sf_pg__error(res, q);
	if (err == SF_EDUP || err == SF_ECONFLICT) {
		const char *name = PQresultErrorField(res, PG_DIAG_CONSTRAINT_NAME);
		sf_db__constraint(h, sf_str(name ? name : ""));
	}
	return err;
}

static int result_of(struct sf_dbh *h, const struct sf_query *q, const PGresult *res,
					 struct sf_db__result *out) {
	const char *n;
	switch (PQresultStatus(res)) {
	case PGRES_TUPLES_OK:
		out->changed = PQntuples(res);
		return q->kind == SF_Q_EXEC ? 0 : sf_pg__decode(h, q, res, out);
	case PGRES_COMMAND_OK:
		n = PQcmdTuples((PGresult *)res); /* "" for a statement that counts nothing */
		out->changed = strtoll(n, NULL, 10);
		return 0;
	case PGRES_FATAL_ERROR: return failed(h, q, res);
	default:
		sf_log(SF_ERROR, "query has an unexpected result", SF_KV("query", q->name),
			   SF_KV("status", PQresStatus(PQresultStatus(res))));
		return SF_EDB;
	}
}

static int pg_run(struct sf_dbh *h, const struct sf_query *q, const void *in, struct sf_db__result *res) {
	struct sf_pg_op *op = NULL;
	int err =
		h->tx ? sf_pg__tx_run(h, q, in, &op) : run_single(h, pool_for(sf_pg__of(h->db), h, q), q, in, &op);
	if (err) return err;
	err = op->err ? op->err : result_of(h, q, op->res, res);
	sf_pg__op_free(op);
	return err;
}

/* A statement that divides by zero says that it found no row to change. */
static int pg_commit_with(struct sf_dbh *tx, const struct sf_query *q, const void *in) {
	const PGresult *last = NULL;
	struct sf_db__result res = { 0 };
	int err = sf_pg__tx_commit_with(tx, q, in, &last);
	if (!last) return err;
	if (PQresultStatus(last) == PGRES_FATAL_ERROR && sf_pg__state_is(last, "22012")) return SF_ENOTFOUND;
	int said = result_of(tx, q, last, &res);
	return said ? said : err;
}

static int ping_pool(struct sf_db *head, size_t i) {
	static const struct sf_dbcol out[] = { { "read_only", SF_T_BOOL, false, 0 } };
	static const struct sf_query q = {
		.name = "database.ping",
		.kind = SF_Q_ONE,
		.pg = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool",
		.out = out,
		.nout = SF_COUNT(out),
		.row_size = sizeof(bool),
	};
	struct sf_pg *db = sf_pg__of(head);
	struct sf_dbh h = { .db = head, .label = "ping", .statement_ms = 1000 - SF_PG_SLACK_MS };
	struct sf_pg_op *op = NULL;
	int err = db->closing ? SF_EUNAVAILABLE : run_single(&h, &db->pool[i], &q, NULL, &op);
	if (err) return err == SF_ECANCELED || err == SF_EDRAINING ? err : SF_EUNAVAILABLE;
	bool ok = !op->err && PQresultStatus(op->res) == PGRES_TUPLES_OK && PQntuples(op->res) == 1 &&
			  (i > 0 || PQgetvalue(op->res, 0, 0)[0] == 0) &&
			  op->pool == &db->pool[i]; /* else the primary stood in for the replica */
	sf_pg__op_free(op);
	return ok ? 0 : SF_EUNAVAILABLE;
}

static int pg_ping(struct sf_db *head) {
	return ping_pool(head, 0);
}

static int pg_ping_replica(struct sf_db *head, size_t i) {
	return i + 1 < sf_pg__of(head)->npools ? ping_pool(head, i + 1) : SF_ENOTFOUND;
}

/* ---- counting ------------------------------------------------------------------------------------------ */

static bool pg_pool(const struct sf_db *head, size_t i, struct sf_db_pool *out) {
	const struct sf_pg *db = SF_CONTAINER(head, const struct sf_pg, head);
	if (i >= db->npools) return false;
	const struct sf_pg_pool *p = &db->pool[i];
	*out = (struct sf_db_pool) {
		.server = p->target.shown, .replica = p->replica, .max = p->max, .waiting = p->line_n + p->leases_n
	};
	for (const struct sf_node *n = p->conns.next; n != &p->conns; n = n->next) {
		const struct sf_pg_conn *c = SF_CONTAINER(n, const struct sf_pg_conn, node);
		if (c->state != SF_PG_READY && c->state != SF_PG_CLEANING) continue;
		bool busy = c->leased || c->in_flight;
		out->open++;
		out->busy += busy;
		out->idle += !busy;
	}
	return true;
}

const struct sf_db__engine sf_db__pg = {
	.kind = SF_PG,
	.open = pg_open,
	.close = pg_close,
	.free = pg_free,
	.ping = pg_ping,
	.ping_replica = pg_ping_replica,
	.run = pg_run,
	.script = sf_pg__tx_script,
	.begin = sf_pg__tx_begin,
	.commit = sf_pg__tx_commit,
	.commit_with = pg_commit_with,
	.end = sf_pg__tx_end,
	.pool = pg_pool,
};
