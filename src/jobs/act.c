/* act: steering jobs by hand: trying again, discarding, cancelling, one or all that a filter names.
 *
 *   retry     dead, cancelled → ready, with all attempts before it; retrying, scheduled → due now
 *   discard   dead → cancelled; scheduled, ready, retrying → cancelled
 *   cancel    scheduled, ready, retrying → cancelled; running: asked to stop
 *
 * Many are done in portions, each its own transaction, so that no lock is held for long and a call that is cut short has
 * done whole portions. Jobs that change their state meanwhile are passed over: every statement names the states it is for. */
#include "jobs/internal.h"

#include "core/time.h"
#include <stdio.h>

#include "jobs.q.h"

enum { PORTION = 500 };

/* By action: the live states and the state among those over that it takes when a filter names none. */
static const struct {
	const char *live;
	const char *over[2]; /* the second only when the filter names it */
} scope[] = {
	[SF_JOB_RETRY] = { ",retrying,scheduled,", { "dead", "cancelled" } },
	[SF_JOB_DISCARD] = { ",retrying,scheduled,ready,", { "dead" } },
	[SF_JOB_CANCEL] = { ",retrying,scheduled,ready,running,", { NULL } },
};

/* ---- a portion ------------------------------------------------------------------------------------------------- */

static int revive(struct sf_dbh *tx, struct sf_ints ids, int64_t now, int64_t *changed) {
	const struct sf_jobs__declared *d = sf_jobs__declared();
	int err = jobs_q_revive(tx, &(struct jobs_q_revive_in) { .ids = ids, .now = now }, changed);
	if (!err) err = jobs_q_revived(tx, &(struct jobs_q_revived_in) { .ids = ids }, NULL);
	for (size_t i = 0; !err && *changed && i < d->n; i++)
		if (d->kind[i].limited)
			err = jobs_q_relane_ids(tx,
									&(struct jobs_q_relane_ids_in) { .ids = ids,
																	 .kind = sf_str(d->kind[i].row->kind),
																	 .lane = sf_str(d->kind[i].lane) },
									NULL);
	return err;
}

/* ~ The action on live jobs, or on those over, within a transaction. */
static int portion(struct sf_dbh *tx, struct sf_ints ids, enum sf_job_action action, bool live,
				   int64_t *changed) {
	int64_t now = sf_time_now(), more = 0;
	if (action == SF_JOB_RETRY)
		return live ? jobs_q_hasten(tx, &(struct jobs_q_hasten_in) { .ids = ids, .now = now }, changed)
					: revive(tx, ids, now, changed);
	if (!live) return jobs_q_discard(tx, &(struct jobs_q_discard_in) { .ids = ids }, changed);
	struct sf_str why = action == SF_JOB_CANCEL ? SF_STR("cancelled before it ran") : SF_STR("discarded");
	int err = jobs_q_cancel_waiting(
		tx, &(struct jobs_q_cancel_waiting_in) { .ids = ids, .error = why, .now = now }, changed);
	if (!err && action == SF_JOB_CANCEL)
		err = jobs_q_cancel_running(tx, &(struct jobs_q_cancel_running_in) { .ids = ids }, &more);
	if (!err) *changed += more;
	return err;
}

/* ~ The same in h's transaction, or in one of its own. */
static int apply(struct sf_dbh *h, struct sf_ints ids, enum sf_job_action action, bool live,
				 int64_t *changed) {
	struct sf_dbh *tx = h;
	int err = 0;
	*changed = 0;
	if (!sf_dbh_in_tx(h)) err = sf_tx_begin(sf_dbh_db(h), sf_dbh_arena(h), "jobs.act", &tx);
	if (err) return err;
	err = portion(tx, ids, action, live, changed);
	if (!err && *changed)
		sf_jobs__wake_after(tx, action == SF_JOB_CANCEL ? SF_JOBS__WAKE_CANCEL : SF_JOBS__WAKE_DUE);
	if (tx == h) return err;
	if (!err) err = sf_tx_commit(tx);
	sf_tx_end(tx);
	return err;
}

/* ---- one ----------------------------------------------------------------------------------------------------------- */

int sf_job_act(struct sf_dbh *h, int64_t id, enum sf_job_action action) {
	struct sf_ints ids = { &id, 1 };
	struct sf_job_view v;
	int64_t changed = 0;
	int err = sf_job_get(h, id, &v);
	if (err) return err;
	if (action == SF_JOB_RETRY && sf_str_eq(v.state, SF_STR("ready"))) return 0; /* it is due */
	bool live = !v.finished_at;
	if (!live && action == SF_JOB_CANCEL) return SF_ECONFLICT;
	err = apply(h, ids, action, live, &changed);
	return err ? err : changed ? 0 : SF_ECONFLICT;
}

/* ---- many ------------------------------------------------------------------------------------------------------------ */

/* ~ The next ids after `after`, in order; *ceiling: up to which id it has looked, INT64_MAX: to the end. */
static int next_live(struct sf_dbh *h, const struct sf_job_filter *f, const char *states, int64_t after,
					 int64_t n, struct sf_rows *rows, int64_t *ceiling) {
	struct jobs_q_live_ceiling_row edge = { INT64_MAX };
	int err = jobs_q_live_ceiling(h, &(struct jobs_q_live_ceiling_in) { .after = after }, &edge);
	if (err && err != SF_ENOTFOUND) return err;
	*ceiling = edge.id;
	return jobs_q_live_ids(
		h,
		&(struct jobs_q_live_ids_in) { .after = after,
									   .ceiling = edge.id,
									   .from_ = f->from,
									   .until = f->to ? f->to : INT64_MAX,
									   .kind = f->kind,
									   .queue = f->queue,
									   .error = sf_jobs__pattern(sf_dbh_arena(h), f->error),
									   .states = sf_str(states),
									   .now = sf_time_now(),
									   .n = n },
		rows);
}

static int next_failed(struct sf_dbh *h, const struct sf_job_filter *f, const char *state, int64_t after,
					   int64_t n, struct sf_rows *rows, int64_t *ceiling) {
	struct jobs_q_failed_ceiling_row edge = { INT64_MAX };
	int err = jobs_q_failed_ceiling(
		h, &(struct jobs_q_failed_ceiling_in) { .after = after, .state = sf_str(state) }, &edge);
	if (err && err != SF_ENOTFOUND) return err;
	*ceiling = edge.id;
	return jobs_q_failed_ids(
		h,
		&(struct jobs_q_failed_ids_in) { .after = after,
										 .ceiling = edge.id,
										 .from_ = f->from,
										 .until = f->to ? f->to : INT64_MAX,
										 .kind = f->kind,
										 .queue = f->queue,
										 .error = sf_jobs__pattern(sf_dbh_arena(h), f->error),
										 .state = sf_str(state),
										 .n = n },
		rows);
}

struct sweep {
	struct sf_dbh *h;
	const struct sf_job_filter *f;
	enum sf_job_action action;
	bool preview;
	int64_t left, n;
};

/* ~ All of one scope, portion by portion. */
static int sweep(struct sweep *w, const char *states, bool live) {
	int64_t after = 0;
	_Static_assert(sizeof(struct jobs_q_live_ids_row) == sizeof(int64_t) &&
					   sizeof(struct jobs_q_failed_ids_row) == sizeof(int64_t),
				   "rows of ids are a list of ids");
	while (w->left > 0) {
		struct sf_rows rows;
		int64_t most = w->left < PORTION ? w->left : PORTION, changed, ceiling;
		int err = live ? next_live(w->h, w->f, states, after, most, &rows, &ceiling)
					   : next_failed(w->h, w->f, states, after, most, &rows, &ceiling);
		if (err) return err;
		const int64_t *ids = rows.at;
		after = (int64_t)rows.n == most ? ids[rows.n - 1] : ceiling;
		changed = (int64_t)rows.n;
		if (rows.n && !w->preview)
			err = apply(w->h, (struct sf_ints) { ids, rows.n }, w->action, live, &changed);
		if (err) return err;
		w->left -= (int64_t)rows.n, w->n += changed;
		if (after == INT64_MAX) return 0;
	}
	return 0;
}

static bool has(const char *states, struct sf_str state) {
	char word[32];
	if (state.n > sizeof word - 3) return false;
	word[0] = ',';
	memcpy(word + 1, state.p, state.n);
	word[state.n + 1] = ',', word[state.n + 2] = 0;
	return strstr(states, word) != NULL;
}

int sf_job_act_many(struct sf_dbh *h, const struct sf_job_filter *f, enum sf_job_action action, bool preview,
					int64_t most, int64_t *n) {
	struct sweep w = { .h = h, .f = f, .action = action, .preview = preview, .left = most };
	char states[40];
	int err = 0;
	if (!f->state.p) {
		err = sweep(&w, scope[action].live, true);
		if (!err && scope[action].over[0]) err = sweep(&w, scope[action].over[0], false);
	} else if (has(scope[action].live, f->state)) {
		snprintf(states, sizeof states, "," SF_PRI ",", SF_ARG(f->state));
		err = sweep(&w, states, true);
	} else {
		for (size_t i = 0; !err && i < SF_COUNT(scope[action].over); i++)
			if (scope[action].over[i] && sf_str_eq(f->state, sf_str(scope[action].over[i])))
				err = sweep(&w, scope[action].over[i], false);
	}
	if (!err) *n = w.n;
	return err;
}
