/* db: what both engines have in common: opening by URL, handles, transactions, counters and the slow-query log. */
#include "db/internal.h"
#include "core/log.h"
#include "core/time.h"
#include "loop/loop.h"
#include <stdlib.h>

#define SLOW_US    100000
#define SLOW_LINES 10 /* in the log a second; the counter counts on */

struct sf_db__hook { /* lifetime: the transaction's arena */
	struct sf_db__hook *next;
	void (*fn)(void *arg);
	void *arg;
};

/* ---- the database ------------------------------------------------------------------------------------------ */

static const struct sf_db__engine *engine_of(const char *url) {
	if (!strncmp(url, "postgresql://", 13) || !strncmp(url, "postgres://", 11)) return &sf_db__pg;
	if (!strncmp(url, "sqlite:///", 10)) return &sf_db__lite;
	return NULL;
}

static void free_urls(char **urls) {
	for (size_t i = 0; urls && urls[i]; i++) free(urls[i]);
	free(urls);
}

/* The options with defaults filled in and strings copied: owned[0] is the URL, the rest are the replicas'. */
static struct sf_db_opts own_opts(const struct sf_db_opts *o, enum sf_engine kind, char ***owned) {
	struct sf_db_opts out = *o;
	size_t n = 0;
	while (o->replica_urls && o->replica_urls[n]) n++;
	char **urls = sf_calloc(n + 2, sizeof *urls);
	urls[0] = sf_strdup(o->url);
	for (size_t i = 0; i < n; i++) urls[i + 1] = sf_strdup(o->replica_urls[i]);
	out.url = urls[0];
	out.replica_urls = n ? (const char *const *)urls + 1 : NULL;
	if (out.pool_size <= 0) out.pool_size = 20;
	if (out.pool_overflow < 0) out.pool_overflow = 0;
	if (!o->pool_size && !o->pool_overflow) out.pool_overflow = 10;
	if (out.recycle_ms <= 0) out.recycle_ms = 1800000;
	if (out.wait_ms <= 0) out.wait_ms = kind == SF_PG ? 250 : 5000;
	if (!out.wait_max) out.wait_max = 1000;
	if (out.statement_ms <= 0) out.statement_ms = 10000;
	if (out.readers <= 0) out.readers = 2;
	*owned = urls;
	return out;
}

int sf_db_open(struct sf_loop *l, const struct sf_db_opts *o, struct sf_db **out, struct sf_str *why) {
	const struct sf_db__engine *eng = o->url ? engine_of(o->url) : NULL;
	struct sf_db *db = NULL;
	char **owned = NULL;
	if (!eng) {
		*why = SF_STR("a database URL starts with postgresql://, postgres:// or sqlite:///");
		return SF_EINVAL;
	}
	struct sf_db_opts opts = own_opts(o, eng->kind, &owned);
	int err = eng->open(l, &opts, &db, why);
	if (err) {
		free_urls(owned);
		return err;
	}
	db->eng = eng, db->loop = l, db->opts = opts, db->owned_urls = owned;
	sf_list_init(&db->holders);
	*out = db;
	return 0;
}

void sf_db_close(struct sf_db *db, void (*done)(void *arg), void *arg) {
	SF_BUG_ON(db->closing);
	if (db->on_close) db->on_close(db);
	db->closing = true, db->done = done, db->done_arg = arg;
	db->eng->close(db);
}

void sf_db__closed(struct sf_db *db) {
	void (*done)(void *arg) = db->done;
	void *arg = db->done_arg;
	free_urls(db->owned_urls);
	db->eng->free(db);
	if (done) done(arg);
}

enum sf_engine sf_db_engine(const struct sf_db *db) {
	return db->eng->kind;
}

void sf_db_on_close(struct sf_db *db, void (*fn)(struct sf_db *db)) {
	db->on_close = fn;
}

const char *sf_db_url(const struct sf_db *db) {
	return db->opts.url;
}

int sf_db_ping(struct sf_db *db) {
	return db->closing ? SF_EUNAVAILABLE : db->eng->ping(db);
}

int sf_db_ping_replica(struct sf_db *db, size_t i) {
	if (!db->eng->ping_replica) return SF_ENOTFOUND;
	return db->closing ? SF_EUNAVAILABLE : db->eng->ping_replica(db, i);
}

void sf_db_stats(const struct sf_db *db, struct sf_db_stats *out) {
	struct sf_db_pool p;
	*out = db->stats;
	for (size_t i = 0; sf_db_pool(db, i, &p); i++)
		out->open += p.open, out->busy += p.busy, out->idle += p.idle, out->waiting += p.waiting,
			out->max += p.max;
}

bool sf_db_pool(const struct sf_db *db, size_t i, struct sf_db_pool *out) {
	return db->eng->pool(db, i, out);
}

size_t sf_db_holders(const struct sf_db *db, struct sf_db_holder *out, size_t n) {
	size_t i = 0;
	int64_t now = sf_clock_ns();
	for (const struct sf_node *at = db->holders.next; at != &db->holders; at = at->next, i++) {
		const struct sf_dbh *h = SF_CONTAINER(at, const struct sf_dbh, node);
		if (i >= n) continue; /* counted */
		out[i] = (struct sf_db_holder) {
			.label = h->label,
			.query = h->last ? h->last->name : "",
			.request = h->request,
			.job = h->job,
			.age_ms = (now - h->since_ns) / 1000000,
			.transaction = h->tx,
			.replica = h->pref == SF_READ_REPLICA && db->opts.replica_urls && !(h->last && h->last->write),
		};
	}
	return i;
}

/* ---- handles ------------------------------------------------------------------------------------------------ */

static struct sf_dbh *handle(struct sf_db *db, struct sf_arena *arena, const char *label) {
	struct sf_dbh *h = sf_arena_zalloc(arena, sizeof *h);
	h->db = db, h->arena = arena, h->label = label ? label : "";
	h->statement_ms = db->opts.statement_ms;
	h->constraint = SF_STR("");
	h->hooks_end = &h->hooks;
	sf_list_init(&h->node);
	return h;
}

struct sf_dbh *sf_db_auto(struct sf_db *db, struct sf_arena *arena, enum sf_read pref, const char *label) {
	struct sf_dbh *h = handle(db, arena, label);
	h->pref = pref;
	return h;
}

void sf_db_tag(struct sf_dbh *h, struct sf_str request, int64_t job) {
	h->request = request, h->job = job;
}

struct sf_arena *sf_dbh_arena(const struct sf_dbh *h) {
	return h->arena;
}
enum sf_engine sf_dbh_engine(const struct sf_dbh *h) {
	return h->db->eng->kind;
}
struct sf_db *sf_dbh_db(const struct sf_dbh *h) {
	return h->db;
}
bool sf_dbh_in_tx(const struct sf_dbh *h) {
	return h->tx;
}
const char *sf_db_constraint(const struct sf_dbh *h) {
	return h->constraint.p;
}
void sf_db__constraint(struct sf_dbh *h, struct sf_str name) {
	h->constraint = sf_arena_str(h->arena, name);
}

/* ---- running ------------------------------------------------------------------------------------------------ */

static void count_error(struct sf_db_stats *s, int err) {
	s->errors++;
	if (err == SF_EDEADLINE) s->timeouts++;
	if (err == SF_EOVERLOAD) s->refused++;
}

/* Whether one more line about a slow query may be written: when the database stalls, every query is slow. */
static bool slow_line(struct sf_db *db) {
	int64_t now = sf_clock_ns();
	if (now - db->slow_since_ns > 1000000000) {
		if (db->slow_lines > SLOW_LINES)
			sf_log(SF_WARN, "more slow queries", SF_KV("count", db->slow_lines - SLOW_LINES));
		db->slow_since_ns = now, db->slow_lines = 0;
	}
	return ++db->slow_lines <= SLOW_LINES;
}

static void count_time(struct sf_dbh *h, const char *what, int64_t started_ns) {
	static const int64_t upto[] = { 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 1000000 };
	struct sf_db_stats *s = &h->db->stats;
	int64_t us = (sf_clock_ns() - started_ns) / 1000;
	size_t i = 0;
	while (i < SF_COUNT(upto) && us > upto[i]) i++;
	s->queries++;
	s->query_us_sum += (uint64_t)us;
	s->query_us_bucket[i]++;
	if (us <= SLOW_US) return;
	s->slow++;
	if (!slow_line(h->db)) return;
	sf_log(SF_WARN, "slow query", SF_KV("query", what), SF_KV("ms", us / 1000), SF_KV("label", h->label),
		   SF_KV("transaction", h->tx));
}

/* Refuses what may not follow: a statement after a failed one, after the commit, or on a database that closes. */
static int usable(const struct sf_dbh *h, const char *what) {
	if (h->tx && (!h->open || h->failed)) {
		sf_log(SF_ERROR, "a transaction is used after its end or after an error", SF_KV("query", what),
			   SF_KV("label", h->label));
		return SF_EDB;
	}
	return h->db->closing && !h->tx ? SF_EUNAVAILABLE : 0;
}

static int run(struct sf_dbh *h, const struct sf_query *q, const void *in, struct sf_db__result *res) {
	struct sf_db *db = h->db;
	int err = usable(h, q->name);
	if (err) return err;
	int64_t started = sf_clock_ns();
	h->last = q;
	h->constraint = SF_STR("");
	bool alone =
		!h->tx && sf_list_empty(&h->node); /* an auto handle may run several at once: the first is shown */
	if (alone) h->since_ns = started, sf_list_push(&db->holders, &h->node);
	err = db->eng->run(h, q, in, res);
	if (alone) sf_list_del(&h->node);
	count_time(h, q->name, started);
	if (err) {
		count_error(&db->stats, err);
		h->failed = true;
	} else if (!h->tx && q->write) {
		db->stats.commits++;
	}
	return err;
}

int sf_db_one(struct sf_dbh *h, const struct sf_query *q, const void *in, void *row) {
	struct sf_db__result res = { 0 };
	SF_BUG_ON(q->kind != SF_Q_ONE);
	int err = run(h, q, in, &res);
	if (err) return err;
	if (!res.n) return SF_ENOTFOUND;
	memcpy(row, res.at, q->row_size);
	return 0;
}

int sf_db_all(struct sf_dbh *h, const struct sf_query *q, const void *in, struct sf_rows *rows) {
	struct sf_db__result res = { 0 };
	SF_BUG_ON(q->kind != SF_Q_MANY);
	int err = run(h, q, in, &res);
	if (err) return err;
	*rows = (struct sf_rows) { .q = q, .at = res.at, .n = res.n };
	return 0;
}

int sf_db_exec(struct sf_dbh *h, const struct sf_query *q, const void *in, int64_t *changed) {
	struct sf_db__result res = { 0 };
	SF_BUG_ON(q->kind != SF_Q_EXEC);
	int err = run(h, q, in, &res);
	if (!err && changed) *changed = res.changed;
	return err;
}

/* ---- transactions ------------------------------------------------------------------------------------------- */

/* The arena goes and the transaction was never ended: a bug of the caller, but the connection must come back. */
static void forgotten(void *arg) {
	struct sf_dbh *tx = arg;
	if (sf_list_empty(&tx->node)) return;
	sf_log(SF_ERROR, "a transaction was not ended", SF_KV("label", tx->label),
		   SF_KV("query", tx->last ? tx->last->name : ""));
	sf_tx_end(tx);
}

int sf_tx_begin(struct sf_db *db, struct sf_arena *arena, const char *label, struct sf_dbh **out) {
	if (db->closing) return SF_EUNAVAILABLE;
	struct sf_dbh *tx = handle(db, arena, label);
	tx->tx = true;
	int err = db->eng->begin(tx);
	if (err) {
		count_error(&db->stats, err);
		return err;
	}
	tx->open = true;
	tx->since_ns = sf_clock_ns();
	sf_list_push(&db->holders, &tx->node);
	sf_arena_defer(arena, forgotten, tx);
	*out = tx;
	return 0;
}

/* ~ Commits, after a last statement where q is not NULL. */
static int commit(struct sf_dbh *tx, const struct sf_query *q, const void *in) {
	struct sf_db *db = tx->db;
	const char *what = q ? q->name : "commit";
	int err = usable(tx, what);
	if (err) return err;
	err = sf_co_canceled(sf_co_self());
	if (err) return err;
	int64_t started = sf_clock_ns();
	if (q) tx->last = q, tx->constraint = SF_STR("");
	sf_co_shield(true);
	err = q ? db->eng->commit_with(tx, q, in) : db->eng->commit(tx);
	sf_co_shield(false);
	tx->open = false;
	count_time(tx, what, started);
	if (err) {
		db->stats.rollbacks++;
		count_error(&db->stats, err);
		return err;
	}
	db->stats.commits++;
	for (struct sf_db__hook *h = tx->hooks; h; h = h->next) h->fn(h->arg);
	return 0;
}

int sf_tx_commit(struct sf_dbh *tx) {
	return commit(tx, NULL, NULL);
}

int sf_tx_commit_with(struct sf_dbh *tx, const struct sf_query *q, const void *in) {
	int64_t changed = 0;
	if (tx->db->eng->commit_with) return commit(tx, q, in);
	int err = sf_db_exec(tx, q, in, &changed);
	return err ? err : changed ? sf_tx_commit(tx) : SF_ENOTFOUND;
}

void sf_tx_end(struct sf_dbh *tx) {
	if (!tx || sf_list_empty(&tx->node)) return;
	if (tx->open) tx->db->stats.rollbacks++;
	tx->open = false;
	sf_list_del(&tx->node);
	tx->db->eng->end(tx);
}

void sf_tx_after(struct sf_dbh *tx, void (*fn)(void *arg), void *arg) {
	struct sf_db__hook *h = sf_arena_alloc(tx->arena, sizeof *h);
	*h = (struct sf_db__hook) { .fn = fn, .arg = arg };
	*tx->hooks_end = h;
	tx->hooks_end = &h->next;
}
