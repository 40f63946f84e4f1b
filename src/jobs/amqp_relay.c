/* amqp_relay: publishes what is due, tells of the dead, and tidies the marks of both; amqp.c says by which rules. */
#include "jobs/amqp.h"

#include "core/log.h"
#include "core/time.h"
#include <stdio.h>
#include <stdlib.h>

#include "jobs.q.h"

#define OLD_US     (10 * SF_USEC)
#define ANCIENT_US (600 * SF_USEC)
#define SWEEP_US   (30 * SF_USEC)
#define DAY_US     (86400 * SF_USEC)
enum { BATCH = 512, SHARES = 4, TIDY_MS = 1000, SWEEP_MS = 60000, RETRY_MS = 200, DEAD_BATCH = 100 };

static struct sf_dbh *handle(struct sf_jobs__src *s, struct sf_arena *a) {
	return sf_db_auto(s->db, a, SF_READ_PRIMARY, "jobs.relay");
}

static struct sf_jobs__letter *letter(struct sf_jobs__src *s, enum sf_jobs__letter_what what, int64_t id,
									  int64_t fence, struct sf_str kind, struct sf_str queue) {
	struct sf_jobs__letter *l = sf_calloc(1, sizeof *l);
	l->what = what, l->job[0] = (struct sf_jobs__named) { id, fence }, l->n = 1;
	memcpy(l->database, sf_jobs__post(s)->database, sizeof l->database);
	snprintf(l->kind, sizeof l->kind, SF_PRI, SF_ARG(kind));
	snprintf(l->queue, sizeof l->queue, SF_PRI, SF_ARG(queue));
	sf_list_init(&l->node);
	return l;
}

/* Puts a job into the last letter to its queue, where that names fewer than `most`, or into one of its own. */
static void post(struct sf_jobs__src *s, struct sf_node *out, const struct jobs_q_send_row *r, size_t most) {
	for (struct sf_node *at = out->prev; at != out; at = at->prev) {
		struct sf_jobs__letter *l = SF_CONTAINER(at, struct sf_jobs__letter, node);
		if (!sf_str_eq(sf_str(l->queue), r->queue)) continue;
		if (l->n >= most) break;
		l->job[l->n++] = (struct sf_jobs__named) { r->id, r->fence };
		return;
	}
	sf_list_push(out, &letter(s, SF_JOBS__JOB, r->id, r->fence, r->kind, r->queue)->node);
}

/* How many jobs a message names where n are to be published: the broker's work is by the message, but there shall be some
 * for several workers. */
static size_t share(size_t n) {
	size_t most = n / SHARES;
	return most < 1 ? 1 : most > SF_JOBS__LETTER_JOBS ? SF_JOBS__LETTER_JOBS : most;
}

/* ~ Publishes due jobs, as far as there is room for them; *more: there are others. */
static int send_jobs(struct sf_jobs__src *s, struct sf_arena *a, bool *more) {
	struct sf_jobs__amqp *q = s->js->amqp;
	int64_t room = SF_JOBS__WINDOW - sf_jobs__link_ahead(q->link), ns = sf_clock_ns();
	struct sf_node out;
	struct sf_rows rows;
	bool full = sf_jobs__look_at_all(s);
	q->held = room <= 0;
	if (q->held) return 0;
	struct jobs_q_send_in in = { .lanes = sf_jobs__open_lanes(s, a, full),
								 .now = sf_jobs__now(s),
								 .n = room < BATCH / SF_JOBS__LETTER_JOBS ? room * SF_JOBS__LETTER_JOBS
																		  : BATCH };
	int err = jobs_q_send(handle(s, a), &in, &rows);
	if (err) return err; /* marks that came to be all the same grow old */
	if (full) sf_jobs__looked_at_all(s, (sf_clock_ns() - ns) / 1000000);
	sf_list_init(&out);
	*more = (int64_t)rows.n >= in.n;
	for (size_t i = 0; i < rows.n; i++) {
		const struct jobs_q_send_row *r = SF_ROW(rows, jobs_q_send, i);
		post(s, &out, r, share(rows.n));
		if (*more && i == rows.n - 1) sf_jobs__set_floors(s, r->priority, r->run_at, in.now);
	}
	if (!*more) sf_jobs__set_floors(s, SF_JOBS__PRIORITIES, 0, in.now);
	sf_jobs__link_send(q->link, &out);
	return 0;
}

/* ~ Tells the dead-letter exchange of the dead. */
static int send_dead(struct sf_jobs__src *s, struct sf_arena *a) {
	int64_t now = sf_jobs__now(s);
	struct sf_node out;
	struct sf_rows rows;
	int err = jobs_q_dead_send(handle(s, a),
							   &(struct jobs_q_dead_send_in) {
								   .after = now - DAY_US, .now = now, .old = now - OLD_US, .n = DEAD_BATCH },
							   &rows);
	if (err) return err;
	sf_list_init(&out);
	for (size_t i = 0; i < rows.n; i++) {
		const struct jobs_q_dead_send_row *r = SF_ROW(rows, jobs_q_dead_send, i);
		sf_list_push(&out, &letter(s, SF_JOBS__NOTICE, r->id, 0, r->kind, r->queue)->node);
	}
	sf_jobs__link_send(s->js->amqp->link, &out);
	return 0;
}

/* ~ Marks that must be taken for lost go. Once a minute all are looked at, else those that have just grown old: behind them lie
 * the dead entries of the index, which an old snapshot may keep. */
static int sweep(struct sf_jobs__src *s, struct sf_arena *a) {
	struct sf_jobs__post *p = sf_jobs__post(s);
	int64_t now_ms = sf_loop_now(s->js->loop), now = sf_jobs__now(s);
	bool all = !p->swept_ms || now_ms - p->swept_ms >= SWEEP_MS;
	bool slow = sf_jobs__link_ahead(s->js->amqp->link) >= SF_JOBS__WINDOW / 2;
	struct jobs_q_sent_old_in in = { .until = now - (slow ? ANCIENT_US : OLD_US) };
	in.after = all ? 0 : in.until - SWEEP_US;
	int err = jobs_q_sent_old(handle(s, a), &in, NULL);
	if (!err && all) p->swept_ms = now_ms;
	return err;
}

/* ~ Once a second: lost marks, and the dead. */
static int tidy(struct sf_jobs__src *s, struct sf_arena *a) {
	struct sf_jobs__post *p = sf_jobs__post(s);
	int64_t now = sf_jobs__now(s);
	if (p->tidied_ms && sf_loop_now(s->js->loop) - p->tidied_ms < TIDY_MS) return 0;
	p->tidied_ms = sf_loop_now(s->js->loop);
	int err = sweep(s, a);
	if (!err)
		err = jobs_q_dead_old(handle(s, a), &(struct jobs_q_dead_old_in) { .until = now - 2 * DAY_US }, NULL);
	return err ? err : send_dead(s, a);
}

/* ~ Writes down what became of letters of one sort; those stay in the list until it is written. */
static int settle(struct sf_jobs__src *s, struct sf_arena *a, struct sf_node *list,
				  enum sf_jobs__letter_what what) {
	int64_t ids[BATCH];
	struct sf_ints many = { ids, 0 };
	struct sf_node mine, *at = list->next;
	bool ok = false;
	int err;
	sf_list_init(&mine);
	while (at != list && many.n + SF_JOBS__LETTER_JOBS <= BATCH) {
		struct sf_jobs__letter *l = SF_CONTAINER(at, struct sf_jobs__letter, node);
		at = at->next;
		if (l->what != what) continue;
		ok = l->ok;
		for (size_t i = 0; i < l->n; i++) ids[many.n++] = l->job[i].id;
		sf_list_del(&l->node);
		sf_list_push(&mine, &l->node);
	}
	if (sf_list_empty(&mine)) return 0;
	if (what == SF_JOBS__JOB)
		err = jobs_q_sent_gone(handle(s, a), &(struct jobs_q_sent_gone_in) { .ids = many }, NULL);
	else if (ok)
		err = jobs_q_dead_confirmed(handle(s, a), &(struct jobs_q_dead_confirmed_in) { .ids = many }, NULL);
	else
		err = jobs_q_dead_failed(handle(s, a), &(struct jobs_q_dead_failed_in) { .ids = many }, NULL);
	if (err)
		sf_jobs__letters_move(&mine, list);
	else
		sf_jobs__letters_free(&mine);
	return err;
}

/* ~ The name of the database in messages; the connection is made once all are known. */
static int learn_name(struct sf_jobs__src *s, struct sf_arena *a) {
	struct sf_jobs__post *p = sf_jobs__post(s);
	struct jobs_q_database_row row;
	int err = jobs_q_database(handle(s, a), &row);
	if (err) return err;
	snprintf(p->database, sizeof p->database, SF_PRI, SF_ARG(row.name));
	if (++s->js->amqp->named == s->js->nsrc && !s->js->draining) sf_jobs__amqp_connect(s->js->amqp);
	return 0;
}

/* ~ One round of the relay. */
static int relay_once(struct sf_jobs__src *s, struct sf_arena *a, bool *more) {
	struct sf_jobs__post *p = sf_jobs__post(s);
	*more = false;
	int err = p->database[0] ? 0 : learn_name(s, a);
	if (!err) err = settle(s, a, &p->failed, SF_JOBS__JOB);
	if (!err) err = settle(s, a, &p->failed, SF_JOBS__NOTICE);
	if (!err) err = settle(s, a, &p->told, SF_JOBS__NOTICE);
	if (err || !sf_jobs__amqp_up(s)) return err;
	err = tidy(s, a);
	return err ? err : send_jobs(s, a, more);
}

void sf_jobs__relay(void *src) {
	struct sf_jobs__src *s = src;
	struct sf_jobs *js = s->js;
	struct sf_arena *a = sf_arena_new(0);
	int64_t patience = 0;
	int last = 0;
	while (!js->draining) {
		bool more = false;
		sf_jobs__bound(js, &patience);
		int err = sf_jobs__unbound(&patience, relay_once(s, a, &more));
		sf_arena_reset(a);
		if (err && err != last)
			sf_log(SF_WARN, "jobs cannot be published", SF_KV("error", sf_err_symbol(err)));
		last = err;
		if (more && !err) continue;
		if (js->draining ||
			sf_jobs__wait(&sf_jobs__post(s)->relay, err ? RETRY_MS : js->o.poll_ms) == SF_ECANCELED)
			break;
		if (err && sf_sleep(RETRY_MS / 10)) break;
	}
	sf_arena_free(a);
	s->coroutines--;
	sf_jobs__check_over(js);
}
