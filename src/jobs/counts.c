/* counts: how many jobs there are, by kind, by queue and state, for people and for telemetry.
 *
 * A page of an operator must not cost more the worse things are. What is over is added up as it ends (job_tally). What
 * waits is counted along the index of what is due, but only EXACT of it; where there is more, a part of the table
 * is looked at and multiplied: PART pages spread over it on PostgreSQL, PART stretches of ids on SQLite. Kinds that
 * are rare in a long queue may then be missed. Nothing is kept up to date for this while jobs are added and run. */
#include "jobs/internal.h"

#include "core/time.h"
#include <stdlib.h>

#include "jobs.q.h"

enum { EXACT = 20000 /* one less than the query takes */, PART_PG = 1024, PART_LITE = 100 };

/* The rows of both looks at what is not over are alike. */
_Static_assert(sizeof(struct jobs_q_waiting_row) == sizeof(struct jobs_q_waiting_about_row),
			   "exact and estimated rows have the same columns");

static bool runs(const struct jobs_q_waiting_row *row) {
	return sf_str_eq(row->state, SF_STR("running"));
}

/* ~ What is not over, by kind, queue and state. *about: of what waits, estimated, if there is that much; else empty. */
static int live(struct sf_dbh *h, int64_t now, struct sf_rows *rows, struct sf_rows *about) {
	struct sf_query few = jobs_waiting_desc, many = jobs_waiting_about_desc;
	int64_t waiting = 0, part = sf_dbh_engine(h) == SF_PG ? PART_PG : PART_LITE;
	few.id = many.id = SF_JOBS__REPLAN;
	int err = sf_db_all(h, &few, &(struct jobs_q_waiting_in) { .now = now }, rows);
	for (size_t i = 0; !err && i < rows->n; i++) {
		const struct jobs_q_waiting_row *row = SF_ROW(*rows, jobs_q_waiting, i);
		if (!runs(row)) waiting += row->n;
	}
	if (err || waiting <= EXACT) return err;
	return sf_db_all(h, &many, &(struct jobs_q_waiting_about_in) { .now = now, .part = part }, about);
}

static int compare(struct sf_str a, struct sf_str b) {
	int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
	return c ? c : (a.n > b.n) - (a.n < b.n);
}

static void add_kind(struct sf_job_counts *c, struct sf_job_count one) {
	for (size_t i = 0; i < c->nkinds; i++) {
		struct sf_job_count *k = &c->kinds[i];
		if (!sf_str_eq(k->kind, one.kind) || !sf_str_eq(k->state, one.state)) continue;
		k->n += one.n;
		return;
	}
	c->kinds[c->nkinds++] = one;
}

static void add_depth(struct sf_job_counts *c, struct sf_job_depth one) {
	for (size_t i = 0; i < c->ndepths; i++) {
		struct sf_job_depth *d = &c->depths[i];
		if (!sf_str_eq(d->queue, one.queue) || !sf_str_eq(d->state, one.state)) continue;
		d->n += one.n, d->due += one.due;
		return;
	}
	c->depths[c->ndepths++] = one;
}

static int by_kind(const void *a, const void *b) {
	const struct sf_job_count *x = a, *y = b;
	int c = compare(x->kind, y->kind);
	return c ? c : compare(x->state, y->state);
}

static int by_queue(const void *a, const void *b) {
	const struct sf_job_depth *x = a, *y = b;
	int c = compare(x->queue, y->queue);
	return c ? c : compare(x->state, y->state);
}

static void add_live(struct sf_job_counts *c, const struct jobs_q_waiting_row *row, bool estimated) {
	add_kind(c, (struct sf_job_count) { row->kind, row->state, row->n, estimated });
	add_depth(c, (struct sf_job_depth) { row->queue, row->state, row->n, row->due, estimated });
}

static int put_together(struct sf_arena *a, const struct sf_rows *rows, const struct sf_rows *about,
						const struct sf_rows *over, struct sf_job_counts *c) {
	c->kinds = sf_arena_try(a, (rows->n + about->n + over->n + 1) * sizeof *c->kinds);
	c->depths = sf_arena_try(a, (rows->n + about->n + 1) * sizeof *c->depths);
	if (!c->kinds || !c->depths) return SF_ENOMEM;
	for (size_t i = 0; i < rows->n; i++) {
		const struct jobs_q_waiting_row *row = SF_ROW(*rows, jobs_q_waiting, i);
		if (!about->n || runs(row)) add_live(c, row, false);
	}
	for (size_t i = 0; i < about->n; i++) add_live(c, SF_ROW(*about, jobs_q_waiting, i), true);
	for (size_t i = 0; i < over->n; i++) {
		const struct jobs_q_tallies_row *row = SF_ROW(*over, jobs_q_tallies, i);
		add_kind(c, (struct sf_job_count) { row->kind, row->state, row->n, false });
	}
	qsort(c->kinds, c->nkinds, sizeof *c->kinds, by_kind);
	qsort(c->depths, c->ndepths, sizeof *c->depths, by_queue);
	return 0;
}

int sf_job_counts(struct sf_dbh *h, struct sf_job_counts *out) {
	struct sf_job_counts c = { 0 };
	struct sf_rows rows = { 0 }, about = { 0 }, over, oldest;
	int64_t now = sf_time_now();
	int err = live(h, now, &rows, &about);
	if (!err) err = jobs_q_tallies(h, &over);
	if (!err) err = jobs_q_oldest(h, &(struct jobs_q_oldest_in) { .now = now }, &oldest);
	if (!err) err = put_together(sf_dbh_arena(h), &rows, &about, &over, &c);
	if (err) return err;
	c.ages = sf_arena_try(sf_dbh_arena(h), (oldest.n + 1) * sizeof *c.ages);
	if (!c.ages) return SF_ENOMEM;
	for (; c.nages < oldest.n; c.nages++) {
		const struct jobs_q_oldest_row *row = SF_ROW(oldest, jobs_q_oldest, c.nages);
		c.ages[c.nages] = (struct sf_job_age) { row->queue, now - row->oldest_at };
	}
	*out = c;
	return 0;
}
