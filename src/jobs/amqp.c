/* amqp: jobs through RabbitMQ, where AMQP_URL is set. The relay publishes what is due, the consumer claims what messages name.
 *
 * The jobs table stays the truth. A message says no more than "job N of database D at fence F is ready"; losing one costs time,
 * having it twice costs a look. Hence the rules:
 *
 *  1. The relay takes due jobs of the open lanes and marks them in job_sent, in one statement, and publishes what it has
 *     marked. It looks at marks, never at a last id, so a transaction that commits late is found by the next look
 *     . A mark names the fence: a job that was given back, rescued or put off has another one, and is published
 *     again when it is due.
 *  2. What the broker does not confirm loses its mark. So does, after OLD_US, what was marked and never claimed (the relay died
 *     in between, the broker lost its disk), unless the broker's queues are long: then it just waits. After
 *     ANCIENT_US it does so in any case. At most WINDOW marks stand at a time, so that looking for unmarked jobs
 *     passes over no more than those, and the backlog stays in the table, in order of priority.
 *  3. A consumer claims exactly the rows that its messages name, at their fences, under its lease, many in a statement. A message
 *     whose row is over, taken or at another fence is acknowledged and forgotten. The others are acknowledged when the
 *     run is freed, which is after its end was written, whatever it was: no message is needed for what comes next.
 *  4. While the broker is heard, polling of the open lanes is off. Once it is silent for SILENT_MS the pump claims by polling
 *     as without a broker; both may happen at once, for a claim is a claim.
 *  5. Lanes with limits and suspects are claimed from the table even then: their limits are counted under its locks.
 *  6. Dead jobs are told to the exchange softfactory-dead, at least once, by marks in job_dead_sent that are confirmed.
 *
 * Every runner is relay and consumer for its own queues; there is no relay to be elected and none to be missed. */
#include "jobs/amqp.h"

#include "core/log.h"
#include "core/time.h"
#include "jobs/internal.h"
#include <stdio.h>
#include <stdlib.h>

#include "jobs.q.h"

#define OLD_US     (10 * SF_USEC)
#define ANCIENT_US (600 * SF_USEC)
#define DAY_US     (86400 * SF_USEC)
enum { SILENT_MS = 2500, WINDOW = 2000, BATCH = 500, TIDY_MS = 1000, RETRY_MS = 200, DEAD_BATCH = 100 };

struct sf_jobs__post { /* a source's letters; lifetime: the runner */
	char database[40];
	struct sf_node inbox;  /* delivered, not claimed yet */
	struct sf_node failed; /* published, not confirmed */
	struct sf_node told;   /* notices that were confirmed */
	struct sf_jobs__signal relay;
	int64_t tidied_ms;
};

struct sf_jobs__amqp { /* of a runner */
	struct sf_jobs *js;
	struct sf_jobs__link *link; /* NULL until every database's name is known */
	struct sf_jobs__post *post; /* by source */
	size_t named;
	bool stopped, said;
};

static struct sf_jobs__post *post_of(const struct sf_jobs__src *s) {
	return &s->js->amqp->post[s - s->js->src];
}

bool sf_jobs__amqp_up(const struct sf_jobs__src *s) {
	const struct sf_jobs__amqp *q = s->js->amqp;
	return q && q->link && sf_jobs__link_silence(q->link) < SILENT_MS;
}

/* ---- acknowledging ---------------------------------------------------------------------------------------------- */

static void dismiss(struct sf_jobs__amqp *q, struct sf_jobs__letter *l, enum sf_jobs__letter_what how) {
	struct sf_node one;
	l->what = how;
	sf_list_init(&one);
	sf_list_del(&l->node);
	sf_list_push(&one, &l->node);
	sf_jobs__link_send(q->link, &one);
}

void sf_jobs__amqp_over(struct sf_job *j) {
	struct sf_jobs__amqp *q = j->src->js->amqp;
	struct sf_jobs__letter *l = j->letter;
	j->letter = NULL;
	if (!l) return;
	if (q && q->link)
		dismiss(q, l, SF_JOBS__ACK);
	else
		free(l);
}

/* ---- what the thread says ----------------------------------------------------------------------------------------- */

static struct sf_jobs__src *source_of(struct sf_jobs__amqp *q, const char *database) {
	for (size_t i = 0; i < q->js->nsrc; i++)
		if (!strcmp(q->post[i].database, database)) return &q->js->src[i];
	return NULL;
}

static void take_delivery(struct sf_jobs__amqp *q, struct sf_jobs__letter *l) {
	struct sf_jobs__src *s = l->valid ? source_of(q, l->database) : NULL;
	if (!s) {
		sf_log(SF_WARN, "a message that names no job of ours is put with the dead", SF_KV("valid", l->valid));
		dismiss(q, l, SF_JOBS__REJECT);
		return;
	}
	sf_list_del(&l->node);
	sf_list_push(&post_of(s)->inbox, &l->node);
	sf_jobs__signal(&s->pump);
}

static void take_settled(struct sf_jobs__amqp *q, struct sf_jobs__letter *l) {
	struct sf_jobs__src *s = source_of(q, l->database);
	sf_list_del(&l->node);
	if (!s || (l->ok && l->what == SF_JOBS__JOB)) {
		free(l);
		return;
	}
	sf_list_push(l->ok ? &post_of(s)->told : &post_of(s)->failed, &l->node);
	sf_jobs__signal(&post_of(s)->relay);
}

static void say(struct sf_jobs__amqp *q, const char *error) {
	if (*error && !q->said) sf_log(SF_WARN, "RabbitMQ is away; jobs are polled", SF_KV("why", error));
	if (!*error && q->said) sf_log(SF_INFO, "RabbitMQ is back");
	q->said = *error != 0;
}

static void event(void *arg) {
	struct sf_jobs__amqp *q = arg;
	struct sf_node delivered, settled;
	char error[200];
	sf_list_init(&delivered), sf_list_init(&settled);
	sf_jobs__link_take(q->link, &delivered, &settled, error);
	say(q, error);
	while (!sf_list_empty(&delivered))
		take_delivery(q, SF_CONTAINER(delivered.next, struct sf_jobs__letter, node));
	while (!sf_list_empty(&settled))
		take_settled(q, SF_CONTAINER(settled.next, struct sf_jobs__letter, node));
	for (size_t i = 0; i < q->js->nsrc; i++) sf_jobs__signal(&q->post[i].relay);
}

/* ---- consuming ----------------------------------------------------------------------------------------------------- */

static void match(struct sf_jobs__src *s, struct sf_node *asked, size_t got) {
	struct sf_node *at = s->runs.prev;
	for (size_t i = 0; i < got && at != &s->runs; i++, at = at->prev) {
		struct sf_job *j = SF_CONTAINER(at, struct sf_job, all);
		for (struct sf_node *n = asked->next; n != asked; n = n->next) {
			struct sf_jobs__letter *l = SF_CONTAINER(n, struct sf_jobs__letter, node);
			if (l->id != j->id || l->fence + 1 != j->fence) continue;
			sf_list_del(&l->node);
			j->letter = l;
			break;
		}
	}
	while (!sf_list_empty(asked)) /* over, taken, put off, or the same again */
		dismiss(s->js->amqp, SF_CONTAINER(asked->next, struct sf_jobs__letter, node), SF_JOBS__ACK);
}

/* ~ Claims what at most n messages name. */
static int claim_some(struct sf_jobs__src *s, struct sf_arena *a, size_t n, size_t *took, size_t *got) {
	struct sf_jobs__post *p = post_of(s);
	struct sf_dbh *h = sf_db_auto(s->db, a, SF_READ_PRIMARY, "jobs.claim");
	int64_t *ids = sf_arena_alloc(a, n * sizeof *ids), *fences = sf_arena_alloc(a, n * sizeof *fences);
	struct sf_node asked;
	struct sf_rows rows;
	size_t k = 0;
	sf_list_init(&asked);
	for (; k < n && !sf_list_empty(&p->inbox); k++) {
		struct sf_jobs__letter *l = SF_CONTAINER(p->inbox.next, struct sf_jobs__letter, node);
		ids[k] = l->id, fences[k] = l->fence;
		sf_list_del(&l->node);
		sf_list_push(&asked, &l->node);
	}
	struct jobs_q_claim_sent_in in = {
		.worker = s->worker, .now = sf_jobs__now(s), .ids = { ids, k }, .fences = { fences, k }
	};
	int err = jobs_q_claim_sent(h, &in, &rows);
	if (err) { /* it may have happened; the messages are asked for again */
		s->doubt = true;
		while (!sf_list_empty(&asked)) {
			struct sf_node *at = asked.next;
			sf_list_del(at);
			sf_list_push(&p->inbox, at);
		}
		return err;
	}
	size_t before = s->nruns;
	sf_jobs__take(s, &rows);
	match(s, &asked, s->nruns - before);
	if (sf_dbh_engine(h) == SF_LITE && k)
		err = jobs_q_sent_gone(h, &(struct jobs_q_sent_gone_in) { .ids = { ids, k } }, NULL);
	s->js->stats.brought += rows.n;
	*took = k, *got += rows.n;
	return err;
}

int sf_jobs__amqp_claim(struct sf_jobs__src *s, struct sf_arena *a, int n, size_t *got) {
	size_t want = n > 0 ? (size_t)n : 0, first = *got, took = 1;
	int err = 0;
	sf_jobs__signal(&post_of(s)->relay); /* whatever woke the pump may be there to be published */
	while (!err && *got - first < want && !sf_list_empty(&post_of(s)->inbox) && took)
		err = claim_some(s, a, want - (*got - first), &took, got);
	return err;
}

/* ---- the relay -------------------------------------------------------------------------------------------------------- */

static struct sf_dbh *handle(struct sf_jobs__src *s, struct sf_arena *a) {
	return sf_db_auto(s->db, a, SF_READ_PRIMARY, "jobs.relay");
}

static struct sf_jobs__letter *letter(struct sf_jobs__src *s, enum sf_jobs__letter_what what, int64_t id,
									  int64_t fence, struct sf_str kind, struct sf_str queue) {
	struct sf_jobs__letter *l = sf_calloc(1, sizeof *l);
	l->what = what, l->id = id, l->fence = fence;
	memcpy(l->database, post_of(s)->database, sizeof l->database);
	snprintf(l->kind, sizeof l->kind, SF_PRI, SF_ARG(kind));
	snprintf(l->queue, sizeof l->queue, SF_PRI, SF_ARG(queue));
	sf_list_init(&l->node);
	return l;
}

/* ~ Publishes due jobs; *more: there are others. */
static int send_jobs(struct sf_jobs__src *s, struct sf_arena *a, bool *more) {
	struct jobs_q_sent_count_row marks;
	struct sf_node out;
	struct sf_rows rows;
	*more = false;
	int err = jobs_q_sent_count(handle(s, a), &marks);
	if (err || marks.n >= WINDOW) return err;
	struct jobs_q_send_in in = { .lanes = sf_jobs__open_lanes(s, a),
								 .now = sf_jobs__now(s),
								 .n = WINDOW - marks.n < BATCH ? WINDOW - marks.n : BATCH };
	err = jobs_q_send(handle(s, a), &in, &rows);
	if (err) return err; /* marks that came to be all the same grow old */
	sf_list_init(&out);
	for (size_t i = 0; i < rows.n; i++) {
		const struct jobs_q_send_row *r = SF_ROW(rows, jobs_q_send, i);
		sf_list_push(&out, &letter(s, SF_JOBS__JOB, r->id, r->fence, r->kind, r->queue)->node);
	}
	sf_jobs__link_send(s->js->amqp->link, &out);
	*more = (int64_t)rows.n == in.n;
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

/* ~ Once a second: marks that must be taken for lost go, the dead are told of. */
static int tidy(struct sf_jobs__src *s, struct sf_arena *a) {
	struct sf_jobs__post *p = post_of(s);
	int64_t now = sf_jobs__now(s), depth = sf_jobs__link_depth(s->js->amqp->link);
	if (p->tidied_ms && sf_loop_now(s->js->loop) - p->tidied_ms < TIDY_MS) return 0;
	p->tidied_ms = sf_loop_now(s->js->loop);
	int err = jobs_q_sent_old(
		handle(s, a),
		&(struct jobs_q_sent_old_in) { .until = now - (depth < WINDOW / 2 ? OLD_US : ANCIENT_US) }, NULL);
	if (!err)
		err = jobs_q_dead_old(handle(s, a), &(struct jobs_q_dead_old_in) { .until = now - 2 * DAY_US }, NULL);
	return err ? err : send_dead(s, a);
}

/* ~ Writes down what became of letters of one sort; those stay in the list until it is written. */
static int settle(struct sf_jobs__src *s, struct sf_arena *a, struct sf_node *list,
				  enum sf_jobs__letter_what what) {
	int64_t ids[BATCH];
	struct sf_jobs__letter *done[BATCH];
	size_t n = 0;
	int err = 0;
	for (struct sf_node *at = list->next; at != list && n < BATCH; at = at->next) {
		struct sf_jobs__letter *l = SF_CONTAINER(at, struct sf_jobs__letter, node);
		if (l->what == what) done[n] = l, ids[n++] = l->id;
	}
	if (!n) return 0;
	struct sf_ints many = { ids, n };
	if (what == SF_JOBS__JOB)
		err = jobs_q_sent_gone(handle(s, a), &(struct jobs_q_sent_gone_in) { .ids = many }, NULL);
	else if (done[0]->ok)
		err = jobs_q_dead_confirmed(handle(s, a), &(struct jobs_q_dead_confirmed_in) { .ids = many }, NULL);
	else
		err = jobs_q_dead_failed(handle(s, a), &(struct jobs_q_dead_failed_in) { .ids = many }, NULL);
	for (size_t i = 0; i < n && !err; i++) {
		sf_list_del(&done[i]->node);
		free(done[i]);
	}
	return err;
}

static void start_link(struct sf_jobs__amqp *q);

/* ~ The name of the database in messages; the connection is made once all are known. */
static int learn_name(struct sf_jobs__src *s, struct sf_arena *a) {
	struct sf_jobs__post *p = post_of(s);
	struct jobs_q_database_row row;
	int err = jobs_q_database(handle(s, a), &row);
	if (err) return err;
	snprintf(p->database, sizeof p->database, SF_PRI, SF_ARG(row.name));
	if (++s->js->amqp->named == s->js->nsrc && !s->js->draining) start_link(s->js->amqp);
	return 0;
}

/* ~ One round of the relay. */
static int relay_once(struct sf_jobs__src *s, struct sf_arena *a, bool *more) {
	struct sf_jobs__post *p = post_of(s);
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
	int last = 0;
	while (!js->draining) {
		bool more = false;
		int err = relay_once(s, a, &more);
		sf_arena_reset(a);
		if (err && err != last)
			sf_log(SF_WARN, "jobs cannot be published", SF_KV("error", sf_err_symbol(err)));
		last = err;
		if (more && !err) continue;
		if (js->draining || sf_jobs__wait(&post_of(s)->relay, err ? RETRY_MS : js->o.poll_ms) == SF_ECANCELED)
			break;
		if (err && sf_sleep(RETRY_MS / 10)) break;
	}
	sf_arena_free(a);
	s->coroutines--;
	sf_jobs__check_over(js);
}

/* ---- life ---------------------------------------------------------------------------------------------------------------- */

static void link_ended(void *arg) {
	struct sf_jobs__amqp *q = arg;
	q->js->helpers--;
	sf_jobs__check_over(q->js);
}

static void start_link(struct sf_jobs__amqp *q) {
	const struct sf_jobs__src *s = q->js->src;
	const char **queues = sf_calloc(s->nlane + 1, sizeof *queues);
	size_t n = 0;
	for (size_t i = 0; i < s->nlane; i++) {
		bool have = s->lane[i].kind != NULL || s->lane[i].suspects; /* those are claimed from the table */
		for (size_t k = 0; k < n && !have; k++) have = !strcmp(queues[k], s->lane[i].queue);
		if (!have) queues[n++] = s->lane[i].queue;
	}
	struct sf_jobs__link_opts o = { .url = q->js->o.amqp_url,
									.queues = queues,
									.prefetch = q->js->o.concurrency * 4,
									.loop = q->js->loop,
									.event = event,
									.ended = link_ended,
									.arg = q };
	int err = sf_jobs__link_start(&o, &q->link);
	if (err)
		sf_log(SF_ERROR, "AMQP_URL must be amqp://user:password@host:port/vhost; jobs are polled");
	else
		q->js->helpers++;
	free(queues);
}

void sf_jobs__amqp_new(struct sf_jobs *js) {
	if (!js->o.amqp_url) return;
	struct sf_jobs__amqp *q = js->amqp = sf_calloc(1, sizeof *q);
	q->js = js;
	q->post = sf_calloc(js->nsrc + 1, sizeof *q->post);
	for (size_t i = 0; i < js->nsrc; i++)
		sf_list_init(&q->post[i].inbox), sf_list_init(&q->post[i].failed), sf_list_init(&q->post[i].told);
}

void sf_jobs__amqp_drain(struct sf_jobs *js) {
	for (size_t i = 0; js->amqp && i < js->nsrc; i++) sf_jobs__signal(&js->amqp->post[i].relay);
}

void sf_jobs__amqp_stop(struct sf_jobs *js) {
	struct sf_jobs__amqp *q = js->amqp;
	if (!q || !q->link || q->stopped) return;
	q->stopped = true;
	sf_jobs__link_stop(q->link);
}

void sf_jobs__amqp_free(struct sf_jobs *js) {
	struct sf_jobs__amqp *q = js->amqp;
	if (!q) return;
	sf_jobs__link_free(q->link);
	for (size_t i = 0; i < js->nsrc; i++) {
		sf_jobs__letters_free(&q->post[i].inbox);
		sf_jobs__letters_free(&q->post[i].failed);
		sf_jobs__letters_free(&q->post[i].told);
	}
	free(q->post);
	free(q);
	js->amqp = NULL;
}
