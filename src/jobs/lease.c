/* lease: a worker's row in job_workers, which says that it lives.
 *
 * One row and one renewal a worker, however many jobs it runs. While the row is there its jobs are its own, even when it has
 * lapsed: nothing happens by time alone. Somebody else may then take it away, in one transaction that deletes the row and
 * gives the jobs back with a higher fence. A worker that finds its row gone stops what it runs and registers anew;
 * what it still writes about those jobs names its old number, and touches no row.
 *
 * A lease is also over when its process is, which another process of the same host can see: the row's name has the
 * boot, the pid namespace, the pid and the start of the process. Then nobody waits for the lease to lapse.
 *
 * After the database was away everybody's lease has lapsed. Who rescues must have renewed twice in a row, so that all
 * others had as long to renew theirs. */
#include "jobs/internal.h"

#include "core/log.h"
#include "core/time.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "jobs.q.h"

enum { RETRY_MS = 200 };

/* ---- processes of this host ----------------------------------------------------------------------------------- */

static void read_word(const char *path, char *out, size_t n) {
	FILE *f = fopen(path, "re");
	if (!f || !fgets(out, (int)n, f)) snprintf(out, n, "?");
	if (f) fclose(f);
	out[strcspn(out, "\n")] = 0;
}

/* When the process started, in ticks since boot; 0: there is none (or it is a zombie). */
static unsigned long long started(long pid) {
	char path[64], text[1024];
	unsigned long long at = 0;
	char state = 0;
	snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	FILE *f = fopen(path, "re");
	if (!f) return 0;
	size_t n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[n] = 0;
	const char *p = strrchr(text, ')'); /* the name may hold anything */
	if (!p ||
		sscanf(p + 1, " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
			   &state, &at) != 2)
		return 0;
	return state == 'Z' || state == 'X' ? 0 : at;
}

/* The part of a name that processes who can see each other share. */
static void host_name(char out[128]) {
	char boot[64], ns[64] = "?";
	read_word("/proc/sys/kernel/random/boot_id", boot, sizeof boot);
	ssize_t n = readlink("/proc/self/ns/pid", ns, sizeof ns - 1);
	if (n > 0) ns[n] = 0;
	snprintf(out, 128, "%.48s %.48s ", boot, ns);
}

static bool process_gone(struct sf_str name) {
	char host[128], text[256];
	long pid;
	unsigned long long at;
	host_name(host);
	size_t n = strlen(host);
	if (name.n <= n || name.n >= sizeof text || memcmp(name.p, host, n) != 0 || strchr(host, '?'))
		return false;
	memcpy(text, name.p + n, name.n - n);
	text[name.n - n] = 0;
	return sscanf(text, "%ld %llu", &pid, &at) == 2 && at && started(pid) != at;
}

/* ---- our own ------------------------------------------------------------------------------------------------------ */

static void renewed(struct sf_jobs__src *s, int64_t asked_ms, int64_t db_now) {
	s->skew_us = sf_db_engine(s->db) == SF_PG ? db_now - sf_time_now() : 0;
	s->lease_until_ms = asked_ms + s->js->o.lease_ms;
}

int sf_jobs__register(struct sf_jobs__src *s, struct sf_arena *a) {
	char host[128], name[256];
	struct jobs_q_worker_add_row row;
	int64_t asked = sf_loop_now(s->js->loop);
	host_name(host);
	snprintf(name, sizeof name, "%s%ld %llu", host, (long)getpid(), started((long)getpid()));
	int err =
		jobs_q_worker_add(sf_db_auto(s->db, a, SF_READ_PRIMARY, "jobs.lease"),
						  &(struct jobs_q_worker_add_in) {
							  .name = sf_str(name), .now = sf_time_now(), .lease = s->js->o.lease_ms * 1000 },
						  &row);
	if (err) return err;
	s->worker = row.id, s->beats = 0;
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
	int64_t asked = sf_loop_now(s->js->loop), worker = s->worker;
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
	while (!js->drained_ms) {
		int err = s->worker ? beat(s, a) : 0;
		sf_arena_reset(a);
		if (s->worker && sf_loop_now(js->loop) >= s->lease_until_ms) stop_all(s, false);
		if (js->drained_ms) break;
		err = sf_jobs__wait(&s->keep, err && js->o.lease_ms / 3 > RETRY_MS ? RETRY_MS : js->o.lease_ms / 3);
		if (err == SF_ECANCELED) break;
	}
	leave(s, a);
	sf_arena_free(a);
	s->coroutines--;
	sf_jobs__check_over(js);
}

/* ---- others' ------------------------------------------------------------------------------------------------------- */

static int rescue_one(struct sf_jobs__src *s, struct sf_arena *a, int64_t worker, bool gone) {
	struct jobs_q_worker_lock_row row;
	struct sf_dbh *tx = NULL;
	int64_t dead = 0, n = 0;
	int err = sf_tx_begin(s->db, a, "jobs.rescue", &tx);
	if (err) return err;
	err = jobs_q_worker_lock(tx, &(struct jobs_q_worker_lock_in) { .id = worker }, &row);
	if (err) goto out; /* SF_ENOTFOUND: somebody was faster */
	if (!gone && row.expires_at >= sf_jobs__now(s)) goto out;
	err = jobs_q_rescue_bury(
		tx,
		&(struct jobs_q_rescue_bury_in) { .worker = worker,
										  .crashes = SF_JOBS__CRASHES,
										  .error = SF_STR("it took its worker down 3 times"),
										  .now = sf_jobs__now(s) },
		&dead);
	if (!err)
		err = jobs_q_rescue(
			tx,
			&(struct jobs_q_rescue_in) { .worker = worker, .error = SF_STR("its worker died while it ran") },
			&n);
	if (!err) err = jobs_q_worker_gone(tx, &(struct jobs_q_worker_gone_in) { .id = worker }, NULL);
	if (!err) err = sf_tx_commit(tx);
	if (err) goto out;
	s->js->stats.rescued += (uint64_t)n, s->js->stats.dead += (uint64_t)dead;
	sf_log(SF_WARN, "jobs of a dead worker were rescued", SF_KV("worker", worker), SF_KV("jobs", n),
		   SF_KV("dead", dead), SF_KV("process_gone", gone));
	if (n) s->suspects_at_ms = 0, sf_jobs__signal(&s->pump);
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
		bool gone = process_gone(row->name);
		if (gone || (row->expires_at < now && s->beats >= 2)) err = rescue_one(s, a, row->id, gone);
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
		int64_t id = SF_ROW(rows, jobs_q_mine, i)->id;
		for (struct sf_node *at = s->runs.next; at != &s->runs && !known; at = at->next)
			known = SF_CONTAINER(at, struct sf_job, all)->id == id;
		if (!known) ids[n++] = id;
	}
	if (n)
		err = jobs_q_give_back(h, &(struct jobs_q_give_back_in) { .worker = s->worker, .ids = { ids, n } },
							   NULL);
	if (err) return err;
	s->doubt = false, s->full_at_ms = 0;
	return 0;
}
