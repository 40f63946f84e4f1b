/* Answers on the wire: what the head says, HEAD, empty bodies, compression. */
#include "rig.h"

#include <brotli/decode.h>
#include <zlib.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static struct answer ask(struct rig *r, const char *raw) {
	struct peer p = peer_open(r);
	struct answer a;
	peer_send(&p, raw);
	assert_true(peer_answer(&p, &a, !strncmp(raw, "HEAD", 4)));
	peer_close(&p);
	return a;
}

static void head_of_an_answer(void **state) {
	(void)state;
	struct rig r = { 0 };
	rig_start(&r);
	struct answer a = ask(&r, GET("/hello"));
	char text[64], now[40];
	sf_time_format_http(sf_time_now(), now);
	assert_non_null(strstr(a.head, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(answer_header(&a, "Date", text, sizeof(text)));
	assert_int_equal(strlen(text), 29);
	assert_memory_equal(text, now, 16); /* day, month, year */
	assert_string_equal(answer_header(&a, "Content-Type", text, sizeof(text)), "text/plain");
	assert_int_equal(a.length, 5);
	answer_free(&a);
	rig_stop(&r);
}

static void head_requests(void **state) {
	(void)state;
	static const char *const paths[] = { "/hello",         "/big?500", "/big?100000",
										 "/bigjson?50000", "/nothing", "/none" };
	struct rig r = { 0 };
	rig_start(&r);
	struct peer p = peer_open(&r);
	for (size_t i = 0; i < SF_COUNT(paths); i++) {
		char raw[256];
		struct answer get, head;
		sprintf(raw, "GET %s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n", paths[i]);
		peer_send(&p, raw);
		assert_true(peer_answer(&p, &get, false));
		sprintf(raw, "HEAD %s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n", paths[i]);
		peer_send(&p, raw);
		assert_true(peer_answer(&p, &head, true));
		assert_int_equal(get.status, head.status);
		assert_int_equal(get.length, head.length);
		answer_free(&get);
		answer_free(&head);
	}
	peer_send(&p, GET("/hello")); /* no body of a HEAD is left in the stream */
	struct answer a;
	assert_true(peer_answer(&p, &a, false));
	assert_string_equal(a.body, "hello");
	answer_free(&a);
	peer_close(&p);
	rig_stop(&r);
}

static void no_content(void **state) {
	(void)state;
	struct rig r = { 0 };
	rig_start(&r);
	struct answer a = ask(&r, GET("/none") GET("/hello"));
	assert_int_equal(a.status, 204);
	assert_int_equal(a.length, SIZE_MAX);
	answer_free(&a);
	rig_stop(&r);
}

/* What can be told apart only by looking at the status: 405 names methods, errors are answers too. */
static void errors_are_answers(void **state) {
	(void)state;
	struct rig r = { 0 };
	rig_start(&r);
	struct answer a = ask(&r, "TRACE / HTTP/1.1\r\nHost: x\r\n\r\n");
	char text[128];
	assert_int_equal(a.status, 405);
	assert_non_null(answer_header(&a, "Allow", text, sizeof(text)));
	assert_string_equal(a.body, "{\"code\":\"method_not_allowed\"}");
	answer_free(&a);
	a = ask(&r, GET("/fail?1"));
	assert_int_equal(a.status, 400);
	answer_free(&a);
	rig_stop(&r);
}

/* ---- compression ---------------------------------------------------------------------------- */

static size_t unzip(const struct answer *a, char *out, size_t n) {
	z_stream z = {
		.next_in = (Bytef *)a->body, .avail_in = (uInt)a->n, .next_out = (Bytef *)out, .avail_out = (uInt)n
	};
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	inflateEnd(&z);
	return z.total_out;
}

static size_t unbrotli(const struct answer *a, char *out, size_t n) {
	assert_int_equal(BrotliDecoderDecompress(a->n, (const uint8_t *)a->body, &n, (uint8_t *)out),
					 BROTLI_DECODER_RESULT_SUCCESS);
	return n;
}

static struct answer ask_coded(struct rig *r, const char *path, const char *accept) {
	char raw[512];
	sprintf(raw, "GET %s HTTP/1.1\r\nHost: x\r\n%s%s%s\r\n", path, accept ? "Accept-Encoding: " : "",
			accept ? accept : "", accept ? "\r\n" : "");
	return ask(r, raw);
}

/* Sizes on both sides of what is copied, and of what goes to the thread pool. */
static void compressed(void **state) {
	(void)state;
	static const int sizes[] = { 1025, 5000, 50000, 300000, 2000000 };
	struct rig r = { 0 };
	rig_start(&r);
	char *out = sf_malloc(2000000), text[64];
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < SF_COUNT(sizes); i++) {
			char path[64];
			sprintf(path, "/bigjson?%d", sizes[i]);
			struct answer a = ask_coded(&r, path, round ? "br" : "gzip");
			assert_int_equal(a.status, 200);
			assert_string_equal(answer_header(&a, "Content-Encoding", text, sizeof(text)),
								round ? "br" : "gzip");
			assert_string_equal(answer_header(&a, "Vary", text, sizeof(text)), "Accept-Encoding");
			assert_string_equal(answer_header(&a, "ETag", text, sizeof(text)), "W/\"abc\"");
			assert_true(a.n < (size_t)sizes[i]);
			assert_int_equal(round ? unbrotli(&a, out, 2000000) : unzip(&a, out, 2000000), sizes[i]);
			for (int k = 0; k < sizes[i]; k++)
				if (out[k] != 'a' + k % 23) fail_msg("byte %d of %d", k, sizes[i]);
			answer_free(&a);
		}
	}
	free(out);
	rig_stop(&r);
}

static void not_compressed(void **state) {
	(void)state;
	struct rig r = { 0 };
	rig_start(&r);
	char text[64];
	/* too small: no word about encodings */
	struct answer a = ask_coded(&r, "/bigjson?1024", "gzip");
	assert_null(answer_header(&a, "Content-Encoding", text, sizeof(text)));
	assert_null(answer_header(&a, "Vary", text, sizeof(text)));
	answer_free(&a);
	/* a type that is compressed already */
	a = ask_coded(&r, "/big?50000", "gzip");
	assert_null(answer_header(&a, "Content-Encoding", text, sizeof(text)));
	assert_null(answer_header(&a, "Vary", text, sizeof(text)));
	answer_free(&a);
	/* not asked for: a cache must still know that it depends */
	a = ask_coded(&r, "/bigjson?50000", NULL);
	assert_null(answer_header(&a, "Content-Encoding", text, sizeof(text)));
	assert_string_equal(answer_header(&a, "Vary", text, sizeof(text)), "Accept-Encoding");
	assert_string_equal(answer_header(&a, "ETag", text, sizeof(text)), "W/\"abc\"");
	assert_int_equal(a.n, 50000);
	answer_free(&a);
	rig_stop(&r);
}

/* A 304 carries what its 200 would (RFC 9110 §15.4.5), whatever was asked for, and nothing that says what the body is. */
static void not_modified(void **state) {
	(void)state;
	static const char *const paths[] = { "/bigjson?1000", "/bigjson?1025", "/bigjson?300000", "/big?50000" };
	static const char *const accepts[] = { "identity", "gzip", "br", "gzip, br;q=0.5", "*", "gzip;q=0", "x" };
	static const char *const names[] = { "ETag", "Vary" };
	struct rig r = { 0 };
	rig_start(&r);
	for (size_t i = 0; i < SF_COUNT(paths) * SF_COUNT(accepts); i++) {
		const char *path = paths[i / SF_COUNT(accepts)], *accept = accepts[i % SF_COUNT(accepts)];
		char extra[128], one[64], two[64];
		struct answer full = ask_coded(&r, path, accept);
		assert_int_equal(full.status, 200);
		assert_non_null(answer_header(&full, "ETag", one, sizeof(one)));
		snprintf(extra, sizeof(extra), "%s\r\nIf-None-Match: %s", accept, one);
		struct answer none = ask_coded(&r, path, extra);
		assert_int_equal(none.status, 304);
		for (size_t k = 0; k < SF_COUNT(names); k++) {
			const char *a = answer_header(&full, names[k], one, sizeof(one)),
					   *b = answer_header(&none, names[k], two, sizeof(two));
			if (!a != !b || (a && strcmp(a, b) != 0))
				fail_msg("%s of %s in %s: %s, then %s", names[k], path, accept, a ? a : "none",
						 b ? b : "none");
		}
		assert_non_null(answer_header(&none, "Date", one, sizeof(one)));
		assert_null(answer_header(&none, "Content-Type", one, sizeof(one)));
		assert_null(answer_header(&none, "Content-Encoding", one, sizeof(one)));
		answer_free(&full);
		answer_free(&none);
	}
	rig_stop(&r);
}

/* Many answers of several kinds over the same encoders. */
static void encoders_are_reused(void **state) {
	(void)state;
	struct rig r = { 0 };
	rig_start(&r);
	char out[40000];
	for (int i = 0; i < 200; i++) {
		char path[64];
		int n = 2000 + i * 173 % 30000;
		sprintf(path, "/bigjson?%d", n);
		struct answer a = ask_coded(&r, path, i % 2 ? "br" : "gzip");
		assert_int_equal(i % 2 ? unbrotli(&a, out, sizeof(out)) : unzip(&a, out, sizeof(out)), n);
		answer_free(&a);
	}
	rig_stop(&r);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(head_of_an_answer), cmocka_unit_test(head_requests),
		cmocka_unit_test(no_content),        cmocka_unit_test(errors_are_answers),
		cmocka_unit_test(compressed),        cmocka_unit_test(not_compressed),
		cmocka_unit_test(not_modified),      cmocka_unit_test(encoders_are_reused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
