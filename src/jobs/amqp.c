/* amqp: jobs through RabbitMQ, where AMQP_URL is set. The relay publishes what is due, the consumer claims what messages name.
 *
 * The jobs table stays the truth. A message says no more than "these jobs of database D are ready, each at its fence"; losing one costs
 * time, having it twice costs a look. A broker's work is by the message (a quorum queue on two cores takes and brings some
 * 10,000 to 30,000 a second, half of the machine with it), so where many jobs are due a message names some of them. Hence the rules:
 *
 *  1. The relay takes due jobs of the open lanes and marks them in job_sent, in one statement, and publishes what it has
 *     marked. It looks at marks, never at a last id, so a transaction that commits late is found by the next look
 *     . A mark names the fence: a job that was given back, rescued or put off has another one, and is published
 *     again when it is due.
 *  2. What the broker does not confirm loses its mark. So does, after OLD_US, what was marked and never claimed (the relay died
 *     in between, the broker lost its disk), unless the broker's queues are long: then it just waits. After
 *     ANCIENT_US it does so in any case. About SF_JOBS__WINDOW messages lie in the queues at a time, so that looking for
 *     unmarked jobs passes over not many more than those, and the backlog stays in the table, in order of priority.
 *     Losing marks costs messages that come twice, so PostgreSQL keeps them unlogged, and the look does not wait for the disk:
 *     the only thing it logs is its locks on the jobs.
 *  3. A consumer claims exactly the rows that its messages name, at their fences, under its lease, many in a statement. A message
 *     whose rows are over, taken or at other fences is acknowledged and forgotten. The others are acknowledged when the last
 *     of their runs is freed, which is after its end was written, whatever it was: no message is needed for what comes next.
 *  4. While the broker is heard and confirms, polling of the open lanes is off. Otherwise the pump claims by polling
 *     as without a broker; both may happen at once, for a claim is a claim. A worker that has nothing to do and was
 *     brought nothing for QUIET_MS looks at the table once, whatever the broker says of itself.
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

enum { PREFETCH = 64, HEARTBEAT_S = 2, QUIET_MS = 5000 };

struct sf_jobs__post *sf_jobs__post(const struct sf_jobs__src *s) {
	return &s->js->amqp->post[s - s->js->src];
}

bool sf_jobs__amqp_up(const struct sf_jobs__src *s) {
	const struct sf_jobs__amqp *q = s->js->amqp;
	return q && q->link && sf_jobs__link_up(q->link);
}

void sf_jobs__amqp_due(struct sf_jobs__src *s) {
	if (s->js->amqp) sf_jobs__signal(&sf_jobs__post(s)->relay);
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
	if (!l || --l->left) return;
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
	sf_list_push(&sf_jobs__post(s)->inbox, &l->node);
	sf_jobs__signal(&s->pump);
}

static void take_settled(struct sf_jobs__amqp *q, struct sf_jobs__letter *l) {
	struct sf_jobs__src *s = source_of(q, l->database);
	sf_list_del(&l->node);
	if (!s || l->what == SF_JOBS__PROBE || (l->ok && l->what == SF_JOBS__JOB)) {
		free(l);
		return;
	}
	sf_list_push(l->ok ? &sf_jobs__post(s)->told : &sf_jobs__post(s)->failed, &l->node);
	sf_jobs__signal(&sf_jobs__post(s)->relay);
}

static void say(struct sf_jobs__amqp *q, const char *error) {
	if (*error && !q->said && !q->stopped)
		sf_log(SF_WARN, "RabbitMQ is away; jobs are polled", SF_KV("why", error));
	if (!*error && q->said) sf_log(SF_INFO, "RabbitMQ is back");
	q->said = *error != 0;
	if (sf_jobs__link_dropped(q->link) == q->dropped) return;
	q->dropped = sf_jobs__link_dropped(q->link);
	sf_log(SF_WARN, "a queue of RabbitMQ had no leader and was deleted, to be declared anew");
}

static void event(void *arg) {
	struct sf_jobs__amqp *q = arg;
	struct sf_node delivered, settled;
	char error[200];
	bool was_said = q->said;
	sf_list_init(&delivered), sf_list_init(&settled);
	sf_jobs__link_take(q->link, &delivered, &settled, error);
	say(q, error);
	while (!sf_list_empty(&delivered))
		take_delivery(q, SF_CONTAINER(delivered.next, struct sf_jobs__letter, node));
	while (!sf_list_empty(&settled))
		take_settled(q, SF_CONTAINER(settled.next, struct sf_jobs__letter, node));
	if (was_said == q->said && !(q->held && sf_jobs__link_ahead(q->link) < SF_JOBS__WINDOW / 2)) return;
	q->held = false;
	for (size_t i = 0; i < q->js->nsrc; i++) sf_jobs__signal(&q->post[i].relay);
}

/* ---- consuming ----------------------------------------------------------------------------------------------------- */

struct wanted {
	struct sf_jobs__named job;
	struct sf_jobs__letter *letter;
};

static int by_job(const void *a, const void *b) {
	const struct sf_jobs__named *x = a, *y = b;
	if (x->id != y->id) return x->id < y->id ? -1 : 1;
	return x->fence < y->fence ? -1 : x->fence > y->fence;
}

/* Gives the letters of `asked` to the last `got` runs, which they brought. */
static void match(struct sf_jobs__src *s, struct sf_node *asked, struct wanted *w, size_t n, size_t got) {
	struct sf_node *at = s->runs.prev;
	qsort(w, n, sizeof *w, by_job);
	for (size_t i = 0; i < got && at != &s->runs; i++, at = at->prev) {
		struct sf_job *j = SF_CONTAINER(at, struct sf_job, all);
		struct sf_jobs__named was = { j->id, j->fence - 1 };
		const struct wanted *by = bsearch(&was, w, n, sizeof *w, by_job);
		if (!by) continue;
		j->letter = by->letter;
		by->letter->left++;
		sf_list_del(&by->letter->node);
	}
	while (!sf_list_empty(asked)) /* all of it over, taken, put off, or the same again */
		dismiss(s->js->amqp, SF_CONTAINER(asked->next, struct sf_jobs__letter, node), SF_JOBS__ACK);
}

/* ~ Claims what messages name, of the last one all. */
static int claim_some(struct sf_jobs__src *s, struct sf_arena *a, size_t n, size_t *got) {
	struct sf_jobs__post *p = sf_jobs__post(s);
	struct sf_dbh *h = sf_db_auto(s->db, a, SF_READ_PRIMARY, "jobs.claim");
	size_t most = n + SF_JOBS__LETTER_JOBS, k = 0;
	int64_t *ids = sf_arena_alloc(a, most * sizeof *ids), *fences = sf_arena_alloc(a, most * sizeof *fences);
	struct wanted *wanted = sf_arena_alloc(a, most * sizeof *wanted);
	struct sf_node asked;
	struct sf_rows rows;
	if (!s->worker) return SF_EUNAVAILABLE; /* the lease was lost since the round began */
	sf_list_init(&asked);
	while (k < n && !sf_list_empty(&p->inbox)) {
		struct sf_jobs__letter *l = SF_CONTAINER(p->inbox.next, struct sf_jobs__letter, node);
		for (size_t i = 0; i < l->n; i++, k++) {
			ids[k] = l->job[i].id, fences[k] = l->job[i].fence;
			wanted[k] = (struct wanted) { l->job[i], l };
		}
		sf_list_del(&l->node);
		sf_list_push(&asked, &l->node);
	}
	struct jobs_q_claim_sent_in in = {
		.worker = s->worker, .now = sf_jobs__now(s), .ids = { ids, k }, .fences = { fences, k }
	};
	int err = jobs_q_claim_sent(h, &in, &rows);
	if (err) { /* it may have happened; the messages are asked for again */
		s->doubt = true;
		sf_jobs__letters_move(&asked, &p->inbox);
		return err;
	}
	size_t before = s->nruns;
	sf_jobs__take(s, &rows);
	match(s, &asked, wanted, k, s->nruns - before);
	if (sf_dbh_engine(h) == SF_LITE && k)
		err = jobs_q_sent_gone(h, &(struct jobs_q_sent_gone_in) { .ids = { ids, k } }, NULL);
	s->js->stats.brought += rows.n;
	*got += rows.n;
	return err;
}

int sf_jobs__amqp_claim(struct sf_jobs__src *s, struct sf_arena *a, int n, size_t *got) {
	struct sf_jobs__post *p = sf_jobs__post(s);
	size_t first = *got;
	if (s->next_at <= sf_jobs__now(s)) sf_jobs__amqp_due(s);
	if (n <= 0 || sf_list_empty(&p->inbox)) return 0;
	int err = claim_some(s, a, (size_t)n, got);
	if (*got > first) p->brought_ms = sf_loop_now(s->js->loop);
	if (!sf_list_empty(&p->inbox))
		sf_jobs__signal(&s->pump); /* what came meanwhile: after these have begun */
	return err;
}

bool sf_jobs__amqp_quiet(struct sf_jobs__src *s) {
	struct sf_jobs__post *p = sf_jobs__post(s);
	int64_t now = sf_loop_now(s->js->loop);
	if (s->nruns || now - p->brought_ms < QUIET_MS) return false;
	p->brought_ms = now;
	return true;
}

/* ---- life ---------------------------------------------------------------------------------------------------------------- */

static void link_ended(void *arg) {
	struct sf_jobs__amqp *q = arg;
	q->js->helpers--;
	sf_jobs__check_over(q->js);
}

void sf_jobs__amqp_connect(struct sf_jobs__amqp *q) {
	const struct sf_jobs__src *s = q->js->src;
	const char **queues = sf_calloc(s->nlane + 1, sizeof *queues);
	size_t n = 0;
	for (size_t i = 0; i < s->nlane; i++) {
		bool have = s->lane[i].kind != NULL || s->lane[i].suspects; /* those are claimed from the table */
		for (size_t k = 0; k < n && !have; k++) have = !strcmp(queues[k], s->lane[i].queue);
		if (!have) queues[n++] = s->lane[i].queue;
	}
	const struct sf_jobs_opts *set = &q->js->o;
	struct sf_jobs__link_opts o = { .url = q->url,
									.ca_file = q->ca_file,
									.queues = queues,
									.prefetch = set->amqp_prefetch > 0 ? set->amqp_prefetch : PREFETCH,
									.heartbeat_s =
										set->amqp_heartbeat_s > 0 ? set->amqp_heartbeat_s : HEARTBEAT_S,
									.loop = q->js->loop,
									.event = event,
									.ended = link_ended,
									.arg = q };
	q->link = sf_jobs__link_start(&o);
	q->js->helpers++;
	free(queues);
}

static char *copy(const char *text) {
	return text && *text ? sf_strdup(text) : NULL;
}

int sf_jobs__amqp_new(struct sf_jobs *js) {
	if (!js->o.amqp_url || !*js->o.amqp_url) return 0;
	if (!sf_jobs__amqp_url_usable(js->o.amqp_url)) {
		sf_log(SF_ERROR, "AMQP_URL must be amqp://user:password@host:port/vhost or amqps://…");
		return SF_EINVAL;
	}
	struct sf_jobs__amqp *q = js->amqp = sf_calloc(1, sizeof *q);
	q->js = js, q->url = copy(js->o.amqp_url), q->ca_file = copy(js->o.amqp_ca_file);
	q->post = sf_calloc(js->nsrc + 1, sizeof *q->post);
	for (size_t i = 0; i < js->nsrc; i++)
		sf_list_init(&q->post[i].inbox), sf_list_init(&q->post[i].failed), sf_list_init(&q->post[i].told);
	return 0;
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
	free(q->url);
	free(q->ca_file);
	free(q);
	js->amqp = NULL;
}
