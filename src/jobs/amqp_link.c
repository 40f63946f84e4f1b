/* amqp_link: one connection to RabbitMQ on a thread of its own, that publishes with confirms, consumes, and comes back.
 *
 * librabbitmq reads and writes in the calling thread and may wait there: for the rest of a frame, for an answer, for a broker
 * that has stopped reading because its memory is full. On the loop each of these would hold up every coroutine, and
 * one call at a time in the thread pool would hold a pool thread for as long. So the connection has a thread, and
 * the two sides share nothing but three lists of letters under a lock: what is to be sent, what was delivered, what has
 * settled. An eventfd wakes the thread, sf_loop_post the loop. The thread decides nothing: what is lost with it, or
 * with the connection, is found by the relay, which has the database.
 *
 * Whether the broker lives is told by its bytes: with a heartbeat of 2 s it sends at least one frame a second. A
 * confirmation that is 2 s late counts as silence, and after one that did not come at all the connection is made anew and counts
 * as silent for a while, so that a broker that takes messages and confirms none (an alarm of its memory or disk) does
 * not keep jobs from being polled. */
#include "jobs/amqp.h"

#include "loop/loop.h"
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	CHANNEL = 1,
	HEARTBEAT_S = 2,
	CONNECT_MS = 2000,
	RPC_MS = 3000,
	LATE_MS = 2000,     /* a confirmation later than this counts as silence */
	LOST_MS = 5000,     /* later than this: the connection is given up */
	SUSPECT_MS = 10000, /* silent for so long after that */
	BACKOFF_MS = 50,
	BACKOFF_MAX_MS = 1000,
	DEPTH_MS = 1000,
	DELIVERIES_MAX = 100, /* of one message, then the broker puts it with the dead */
};

struct sf_jobs__link {
	char *url;
	char **queue;
	size_t nqueue;
	struct sf_jobs__link_opts o;
	pthread_t thread;
	int bell; /* eventfd */
	_Atomic(int64_t) heard_ms, depth;
	_Atomic bool stop;
	pthread_mutex_t lock; /* of the following */
	struct sf_node out, delivered, settled;
	char error[200];
	bool posted;
	/* the thread's own */
	amqp_connection_state_t conn;
	struct sf_node pending; /* published, not confirmed; in order */
	uint64_t published;
	uint32_t generation;
	int64_t suspect_until_ms, depth_at_ms;
	bool returned; /* a message came back: its queue is gone */
};

static int64_t now_ms(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void move_all(struct sf_node *from, struct sf_node *to) {
	while (!sf_list_empty(from)) {
		struct sf_node *n = from->next;
		sf_list_del(n);
		sf_list_push(to, n);
	}
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

static int fail(struct sf_jobs__link *k, const char *doing, const char *why) {
	pthread_mutex_lock(&k->lock);
	if (!k->error[0]) snprintf(k->error, sizeof k->error, "%s: %s", doing, why);
	tell(k);
	pthread_mutex_unlock(&k->lock);
	return SF_EUNAVAILABLE;
}

/* The broker's answer to a call; its reason if it refused. */
static int answered(struct sf_jobs__link *k, const char *doing, amqp_rpc_reply_t r) {
	char why[160];
	if (r.reply_type == AMQP_RESPONSE_NORMAL) {
		if (now_ms() >= k->suspect_until_ms) k->heard_ms = now_ms();
		return 0;
	}
	if (r.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION)
		return fail(k, doing, amqp_error_string2(r.library_error));
	if (r.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && r.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
		const amqp_connection_close_t *m = r.reply.decoded;
		snprintf(why, sizeof why, "%.*s", (int)m->reply_text.len, (const char *)m->reply_text.bytes);
		return fail(k, doing, why);
	}
	if (r.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && r.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
		const amqp_channel_close_t *m = r.reply.decoded;
		snprintf(why, sizeof why, "%.*s", (int)m->reply_text.len, (const char *)m->reply_text.bytes);
		return fail(k, doing, why);
	}
	return fail(k, doing, "the broker refused");
}

/* ---- connecting ---------------------------------------------------------------------------------------------------- */

static int open_connection(struct sf_jobs__link *k) {
	struct timeval connect = { .tv_sec = CONNECT_MS / 1000 }, rpc = { .tv_sec = RPC_MS / 1000 };
	struct amqp_connection_info at;
	char *url = sf_strdup(k->url); /* taken to pieces in place */
	int err = SF_EUNAVAILABLE, status;
	k->conn = amqp_new_connection();
	amqp_socket_t *socket = k->conn ? amqp_tcp_socket_new(k->conn) : NULL;
	if (!socket || amqp_parse_url(url, &at) != AMQP_STATUS_OK) {
		fail(k, "connecting", "no memory");
		goto out;
	}
	if (!*at.vhost) at.vhost = "/"; /* "amqp://host/": nobody means the virtual host without a name */
	status = amqp_socket_open_noblock(socket, at.host, at.port, &connect);
	if (status != AMQP_STATUS_OK) {
		fail(k, "connecting", amqp_error_string2(status));
		goto out;
	}
	amqp_set_handshake_timeout(k->conn, &rpc);
	amqp_set_rpc_timeout(k->conn, &rpc);
	err = answered(
		k, "logging in",
		amqp_login(k->conn, at.vhost, 0, 131072, HEARTBEAT_S, AMQP_SASL_METHOD_PLAIN, at.user, at.password));
	if (err) goto out;
	amqp_channel_open(k->conn, CHANNEL);
	err = answered(k, "opening a channel", amqp_get_rpc_reply(k->conn));
	if (err) goto out;
	amqp_confirm_select(k->conn, CHANNEL);
	err = answered(k, "asking for confirms", amqp_get_rpc_reply(k->conn));
out:
	free(url);
	return err;
}

static amqp_table_entry_t entry(const char *key, const char *text, int number) {
	amqp_table_entry_t e = { .key = amqp_cstring_bytes(key) };
	if (text)
		e.value.kind = AMQP_FIELD_KIND_UTF8, e.value.value.bytes = amqp_cstring_bytes(text);
	else
		e.value.kind = AMQP_FIELD_KIND_I32, e.value.value.i32 = number;
	return e;
}

static void queue_name(char out[128], const char *queue) {
	snprintf(out, 128, SF_JOBS__AMQP_PREFIX "%s", queue);
}

static int declare_dead(struct sf_jobs__link *k) {
	amqp_bytes_t name = amqp_cstring_bytes(SF_JOBS__AMQP_DEAD);
	amqp_table_entry_t quorum[] = { entry("x-queue-type", "quorum", 0) };
	amqp_exchange_declare(k->conn, CHANNEL, name, amqp_cstring_bytes("fanout"), 0, 1, 0, 0, amqp_empty_table);
	int err = answered(k, "declaring the exchange of the dead", amqp_get_rpc_reply(k->conn));
	if (err) return err;
	amqp_queue_declare(k->conn, CHANNEL, name, 0, 1, 0, 0, (amqp_table_t) { 1, quorum });
	err = answered(k, "declaring the queue of the dead", amqp_get_rpc_reply(k->conn));
	if (err) return err;
	amqp_queue_bind(k->conn, CHANNEL, name, name, amqp_empty_bytes, amqp_empty_table);
	return answered(k, "binding the queue of the dead", amqp_get_rpc_reply(k->conn));
}

static int declare_and_consume(struct sf_jobs__link *k) {
	amqp_table_entry_t args[] = { entry("x-queue-type", "quorum", 0),
								  entry("x-dead-letter-exchange", SF_JOBS__AMQP_DEAD, 0),
								  entry("x-delivery-limit", NULL, DELIVERIES_MAX) };
	char name[128];
	int err = declare_dead(k);
	if (err) return err;
	amqp_basic_qos(k->conn, CHANNEL, 0, (uint16_t)k->o.prefetch, 0);
	err = answered(k, "setting the prefetch", amqp_get_rpc_reply(k->conn));
	for (size_t i = 0; i < k->nqueue && !err; i++) {
		queue_name(name, k->queue[i]);
		amqp_queue_declare(k->conn, CHANNEL, amqp_cstring_bytes(name), 0, 1, 0, 0,
						   (amqp_table_t) { 3, args });
		err = answered(k, "declaring a queue", amqp_get_rpc_reply(k->conn));
		if (err) return err;
		amqp_basic_consume(k->conn, CHANNEL, amqp_cstring_bytes(name), amqp_empty_bytes, 0, 0, 0,
						   amqp_empty_table);
		err = answered(k, "consuming a queue", amqp_get_rpc_reply(k->conn));
	}
	return err;
}

static void disconnect(struct sf_jobs__link *k) {
	while (!sf_list_empty(&k->pending))
		settle(k, SF_CONTAINER(k->pending.next, struct sf_jobs__letter, node), false);
	if (k->conn) amqp_destroy_connection(k->conn); /* just closes the socket: a farewell might wait */
	k->conn = NULL;
}

static int connect_all(struct sf_jobs__link *k) {
	k->generation++, k->published = 0, k->returned = false;
	int err = open_connection(k);
	if (!err) err = declare_and_consume(k);
	if (err) return err;
	pthread_mutex_lock(&k->lock);
	k->error[0] = 0;
	tell(k);
	pthread_mutex_unlock(&k->lock);
	return 0;
}

/* ---- writing -------------------------------------------------------------------------------------------------------- */

static int publish(struct sf_jobs__link *k, struct sf_jobs__letter *l) {
	char body[512], name[128], id[48];
	bool job = l->what == SF_JOBS__JOB;
	if (sf_jobs__letter_write(l, body, sizeof body)) {
		settle(k, l, false);
		return 0;
	}
	queue_name(name, l->queue);
	snprintf(id, sizeof id, "job-%lld", (long long)l->id);
	amqp_basic_properties_t p = { ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
											AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TYPE_FLAG,
								  .content_type = amqp_cstring_bytes("application/json"),
								  .delivery_mode = 2,
								  .message_id = amqp_cstring_bytes(id),
								  .type = amqp_cstring_bytes(job ? "job" : "dead") };
	l->tag = ++k->published, l->at_ms = now_ms();
	sf_list_del(&l->node);
	sf_list_push(&k->pending, &l->node);
	int status = amqp_basic_publish(k->conn, CHANNEL, amqp_cstring_bytes(job ? "" : SF_JOBS__AMQP_DEAD),
									amqp_cstring_bytes(job ? name : ""), 1, 0, &p, amqp_cstring_bytes(body));
	return status == AMQP_STATUS_OK ? 0 : fail(k, "publishing", amqp_error_string2(status));
}

static int answer(struct sf_jobs__link *k, struct sf_jobs__letter *l) {
	int status = AMQP_STATUS_OK;
	if (l->generation == k->generation) /* else its connection is gone, and the delivery with it */
		status = l->what == SF_JOBS__ACK ? amqp_basic_ack(k->conn, CHANNEL, l->tag, 0)
										 : amqp_basic_reject(k->conn, CHANNEL, l->tag, 0);
	sf_list_del(&l->node);
	free(l);
	return status == AMQP_STATUS_OK ? 0 : fail(k, "acknowledging", amqp_error_string2(status));
}

/* Writes what the loop has handed over; without a connection it settles as failed. */
static int write_out(struct sf_jobs__link *k) {
	struct sf_node mine;
	int err = 0;
	sf_list_init(&mine);
	pthread_mutex_lock(&k->lock);
	move_all(&k->out, &mine);
	pthread_mutex_unlock(&k->lock);
	while (!sf_list_empty(&mine)) {
		struct sf_jobs__letter *l = SF_CONTAINER(mine.next, struct sf_jobs__letter, node);
		bool publication = l->what == SF_JOBS__JOB || l->what == SF_JOBS__NOTICE;
		if (!err && k->conn)
			err = publication ? publish(k, l) : answer(k, l);
		else if (publication)
			settle(k, l, false);
		else
			sf_list_del(&l->node), free(l);
	}
	return err;
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

static void confirmed(struct sf_jobs__link *k, uint64_t tag, bool multiple, bool ok) {
	for (struct sf_node *at = k->pending.next, *next; at != &k->pending; at = next) {
		struct sf_jobs__letter *l = SF_CONTAINER(at, struct sf_jobs__letter, node);
		next = at->next;
		if (l->tag > tag) break;
		if (multiple || l->tag == tag) settle(k, l, ok && !k->returned);
	}
}

static void delivered(struct sf_jobs__link *k, const amqp_envelope_t *e) {
	struct sf_jobs__letter *l = sf_calloc(1, sizeof *l);
	l->generation = k->generation, l->tag = e->delivery_tag;
	l->valid = !sf_jobs__letter_read((struct sf_str) { e->message.body.bytes, e->message.body.len }, l);
	pthread_mutex_lock(&k->lock);
	sf_list_push(&k->delivered, &l->node);
	tell(k);
	pthread_mutex_unlock(&k->lock);
}

/* One frame that is no delivery: 1, 0 when there is none, or an error. */
static int read_other(struct sf_jobs__link *k) {
	struct timeval none = { 0 };
	amqp_frame_t f;
	amqp_message_t m;
	int status = amqp_simple_wait_frame_noblock(k->conn, &f, &none);
	if (status == AMQP_STATUS_TIMEOUT) return 0;
	if (status != AMQP_STATUS_OK) return fail(k, "reading", amqp_error_string2(status));
	if (f.frame_type != AMQP_FRAME_METHOD) return fail(k, "reading", "an unexpected frame");
	switch (f.payload.method.id) {
	case AMQP_BASIC_ACK_METHOD: {
		const amqp_basic_ack_t *a = f.payload.method.decoded;
		confirmed(k, a->delivery_tag, a->multiple, true);
		return 1;
	}
	case AMQP_BASIC_NACK_METHOD: {
		const amqp_basic_nack_t *a = f.payload.method.decoded;
		confirmed(k, a->delivery_tag, a->multiple, false);
		return 1;
	}
	case AMQP_BASIC_RETURN_METHOD:
		k->returned = true;
		if (amqp_read_message(k->conn, f.channel, &m, 0).reply_type == AMQP_RESPONSE_NORMAL)
			amqp_destroy_message(&m);
		return fail(k, "publishing", "a queue is gone");
	case AMQP_BASIC_CANCEL_METHOD: return fail(k, "consuming", "a queue is gone");
	default: return fail(k, "reading", "the broker closes the channel");
	}
}

/* 1: something was read, 0: there was nothing, or an error. */
static int read_one(struct sf_jobs__link *k) {
	struct timeval none = { 0 };
	amqp_envelope_t e;
	amqp_maybe_release_buffers(k->conn);
	amqp_rpc_reply_t r = amqp_consume_message(k->conn, &e, &none, 0);
	if (r.reply_type == AMQP_RESPONSE_NORMAL) {
		delivered(k, &e);
		amqp_destroy_envelope(&e);
		return 1;
	}
	if (r.reply_type != AMQP_RESPONSE_LIBRARY_EXCEPTION) return answered(k, "reading", r);
	if (r.library_error == AMQP_STATUS_TIMEOUT) return 0;
	if (r.library_error == AMQP_STATUS_UNEXPECTED_STATE) return read_other(k);
	return fail(k, "reading", amqp_error_string2(r.library_error));
}

static int ask_depth(struct sf_jobs__link *k) {
	int64_t n = 0;
	char name[128];
	for (size_t i = 0; i < k->nqueue; i++) {
		queue_name(name, k->queue[i]);
		const amqp_queue_declare_ok_t *ok =
			amqp_queue_declare(k->conn, CHANNEL, amqp_cstring_bytes(name), 1, 1, 0, 0, amqp_empty_table);
		int err = answered(k, "looking at a queue", amqp_get_rpc_reply(k->conn));
		if (err || !ok) return err ? err : SF_EUNAVAILABLE;
		n += ok->message_count;
	}
	k->depth = n;
	k->depth_at_ms = now_ms();
	return 0;
}

/* ---- the thread ------------------------------------------------------------------------------------------------------- */

/* Waits for the broker or for the bell. */
static void wait_some(struct sf_jobs__link *k, int ms) {
	struct pollfd p[2] = { { .fd = k->bell, .events = POLLIN }, { .fd = -1, .events = POLLIN } };
	uint64_t count;
	if (k->conn) p[1].fd = amqp_get_sockfd(k->conn);
	if (poll(p, 2, ms) <= 0) return;
	if (p[0].revents && read(k->bell, &count, sizeof count) < 0) return;
	if (p[1].revents & POLLIN && now_ms() >= k->suspect_until_ms) {
		const struct sf_jobs__letter *oldest =
			sf_list_empty(&k->pending) ? NULL : SF_CONTAINER(k->pending.next, struct sf_jobs__letter, node);
		if (!oldest || now_ms() - oldest->at_ms < LATE_MS) k->heard_ms = now_ms();
	}
}

/* One round with a connection. */
static int serve(struct sf_jobs__link *k) {
	int err = write_out(k);
	if (err) return err;
	while ((err = read_one(k)) > 0)
		if (k->stop) return 0;
	if (err) return err;
	if (!sf_list_empty(&k->pending) &&
		now_ms() - SF_CONTAINER(k->pending.next, struct sf_jobs__letter, node)->at_ms > LOST_MS) {
		k->suspect_until_ms = now_ms() + SUSPECT_MS;
		return fail(k, "publishing", "no confirmation");
	}
	if (now_ms() - k->depth_at_ms >= DEPTH_MS && (err = ask_depth(k))) return err;
	if (!amqp_frames_enqueued(k->conn) && !amqp_data_in_buffer(k->conn)) wait_some(k, 200);
	return 0;
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
		if (k->conn) {
			if (serve(k)) disconnect(k);
			continue;
		}
		if (!connect_all(k)) {
			pause = BACKOFF_MS;
			continue;
		}
		disconnect(k);
		for (int64_t until = now_ms() + 1 + pause / 2 + rand_r(&seed) % pause;
			 !k->stop && now_ms() < until;) {
			int err = write_out(k); /* what was published meanwhile goes back to the relay */
			(void)err;
			wait_some(k, (int)(until - now_ms()));
		}
		pause = pause * 2 < BACKOFF_MAX_MS ? pause * 2 : BACKOFF_MAX_MS;
	}
	if (k->conn) {
		int err = write_out(k); /* the last acknowledgements */
		(void)err;
	}
	disconnect(k);
	sf_loop_post(k->o.loop, ended, k);
	return NULL;
}

/* ---- the face of it ------------------------------------------------------------------------------------------------------ */

static bool usable(const char *url) {
	struct amqp_connection_info at;
	char *copy = sf_strdup(url);
	bool ok = !strncmp(url, "amqp://", 7) && amqp_parse_url(copy, &at) == AMQP_STATUS_OK && !at.ssl;
	free(copy);
	return ok;
}

int sf_jobs__link_start(const struct sf_jobs__link_opts *o, struct sf_jobs__link **out) {
	sigset_t all, before;
	if (!usable(o->url)) return SF_EINVAL;
	struct sf_jobs__link *k = sf_calloc(1, sizeof *k);
	k->o = *o, k->url = sf_strdup(o->url);
	while (o->queues[k->nqueue]) k->nqueue++;
	k->queue = sf_calloc(k->nqueue + 1, sizeof *k->queue);
	for (size_t i = 0; i < k->nqueue; i++) k->queue[i] = sf_strdup(o->queues[i]);
	sf_list_init(&k->out), sf_list_init(&k->delivered), sf_list_init(&k->settled), sf_list_init(&k->pending);
	SF_BUG_ON(pthread_mutex_init(&k->lock, NULL));
	k->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	SF_BUG_ON(k->bell < 0);
	sigfillset(&all); /* signals are the loop's */
	pthread_sigmask(SIG_BLOCK, &all, &before);
	SF_BUG_ON(pthread_create(&k->thread, NULL, run, k));
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	*out = k;
	return 0;
}

static void ring(struct sf_jobs__link *k) {
	uint64_t one = 1;
	ssize_t n = write(k->bell, &one, sizeof one);
	(void)n; /* full: it rings already */
}

void sf_jobs__link_send(struct sf_jobs__link *k, struct sf_node *letters) {
	if (sf_list_empty(letters)) return;
	pthread_mutex_lock(&k->lock);
	bool first = sf_list_empty(&k->out);
	move_all(letters, &k->out);
	pthread_mutex_unlock(&k->lock);
	if (first) ring(k);
}

void sf_jobs__link_take(struct sf_jobs__link *k, struct sf_node *to_delivered, struct sf_node *to_settled,
						char error[200]) {
	pthread_mutex_lock(&k->lock);
	move_all(&k->delivered, to_delivered);
	move_all(&k->settled, to_settled);
	memcpy(error, k->error, sizeof k->error);
	pthread_mutex_unlock(&k->lock);
}

int64_t sf_jobs__link_silence(struct sf_jobs__link *k) {
	return k->heard_ms ? now_ms() - k->heard_ms : INT64_MAX;
}
int64_t sf_jobs__link_depth(struct sf_jobs__link *k) {
	return k->depth;
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
	free(k->url);
	free(k);
}
