/* claim: taking jobs from the database, many at a time.
 *
 * Claims look at states, never at a cursor: a transaction that commits late, with a lower id or an earlier run_at than what
 * was claimed meanwhile, is found by the next claim. What a claim may read is bounded in two ways:
 *
 *  1. By lanes. The index is (lane, priority, run_at, id) over the jobs that do not run, and a claim goes through it lane by
 *     lane with run_at at most now, so that neither jobs due later nor other queues' are passed over one by one.
 *  2. By floors. A claimed job leaves a dead entry in the index. Vacuum takes those away, but not while somebody holds an old
 *     snapshot open, and a claim that starts at the beginning would step over all of them: queues on PostgreSQL slow
 *     down by this, minute after minute. So each lane and priority has a floor, a run_at under which nothing is
 *     expected: where the last claim stopped, when it took as much as it asked for, else FLOOR_US ago. A job
 *     that appears under its floor (its transaction took that long, it was given back, somebody else's claim
 *     was rolled back) is found by a claim without floors. Those come every FULL_MS, but never take more than
 *     1/FULL_SHARE of the time, however much there is to step over.
 *
 * SQLite leaves no dead entries, has one writer, and no LATERAL: there, claims take one lane after the other. On both, each
 * claim begins with the next lane, so that a queue with a long line does not keep the others (of its priority).
 *
 * Kinds with limits have lanes of their own, so that the rest is claimed without a thought of them. Theirs are claimed in a
 * transaction that holds the kind's row in job_limits: how many run is counted, and when the rate allows the next start is
 * read and written, under that lock, which makes both exact over all workers. */
#include "jobs/internal.h"

#include "core/json.h"
#include "core/log.h"
#include "core/time.h"
#include <stdio.h>
#include <stdlib.h>

#include "jobs.q.h"

#define FLOOR_US   (3 * SF_USEC)
#define FULL_MS    1000
#define FULL_SHARE 200
#define LOOK_MS    50

/* ---- lanes -------------------------------------------------------------------------------------------------- */

static bool listed(const char *list, const char *queue) {
	struct sf_str rest = sf_str(list), at;
	if (!list || !*list) return true;
	for (bool more = true; more;) {
		more = sf_str_cut(rest, ',', &at, &rest);
		if (sf_str_eq(sf_str_trim(at), sf_str(queue))) return true;
	}
	return false;
}

/* A name that no kind has would never be served, and nobody would know. */
static bool all_known(const char *list) {
	const struct sf_jobs__declared *d = sf_jobs__declared();
	struct sf_str rest = sf_str(list), at;
	bool known = true;
	for (bool more = list && *list; more && known;) {
		more = sf_str_cut(rest, ',', &at, &rest);
		at = sf_str_trim(at);
		known = at.n == 0;
		for (size_t i = 0; i < d->n && !known; i++) known = sf_str_eq(at, sf_str(d->kind[i].queue));
	}
	if (!known) sf_log(SF_ERROR, "no kind of job has this queue", SF_KV("queue", at));
	return known;
}

static struct sf_jobs__lane *find(struct sf_jobs__src *s, struct sf_str name) {
	for (size_t i = 0; i < s->nlane; i++)
		if (sf_str_eq(s->lane[i].name, name)) return &s->lane[i];
	return NULL;
}

static void add(struct sf_jobs__src *s, const struct sf_jobs__kind *k, bool suspects) {
	char name[300];
	snprintf(name, sizeof name, suspects ? "%s!" : "%s", k->lane);
	if (find(s, sf_str(name))) return;
	s->lane[s->nlane++] = (struct sf_jobs__lane) { .queue = k->queue,
												   .name = sf_str(sf_strdup(name)),
												   .kind = k->limited ? k : NULL,
												   .suspects = suspects };
}

int sf_jobs__lanes(struct sf_jobs__src *s) {
	const struct sf_jobs__declared *d = sf_jobs__declared();
	s->lane = sf_calloc(d->n * 2 + 1, sizeof *s->lane);
	for (size_t i = 0; i < d->n; i++)
		if (listed(s->js->o.queues, d->kind[i].queue)) add(s, &d->kind[i], false), add(s, &d->kind[i], true);
	return s->nlane && all_known(s->js->o.queues) ? 0 : SF_EINVAL;
}

static int relane(struct sf_jobs__src *s, struct sf_dbh *h, struct sf_str lane) {
	if (find(s, lane)) return 0;
	const struct sf_jobs__declared *d = sf_jobs__declared();
	for (size_t i = 0; i < d->n; i++) {
		const struct sf_jobs__kind *k = &d->kind[i];
		if (!listed(s->js->o.queues, k->queue)) continue;
		if (sf_str_eq(lane, sf_str(k->lane)) ||
			(lane.n && sf_str_eq((struct sf_str) { lane.p, lane.n - 1 }, sf_str(k->lane))))
			continue;
		int err = jobs_q_relane(
			h,
			&(struct jobs_q_relane_in) { .was = lane, .kind = sf_str(k->row->kind), .lane = sf_str(k->lane) },
			NULL);
		if (err) return err;
	}
	return 0;
}

int sf_jobs__prepare_lanes(struct sf_jobs__src *s, struct sf_arena *a) {
	struct sf_dbh *h = sf_db_auto(s->db, a, SF_READ_PRIMARY, "jobs.lanes");
	struct sf_rows rows;
	int err = 0;
	for (size_t i = 0; i < s->nlane && !err; i++)
		if (s->lane[i].kind)
			err = jobs_q_limit_add(
				h, &(struct jobs_q_limit_add_in) { .kind = sf_str(s->lane[i].kind->row->kind) }, NULL);
	if (!err) err = jobs_q_lanes(h, &rows);
	for (size_t i = 0; !err && i < rows.n; i++) err = relane(s, h, SF_ROW(rows, jobs_q_lanes, i)->lane);
	return err;
}

/* ---- runs from rows --------------------------------------------------------------------------------------------- */

static struct sf_job *run_of(struct sf_jobs__src *s, const struct jobs_q_claim_row *row) {
	struct sf_job *j = sf_try_realloc(NULL, sizeof *j + row->payload.n + row->trace.n);
	if (!j) return NULL;
	*j = (struct sf_job) { .src = s,
						   .kind = sf_jobs__kind(row->kind),
						   .id = row->id,
						   .fence = row->fence,
						   .worker = s->worker,
						   .run_at = row->run_at,
						   .priority = row->priority,
						   .attempts = row->attempts,
						   .max_attempts = row->max_attempts,
						   .crashes = row->crashes,
						   .cancel = row->cancel_requested != 0,
						   .percent = (int)row->progress };
	char *at = (char *)(j + 1);
	memcpy(at, row->payload.p, row->payload.n);
	j->payload_text = (struct sf_str) { at, row->payload.n };
	if (row->trace.p) {
		memcpy(at + row->payload.n, row->trace.p, row->trace.n);
		j->trace = (struct sf_str) { at + row->payload.n, row->trace.n };
	}
	snprintf(j->key, sizeof j->key, "job-%lld", (long long)row->id);
	sf_list_init(&j->node);
	sf_list_push(&s->runs, &j->all);
	s->nruns++;
	return j;
}

static int in_order(const void *a, const void *b) {
	const struct jobs_q_claim_row *x = a, *y = b;
	if (x->priority != y->priority) return x->priority < y->priority ? -1 : 1;
	if (x->run_at != y->run_at) return x->run_at < y->run_at ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* A kind this process does not know (another version of the program added it): it goes back for somebody else. */
static void unknown(struct sf_jobs__src *s, struct sf_job *j, struct sf_str kind) {
	sf_log(SF_WARN, "a job of an unknown kind", SF_KV("id", j->id), SF_KV("kind", kind));
	j->end = SF_JOBS__BACK, j->uncount = true, j->back_at = sf_jobs__now(s) + 5 * SF_USEC;
	sf_jobs__ended(j);
}

void sf_jobs__take(struct sf_jobs__src *s, const struct sf_rows *rows) {
	struct sf_jobs *js = s->js;
	struct jobs_q_claim_row *row = rows->at;
	int64_t now = sf_jobs__now(s);
	if (rows->n > 1) qsort(row, rows->n, sizeof *row, in_order);
	js->stats.claimed += rows->n;
	for (size_t i = 0; i < rows->n; i++) {
		int64_t lag = (now - row[i].run_at) / 1000;
		if (lag > js->stats.lag_ms_max) js->stats.lag_ms_max = lag;
		struct sf_job *j = run_of(s, &row[i]);
		if (!j)
			s->doubt = true; /* no memory: the row is given back like one we never heard of */
		else if (!j->kind)
			unknown(s, j, row[i].kind);
		else
			sf_list_push(j->kind->limited ? s->ready.next : &s->ready, &j->node), s->nready++;
	}
	if (rows->n) sf_jobs__progressed(js);
}

/* ---- claims --------------------------------------------------------------------------------------------------- */

static struct sf_dbh *handle(struct sf_jobs__src *s, struct sf_arena *a) {
	return sf_db_auto(s->db, a, SF_READ_PRIMARY, "jobs.claim");
}

static void write_lane(struct sf_json *w, const struct sf_jobs__lane *l, int priority, int64_t floor) {
	sf_json_obj(w);
	sf_json_add(w, SF_KV("lane", l->name), SF_KV("priority", priority), SF_KV("floor", floor));
	sf_json_obj_end(w);
}

static struct sf_jobs__lane *lane_in_turn(struct sf_jobs__src *s, size_t i) {
	return &s->lane[(s->turn + i) % s->nlane];
}

/* The lanes that `which` says, as a claim on PostgreSQL takes them: by priority, then in turn. */
static struct sf_str lanes_text(struct sf_jobs__src *s, struct sf_arena *a,
								bool (*which)(const struct sf_jobs__lane *l), bool full) {
	struct sf_buf b;
	sf_buf_init(&b, a);
	struct sf_json w = sf_json(&b);
	sf_json_arr(&w);
	for (int p = 0; p < SF_JOBS__PRIORITIES; p++)
		for (size_t i = 0; i < s->nlane; i++) {
			const struct sf_jobs__lane *l = lane_in_turn(s, i);
			if (which(l)) write_lane(&w, l, p, full ? 0 : l->floor[p]);
		}
	sf_json_arr_end(&w);
	return sf_buf_view(&b);
}
static bool is_open(const struct sf_jobs__lane *l) {
	return !l->kind && !l->suspects;
}
struct sf_str sf_jobs__open_lanes(struct sf_jobs__src *s, struct sf_arena *a, bool full) {
	s->turn++;
	return lanes_text(s, a, is_open, full);
}
static bool is_suspect(const struct sf_jobs__lane *l) {
	return !l->kind && l->suspects;
}
static bool is_any(const struct sf_jobs__lane *l) {
	return l->queue != NULL;
}

static int ask(struct sf_jobs__src *s, struct sf_dbh *h, struct sf_str lanes, int64_t n, int64_t now,
			   struct sf_rows *rows) {
	struct jobs_q_claim_in in = { .worker = s->worker, .now = now, .lanes = lanes, .n = n };
	if (!s->worker) return SF_EUNAVAILABLE; /* the lease was lost since the round began */
	int err = jobs_q_claim(h, &in, rows);
	if (err) s->doubt = true; /* it may have happened all the same */
	return err;
}

/* A claim that got all it asked for stopped in the midst of a priority: of the more urgent ones it saw all there was, of later
 * ones nothing. */
void sf_jobs__set_floors(struct sf_jobs__src *s, int64_t priority, int64_t run_at, int64_t now) {
	size_t open = 0;
	for (size_t i = 0; i < s->nlane; i++) open += is_open(&s->lane[i]);
	for (size_t i = 0; i < s->nlane; i++) {
		if (!is_open(&s->lane[i])) continue;
		for (int p = 0; p < SF_JOBS__PRIORITIES; p++) {
			int64_t *floor = &s->lane[i].floor[p];
			if (p < priority) {
				if (now - FLOOR_US > *floor) *floor = now - FLOOR_US;
			} else if (p == priority && open == 1 && run_at > *floor) {
				*floor = run_at;
			}
		}
	}
}

bool sf_jobs__look_at_all(const struct sf_jobs__src *s) {
	return sf_loop_now(s->js->loop) >= s->full_at_ms;
}
void sf_jobs__looked_at_all(struct sf_jobs__src *s, int64_t took_ms) {
	s->full_at_ms =
		sf_loop_now(s->js->loop) + (took_ms * FULL_SHARE > FULL_MS ? took_ms * FULL_SHARE : FULL_MS);
}

static int claim_pg(struct sf_jobs__src *s, struct sf_arena *a, int64_t n, size_t *got) {
	int64_t now = sf_jobs__now(s), ns = sf_clock_ns();
	bool full = sf_jobs__look_at_all(s);
	struct sf_rows rows;
	int err = ask(s, handle(s, a), sf_jobs__open_lanes(s, a, full), n, now, &rows);
	if (err) return err;
	if (full) sf_jobs__looked_at_all(s, (sf_clock_ns() - ns) / 1000000);
	sf_jobs__take(s, &rows); /* which puts them in order */
	const struct jobs_q_claim_row *last = rows.at;
	if (rows.n && (int64_t)rows.n >= n)
		sf_jobs__set_floors(s, last[rows.n - 1].priority, last[rows.n - 1].run_at, now);
	else
		sf_jobs__set_floors(s, SF_JOBS__PRIORITIES, 0, now);
	*got += rows.n;
	return 0;
}

static int claim_lite(struct sf_jobs__src *s, struct sf_arena *a, int64_t n, size_t *got) {
	s->turn++;
	for (size_t i = 0; i < s->nlane && n > 0; i++) {
		const struct sf_jobs__lane *l = lane_in_turn(s, i);
		struct sf_rows rows;
		if (!is_open(l)) continue;
		int err = ask(s, handle(s, a), l->name, n, sf_jobs__now(s), &rows);
		if (err) return err;
		sf_jobs__take(s, &rows);
		*got += rows.n, n -= (int64_t)rows.n;
	}
	return 0;
}

/* ~ Claims of one lane in h's transaction or by itself. */
static int claim_lane(struct sf_jobs__src *s, struct sf_dbh *h, struct sf_jobs__lane *l, int64_t n,
					  struct sf_rows *rows) {
	struct sf_str text = l->name;
	if (sf_dbh_engine(h) == SF_PG) {
		struct sf_buf b;
		sf_buf_init(&b, sf_dbh_arena(h));
		struct sf_json w = sf_json(&b);
		sf_json_arr(&w);
		for (int p = 0; p < SF_JOBS__PRIORITIES; p++) write_lane(&w, l, p, 0);
		sf_json_arr_end(&w);
		text = sf_buf_view(&b);
	}
	return ask(s, h, text, n, sf_jobs__now(s), rows);
}

/* ---- limits ------------------------------------------------------------------------------------------------------- */

/* ~ How many of l's kind may start now, under the lock of its row; *next_at as it stands. */
static int allowed(struct sf_dbh *tx, const struct sf_jobs__lane *l, int64_t now, int64_t *n,
				   int64_t *next_at) {
	const struct sf_job_kind *k = l->kind->row;
	struct jobs_q_limit_lock_row lock;
	struct jobs_q_limit_running_row running;
	char suspects[300];
	snprintf(suspects, sizeof suspects, "%s!", l->kind->lane);
	int err = jobs_q_limit_lock(tx, &(struct jobs_q_limit_lock_in) { .kind = sf_str(k->kind) }, &lock);
	if (err) return err;
	if (k->max_running > 0) {
		err = jobs_q_limit_running(
			tx,
			&(struct jobs_q_limit_running_in) { .lane = sf_str(l->kind->lane), .suspects = sf_str(suspects) },
			&running);
		if (err) return err;
		if (k->max_running - running.n < *n) *n = k->max_running - running.n;
	}
	if (k->max_per_s > 0) {
		/* starts are 1/rate apart; what was not used in the last 20th of a second may be made up for at once */
		int64_t step = SF_USEC / k->max_per_s ? SF_USEC / k->max_per_s : 1, burst = SF_USEC / 20;
		*next_at = lock.next_at > now - burst            ? lock.next_at
				   : step > burst && lock.next_at <= now ? now
														 : now - burst;
		int64_t may = *next_at > now ? 0 : (now - *next_at) / step + 1;
		if (may < *n) *n = may;
	}
	return 0;
}

static void limit_later(struct sf_jobs__lane *l, int64_t at) {
	l->free_at = at;
}

/* ~ Claims of a lane with limits into rows (they die with a). */
static int claim_limited(struct sf_jobs__src *s, struct sf_arena *a, struct sf_jobs__lane *l, int64_t n,
						 struct sf_rows *rows) {
	const struct sf_job_kind *k = l->kind->row;
	int64_t now = sf_jobs__now(s), next_at = 0;
	struct jobs_q_due_row due;
	struct sf_dbh *tx = NULL;
	rows->n = 0;
	if (l->free_at > now) return 0;
	int err =
		jobs_q_due(handle(s, a), &(struct jobs_q_due_in) { .lane = l->name, .now = now, .most = n }, &due);
	if (err || !due.n) return err;
	if (due.n < n) n = due.n;
	err = sf_tx_begin(s->db, a, "jobs.claim_limited", &tx);
	if (err) return err;
	err = allowed(tx, l, now, &n, &next_at);
	if (err) goto out;
	if (n <= 0) {
		limit_later(l, next_at > now ? next_at : now + SF_USEC / 20);
		goto out;
	}
	err = claim_lane(s, tx, l, n, rows);
	if (err) goto out;
	if (k->max_per_s > 0) {
		int64_t step = SF_USEC / k->max_per_s ? SF_USEC / k->max_per_s : 1;
		next_at += step * (int64_t)rows->n;
		err = jobs_q_limit_set(
			tx, &(struct jobs_q_limit_set_in) { .kind = sf_str(k->kind), .next_at = next_at }, NULL);
		if (err) goto out;
		if (next_at > now) limit_later(l, next_at);
	}
	err = sf_tx_commit(tx);
	if (err) s->doubt = true;
out:
	sf_tx_end(tx);
	if (err) rows->n = 0;
	return err;
}

/* ~ Keeps the next slot that gets free for a job with limits, if one is due and may run. */
static int look_for_limited(struct sf_jobs__src *s, struct sf_arena *a) {
	int64_t now = sf_jobs__now(s);
	struct jobs_q_due_row due;
	if (sf_loop_now(s->js->loop) < s->limited_at_ms) return 0;
	s->limited_at_ms = sf_loop_now(s->js->loop) + LOOK_MS;
	for (size_t i = 0; i < s->nlane && !s->keep_slot; i++) {
		const struct sf_jobs__lane *l = &s->lane[i];
		if (!l->kind || l->suspects || l->free_at > now) continue;
		int err = jobs_q_due(handle(s, a), &(struct jobs_q_due_in) { .lane = l->name, .now = now, .most = 1 },
							 &due);
		if (err) return err;
		s->keep_slot = due.n > 0;
	}
	return 0;
}

static int64_t free_slots(const struct sf_jobs__src *s) {
	int64_t line = s->keep_slot ? 0 : (int64_t)s->nready; /* which waits for the one that is kept */
	return s->js->o.concurrency - (int64_t)s->js->running - line;
}

/* A rate is one of starts, and who lies about counts as running: so none is claimed but for a slot that is free. Where open lanes
 * always fill them all, one is kept, or such jobs would wait until those lanes are empty. */
int sf_jobs__claim_limited(struct sf_jobs__src *s, struct sf_arena *a) {
	int err = 0;
	if (!s->keep_slot && free_slots(s) <= 0) err = look_for_limited(s, a);
	int64_t slots = free_slots(s);
	if (err || slots <= 0) return err;
	s->turn++;
	for (size_t i = 0; i < s->nlane && slots > 0 && !err; i++) {
		struct sf_jobs__lane *l = lane_in_turn(s, i);
		struct sf_rows rows;
		if (!l->kind || l->suspects) continue;
		err = claim_limited(s, a, l, slots, &rows);
		if (err) break;
		sf_jobs__take(s, &rows);
		slots -= (int64_t)rows.n;
	}
	s->keep_slot = false;
	return err;
}

void sf_jobs__limit_freed(struct sf_jobs__src *s, const struct sf_jobs__kind *k) {
	if (k->row->max_running <= 0) return;
	for (size_t i = 0; i < s->nlane; i++)
		if (s->lane[i].kind == k && k->row->max_per_s <= 0) s->lane[i].free_at = 0;
	sf_jobs__signal(&s->pump);
}

/* ---- the face of it ------------------------------------------------------------------------------------------------ */

int sf_jobs__claim(struct sf_jobs__src *s, struct sf_arena *a, int n, size_t *got) {
	*got = 0;
	if (sf_jobs__amqp_up(s)) {
		int err = sf_jobs__amqp_claim(s, a, n, got);
		if (err || !sf_jobs__amqp_quiet(s)) return err;
	}
	return sf_db_engine(s->db) == SF_PG ? claim_pg(s, a, n, got) : claim_lite(s, a, n, got);
}

/* The suspect that sf_jobs__take has just put in line runs alone. */
static void set_alone(struct sf_jobs__src *s) {
	if (!s->nready) return;
	struct sf_job *j = SF_CONTAINER(s->runs.prev, struct sf_job, all);
	sf_list_del(&j->node), s->nready--;
	s->js->alone = j, s->js->alone_ms = sf_loop_now(s->js->loop);
}

int sf_jobs__claim_suspect(struct sf_jobs__src *s, struct sf_arena *a) {
	struct sf_rows rows = { 0 };
	int err = 0;
	if (sf_db_engine(s->db) == SF_PG)
		err = ask(s, handle(s, a), lanes_text(s, a, is_suspect, true), 1, sf_jobs__now(s), &rows);
	for (size_t i = 0; i < s->nlane && !err && !rows.n; i++) {
		struct sf_jobs__lane *l = &s->lane[i];
		if (!l->suspects) continue;
		if (l->kind)
			err = claim_limited(s, a, l, 1, &rows);
		else if (sf_db_engine(s->db) == SF_LITE)
			err = claim_lane(s, handle(s, a), l, 1, &rows);
	}
	if (err || !rows.n) return err;
	size_t before = s->nready;
	sf_jobs__take(s, &rows);
	if (s->nready > before) set_alone(s);
	return 0;
}

int sf_jobs__ask_next(struct sf_jobs__src *s, struct sf_arena *a, int64_t since) {
	struct jobs_q_next_row row;
	struct jobs_q_next_in in = { .lanes = lanes_text(s, a, is_any, true), .now = since };
	int err = jobs_q_next(handle(s, a), &in, &row);
	if (err) return err;
	s->next_at = row.run_at.has ? row.run_at.v : INT64_MAX;
	return 0;
}
