/* amqp_link: a connection to RabbitMQ on a thread of its own, that publishes, consumes, and comes back.
 *
 * librabbitmq reads and writes in the calling thread and may wait there: for the rest of a frame, for an answer, for a broker
 * that has stopped reading because its memory is full. On the loop each of these would hold up every coroutine, and
 * one call at a time in the thread pool would hold a pool thread for as long. So the connection has a thread, and
 * the two sides share nothing but three lists of letters under a lock: what is to be sent, what was delivered, what has
 * settled. An eventfd wakes the thread, sf_loop_post the loop. The thread decides nothing: what is lost with it, or
 * with the connection, is found by the relay, which has the database.
 *
 * Whether jobs may be left to the broker alone is told by three signs, all of this connection:
 *
 *  - It is heard. With a heartbeat of H s the broker sends at least a frame every H / 2 s while it lives.
 *  - It confirms. A broker that was just started, or that has an alarm of its memory or disk, takes connections and
 *    messages, and confirms none until its queues have elected their leaders and the alarm is over. So the first thing
 *    that is published is a probe into each queue; jobs are polled until all are confirmed.
 *  - No confirmation is late. One that does not come at all ends the connection.
 *
 * A broker that was killed soon after a queue was declared may come back with a queue that never elects a leader
 * (rabbitmq-server issue 10070), and takes neither messages nor consumers. One that is found so for STUCK_MS is deleted, and
 * declared anew by the next connection: no job is lost with a message. */
#include "jobs/amqp_wire.h"

#include "loop/loop.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	LATE_MS = 2000, /* a confirmation later than this leaves jobs to polling */
	LOST_MS = 5000, /* later than this: the connection is given up */
	BACKOFF_MS = 50,
	BACKOFF_MAX_MS = 1000,
	DEPTH_MS = 1000,
	STUCK_MS = 20000,
	SLACK_MS = 500, /* on top of a heartbeat, for a machine that is busy */
};

struct sf_jobs__link {
	struct sf_jobs__link_opts o;
	char **queue;
	size_t nqueue;
	pthread_t thread;
	int bell; /* eventfd */
	_Atomic(int64_t) heard_ms, waiting_ms /* since when the oldest publication waits; 0: none */, ahead;
	_Atomic bool stop, connected;
	_Atomic(size_t) unproven; /* queues that have not confirmed their probe */
	_Atomic int dropped;      /* queues that were deleted */
	pthread_mutex_t lock;     /* of the following */
	struct sf_node out, delivered, settled;
	char error[200];
	bool posted;
	/* the thread's own */
	struct sf_jobs__wire wire;
	struct sf_node pending; /* published, not confirmed; in order */
	uint32_t generation;
	int64_t depth_at_ms,
		stuck_ms; /* stuck: since when a queue has no leader, some seconds later for some; 0: none */
};

static int64_t now_ms(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct sf_jobs__letter *first(struct sf_node *list) {
	return sf_list_empty(list) ? NULL : SF_CONTAINER(list->next, struct sf_jobs__letter, node);
}

/* ---- to the loop ------------------------------------------------------------------------------------------------ */

static void on_loop(void *arg) {
	struct sf_jobs__link *k = arg;
	pthread_mutex_lock(&k->lock);
	k->posted = false;
	pthread_mutex_unlock(&k->lock);
	k->o.event(k->o.arg);
}

/* Holds the lock. */
static void tell(struct sf_jobs__link *k) {
	if (!k->posted) sf_loop_post(k->o.loop, on_loop, k);
	k->posted = true;
}

static void settle(struct sf_jobs__link *k, struct sf_jobs__letter *l, bool ok) {
	l->ok = ok;
	sf_list_del(&l->node);
	pthread_mutex_lock(&k->lock);
	sf_list_push(&k->settled, &l->node);
	tell(k);
	pthread_mutex_unlock(&k->lock);
}

static void waits(struct sf_jobs__link *k) {
	const struct sf_jobs__letter *l = first(&k->pending);
	k->waiting_ms = l ? l->at_ms : 0;
}

/* ---- the connection ------------------------------------------------------------------------------------------------- */

static void disconnect(struct sf_jobs__link *k, const char *why) {
	k->connected = false;
	sf_jobs__wire_close(&k->wire);
	for (struct sf_jobs__letter *l; (l = first(&k->pending));) settle(k, l, false);
	waits(k);
	pthread_mutex_lock(&k->lock);
	snprintf(k->error, sizeof k->error, "%s", why);
	tell(k);
	pthread_mutex_unlock(&k->lock);
}

static int publish(struct sf_jobs__link *k, struct sf_jobs__letter *l) {
	int err = sf_jobs__wire_publish(&k->wire, l);
	if (err == SF_ETOOLARGE) {
		settle(k, l, false);
		return 0;
	}
	l->tag = k->wire.published, l->at_ms = now_ms();
	sf_list_del(&l->node);
	sf_list_push(&k->pending, &l->node); /* also if it failed: it may have arrived */
	waits(k);
	return err;
}

/* The last of the probes is confirmed. */
static void proven(struct sf_jobs__link *k) {
	pthread_mutex_lock(&k->lock);
	k->error[0] = 0;
	tell(k);
	pthread_mutex_unlock(&k->lock);
}

static int connect_all(struct sf_jobs__link *k) {
	k->generation++;
	k->depth_at_ms = 0;
	int err = sf_jobs__wire_open(&k->wire);
	if (err) return err;
	k->ahead = 0;
	k->unproven = k->nqueue;
	k->heard_ms = now_ms();
	k->connected = true;
	for (size_t i = 0; i < k->nqueue && !err; i++) {
		struct sf_jobs__letter *l = sf_calloc(1, sizeof *l);
		l->what = SF_JOBS__PROBE;
		snprintf(l->queue, sizeof l->queue, "%s", k->queue[i]);
		sf_list_init(&l->node);
		err = publish(k, l);
	}
	if (!k->nqueue) proven(k);
	return err;
}

static int answer(struct sf_jobs__link *k, struct sf_jobs__letter *l) {
	int err = 0;
	if (l->generation == k->generation) /* else its connection is gone, and the delivery with it */
		err = sf_jobs__wire_answer(&k->wire, l->tag, l->what == SF_JOBS__ACK);
	sf_list_del(&l->node);
	free(l);
	return err;
}

/* Writes what the loop has handed over; without a connection it settles as failed. */
static int write_out(struct sf_jobs__link *k) {
	struct sf_node mine;
	int err = 0;
	sf_list_init(&mine);
	pthread_mutex_lock(&k->lock);
	sf_jobs__letters_move(&k->out, &mine);
	pthread_mutex_unlock(&k->lock);
	for (struct sf_node *at = mine.next, *next; at != &mine; at = next) {
		struct sf_jobs__letter *l = SF_CONTAINER(at, struct sf_jobs__letter, node);
		next = at->next;
		bool publication = l->what == SF_JOBS__JOB || l->what == SF_JOBS__NOTICE;
		if (!err && k->connected)
			err = publication ? publish(k, l) : answer(k, l);
		else if (publication)
			settle(k, l, false);
		else
			sf_list_del(&l->node), free(l);
	}
	return err;
}

static int confirmed(struct sf_jobs__link *k, const struct sf_jobs__wire_event *e) {
	bool ok = e->what == SF_JOBS__WIRE_CONFIRMED, probe_refused = false;
	for (struct sf_node *at = k->pending.next, *next; at != &k->pending; at = next) {
		struct sf_jobs__letter *l = SF_CONTAINER(at, struct sf_jobs__letter, node);
		next = at->next;
		if (l->tag > e->tag) break;
		if (!e->multiple && l->tag != e->tag) continue;
		if (l->what == SF_JOBS__PROBE && ok && !--k->unproven) proven(k);
		probe_refused = probe_refused || (l->what == SF_JOBS__PROBE && !ok);
		settle(k, l, ok);
	}
	waits(k);
	if (!probe_refused) return 0;
	snprintf(k->wire.error, sizeof k->wire.error, "publishing: a queue refuses messages");
	return SF_EUNAVAILABLE;
}

static void delivered(struct sf_jobs__link *k, const struct sf_jobs__wire_event *e) {
	struct sf_jobs__letter *l = sf_malloc(sizeof *l);
	*l = e->letter;
	l->generation = k->generation, l->tag = e->tag, l->valid = e->valid;
	sf_list_init(&l->node);
	k->ahead -= 1;
	pthread_mutex_lock(&k->lock);
	sf_list_push(&k->delivered, &l->node);
	tell(k);
	pthread_mutex_unlock(&k->lock);
}

static int read_all(struct sf_jobs__link *k) {
	struct sf_jobs__wire_event e;
	int got, err = 0;
	while (!err && !k->stop && (got = sf_jobs__wire_read(&k->wire, &e)) != 0) {
		if (got < 0) return got;
		k->heard_ms = now_ms();
		if (e.what == SF_JOBS__WIRE_DELIVERED)
			delivered(k, &e);
		else if (e.what == SF_JOBS__WIRE_PROBED)
			err = sf_jobs__wire_answer(&k->wire, e.tag, true);
		else
			err = confirmed(k, &e);
	}
	return err;
}

static int ask_depth(struct sf_jobs__link *k) {
	int64_t n = 0;
	if (now_ms() - k->depth_at_ms < DEPTH_MS) return 0;
	int err = sf_jobs__wire_depth(&k->wire, &n);
	if (err) return err;
	k->ahead = n;
	k->heard_ms = k->depth_at_ms = now_ms();
	return 0;
}

/* ---- the thread ------------------------------------------------------------------------------------------------------- */

/* Waits for the broker or for the bell. */
static void wait_some(struct sf_jobs__link *k, int ms) {
	struct pollfd p[2] = { { .fd = k->bell, .events = POLLIN }, { .fd = -1, .events = POLLIN } };
	uint64_t count;
	if (k->connected) p[1].fd = amqp_get_sockfd(k->wire.conn);
	if (poll(p, 2, ms) <= 0) return;
	if (p[0].revents && read(k->bell, &count, sizeof count) < 0) return;
	if (p[1].revents & POLLIN) k->heard_ms = now_ms(); /* a heartbeat is read and not told of */
}

/* One round with a connection. */
static int serve(struct sf_jobs__link *k) {
	int err = write_out(k);
	if (!err) err = read_all(k);
	if (!err) err = ask_depth(k);
	if (err) return err;
	if (k->waiting_ms && now_ms() - k->waiting_ms > LOST_MS) {
		snprintf(k->wire.error, sizeof k->wire.error, "publishing: no confirmation");
		return SF_EUNAVAILABLE;
	}
	if (!sf_jobs__wire_has(&k->wire)) wait_some(k, 200);
	return 0;
}

/* Without one: what was handed over meanwhile goes back to the relay. */
static void stay_away(struct sf_jobs__link *k, int64_t ms) {
	for (int64_t until = now_ms() + ms; !k->stop && now_ms() < until;) {
		int err = write_out(k);
		(void)err;
		wait_some(k, (int)(until - now_ms()));
	}
}

static void mend(struct sf_jobs__link *k, unsigned *seed) {
	const char *queue = k->wire.stuck;
	if (!queue || !k->stuck_ms) {
		k->stuck_ms =
			queue ? now_ms() + rand_r(seed) % (STUCK_MS / 2) : 0; /* workers do not all do it at once */
		return;
	}
	if (now_ms() - k->stuck_ms < STUCK_MS) return;
	k->stuck_ms = 0;
	if (!sf_jobs__wire_drop(&k->wire, queue)) k->dropped++;
	disconnect(k, k->wire.error[0] ? k->wire.error : "a queue without a leader was deleted");
}

static void ended(void *arg) {
	struct sf_jobs__link *k = arg;
	pthread_join(k->thread, NULL);
	k->o.ended(k->o.arg);
}

static void *run(void *arg) {
	struct sf_jobs__link *k = arg;
	unsigned seed = (unsigned)now_ms() ^ (unsigned)getpid();
	int64_t pause = BACKOFF_MS;
	while (!k->stop) {
		int err = k->connected ? serve(k) : connect_all(k);
		if (!err) {
			if (!k->unproven) pause = BACKOFF_MS;
			continue;
		}
		disconnect(k, k->wire.error);
		mend(k, &seed);
		stay_away(k, 1 + pause / 2 + rand_r(&seed) % pause);
		pause = pause * 2 < BACKOFF_MAX_MS ? pause * 2 : BACKOFF_MAX_MS;
	}
	if (k->connected) {
		int err = write_out(k); /* the last acknowledgements */
		(void)err;
	}
	disconnect(k, "");
	sf_loop_post(k->o.loop, ended, k);
	return NULL;
}

/* ---- the face of it ------------------------------------------------------------------------------------------------------ */

static void ring(struct sf_jobs__link *k) {
	uint64_t one = 1;
	ssize_t n = write(k->bell, &one, sizeof one);
	(void)n; /* full: it rings already */
}

struct sf_jobs__link *sf_jobs__link_start(const struct sf_jobs__link_opts *o) {
	sigset_t all, before;
	struct sf_jobs__link *k = sf_calloc(1, sizeof *k);
	k->o = *o;
	while (o->queues[k->nqueue]) k->nqueue++;
	k->queue = sf_calloc(k->nqueue + 1, sizeof *k->queue);
	for (size_t i = 0; i < k->nqueue; i++) k->queue[i] = sf_strdup(o->queues[i]);
	k->wire = (struct sf_jobs__wire) { .url = o->url,
									   .ca_file = o->ca_file,
									   .queue = k->queue,
									   .prefetch = o->prefetch,
									   .heartbeat_s = o->heartbeat_s };
	sf_list_init(&k->out), sf_list_init(&k->delivered), sf_list_init(&k->settled), sf_list_init(&k->pending);
	SF_BUG_ON(pthread_mutex_init(&k->lock, NULL));
	k->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	SF_BUG_ON(k->bell < 0);
	sigfillset(&all); /* signals are the loop's */
	pthread_sigmask(SIG_BLOCK, &all, &before);
	SF_BUG_ON(pthread_create(&k->thread, NULL, run, k));
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return k;
}

void sf_jobs__link_send(struct sf_jobs__link *k, struct sf_node *letters) {
	int64_t jobs = 0;
	if (sf_list_empty(letters)) return;
	for (struct sf_node *at = letters->next; at != letters; at = at->next)
		jobs += SF_CONTAINER(at, struct sf_jobs__letter, node)->what == SF_JOBS__JOB;
	k->ahead += jobs;
	pthread_mutex_lock(&k->lock);
	bool silent = sf_list_empty(&k->out);
	sf_jobs__letters_move(letters, &k->out);
	pthread_mutex_unlock(&k->lock);
	if (silent) ring(k);
}

void sf_jobs__link_take(struct sf_jobs__link *k, struct sf_node *to_delivered, struct sf_node *to_settled,
						char error[200]) {
	pthread_mutex_lock(&k->lock);
	sf_jobs__letters_move(&k->delivered, to_delivered);
	sf_jobs__letters_move(&k->settled, to_settled);
	memcpy(error, k->error, sizeof k->error);
	pthread_mutex_unlock(&k->lock);
}

bool sf_jobs__link_up(const struct sf_jobs__link *k) {
	int64_t now = now_ms(), waiting = k->waiting_ms;
	return k->connected && !k->unproven && now - k->heard_ms <= k->o.heartbeat_s * 1000 + SLACK_MS &&
		   (!waiting || now - waiting <= LATE_MS);
}
int64_t sf_jobs__link_ahead(const struct sf_jobs__link *k) {
	return k->ahead;
}

int sf_jobs__link_dropped(const struct sf_jobs__link *k) {
	return k->dropped;
}

void sf_jobs__link_stop(struct sf_jobs__link *k) {
	k->stop = true;
	ring(k);
}

void sf_jobs__link_free(struct sf_jobs__link *k) {
	if (!k) return;
	sf_jobs__letters_free(&k->out);
	sf_jobs__letters_free(&k->delivered);
	sf_jobs__letters_free(&k->settled);
	pthread_mutex_destroy(&k->lock);
	close(k->bell);
	for (size_t i = 0; i < k->nqueue; i++) free(k->queue[i]);
	free(k->queue);
	free(k);
}
