/* schedule: turns the cron rows of the services into jobs, each tick exactly once, whoever runs it.
 *
 * Every runner that may schedule has a coroutine here; one of them leads, by a lease in job_leader that it renews. When the
 * next tick of a row is due is durable (job_schedules). A tick is one transaction: next_at goes from what was read to the tick
 * after, if nobody moved it and the lease still holds by the database's clock, and the job is added. So it does not matter who
 * leads, nor whether two believe they do: who comes second changes no row. A leader that dies is followed when its lease is
 * over; one that drains resigns, and is followed at once.
 *
 * Ticks that nobody was there for: ONCE runs the last of them, ALL each, SKIP none that is more than a minute late.
 * All schedules live in the first database of the runner, whichever service they belong to. */
#include "jobs/internal.h"

#include "core/hash.h"
#include "core/log.h"
#include "core/time.h"

#include "jobs.q.h"

enum { RETRY_MS = 500, RECHECK_MS = 20, AT_ONCE = 100 };
#define LATE_US (INT64_C(60) * SF_USEC) /* SKIP: later than that is missed */

struct scheduler { /* on the coroutine's stack */
	struct sf_jobs *js;
	struct sf_jobs__src *src;
	char holder[33];
	int64_t renew_ms; /* sf_loop_now time: when the lease is renewed, or tried for */
	bool leads;
};

/* ---- the lease -------------------------------------------------------------------------------------------------- */

/* ~ Renews the lease or tries for it; s->leads and s->renew_ms say what came of it. */
static int elect(struct scheduler *s, struct sf_dbh *h) {
	int64_t now = sf_jobs__now(s->src), lease_ms = s->js->o.lease_ms, ms = lease_ms / 3;
	struct jobs_q_lead_in in = { .holder = sf_str(s->holder), .now = now, .lease = lease_ms * 1000 };
	struct jobs_q_lead_row mine;
	struct jobs_q_leader_row other;
	bool led = s->leads;
	int err = jobs_q_lead(h, &in, &mine);
	s->leads = !err;
	if (err == SF_ENOTFOUND) {
		err = jobs_q_leader(h, &other);
		if (!err && (other.expires_at - now) / 1000 + RECHECK_MS < ms)
			ms = (other.expires_at - now) / 1000 + RECHECK_MS;
		if (err == SF_ENOTFOUND) err = 0, ms = 0; /* it has just resigned */
	}
	if (err) return err;
	s->renew_ms = sf_loop_now(s->js->loop) + (ms > RECHECK_MS ? ms : RECHECK_MS);
	if (s->leads != led)
		sf_log(SF_INFO, s->leads ? "this worker keeps the schedules" : "another worker keeps the schedules");
	return 0;
}

static void resign(struct scheduler *s) {
	if (!s->leads) return;
	struct sf_arena *a = sf_arena_new(0);
	struct sf_dbh *h = sf_db_auto(s->src->db, a, SF_READ_PRIMARY, "job schedules");
	if (jobs_q_resign(h, &(struct jobs_q_resign_in) { .holder = sf_str(s->holder) }, NULL))
		sf_log(SF_WARN, "the schedules could not be handed on; they are taken over when the lease is over");
	sf_arena_free(a);
}

/* ---- ticks ------------------------------------------------------------------------------------------------------- */

/* The last tick in (…, now], given that `first` ≤ now is one: looked for in a window before now that grows until it holds
 * one, so that years without a leader cost no more than a minute. */
static int last_tick(const struct sf_cron_spec *spec, const char *zone, int64_t first, int64_t now,
					 int64_t *out) {
	int64_t tick = first, at;
	for (int64_t back = 120 * SF_USEC; now - back > first; back *= 8) {
		int err = sf_cron_next(spec, zone, now - back, &at);
		if (err) return err;
		if (at > now) continue;
		tick = at;
		break;
	}
	for (;;) {
		int err = sf_cron_next(spec, zone, tick, &at);
		if (err) return err;
		if (at > now) break;
		tick = at;
	}
	*out = tick;
	return 0;
}

/* What is to be done of a row whose next_at is over: the tick that is run (0: none) and the next. */
static int plan(const struct sf_cron *c, const struct sf_cron_spec *spec, int64_t due, int64_t now,
				int64_t *tick, int64_t *next) {
	int err = 0;
	*tick = due;
	if (c->catchup != SF_CATCHUP_ALL) err = last_tick(spec, c->zone, due, now, tick);
	if (!err) err = sf_cron_next(spec, c->zone, *tick, next);
	if (!err && c->catchup == SF_CATCHUP_SKIP && now - *tick > LATE_US) *tick = 0;
	return err;
}

/* ~ One tick. SF_ECONFLICT: somebody else has done it, or leads. */
static int run_tick(struct scheduler *s, struct sf_arena *a, const struct sf_cron *c, int64_t was,
					int64_t tick, int64_t next) {
	const struct sf_jobs__kind *k = sf_jobs__kind(sf_str(c->kind));
	struct sf_dbh *tx = NULL;
	int64_t changed = 0;
	struct jobs_q_schedule_tick_in in = { .name = sf_str(c->name),
										  .was = was,
										  .next_at = next,
										  .tick = tick,
										  .holder = sf_str(s->holder),
										  .now = sf_jobs__now(s->src) };
	int err = sf_tx_begin(s->src->db, a, "job schedules", &tx);
	if (!err) err = jobs_q_schedule_tick(tx, &in, &changed);
	if (!err && !changed) err = SF_ECONFLICT;
	if (!err && tick) {
		/* lists know a tick by the "cron:" of its key (view.sql); a kind that is unique does not begin a tick while the one before still runs */
		struct sf_str key = k->row->unique == SF_JOB_UNIQUE_LIVE
								? sf_arena_printf(a, "cron:%s", c->name)
								: sf_arena_printf(a, "cron:%s:%lld", c->name, (long long)tick);
		err = sf_job_add(tx,
						 &(struct sf_job_new) {
							 .kind = c->kind, .payload = sf_str(c->payload), .run_at = tick, .key = key },
						 NULL);
		if (err == SF_EDUP) err = 0;
	}
	if (!err) err = sf_tx_commit(tx);
	sf_tx_end(tx);
	return err;
}

static const struct jobs_q_schedules_row *row_of(const struct sf_rows *rows, const char *name) {
	for (size_t i = 0; i < rows->n; i++)
		if (sf_str_eq(SF_ROW(*rows, jobs_q_schedules, i)->name, sf_str(name)))
			return SF_ROW(*rows, jobs_q_schedules, i);
	return NULL;
}

/* ~ Brings one row to where now says it should be; *next_at is its next tick. */
static int tend(struct scheduler *s, struct sf_arena *a, struct sf_dbh *h, const struct sf_cron *c,
				const struct sf_rows *rows, int64_t *next_at) {
	const struct jobs_q_schedules_row *row = row_of(rows, c->name);
	struct sf_str text = sf_arena_printf(a, "%s %s", c->expr, c->zone ? c->zone : "UTC");
	int64_t now = sf_jobs__now(s->src), tick, next;
	struct sf_cron_spec spec;
	const char *bad = NULL;
	int err = sf_cron_parse(c->expr, &spec, &bad);
	if (err) return err;
	if (!row || !sf_str_eq(row->spec, text)) { /* its first tick is the one to come */
		err = sf_cron_next(&spec, c->zone, now, next_at);
		struct jobs_q_schedule_set_in in = { .name = sf_str(c->name), .spec = text, .next_at = *next_at };
		return err ? err : jobs_q_schedule_set(h, &in, NULL);
	}
	*next_at = row->next_at;
	for (int n = 0; *next_at <= now && n < AT_ONCE; n++) {
		err = plan(c, &spec, *next_at, now, &tick, &next);
		if (!err) err = run_tick(s, a, c, *next_at, tick, next);
		if (err) return err;
		*next_at = next;
	}
	return 0;
}

/* ~ All rows; *next_at is the earliest tick to come. One that fails does not keep the others. */
static int tend_all(struct scheduler *s, struct sf_arena *a, struct sf_dbh *h, int64_t *next_at) {
	const struct sf_cron *const *t = s->js->o.crons ? s->js->o.crons : sf_jobs__declared()->crons;
	struct sf_rows rows;
	int first = 0, err = jobs_q_schedules(h, &rows);
	*next_at = INT64_MAX;
	for (; !err && t && *t; t++)
		for (const struct sf_cron *c = *t; c->name; c++) {
			int64_t next = INT64_MAX;
			int e = tend(s, a, h, c, &rows, &next);
			if (e && e != SF_ECONFLICT)
				sf_log(SF_WARN, "a schedule could not be tended", SF_KV("name", c->name),
					   SF_KV("error", sf_err_symbol(e)));
			if (e && !first) first = e;
			if (next < *next_at) *next_at = next;
		}
	return err ? err : first;
}

/* ~ One round; how long to wait for the next. */
static int64_t round_of(struct scheduler *s) {
	struct sf_arena *a = sf_arena_new(0);
	struct sf_dbh *h = sf_db_auto(s->src->db, a, SF_READ_PRIMARY, "job schedules");
	int64_t next_at = INT64_MAX, ms;
	int err = sf_loop_now(s->js->loop) >= s->renew_ms ? elect(s, h) : 0;
	if (!err && s->leads) {
		err = tend_all(s, a, h, &next_at);
		if (err) s->renew_ms = 0; /* whoever leads now, ask */
	}
	sf_arena_free(a);
	if (err) return RETRY_MS;
	ms = s->renew_ms - sf_loop_now(s->js->loop);
	if (next_at != INT64_MAX && (next_at - sf_jobs__now(s->src)) / 1000 + 1 < ms)
		ms = (next_at - sf_jobs__now(s->src)) / 1000 + 1;
	return ms > 1 ? ms : 1;
}

void sf_jobs__scheduler(void *arg) {
	struct sf_jobs *js = arg;
	struct scheduler s = { .js = js, .src = &js->src[0] };
	unsigned char random[16];
	sf_random(random, sizeof random);
	sf_hex(random, sizeof random, s.holder);
	while (!js->draining) {
		/* the database's clock is known once the source is registered */
		int64_t ms = s.src->worker ? round_of(&s) : RECHECK_MS;
		if (!js->draining && sf_jobs__wait(&js->schedule, ms) == SF_ECANCELED) break;
	}
	resign(&s);
	js->helpers--;
	sf_jobs__check_over(js);
}
