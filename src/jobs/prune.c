/* prune: the janitor: rescues the jobs of dead workers, and takes away what has been over for long enough.
 *
 * On PostgreSQL the history is partitioned by day: days to come are made ahead, days too old are dropped, so that nothing
 * is ever deleted row by row. On SQLite old rows go in small batches. */
#include "jobs/internal.h"

#include "core/log.h"
#include "core/time.h"

#include "jobs.q.h"

enum { TIDY_MS = 600000, FOLD_MS = 60000, AHEAD = 2, PRUNE_BATCH = 500 };

static int days(struct sf_jobs__src *s, struct sf_arena *a, int64_t today) {
	struct sf_jobs *js = s->js;
	struct sf_dbh *tx = NULL;
	struct jobs_q_history_day_row made;
	struct jobs_q_history_drop_row dropped;
	int err = 0;
	for (int64_t day = today; day <= today + AHEAD && !err;
		 day++) { /* each alone: a lock that is not to be had harms no other */
		err = sf_tx_begin(s->db, a, "jobs.days", &tx);
		if (err) return err;
		err = jobs_q_history_day(tx, &(struct jobs_q_history_day_in) { .day = day }, &made);
		if (!err) err = sf_tx_commit(tx);
		sf_tx_end(tx);
	}
	if (err) return err;
	err = sf_tx_begin(s->db, a, "jobs.days", &tx);
	if (err) return err;
	err = jobs_q_history_drop(
		tx,
		&(struct jobs_q_history_drop_in) { .day = sf_date_of(sf_jobs__now(s) - js->o.keep_done_ms * 1000) },
		&dropped);
	if (!err) err = sf_tx_commit(tx);
	sf_tx_end(tx);
	return err;
}

static int rows(struct sf_jobs__src *s, struct sf_arena *a) {
	int64_t changed = PRUNE_BATCH;
	int err = 0;
	while (!err && changed == PRUNE_BATCH && !s->js->draining) {
		err = jobs_q_prune(sf_db_auto(s->db, a, SF_READ_PRIMARY, "jobs.prune"),
						   &(struct jobs_q_prune_in) {
							   .until = sf_jobs__now(s) - s->js->o.keep_done_ms * 1000, .n = PRUNE_BATCH },
						   &changed);
	}
	return err;
}

static int tidy(struct sf_jobs__src *s, struct sf_arena *a) {
	int64_t now_ms = sf_loop_now(s->js->loop), today = sf_date_of(sf_jobs__now(s));
	int64_t every = s->js->o.keep_done_ms < TIDY_MS ? s->js->o.keep_done_ms : TIDY_MS;
	int err = 0;
	if (now_ms - s->folded_ms >= FOLD_MS) {
		err = jobs_q_tally_fold(sf_db_auto(s->db, a, SF_READ_PRIMARY, "jobs.fold"),
								&(struct jobs_q_tally_fold_in) { .day = today }, NULL);
		s->folded_ms = now_ms;
	}
	if (err || (s->tidied_ms && now_ms - s->tidied_ms < every)) return err;
	s->tidied_ms = now_ms;
	return sf_db_engine(s->db) == SF_PG ? days(s, a, today) : rows(s, a);
}

void sf_jobs__janitor(void *src) {
	struct sf_jobs__src *s = src;
	struct sf_jobs *js = s->js;
	struct sf_arena *a = sf_arena_new(0);
	int64_t patience = 0;
	while (!js->draining) {
		sf_jobs__bound(js, &patience);
		int err = sf_jobs__unbound(&patience, sf_jobs__rescue(s, a));
		if (!err && s->worker) err = tidy(s, a);
		sf_arena_reset(a);
		if (err) sf_log(SF_WARN, "the job queue could not be tidied", SF_KV("error", sf_err_symbol(err)));
		int64_t ms = js->o.lease_ms / 3 < js->o.poll_ms ? js->o.lease_ms / 3 : js->o.poll_ms;
		if (js->draining || sf_jobs__wait(&s->tidy, ms) == SF_ECANCELED) break;
	}
	sf_arena_free(a);
	s->coroutines--;
	sf_jobs__check_over(js);
}
