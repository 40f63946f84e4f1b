/* libcurl's multi interface on the loop.
 *
 * libcurl says which sockets it wants watched (on_socket) and when it wants to be called (on_timeout); each is one libuv handle.
 * Neither may call back into libcurl; both only start and stop handles. What libcurl has finished is read after each call into it,
 * from the loop's stack, and its coroutine is woken with the handle already taken out, so that a coroutine never
 * runs inside libcurl. A wait that is cut short takes its handle out the same way. */
#include "http/client.h"

#include <stdlib.h>

#include "core/config.h"
#include "core/log.h"

struct watch { /* of one socket; lifetime: while libcurl wants it watched */
	uv_poll_t poll;
	struct sf_client *c;
	curl_socket_t fd;
};
struct op { /* one sf_client__perform, on its coroutine's stack */
	struct sf_client *c;
	CURL *easy;
	struct sf_wait w;
};

/* ---- libcurl calls us ------------------------------------------------------------------------- */

static void read_finished(struct sf_client *c) {
	CURLMsg *m;
	int left;
	while ((m = curl_multi_info_read(c->multi, &left))) {
		struct op *op = NULL;
		CURLcode code = m->data.result;
		if (m->msg != CURLMSG_DONE) continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&op);
		curl_multi_remove_handle(c->multi, op->easy);
		sf_wake(&op->w, (int)code);
	}
}

static void on_timer(uv_timer_t *t) {
	struct sf_client *c = t->data;
	int running;
	curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	read_finished(c);
}

/* libcurl does not ask again when it is called too early, so the time is taken anew and rounded up. */
static int on_timeout(CURLM *multi, long ms, void *arg) {
	struct sf_client *c = arg;
	(void)multi;
	if (ms < 0) return uv_timer_stop(c->timer);
	uv_update_time(sf_loop_uv(c->loop));
	return uv_timer_start(c->timer, on_timer, ms ? (uint64_t)ms + 1 : 0, 0);
}

static void on_event(uv_poll_t *poll, int status, int events) {
	struct watch *s = poll->data;
	struct sf_client *c = s->c;
	int running, what = status < 0 ? CURL_CSELECT_ERR : 0;
	if (events & UV_READABLE) what |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE) what |= CURL_CSELECT_OUT;
	curl_multi_socket_action(c->multi, s->fd, what, &running); /* may end s */
	read_finished(c);
}

static void watch_closed(uv_handle_t *h) {
	free(h->data);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *of_socket) {
	struct sf_client *c = arg;
	struct watch *s = of_socket;
	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (s) uv_close((uv_handle_t *)&s->poll, watch_closed);
		curl_multi_assign(c->multi, fd, NULL);
		return 0;
	}
	if (!s) {
		s = sf_calloc(1, sizeof(*s));
		if (uv_poll_init(sf_loop_uv(c->loop), &s->poll, fd) != 0) {
			free(s);
			return -1;
		}
		s->poll.data = s, s->c = c, s->fd = fd;
		curl_multi_assign(c->multi, fd, s);
	}
	return uv_poll_start(&s->poll,
						 (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0),
						 on_event);
}

/* ---- performing --------------------------------------------------------------------------------- */

static void detach(struct sf_wait *w) {
	struct op *op = w->arg;
	curl_multi_remove_handle(op->c->multi, op->easy);
}

int sf_client__perform(struct sf_client *c, CURL *easy, int64_t timeout_ms) {
	struct op op = { .c = c, .easy = easy };
	curl_easy_setopt(easy, CURLOPT_PRIVATE, &op);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* a resolver's thread is not waited for */
	curl_easy_setopt(easy, CURLOPT_PROXY, "");      /* whatever the environment says */
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	sf_wait_init(&op.w, detach, &op);
	if (curl_multi_add_handle(c->multi, easy) != CURLM_OK) return CURLE_FAILED_INIT;
	c->performing++;
	int result = sf_await(&op.w, timeout_ms > 0 ? timeout_ms : -1);
	c->performing--;
	curl_easy_setopt(easy, CURLOPT_PRIVATE, NULL);
	return result;
}

CURL *sf_client__easy_take(struct sf_client *c) {
	return c->nidle ? c->idle[--c->nidle] : curl_easy_init();
}

void sf_client__easy_give(struct sf_client *c, CURL *easy) {
	curl_easy_reset(easy);
	if (c->nidle < SF_CLIENT__EASIES)
		c->idle[c->nidle++] = easy;
	else
		curl_easy_cleanup(easy);
}

/* ---- life ---------------------------------------------------------------------------------------- */

int sf_client_new(struct sf_loop *l, struct sf_client **out) {
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return SF_ENOMEM;
	struct sf_client *c = sf_calloc(1, sizeof(*c));
	c->loop = l;
	c->allow = sf_config_text("FETCH_ALLOW");
	sf_client__hosts_init(&c->hosts);
	if (!(c->multi = curl_multi_init())) {
		free(c);
		return SF_ENOMEM;
	}
	c->timer = sf_malloc(sizeof(*c->timer));
	SF_BUG_ON(uv_timer_init(sf_loop_uv(l), c->timer) != 0);
	c->timer->data = c;
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)SF_CLIENT__TOTAL);
	*out = c;
	return 0;
}

static void timer_closed(uv_handle_t *h) {
	free(h);
}

/* From the loop, so that a coroutine may free the client whose last answer it just got. */
static void tear_down(void *arg) {
	struct sf_client *c = arg;
	SF_BUG_ON(c->performing || c->hosts.active || c->hosts.waiting);
	while (c->nidle) curl_easy_cleanup(c->idle[--c->nidle]);
	curl_multi_cleanup(c->multi); /* calls on_socket and on_timeout */
	uv_close((uv_handle_t *)c->timer, timer_closed);
	sf_client__hosts_fini(&c->hosts);
	free(c);
}

void sf_client_free(struct sf_client *c) {
	if (c) sf_loop_later(c->loop, tear_down, c);
}

/* ---- counters ------------------------------------------------------------------------------------- */

void sf_client_stats(const struct sf_client *c, struct sf_client_stats *out) {
	*out = c->stats;
	out->active = c->hosts.active;
	out->waiting = c->hosts.waiting;
	out->hosts = c->hosts.n;
	for (const struct sf_node *n = c->hosts.age.next; n != &c->hosts.age; n = n->next)
		out->open += SF_CONTAINER(n, struct sf_client__host, age)->breaker.state != SF_BREAKER_CLOSED;
}

enum sf_breaker_state sf_client_breaker(const struct sf_client *c, const char *host, int64_t *retry_ms) {
	const struct sf_client__host *h = sf_client__host_find(&c->hosts, sf_str(host));
	int64_t left = h && h->breaker.state == SF_BREAKER_OPEN ? h->breaker.until_ms - sf_loop_now(c->loop) : 0;
	if (retry_ms) *retry_ms = left > 0 ? left : 0;
	return h ? h->breaker.state : SF_BREAKER_CLOSED;
}
