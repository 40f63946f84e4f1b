/* What happens when a connection has been in one state for too long. */
#include "http/http.h"
#include "http/internal.h"

#include <sys/ioctl.h>
#include <linux/sockios.h>

#include "loop/loop.h"

static void too_late(struct sf_http_conn *c) {
	c->server->stats.timeouts++;
	if (c->silent) {
		sf_http__conn_close(c);
		return;
	}
	sf_http__conn_refuse(c, SF_ETIMEOUT);
}

/* Once a second: the whole body within body_ms, and never slower than 1 KiB/s after the first 5 s. */
static void body_due(struct sf_http_conn *c) {
	struct sf_http_server *s = c->server;
	int64_t took = sf_loop_now(s->loop) - c->since, slack = took - 5000;
	bool slow = slack > 0 && (int64_t)c->msg->req.bytes_in < slack * 1024 / 1000;
	if (took >= s->opts.body_ms || slow)
		too_late(c);
	else
		sf_http__conn_state(c, SF_CONN_BODY, s->opts.body_ms < 1000 ? s->opts.body_ms : 1000);
}

/* Once a second: the client has taken something since, or its kernel has. */
static void write_due(struct sf_http_conn *c) {
	struct sf_http_server *s = c->server;
	size_t unsent = uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
	uv_os_fd_t fd;
	int queued = 0;
	if (uv_fileno((uv_handle_t *)&c->tcp, &fd) == 0 && ioctl(fd, SIOCOUTQ, &queued) == 0)
		unsent += (size_t)queued;
	if (unsent != c->progress) c->progress = unsent, c->since = sf_loop_now(s->loop);
	if (sf_loop_now(s->loop) - c->since < s->opts.body_ms) {
		sf_http__conn_state(c, SF_CONN_WRITE, 1000);
		return;
	}
	s->stats.timeouts++;
	sf_http__conn_close(c);
}

void sf_http__conn_due(struct sf_http_conn *c) {
	switch ((enum sf_http__state)c->state) {
	case SF_CONN_HEAD: too_late(c); break;
	case SF_CONN_BODY: body_due(c); break;
	case SF_CONN_WRITE: write_due(c); break;
	case SF_CONN_IDLE:
		if (c->server->draining)
			sf_http__conn_linger(c); /* a request on its way meets an end, not a reset */
		else
			sf_http__conn_close(c);
		break;
	case SF_CONN_LINGER: sf_http__conn_close(c); break;
	case SF_CONN_RUN:
	case SF_CONN_CLOSED:
	case SF_CONN_STATES: break;
	}
}
