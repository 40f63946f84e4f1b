/* The stages of a request and the coroutine they run in. */
#include "http/http.h"
#include "http/internal.h"

#include "core/log.h"
#include "loop/loop.h"

/* Leaves an answer for certain: `finish` is the last to write one, and what it wrote must fit memory. */
static void finish(const struct sf_http_opts *opts, struct sf_http_req *req, int err) {
	opts->finish(req, err);
	if (SF_UNLIKELY(req->head.failed || req->out.failed)) {
		sf_http_answer_reset(req);
		opts->finish(req, SF_ENOMEM);
	}
	if (SF_LIKELY(req->status >= 200 && req->status <= 999)) return;
	sf_log(SF_ERROR, "request left without an answer", SF_KV("path", req->path), SF_KV("err", err));
	sf_http_answer_reset(req);
	req->status = 500;
}

static void stages(const struct sf_http_opts *opts, struct sf_http_req *req) {
	int err = 0;
	for (const struct sf_http_stage *stage = opts->stages; stage->run && !err; stage++) err = stage->run(req);
	finish(opts, req, err);
}

static void request_co(void *arg) {
	struct sf_http__msg *m = arg;
	struct sf_http_server *s = m->server;
	m->co = sf_co_self();
	sf_co_deadline(m->co, sf_loop_now(s->loop) + s->opts.request_ms);
	s->stats.inflight++;
	stages(&s->opts, &m->req);
	s->stats.inflight--;
	sf_http__answer(m); /* ~ compression of a large body */
}

void sf_http__run(struct sf_http__msg *m) {
	struct sf_http_server *s = m->server;
	if (SF_LIKELY(s->stats.inflight < s->opts.max_inflight) &&
		SF_LIKELY(sf_co_start(s->loop, request_co, m, NULL) == 0))
		return;
	s->stats.overloaded++;
	m->shed = true;
	sf_http__refuse(m, SF_EOVERLOAD);
}

void sf_http__refuse(struct sf_http__msg *m, int err) {
	struct sf_http_req *req = &m->req;
	if (!req->path.p) req->path = req->target.p ? req->target : SF_STR("");
	finish(m->opts, req, err);
	if (m->shed && !sf_http__head_has(req, "retry-after")) sf_http_add(req, "Retry-After", SF_STR("1"));
	if (err == SF_EMETHOD && !sf_http__head_has(req, "allow"))
		sf_http_add(req, "Allow", SF_STR("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
	sf_http__answer(m);
}

void sf_http_run(const struct sf_http_opts *opts, struct sf_http_req *req) {
	struct sf_str authority;
	size_t body_max = opts->body_max ? opts->body_max : 1 << 20;
	SF_BUG_ON(!req->arena);
	if (!req->head.arena) sf_buf_init(&req->head, req->arena);
	if (!req->out.arena) sf_buf_init(&req->out, req->arena);
	int err = sf_http__cut_target(req, &authority);
	if (err) req->path = req->target;
	if (!err && opts->on_head) err = opts->on_head(req, &body_max);
	if (!err && req->body.n > body_max) err = SF_ETOOLARGE;
	if (err)
		finish(opts, req, err);
	else
		stages(opts, req);
	if (opts->after) opts->after(req);
}
