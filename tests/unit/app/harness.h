/* Drives an application of test rows in-process: one call is one request through every stage. */
#ifndef TESTS_APP_HARNESS_H
#define TESTS_APP_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "app/app.h"
#include "core/log.h"
#include "core/time.h"

struct harness {
	struct sf_arena *arena; /* of all requests */
	struct sf_app *app;
	struct sf_http_opts http;
};

static inline struct harness harness_new(const struct sf_app_opts *opts) {
	sf_log_setup((enum sf_level)(SF_ERROR + 1), 2); /* failures are on purpose here */
	struct harness h = { .arena = sf_arena_new(0) };
	struct sf_str why = SF_STR_NULL;
	int err = sf_app_new(opts, &h.app, &why);
	if (err) print_error("refused: " SF_PRI "\n", SF_ARG(why));
	assert_int_equal(err, 0);
	sf_app_http(h.app, &h.http);
	return h;
}

static inline void harness_free(struct harness *h) {
	sf_app_free(h->app);
	sf_arena_free(h->arena);
}

/* The file's harness `h`, set up and torn down with its group: HARNESS(.services = services) */
#define HARNESS(...)                                                                                         \
	static struct harness h;                                                                                 \
	static int setup(void **state) {                                                                         \
		(void)state;                                                                                         \
		h = harness_new(&(struct sf_app_opts) { __VA_ARGS__ });                                              \
		return 0;                                                                                            \
	}                                                                                                        \
	static int teardown(void **state) {                                                                      \
		(void)state;                                                                                         \
		harness_free(&h);                                                                                    \
		return 0;                                                                                            \
	}

/* headers: "name: value" lines, each ended by \n, or NULL. */
static inline struct sf_http_req *call_with(struct harness *h, enum sf_method m, const char *target,
											const char *headers, struct sf_str body) {
	struct sf_http_req *req = sf_arena_zalloc(h->arena, sizeof *req);
	req->arena = h->arena;
	req->method = m;
	req->target = sf_str(target);
	req->peer = SF_STR("127.0.0.1");
	req->started_ns = sf_clock_ns();
	req->body = body;
	req->headers = sf_arena_zalloc(h->arena, 32 * sizeof *req->headers);
	struct sf_str rest = sf_str(headers ? headers : ""), line, name, value;
	while (rest.n > 0) {
		bool more = sf_str_cut(rest, '\n', &line, &rest);
		if (sf_str_cut(line, ':', &name, &value))
			req->headers[req->nheaders++] = (struct sf_http_header) { name, sf_str_trim(value) };
		if (!more) break;
	}
	if (body.p) {
		bool typed = sf_http_header(req, "content-type").p != NULL;
		if (!typed)
			req->headers[req->nheaders++] =
				(struct sf_http_header) { SF_STR("Content-Type"), SF_STR("application/json") };
		req->headers[req->nheaders++] =
			(struct sf_http_header) { SF_STR("Content-Length"), sf_arena_printf(h->arena, "%zu", body.n) };
	}
	sf_http_run(&h->http, req);
	return req;
}

static inline struct sf_http_req *call(struct harness *h, enum sf_method m, const char *target,
									   const char *headers, const char *body) {
	return call_with(h, m, target, headers, sf_str(body));
}

static inline struct sf_str answer_body(const struct sf_http_req *req) {
	return req->body_ref.p ? req->body_ref : sf_buf_view(&req->out);
}

static inline bool holds(struct sf_str text, const char *part) {
	return text.n > 0 && memmem(text.p, text.n, part, strlen(part)) != NULL;
}

/* The value of an answer's header, NULL when absent; arena text. */
static inline const char *answer_header(struct harness *h, const struct sf_http_req *req, const char *name) {
	struct sf_str rest = sf_buf_view(&req->head), line, key, value;
	while (rest.n > 0) {
		bool more = sf_str_cut(rest, '\n', &line, &rest);
		if (sf_str_cut(line, ':', &key, &value) && sf_str_ieq(key, sf_str(name)))
			return sf_arena_cstr(h->arena, sf_str_trim(value));
		if (!more) break;
	}
	return NULL;
}

static inline void assert_status(const struct sf_http_req *req, int status) {
	if (req->status != status)
		print_error(SF_PRI ": wanted %d, got %d: " SF_PRI "\n", SF_ARG(req->target), status, req->status,
					SF_ARG(answer_body(req)));
	assert_int_equal(req->status, status);
}

static inline void assert_holds(const struct sf_http_req *req, const char *part) {
	if (!holds(answer_body(req), part))
		print_error(SF_PRI ": no %s in " SF_PRI "\n", SF_ARG(req->target), part, SF_ARG(answer_body(req)));
	assert_true(holds(answer_body(req), part));
}

#endif
