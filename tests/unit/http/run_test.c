/* Requests without a connection, as unit tests of handlers drive them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/http.h"
#include "loop/loop.h"

static int order[8], norder, finished_with, afters;

static int on_head(struct sf_http_req *req, size_t *body_max) {
	if (sf_str_eq(req->path, SF_STR("/small"))) *body_max = 2;
	return sf_str_eq(req->path, SF_STR("/deny")) ? SF_EAUTH : 0;
}
static int first(struct sf_http_req *req) {
	order[norder++] = 1;
	if (sf_str_eq(req->path, SF_STR("/done"))) {
		req->status = 201;
		return SF_HTTP_DONE;
	}
	return sf_str_eq(req->path, SF_STR("/fail")) ? SF_ECONFLICT : 0;
}
static int second(struct sf_http_req *req) {
	order[norder++] = 2;
	int err = sf_sleep(1);
	if (err) return err;
	req->status = 200;
	sf_buf_str(&req->out, req->query);
	if (sf_str_eq(req->path, SF_STR("/huge"))) req->out.failed = true;
	if (sf_str_eq(req->path, SF_STR("/silent"))) req->status = 0;
	return 0;
}
static void finish(struct sf_http_req *req, int err) {
	finished_with = err;
	if (err < 0) {
		sf_http_answer_reset(req);
		req->status = sf_err_status(err);
	}
}
static void after(struct sf_http_req *req) {
	(void)req;
	afters++;
}

static const struct sf_http_stage stages[] = { { "first", first }, { "second", second }, { 0 } };
static const struct sf_http_opts opts = {
	.stages = stages, .on_head = on_head, .finish = finish, .after = after
};

static struct sf_http_req req;
static void run(void *arg) {
	(void)arg;
	sf_http_run(&opts, &req);
}
static void drive(const char *target, const char *body) {
	struct sf_loop *l = sf_loop_new(NULL);
	req = (struct sf_http_req) { .target = sf_str(target), .body = sf_str(body), .arena = sf_arena_new(0) };
	norder = afters = finished_with = 0;
	assert_int_equal(sf_co_start(l, run, NULL, NULL), 0);
	sf_loop_run(l);
	assert_int_equal(sf_loop_free(l), 0);
	assert_int_equal(afters, 1);
}

static void runs_stages_in_order(void **state) {
	(void)state;
	drive("/a?b=c", NULL);
	assert_int_equal(req.status, 200);
	assert_int_equal(norder, 2);
	assert_int_equal(order[0] * 10 + order[1], 12);
	assert_true(sf_str_eq(req.path, SF_STR("/a")));
	assert_true(sf_str_eq(sf_buf_view(&req.out), SF_STR("b=c")));
	sf_arena_free(req.arena);
}

static void stops_early(void **state) {
	(void)state;
	drive("/done", NULL);
	assert_int_equal(norder, 1);
	assert_int_equal(finished_with, SF_HTTP_DONE);
	assert_int_equal(req.status, 201);
	sf_arena_free(req.arena);
	drive("/fail", NULL);
	assert_int_equal(norder, 1);
	assert_int_equal(finished_with, SF_ECONFLICT);
	assert_int_equal(req.status, 409);
	sf_arena_free(req.arena);
}

static void refuses_before_stages(void **state) {
	(void)state;
	static const struct {
		const char *target, *body;
		int err;
	} rows[] = { { "/deny", NULL, SF_EAUTH },
				 { "/small", "abc", SF_ETOOLARGE },
				 { "nonsense", NULL, SF_EMALFORMED } };
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		drive(rows[i].target, rows[i].body);
		assert_int_equal(norder, 0);
		assert_int_equal(finished_with, rows[i].err);
		sf_arena_free(req.arena);
	}
}

/* An answer that ran out of memory, or was forgotten, is an error of ours and not an empty success. */
static void always_leaves_an_answer(void **state) {
	(void)state;
	drive("/huge", NULL);
	assert_int_equal(req.status, 503);
	sf_arena_free(req.arena);
	drive("/silent", NULL);
	assert_int_equal(req.status, 500);
	sf_arena_free(req.arena);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_stages_in_order),
		cmocka_unit_test(stops_early),
		cmocka_unit_test(refuses_before_stages),
		cmocka_unit_test(always_leaves_an_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
