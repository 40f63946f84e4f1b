/* amqp_wire: what is said to RabbitMQ on one connection: logging in, declaring, publishing with confirms, consuming.
 *
 * One channel carries it all. Queues are quorum queues: what was confirmed is on the disks of most of the broker's nodes. What
 * is rejected, or was delivered DELIVERIES_MAX times without an answer, goes to the dead-letter exchange. A publication is
 * mandatory: one whose queue was deleted comes back, and the connection is given up, for the next one declares it anew. */
#include "jobs/amqp_wire.h"

#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

#define PROBE "probe"
enum {
	CHANNEL = 1,
	FRAME_MAX = 131072,
	CONNECT_MS = 2000,
	RPC_MS = 3000,
	SEND_MS =
		5000, /* how long a peer may leave what we write unread, or unanswered, before the socket fails */
	DROP_MS = 10000,      /* the broker waits 5 s for a leader before it deletes by force */
	DELIVERIES_MAX = 100, /* of one message, then the broker puts it with the dead */
};

static int fail(struct sf_jobs__wire *w, const char *doing, const char *why) {
	snprintf(w->error, sizeof w->error, "%s: %s", doing, why);
	return SF_EUNAVAILABLE;
}

/* The broker closes the connection or the channel, and says why: too long an acknowledgement, a policy, an operator. */
static int closed(struct sf_jobs__wire *w, const char *doing, const amqp_method_t *m) {
	amqp_bytes_t text =
		m->id == AMQP_CONNECTION_CLOSE_METHOD ? ((amqp_connection_close_t *)m->decoded)->reply_text
		: m->id == AMQP_CHANNEL_CLOSE_METHOD  ? ((amqp_channel_close_t *)m->decoded)->reply_text
											  : amqp_cstring_bytes("the broker refused");
	char why[160];
	snprintf(why, sizeof why, "%.*s", (int)text.len, (const char *)text.bytes);
	return fail(w, doing, why);
}

/* The broker's answer to a call. */
static int answered(struct sf_jobs__wire *w, const char *doing, amqp_rpc_reply_t r) {
	if (r.reply_type == AMQP_RESPONSE_NORMAL) return 0;
	if (r.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION)
		return fail(w, doing, amqp_error_string2(r.library_error));
	return closed(w, doing, &r.reply);
}

/* ---- connecting --------------------------------------------------------------------------------------------------- */

/* The peer's certificate is checked, and names the host of the URL. */
static amqp_socket_t *tls_socket(struct sf_jobs__wire *w) {
	amqp_socket_t *s = amqp_ssl_socket_new(w->conn);
	if (!s) return NULL;
	amqp_ssl_socket_set_verify_peer(s, 1);
	amqp_ssl_socket_set_verify_hostname(s, 1);
	bool ok = amqp_ssl_socket_set_ssl_versions(s, AMQP_TLSv1_2, AMQP_TLSvLATEST) == AMQP_STATUS_OK;
	if (w->ca_file)
		ok = ok && amqp_ssl_socket_set_cacert(s, w->ca_file) == AMQP_STATUS_OK;
	else
		ok = ok && SSL_CTX_set_default_verify_paths(amqp_ssl_socket_get_context(s)) == 1;
	return ok ? s : NULL; /* the connection owns it */
}

static int open_socket(struct sf_jobs__wire *w, const struct amqp_connection_info *at) {
	struct timeval connect = { .tv_sec = CONNECT_MS / 1000 };
	w->conn = amqp_new_connection();
	if (!w->conn) return fail(w, "connecting", "no memory");
	amqp_socket_t *s = at->ssl ? tls_socket(w) : amqp_tcp_socket_new(w->conn);
	if (!s) return fail(w, "connecting", at->ssl ? "the CA file cannot be read" : "no memory");
	int status = amqp_socket_open_noblock(s, at->host, at->port, &connect);
	if (status != AMQP_STATUS_OK) return fail(w, "connecting", amqp_error_string2(status));
	/* librabbitmq waits without limit for room to write; a broker that is gone without a word would hold the thread */
	unsigned ms = SEND_MS;
	if (setsockopt(amqp_socket_get_sockfd(s), IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms))
		return fail(w, "connecting", "the time limit of writing cannot be set");
	return 0;
}

static int log_in(struct sf_jobs__wire *w, const struct amqp_connection_info *at) {
	struct timeval rpc = { .tv_sec = RPC_MS / 1000 };
	/* "amqp://host/": nobody means the virtual host without a name */
	const char *vhost = *at->vhost ? at->vhost : "/";
	amqp_set_handshake_timeout(w->conn, &rpc);
	amqp_set_rpc_timeout(w->conn, &rpc);
	int err = answered(w, "logging in",
					   amqp_login(w->conn, vhost, 0, FRAME_MAX, w->heartbeat_s, AMQP_SASL_METHOD_PLAIN,
								  at->user, at->password));
	if (err) return err;
	amqp_channel_open(w->conn, CHANNEL);
	err = answered(w, "opening a channel", amqp_get_rpc_reply(w->conn));
	if (err) return err;
	amqp_confirm_select(w->conn, CHANNEL);
	return answered(w, "asking for confirms", amqp_get_rpc_reply(w->conn));
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

static int declare_dead(struct sf_jobs__wire *w) {
	amqp_bytes_t name = amqp_cstring_bytes(SF_JOBS__AMQP_DEAD);
	amqp_table_entry_t quorum[] = { entry("x-queue-type", "quorum", 0) };
	amqp_exchange_declare(w->conn, CHANNEL, name, amqp_cstring_bytes("fanout"), 0, 1, 0, 0, amqp_empty_table);
	int err = answered(w, "declaring the exchange of the dead", amqp_get_rpc_reply(w->conn));
	if (err) return err;
	amqp_queue_declare(w->conn, CHANNEL, name, 0, 1, 0, 0, (amqp_table_t) { 1, quorum });
	err = answered(w, "declaring the queue of the dead", amqp_get_rpc_reply(w->conn));
	if (err) return err;
	amqp_queue_bind(w->conn, CHANNEL, name, name, amqp_empty_bytes, amqp_empty_table);
	return answered(w, "binding the queue of the dead", amqp_get_rpc_reply(w->conn));
}

/* How a queue that has no leader answers to a consumer: not at all, or with an internal error. */
static bool leaderless(const amqp_rpc_reply_t *r) {
	if (r->reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) return r->library_error == AMQP_STATUS_TIMEOUT;
	if (r->reply_type != AMQP_RESPONSE_SERVER_EXCEPTION || r->reply.id != AMQP_CONNECTION_CLOSE_METHOD)
		return false;
	return ((const amqp_connection_close_t *)r->reply.decoded)->reply_code == AMQP_INTERNAL_ERROR;
}

static int consume(struct sf_jobs__wire *w, const char *queue) {
	char name[128];
	amqp_table_entry_t args[] = { entry("x-queue-type", "quorum", 0),
								  entry("x-dead-letter-exchange", SF_JOBS__AMQP_DEAD, 0),
								  entry("x-delivery-limit", NULL, DELIVERIES_MAX) };
	queue_name(name, queue);
	amqp_queue_declare(w->conn, CHANNEL, amqp_cstring_bytes(name), 0, 1, 0, 0, (amqp_table_t) { 3, args });
	int err = answered(w, "declaring a queue", amqp_get_rpc_reply(w->conn));
	if (err) return err;
	amqp_basic_consume(w->conn, CHANNEL, amqp_cstring_bytes(name), amqp_empty_bytes, 0, 0, 0,
					   amqp_empty_table);
	amqp_rpc_reply_t r = amqp_get_rpc_reply(w->conn);
	if (leaderless(&r)) w->stuck = queue;
	return answered(w, "consuming a queue", r);
}

bool sf_jobs__amqp_url_usable(const char *url) {
	struct amqp_connection_info at;
	char *copy = sf_strdup(url); /* taken to pieces in place */
	bool ok = (!strncmp(url, "amqp://", 7) || !strncmp(url, "amqps://", 8)) &&
			  amqp_parse_url(copy, &at) == AMQP_STATUS_OK;
	free(copy);
	return ok;
}

static int enter(struct sf_jobs__wire *w) {
	struct amqp_connection_info at;
	char *url = sf_strdup(w->url);
	w->published = 0, w->error[0] = 0, w->stuck = NULL;
	int err = amqp_parse_url(url, &at) == AMQP_STATUS_OK ? 0 : fail(w, "connecting", "an impossible URL");
	if (!err) err = open_socket(w, &at);
	if (!err) err = log_in(w, &at);
	free(url);
	return err;
}

int sf_jobs__wire_open(struct sf_jobs__wire *w) {
	int err = enter(w);
	if (!err) err = declare_dead(w);
	if (err) return err;
	amqp_basic_qos(w->conn, CHANNEL, 0, (uint16_t)w->prefetch, 0);
	err = answered(w, "setting the prefetch", amqp_get_rpc_reply(w->conn));
	for (char *const *q = w->queue; *q && !err; q++) err = consume(w, *q);
	return err;
}

int sf_jobs__wire_drop(struct sf_jobs__wire *w, const char *queue) {
	struct timeval patience = { .tv_sec = DROP_MS / 1000 };
	char name[128];
	queue_name(name, queue);
	int err = enter(w);
	if (err) return err;
	amqp_set_rpc_timeout(w->conn, &patience);
	amqp_queue_delete(w->conn, CHANNEL, amqp_cstring_bytes(name), 0, 0);
	return answered(w, "deleting a queue without a leader", amqp_get_rpc_reply(w->conn));
}

void sf_jobs__wire_close(struct sf_jobs__wire *w) {
	if (w->conn) amqp_destroy_connection(w->conn); /* just closes the socket: a farewell might wait */
	w->conn = NULL;
}

/* ---- writing -------------------------------------------------------------------------------------------------------- */

int sf_jobs__wire_publish(struct sf_jobs__wire *w, const struct sf_jobs__letter *l) {
	static const char *const types[] = {
		[SF_JOBS__JOB] = "job", [SF_JOBS__NOTICE] = "dead", [SF_JOBS__PROBE] = PROBE
	};
	char body[1024] = "{}", name[128], id[48];
	bool dead = l->what == SF_JOBS__NOTICE;
	int err = l->what == SF_JOBS__PROBE ? 0 : sf_jobs__letter_write(l, body, sizeof body);
	if (err) return err;
	queue_name(name, l->queue);
	snprintf(id, sizeof id, "job-%lld", (long long)l->job[0].id);
	amqp_basic_properties_t p = { ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
											AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TYPE_FLAG,
								  .content_type = amqp_cstring_bytes("application/json"),
								  .delivery_mode = 2,
								  .message_id = amqp_cstring_bytes(id),
								  .type = amqp_cstring_bytes(types[l->what]) };
	w->published++;
	int status = amqp_basic_publish(w->conn, CHANNEL, amqp_cstring_bytes(dead ? SF_JOBS__AMQP_DEAD : ""),
									amqp_cstring_bytes(dead ? "" : name), 1, 0, &p, amqp_cstring_bytes(body));
	return status == AMQP_STATUS_OK ? 0 : fail(w, "publishing", amqp_error_string2(status));
}

int sf_jobs__wire_answer(struct sf_jobs__wire *w, uint64_t tag, bool acknowledge) {
	int status =
		acknowledge ? amqp_basic_ack(w->conn, CHANNEL, tag, 0) : amqp_basic_reject(w->conn, CHANNEL, tag, 0);
	return status == AMQP_STATUS_OK ? 0 : fail(w, "acknowledging", amqp_error_string2(status));
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

static int confirmed(struct sf_jobs__wire_event *e, uint64_t tag, bool multiple, bool ok) {
	*e = (struct sf_jobs__wire_event) { .what = ok ? SF_JOBS__WIRE_CONFIRMED : SF_JOBS__WIRE_REFUSED,
										.tag = tag,
										.multiple = multiple };
	return 1;
}

/* One frame that is no delivery. */
static int read_other(struct sf_jobs__wire *w, struct sf_jobs__wire_event *e) {
	struct timeval none = { 0 };
	amqp_frame_t f;
	int status = amqp_simple_wait_frame_noblock(w->conn, &f, &none);
	if (status == AMQP_STATUS_TIMEOUT) return 0;
	if (status != AMQP_STATUS_OK) return fail(w, "reading", amqp_error_string2(status));
	if (f.frame_type != AMQP_FRAME_METHOD) return fail(w, "reading", "an unexpected frame");
	switch (f.payload.method.id) {
	case AMQP_BASIC_ACK_METHOD: {
		const amqp_basic_ack_t *a = f.payload.method.decoded;
		return confirmed(e, a->delivery_tag, a->multiple, true);
	}
	case AMQP_BASIC_NACK_METHOD: {
		const amqp_basic_nack_t *a = f.payload.method.decoded;
		return confirmed(e, a->delivery_tag, a->multiple, false);
	}
	case AMQP_BASIC_RETURN_METHOD: return fail(w, "publishing", "a queue is gone");
	case AMQP_BASIC_CANCEL_METHOD: return fail(w, "consuming", "a queue is gone");
	default: return closed(w, "reading", &f.payload.method);
	}
}

static bool is_probe(const amqp_message_t *m) {
	return m->properties._flags & AMQP_BASIC_TYPE_FLAG && m->properties.type.len == strlen(PROBE) &&
		   !memcmp(m->properties.type.bytes, PROBE, strlen(PROBE));
}

int sf_jobs__wire_read(struct sf_jobs__wire *w, struct sf_jobs__wire_event *e) {
	struct timeval none = { 0 };
	amqp_envelope_t m;
	amqp_maybe_release_buffers(w->conn);
	amqp_rpc_reply_t r = amqp_consume_message(w->conn, &m, &none, 0);
	if (r.reply_type == AMQP_RESPONSE_NORMAL) {
		*e = (struct sf_jobs__wire_event) { .what = is_probe(&m.message) ? SF_JOBS__WIRE_PROBED
																		 : SF_JOBS__WIRE_DELIVERED,
											.tag = m.delivery_tag };
		struct sf_str text = { m.message.body.bytes, m.message.body.len };
		e->valid = !sf_jobs__letter_read(text, &e->letter);
		amqp_destroy_envelope(&m);
		return 1;
	}
	if (r.reply_type != AMQP_RESPONSE_LIBRARY_EXCEPTION) return answered(w, "reading", r);
	if (r.library_error == AMQP_STATUS_TIMEOUT) return 0;
	if (r.library_error == AMQP_STATUS_UNEXPECTED_STATE) return read_other(w, e);
	return fail(w, "reading", amqp_error_string2(r.library_error));
}

int sf_jobs__wire_depth(struct sf_jobs__wire *w, int64_t *out) {
	int64_t n = 0;
	char name[128];
	for (char *const *q = w->queue; *q; q++) {
		queue_name(name, *q);
		const amqp_queue_declare_ok_t *ok =
			amqp_queue_declare(w->conn, CHANNEL, amqp_cstring_bytes(name), 1, 1, 0, 0, amqp_empty_table);
		int err = answered(w, "looking at a queue", amqp_get_rpc_reply(w->conn));
		if (err || !ok) return err ? err : fail(w, "looking at a queue", "no answer");
		n += ok->message_count;
	}
	*out = n;
	return 0;
}

bool sf_jobs__wire_has(const struct sf_jobs__wire *w) {
	return amqp_frames_enqueued(w->conn) || amqp_data_in_buffer(w->conn);
}
