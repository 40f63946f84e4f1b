/* decode: codings by name; gzip that is whole, in parts, cut, spoilt, and far larger than it looks. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <zlib.h>

#include "http/http.h"
#include "loop/loop.h"

static struct sf_http_req request(struct sf_str body) {
	return (struct sf_http_req) { .arena = sf_arena_new(0), .body = body };
}

static void codings(void **state) {
	(void)state;
	static const struct {
		const char *first, *second;
		enum sf_body_coding coding;
	} rows[] = {
		{ NULL, NULL, SF_BODY_PLAIN },
		{ "", NULL, SF_BODY_PLAIN },
		{ "identity", NULL, SF_BODY_PLAIN },
		{ "gzip", NULL, SF_BODY_GZIP },
		{ "GZip", NULL, SF_BODY_GZIP },
		{ " x-gzip ", NULL, SF_BODY_GZIP },
		{ "identity, gzip,", NULL, SF_BODY_GZIP },
		{ "identity", "gzip", SF_BODY_GZIP },
		{ "gzip", "gzip", SF_BODY_OTHER },
		{ "gzip, gzip", NULL, SF_BODY_OTHER },
		{ "br", NULL, SF_BODY_OTHER },
		{ "gzip", "br", SF_BODY_OTHER },
		{ "deflate", NULL, SF_BODY_OTHER },
		{ "gzip;q=1", NULL, SF_BODY_OTHER },
	};
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		struct sf_http_header headers[] = { { SF_STR("Content-Type"), SF_STR("gzip") },
											{ SF_STR("content-ENCODING"), sf_str(rows[i].first) },
											{ SF_STR("Content-Encoding"), sf_str(rows[i].second) } };
		struct sf_http_req req = { .headers = headers,
								   .nheaders = rows[i].second  ? 3
											   : rows[i].first ? 2
															   : 1 };
		if (sf_http_body_coding(&req) != rows[i].coding) fail_msg("row %zu", i);
	}
}

/* One member; the test frees it. */
static struct sf_str gzip(struct sf_str plain, int level) {
	z_stream z = { 0 };
	assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	size_t cap = deflateBound(&z, plain.n);
	char *p = sf_malloc(cap);
	z.next_in = (Bytef *)(uintptr_t)plain.p, z.avail_in = (uInt)plain.n;
	z.next_out = (Bytef *)p, z.avail_out = (uInt)cap;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	struct sf_str out = { p, cap - z.avail_out };
	deflateEnd(&z);
	return out;
}

static void drop(struct sf_str s) {
	free((void *)(uintptr_t)s.p);
}

/* n bytes that compress somewhat */
static struct sf_str letters(size_t n) {
	char *p = sf_malloc(n ? n : 1);
	uint32_t x = 1;
	for (size_t i = 0; i < n; i++) x = x * 1103515245 + 12345, p[i] = (char)('a' + (x >> 16) % 7);
	return (struct sf_str) { p, n };
}

static int inflate_to(struct sf_str body, size_t max, struct sf_str want) {
	struct sf_http_req req = request(body);
	int err = sf_http_inflate(&req, max);
	if (!err && !sf_str_eq(req.body, want)) fail_msg("%zu bytes are not those that were sent", req.body.n);
	if (err) assert_true(req.body.p == body.p && req.body.n == body.n);
	sf_arena_free(req.arena);
	return err;
}

static void whole(void **state) {
	(void)state;
	static const size_t sizes[] = { 0, 1, 100, 16383, 16384, 16385, 65536, 1000000 };
	for (size_t i = 0; i < SF_COUNT(sizes); i++)
		for (int level = 0; level <= 9; level += 3) {
			struct sf_str plain = letters(sizes[i]), coded = gzip(plain, level);
			assert_int_equal(inflate_to(coded, sizes[i] + 1, plain), 0);
			assert_int_equal(inflate_to(coded, sizes[i], plain), 0);
			if (sizes[i]) assert_int_equal(inflate_to(coded, sizes[i] - 1, plain), SF_ETOOLARGE);
			if (sizes[i]) assert_int_equal(inflate_to(coded, 0, plain), SF_ETOOLARGE);
			drop(plain), drop(coded);
		}
	assert_int_equal(inflate_to(SF_STR_NULL, 10, SF_STR_NULL), 0); /* no body */
}

static void members(void **state) {
	(void)state;
	struct sf_str a = letters(30000), one = gzip(a, 6), none = gzip(SF_STR(""), 6);
	size_t n = 2 * one.n + 2 * none.n;
	char *p = sf_malloc(n + 1), *at = p;
	memcpy(at, none.p, none.n), at += none.n;
	memcpy(at, one.p, one.n), at += one.n;
	memcpy(at, one.p, one.n), at += one.n;
	memcpy(at, none.p, none.n), at += none.n;
	struct sf_str twice = { sf_malloc(60000), 60000 };
	memcpy((char *)(uintptr_t)twice.p, a.p, 30000);
	memcpy((char *)(uintptr_t)twice.p + 30000, a.p, 30000);
	assert_int_equal(inflate_to((struct sf_str) { p, n }, 60000, twice), 0);
	assert_int_equal(inflate_to((struct sf_str) { p, n }, 59999, twice), SF_ETOOLARGE);
	*at = 'x'; /* nothing but members */
	assert_int_equal(inflate_to((struct sf_str) { p, n + 1 }, 60000, twice), SF_EMALFORMED);
	*at = 0;
	assert_int_equal(inflate_to((struct sf_str) { p, n + 1 }, 60000, twice), SF_EMALFORMED);
	free(p), drop(a), drop(one), drop(none), drop(twice);
}

/* Cut anywhere it is refused, and whatever byte is changed, it is refused or the same (the header's unused bytes). */
static void spoilt(void **state) {
	(void)state;
	struct sf_str plain = letters(300), good = gzip(plain, 6);
	for (size_t n = 1; n < good.n; n++)
		assert_int_equal(inflate_to((struct sf_str) { good.p, n }, 1000, plain), SF_EMALFORMED);
	char *bad = sf_malloc(good.n);
	size_t harmless = 0;
	for (size_t i = 0; i < good.n; i++)
		for (int bit = 0; bit < 8; bit++) {
			memcpy(bad, good.p, good.n);
			bad[i] = (char)(bad[i] ^ 1 << bit);
			int err = inflate_to((struct sf_str) { bad, good.n }, 1000, plain);
			assert_true(err == 0 || err == SF_EMALFORMED || err == SF_ETOOLARGE);
			harmless += err == 0;
		}
	assert_true(harmless <= 8 * 8);
	static const char *const others[] = { "{}", "\x1f", "\x1f\x8b\x08", "\x78\x9c\x03\x00\x00\x00\x00\x01",
										  "\x1f\x8b\x09\x00\x00\x00\x00\x00\x00\x03" };
	for (size_t i = 0; i < SF_COUNT(others); i++)
		assert_int_equal(inflate_to(sf_str(others[i]), 1000, plain), SF_EMALFORMED);
	free(bad), drop(plain), drop(good);
}

/* 64 MiB in 64 KiB: refused at the limit, for no more memory than a plain body of the limit takes (twice, for a buffer that grows). */
static void bomb(void **state) {
	(void)state;
	enum { BIG = 64 << 20, MAX = 256 << 10 };
	struct sf_str plain = { sf_calloc(1, BIG), BIG }, coded = gzip(plain, 9);
	assert_true(coded.n < MAX);
	struct sf_http_req req = request(coded);
	size_t before = sf_arena_used(req.arena);
	assert_int_equal(sf_http_inflate(&req, MAX), SF_ETOOLARGE);
	assert_true(sf_arena_used(req.arena) - before <= 3 * MAX);
	sf_arena_free(req.arena);
	/* a length in the trailer that lies buys nothing either */
	char *lie = sf_malloc(40);
	struct sf_str small = gzip(SF_STR("abc"), 9);
	memcpy(lie, small.p, small.n);
	memcpy(lie + small.n - 4, "\xff\xff\x03\x00", 4);
	req = request((struct sf_str) { lie, small.n });
	assert_int_equal(sf_http_inflate(&req, MAX), SF_EMALFORMED);
	assert_true(sf_arena_used(req.arena) <= 64 << 10);
	sf_arena_free(req.arena);
	free(lie), drop(plain), drop(coded), drop(small);
}

/* ---- turns ------------------------------------------------------------------------------------ */

struct turns {
	struct sf_str body;
	size_t max;
	int err, others;
	bool over, cancel;
};

static void inflates(void *arg) {
	struct turns *t = arg;
	struct sf_http_req req = request(t->body);
	if (t->cancel) sf_co_cancel(sf_co_self(), SF_ECANCELED);
	t->err = sf_http_inflate(&req, t->max);
	t->over = true;
	sf_arena_free(req.arena);
}
static void counts(void *arg) {
	struct turns *t = arg;
	for (; !t->over; t->others++) assert_int_equal(sf_yield(), 0);
}

static struct turns run_beside(struct sf_str body, size_t max, bool cancel) {
	struct turns t = { .body = body, .max = max, .cancel = cancel };
	struct sf_loop *l = sf_loop_new(NULL);
	assert_int_equal(sf_co_start(l, inflates, &t, NULL), 0);
	assert_int_equal(sf_co_start(l, counts, &t, NULL), 0);
	sf_loop_run(l);
	assert_int_equal(sf_loop_free(l), 0);
	return t;
}

static void gives_way(void **state) {
	(void)state;
	struct sf_str plain = letters(1 << 20), coded = gzip(plain, 6), none = gzip(SF_STR(""), 6);
	struct turns t = run_beside(coded, 1 << 20, false);
	assert_true(t.err == 0 && t.others >= 12);
	t = run_beside(coded, 1 << 20, true);
	assert_int_equal(t.err, SF_ECANCELED);
	/* a thousand members of nothing */
	char *p = sf_malloc(1000 * none.n);
	for (size_t i = 0; i < 1000; i++) memcpy(p + i * none.n, none.p, none.n);
	t = run_beside((struct sf_str) { p, 1000 * none.n }, 100, false);
	assert_true(t.err == 0 && t.others >= 5);
	t = run_beside(none, 100, false);
	assert_true(t.err == 0 && t.others == 0);
	free(p), drop(plain), drop(coded), drop(none);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codings), cmocka_unit_test(whole), cmocka_unit_test(members),
		cmocka_unit_test(spoilt),  cmocka_unit_test(bomb),  cmocka_unit_test(gives_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
