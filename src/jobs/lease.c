/* lease: a worker's row in job_workers, which says that it lives.
 *
 * One row and one renewal a worker, however many jobs it runs. While the row is there its jobs are its own, even when it has
 * lapsed: nothing happens by time alone. Somebody else may then take it away, in one transaction that deletes the row and
 * gives the jobs back with a higher fence. A worker that finds its row gone stops what it runs and registers anew;
 * what it still writes about those jobs names its old number, and touches no row.
 *
 * A lease is also over when its process is, which another process of the same host can see: the row's name has the
 * boot, the pid namespace, the pid and the start of the process. Then nobody waits for the lease to lapse. The name also
 * says where the process has noted what it ran: a job that is to blame for its end is a suspect (blackbox.c).
 *
 * After the database was away everybody's lease has lapsed. Who rescues must have renewed twice in a row, so that all
 * others had as long to renew theirs. */
#include "jobs/internal.h"

#include "core/log.h"
#include "core/time.h"
#include <stdio.h>
#include <string.h>

#include "jobs.q.h"

enum { RETRY_MS = 200 };

/* ---- our own ------------------------------------------------------------------------------------------------------ */

struct asked {      /* when the database was asked for the lease */
	int64_t ms, us; /* sf_loop_now, sf_time_now */
};
static struct asked asking(const struct sf_jobs__src *s) {
	return (struct asked) { sf_loop_now(s->js->loop), sf_time_now() };
}

/* The database looked at its clock at some time between our asking and now, which is after a commit. So its clock is ahead by `least` to `most`;
 * what was believed before, at first that the clocks agree, stands as long as it lies between. If the answer alone were
 * believed, jobs would come due as much later as it took. */
static void renewed(struct sf_jobs__src *s, struct asked asked, int64_t db_now) {
	int64_t least = db_now - sf_time_now(), most = db_now - asked.us;
	if (sf_db_engine(s->db) == SF_PG && (s->skew_us < least || s->skew_us > most)) s->skew_us = least;
	s->lease_until_ms = asked.ms + s->js->o.lease_ms;
}

int sf_jobs__register(struct sf_jobs__src *s, struct sf_arena *a) {
	char name[256];
	struct jobs_q_worker_add_row row;
	struct asked asked = asking(s);
	sf_jobs__box_name(s->js->box, (size_t)(s - s->js->src), name);
	int err =
		jobs_q_worker_add(sf_db_auto(s->db, a, SF_READ_PRIMARY, "jobs.lease"),
						  &(struct jobs_q_worker_add_in) {
							  .name = sf_str(name), .now = sf_time_now(), .lease = s->js->o.lease_ms * 1000 },
						  &row);
	if (err) return err;
	s->worker = row.id, s->beats = 0;
	sf_jobs__box_row(s->js->box);
	renewed(s, asked, row.now);
	return 0;
}

/* The lease is not ours any more, or not for certain: whatever runs stops. */
static void stop_all(struct sf_jobs__src *s, bool lost) {
	for (struct sf_node *at = s->runs.next, *next; at != &s->runs; at = next) {
		struct sf_job *j = SF_CONTAINER(at, struct sf_job, all);
		next = at->next;
		j->lost = j->lost || lost;
		if (j->co) sf_co_cancel(j->co, SF_EDRAINING);
	}
	while (lost && !sf_list_empty(&s->ready)) {
		s->nready--;
		sf_jobs__run_free(SF_CONTAINER(s->ready.next, struct sf_job, node));
	}
	struct sf_job *j = s->js->alone;
	if (lost && j && j->src == s && !s->js->alone_runs) {
		s->js->alone = NULL;
		sf_jobs__run_free(j);
	}
}

static void lost(struct sf_jobs__src *s) {
	sf_log(SF_ERROR, "the lease was taken away; what runs is stopped", SF_KV("worker", s->worker),
		   SF_KV("runs", s->nruns));
	stop_all(s, true);
	s->worker = 0, s->beats = 0;
	sf_jobs__signal(&s->pump); /* registers anew */
}

static int beat(struct sf_jobs__src *s, struct sf_arena *a) {
	struct asked asked = asking(s);
	int64_t worker = s->worker;
	struct jobs_q_worker_beat_row row;
	int err = jobs_q_worker_beat(sf_db_auto(s->db, a, SF_READ_PRIMARY, "jobs.lease"),
								 &(struct jobs_q_worker_beat_in) {
									 .id = worker, .now = sf_time_now(), .lease = s->js->o.lease_ms * 1000 },
								 &row);
	if (err == SF_ENOTFOUND && s->worker == worker) lost(s);
	if (err) {
		s->beats = 0;
		return err;
	}
	s->beats++;
	renewed(s, asked, row.now);
	/* a claim that was given up may happen after it was asked for in vain, and nobody would ever run what it took */
	if (row.held > (int64_t)s->nruns) s->doubt = true, sf_jobs__signal(&s->pump);
	return row.cancel ? sf_jobs__look_for_cancels(s, a) : 0;
}

int sf_jobs__look_for_cancels(struct sf_jobs__src *s, struct sf_arena *a) {
	struct sf_rows rows;
	int err = jobs_q_mine(sf_db_auto(s->db, a, SF_READ_PRIMARY, "jobs.cancel"),
						  &(struct jobs_q_mine_in) { .worker = s->worker }, &rows);
	for (size_t i = 0; !err && i < rows.n; i++) {
		const struct jobs_q_mine_row *row = SF_ROW(rows, jobs_q_mine, i);
		if (!row->cancel_requested) continue;
		for (struct sf_node *at = s->runs.next; at != &s->runs; at = at->next) {
			struct sf_job *j = SF_CONTAINER(at, struct sf_job, all);
			if (j->id != row->id || j->fence != row->fence) continue;
			j->cancel = true;
			if (j->co) sf_co_cancel(j->co, SF_ECANCELED);
			break;
		}
	}
	return err;
}

/* ~ The end of the worker: the row goes if nothing is left to be rescued. */
static void leave(struct sf_jobs__src *s, struct sf_arena *a) {
	if (!s->worker || s->nruns || s->doubt) return;
	int err = jobs_q_worker_gone(sf_db_auto(s->db, a, SF_READ_PRIMARY, "jobs.lease"),
								 &(struct jobs_q_worker_gone_in) { .id = s->worker }, NULL);
	if (err) sf_log(SF_WARN, "the lease stays until it lapses", SF_KV("error", sf_err_symbol(err)));
	s->worker = 0;
}

void sf_jobs__keeper(void *src) {
	struct sf_jobs__src *s = src;
	struct sf_jobs *js = s->js;
	struct sf_arena *a = sf_arena_new(0);
	int64_t patience = 0;
	while (!js->drained_ms) {
		sf_jobs__bound(js, &patience);
		int err = sf_jobs__unbound(&patience, s->worker ? beat(s, a) : 0);
		sf_arena_reset(a);
		if (s->worker && sf_loop_now(js->loop) >= s->lease_until_ms) stop_all(s, false);
		if (js->drained_ms) break;
		err = sf_jobs__wait(&s->keep, err && js->o.lease_ms / 3 > RETRY_MS ? RETRY_MS : js->o.lease_ms / 3);
		if (err == SF_ECANCELED) break;
	}
	sf_jobs__bound(js, &patience);
	leave(s, a);
	sf_arena_free(a);
	s->coroutines--;
	sf_jobs__check_over(js);
}

/* ---- others' ------------------------------------------------------------------------------------------------------- */

/* ~ Which of the worker's jobs are to blame for its end, as far as can be told. */
static int look_into(struct sf_jobs__src *s, struct sf_dbh *tx, struct sf_str name, int64_t worker,
					 struct sf_jobs__death *d) {
	struct sf_arena *a = sf_dbh_arena(tx);
	struct sf_rows rows;
	sf_jobs__box_look(s->js->box, name, worker, a, d);
	if (d->known) return 0;
	int err = jobs_q_mine(tx, &(struct jobs_q_mine_in) { .worker = worker }, &rows);
	if (err) return err;
	d->ids = sf_arena_try(a, (rows.n + 1) * sizeof *d->ids);
	if (!d->ids) return SF_ENOMEM;
	for (size_t i = 0; i < rows.n; i++) d->ids[d->n++] = SF_ROW(rows, jobs_q_mine, i)->id;
	d->certain = true; /* or a job that takes down whole hosts would go on for ever */
	return 0;
}

/* ~ Counts the crash against those to blame; the dead ones are *dead, the others *n. */
static int blame(struct sf_jobs__src *s, struct sf_dbh *tx, int64_t worker, const struct sf_jobs__death *d,
				 int64_t *dead, int64_t *n) {
	char why[128] = "its worker died while it ran", end[128] = "it took its worker down 3 times";
	struct sf_ints ids = { d->ids, d->n };
	int err = 0;
	if (d->signal) {
		snprintf(why, sizeof why, "its worker died of SIG%s while it ran", sigabbrev_np(d->signal));
		snprintf(end, sizeof end, "it took its worker down 3 times, at last by SIG%s",
				 sigabbrev_np(d->signal));
	}
	if (d->certain)
		err = jobs_q_rescue_bury(tx,
								 &(struct jobs_q_rescue_bury_in) { .worker = worker,
																   .ids = ids,
																   .crashes = SF_JOBS__CRASHES,
																   .error = sf_str(end),
																   .now = sf_jobs__now(s) },
								 dead);
	if (err) return err;
	return jobs_q_rescue_blamed(
		tx,
		&(struct jobs_q_rescue_blamed_in) {
			.worker = worker, .ids = ids, .certain = d->certain, .error = sf_str(why) },
		n);
}

static int rescue_one(struct sf_jobs__src *s, struct sf_arena *a, int64_t worker, struct sf_str name,
					  bool gone) {
	struct jobs_q_worker_lock_row row;
	struct sf_jobs__death d;
	struct sf_dbh *tx = NULL;
	int64_t dead = 0, blamed = 0, rest = 0;
	int err = sf_tx_begin(s->db, a, "jobs.rescue", &tx);
	if (err) return err;
	err = jobs_q_worker_lock(tx, &(struct jobs_q_worker_lock_in) { .id = worker }, &row);
	if (err) goto out; /* SF_ENOTFOUND: somebody was faster */
	if (!gone && row.expires_at >= sf_jobs__now(s)) goto out;
	err = look_into(s, tx, name, worker, &d);
	if (!err && d.n) err = blame(s, tx, worker, &d, &dead, &blamed);
	if (!err) err = jobs_q_rescue(tx, &(struct jobs_q_rescue_in) { .worker = worker }, &rest);
	if (!err) err = jobs_q_worker_gone(tx, &(struct jobs_q_worker_gone_in) { .id = worker }, NULL);
	if (!err) err = sf_tx_commit(tx);
	if (err) goto out;
	sf_jobs__box_done(s->js->box, name, gone);
	s->js->stats.rescued += (uint64_t)(blamed + rest), s->js->stats.dead += (uint64_t)dead;
	sf_log(SF_WARN, "jobs of a dead worker were rescued", SF_KV("worker", worker),
		   SF_KV("jobs", blamed + rest), SF_KV("suspects", blamed), SF_KV("dead", dead),
		   SF_KV("signal", d.signal), SF_KV("process_gone", gone));
	if (blamed + rest) s->suspects_at_ms = s->full_at_ms = 0, sf_jobs__signal(&s->pump);
out:
	sf_tx_end(tx);
	return err == SF_ENOTFOUND ? 0 : err;
}

/* ~ A claim may be on its way while its worker's row is taken away, and then names a worker that is no more. */
static int rescue_orphans(struct sf_jobs__src *s, struct sf_arena *a) {
	int64_t n = 0;
	int err = jobs_q_rescue_orphans(
		sf_db_auto(s->db, a, SF_READ_PRIMARY, "jobs.rescue"),
		&(struct jobs_q_rescue_orphans_in) { .error = SF_STR("its worker had lost its lease") }, &n);
	if (err || !n) return err;
	s->js->stats.rescued += (uint64_t)n;
	sf_log(SF_WARN, "jobs that no worker held were rescued", SF_KV("jobs", n));
	s->full_at_ms = 0;
	sf_jobs__signal(&s->pump);
	return 0;
}

int sf_jobs__rescue(struct sf_jobs__src *s, struct sf_arena *a) {
	struct sf_rows rows;
	if (!s->worker || !s->beats) return 0;
	int err = jobs_q_worker_list(sf_db_auto(s->db, a, SF_READ_PRIMARY, "jobs.rescue"), &rows);
	int64_t now = sf_jobs__now(s);
	for (size_t i = 0; !err && i < rows.n; i++) {
		const struct jobs_q_worker_list_row *row = SF_ROW(rows, jobs_q_worker_list, i);
		if (row->id == s->worker) continue;
		bool gone = sf_jobs__process_gone(row->name);
		if (gone || (row->expires_at < now && s->beats >= 2))
			err = rescue_one(s, a, row->id, row->name, gone);
	}
	return err ? err : rescue_orphans(s, a);
}

int sf_jobs__reconcile(struct sf_jobs__src *s, struct sf_arena *a) {
	struct sf_dbh *h = sf_db_auto(s->db, a, SF_READ_PRIMARY, "jobs.reconcile");
	struct sf_rows rows;
	size_t n = 0;
	int err = jobs_q_mine(h, &(struct jobs_q_mine_in) { .worker = s->worker }, &rows);
	if (err) return err;
	int64_t *ids = sf_arena_try(a, (rows.n + 1) * sizeof *ids);
	if (!ids) return SF_ENOMEM;
	for (size_t i = 0; i < rows.n; i++) {
		bool known = false;
		const struct jobs_q_mine_row *row = SF_ROW(rows, jobs_q_mine, i);
		for (struct sf_node *at = s->runs.next; at != &s->runs && !known; at = at->next) {
			const struct sf_job *j = SF_CONTAINER(at, struct sf_job, all);
			known =
				j->id == row->id && j->fence == row->fence; /* else an older run, whose end is on its way */
		}
		if (!known) ids[n++] = row->id;
	}
	if (n)
		err = jobs_q_give_back(h, &(struct jobs_q_give_back_in) { .worker = s->worker, .ids = { ids, n } },
							   NULL);
	if (err) return err;
	s->doubt = false;
	if (n) s->full_at_ms = 0;
	return 0;
}
