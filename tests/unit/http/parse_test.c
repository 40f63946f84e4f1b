/* What is refused: requests that are malformed, oversized or could be read in two ways (RFC 9112 §11.2). Each row is
 * sent whole and again byte by byte, and a second request behind it must never be answered after a refusal. */
#include "rig.h"

struct row {
	const char *name;
	int status; /* 0: closed without an answer */
	bool closed;
	const char *raw;
};

#define H   "Host: x\r\n"
#define END "\r\n"

static const struct row rows[] = {
	/* accepted */
	{ "plain", 200, false, "GET /hello HTTP/1.1\r\n" H END },
	{ "no space after the colon", 200, false, "GET /hello HTTP/1.1\r\nHost:x\r\n" END },
	{ "space around a value", 200, false, "GET /hello HTTP/1.1\r\nHost: \t x \t \r\n" END },
	{ "empty value", 200, false, "GET /hello HTTP/1.1\r\n" H "A:\r\nB: \r\n" END },
	{ "empty line before", 200, false, "\r\n\r\nGET /hello HTTP/1.1\r\n" H END },
	{ "absolute form", 200, false, "GET http://y/hello HTTP/1.1\r\n" H END },
	{ "absolute form, upper case", 200, false, "GET HTTP://y:80/hello?a HTTP/1.1\r\n" H END },
	{ "query only in absolute form", 404, false, "GET http://y?a HTTP/1.1\r\n" H END },
	{ "asterisk form", 204, false, "OPTIONS * HTTP/1.1\r\n" H END },
	{ "1.0 without host", 200, true, "GET /hello HTTP/1.0\r\n" END },
	{ "1.0 keep-alive", 200, false, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n" END },
	{ "asked to close", 200, true, "GET /hello HTTP/1.1\r\n" H "Connection: close\r\n" END },
	{ "close among others", 200, true, "GET /hello HTTP/1.1\r\n" H "Connection: x, Close\r\n" END },
	{ "upgrade not taken", 200, false,
	  "GET /hello HTTP/1.1\r\n" H "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" END },
	{ "body of a GET", 200, false, "GET /hello HTTP/1.1\r\n" H "Content-Length: 3\r\n" END "abc" },
	{ "length 0", 200, false, "POST /echo HTTP/1.1\r\n" H "Content-Length: 0\r\n" END },
	{ "chunked", 200, false,
	  "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n" END "3\r\nabc\r\n0\r\n\r\n" },
	{ "chunked, name in capitals", 200, false,
	  "POST /echo HTTP/1.1\r\n" H "TRANSFER-ENCODING: Chunked\r\n" END "A\r\n0123456789\r\n0\r\n\r\n" },
	{ "chunk extension and trailer", 200, false,
	  "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n" END "3;a=b\r\nabc\r\n0\r\nT: v\r\n\r\n" },
	{ "obs-text in a value", 200, false, "GET /hello HTTP/1.1\r\n" H "A: \xc3\xa4\xff\r\n" END },
	{ "IPv6 host", 200, false, "GET /hello HTTP/1.1\r\nHost: [::1]:80\r\n" END },
	{ "unknown expectation", 200, false, "GET /hello HTTP/1.1\r\n" H "Expect: tea\r\n" END },

	/* request line */
	{ "two spaces", 400, true, "GET  /hello HTTP/1.1\r\n" H END },
	{ "space before", 400, true, " GET /hello HTTP/1.1\r\n" H END },
	{ "space behind", 505, true, "GET /hello HTTP/1.1 \r\n" H END },
	{ "tab", 400, true, "GET\t/hello HTTP/1.1\r\n" H END },
	{ "no version", 400, true, "GET /hello\r\n" H END },
	{ "no target", 400, true, "GET HTTP/1.1\r\n" H END },
	{ "relative target", 400, true, "GET hello HTTP/1.1\r\n" H END },
	{ "fragment", 400, true, "GET /hello#a HTTP/1.1\r\n" H END },
	{ "asterisk of GET", 400, true, "GET * HTTP/1.1\r\n" H END },
	{ "other scheme", 400, true, "GET ftp://y/hello HTTP/1.1\r\n" H END },
	{ "absolute form without host", 400, true, "GET http:///hello HTTP/1.1\r\n" H END },
	{ "absolute form, user info", 400, true, "GET http://u@y/hello HTTP/1.1\r\n" H END },
	{ "control in target", 400, true, "GET /he\x01llo HTTP/1.1\r\n" H END },
	{ "DEL in target", 400, true, "GET /he\x7fllo HTTP/1.1\r\n" H END },
	{ "raw UTF-8 in target", 400, true, "GET /\xea\xb2\x80 HTTP/1.1\r\n" H END },
	{ "bare LF after request line", 400, true, "GET /hello HTTP/1.1\n" H END },
	{ "lower-case method", 400, true, "get /hello HTTP/1.1\r\n" H END },
	{ "bytes that are no HTTP", 400, true, "\x16\x03\x01\x02\x01\x01\xfc\x03\x03" },
	{ "unknown method", 405, true, "BREW /hello HTTP/1.1\r\n" H END },
	{ "CONNECT", 405, true, "CONNECT y:80 HTTP/1.1\r\n" H END },
	{ "TRACE", 405, true, "TRACE /hello HTTP/1.1\r\n" H END },
	{ "PROPFIND", 405, true, "PROPFIND /hello HTTP/1.1\r\n" H END },
	{ "HTTP/2 preface", 505, true, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" },
	{ "HTTP/2.0", 505, true, "GET /hello HTTP/2.0\r\n" H END },
	{ "HTTP/1.2", 505, true, "GET /hello HTTP/1.2\r\n" H END },
	{ "HTTP/0.9", 505, true, "GET /hello HTTP/0.9\r\n" H END },
	{ "lower-case http", 400, true, "GET /hello http/1.1\r\n" H END },
	{ "RTSP", 400, true, "DESCRIBE /hello RTSP/1.0\r\n" H END },
	{ "ICE", 400, true, "SOURCE /hello ICE/1.0\r\n" H END },

	/* headers */
	{ "no host", 400, true, "GET /hello HTTP/1.1\r\n" END },
	{ "two hosts", 400, true, "GET /hello HTTP/1.1\r\n" H H END },
	{ "two hosts, 1.0", 400, true, "GET /hello HTTP/1.0\r\n" H H END },
	{ "two different hosts", 400, true, "GET /hello HTTP/1.1\r\n" H "Host: y\r\n" END },
	{ "empty host", 400, true, "GET /hello HTTP/1.1\r\nHost: \r\n" END },
	{ "path in host", 400, true, "GET /hello HTTP/1.1\r\nHost: x/y\r\n" END },
	{ "space in host", 400, true, "GET /hello HTTP/1.1\r\nHost: x y\r\n" END },
	{ "list of hosts", 400, true, "GET /hello HTTP/1.1\r\nHost: x,y\r\n" END },
	{ "space before colon", 400, true, "GET /hello HTTP/1.1\r\nHost : x\r\n" END },
	{ "tab before colon", 400, true, "GET /hello HTTP/1.1\r\n" H "A\t: b\r\n" END },
	{ "folded", 400, true, "GET /hello HTTP/1.1\r\n" H "A: b\r\n c\r\n" END },
	{ "folded with tab", 400, true, "GET /hello HTTP/1.1\r\n" H "A: b\r\n\tc\r\n" END },
	{ "folded empty value", 400, true, "GET /hello HTTP/1.1\r\n" H "A:\r\n b\r\n" END },
	{ "first header folded", 400, true, "GET /hello HTTP/1.1\r\n Host: x\r\n" END },
	{ "no name", 400, true, "GET /hello HTTP/1.1\r\n" H ": b\r\n" END },
	{ "no colon", 400, true, "GET /hello HTTP/1.1\r\n" H "A\r\n" END },
	{ "bare LF after header", 400, true, "GET /hello HTTP/1.1\r\nHost: x\n" END },
	{ "bare LF at the end", 400, true, "GET /hello HTTP/1.1\r\n" H "\n" },
	{ "bare CR in value", 400, true, "GET /hello HTTP/1.1\r\n" H "A: b\rc\r\n" END },
	{ "bare CR as line end", 400, true, "GET /hello HTTP/1.1\r\n" H "A: b\rB: c\r\n" END },
	{ "control in value", 400, true, "GET /hello HTTP/1.1\r\n" H "A: b\x02\r\n" END },
	{ "control in name", 400, true, "GET /hello HTTP/1.1\r\n" H "A\x02: b\r\n" END },
	{ "UTF-8 in name", 400, true, "GET /hello HTTP/1.1\r\n" H "\xc3\xa4: b\r\n" END },
	{ "parenthesis in name", 400, true, "GET /hello HTTP/1.1\r\n" H "A(b): c\r\n" END },

	/* where the body ends */
	{ "length and coding", 400, true,
	  "POST /echo HTTP/1.1\r\n" H "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n" END "0\r\n\r\n" },
	{ "coding and length", 400, true,
	  "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n" END "0\r\n\r\n" },
	{ "two lengths", 400, true,
	  "POST /echo HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 4\r\n" END "abcd" },
	{ "the same length twice", 400, true,
	  "POST /echo HTTP/1.1\r\n" H "Content-Length: 3\r\nContent-Length: 3\r\n" END "abc" },
	{ "list of lengths", 400, true, "POST /echo HTTP/1.1\r\n" H "Content-Length: 3, 3\r\n" END "abc" },
	{ "negative length", 400, true, "POST /echo HTTP/1.1\r\n" H "Content-Length: -1\r\n" END },
	{ "signed length", 400, true, "POST /echo HTTP/1.1\r\n" H "Content-Length: +3\r\n" END "abc" },
	{ "hexadecimal length", 400, true, "POST /echo HTTP/1.1\r\n" H "Content-Length: 0x3\r\n" END "abc" },
	{ "length with a dot", 400, true, "POST /echo HTTP/1.1\r\n" H "Content-Length: 3.0\r\n" END "abc" },
	{ "length with a space inside", 400, true,
	  "POST /echo HTTP/1.1\r\n" H "Content-Length: 1 0\r\n" END "abc" },
	{ "empty length", 400, true, "POST /echo HTTP/1.1\r\n" H "Content-Length: \r\n" END },
	{ "length past 64 bits", 400, true,
	  "POST /echo HTTP/1.1\r\n" H "Content-Length: 99999999999999999999\r\n" END },
	{ "other coding", 400, true, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: gzip\r\n" END },
	{ "chunked is not last", 400, true,
	  "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked, gzip\r\n" END "0\r\n\r\n" },
	{ "gzip and chunked", 400, true,
	  "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n" END "0\r\n\r\n" },
	{ "chunked twice", 400, true,
	  "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked, chunked\r\n" END "0\r\n\r\n" },
	{ "chunked in two headers", 400, true,
	  "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" END
	  "0\r\n\r\n" },
	{ "coding identity", 400, true, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n" END },
	{ "xchunked", 400, true, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n" END "0\r\n\r\n" },
	{ "chunked with a tail", 400, true,
	  "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked;a\r\n" END "0\r\n\r\n" },
	{ "vertical tab before chunked", 400, true,
	  "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: \x0b"
	  "chunked\r\n" END "0\r\n\r\n" },
	{ "empty coding", 400, true, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: \r\n" END },
	{ "coding of 1.0", 400, true,
	  "POST /echo HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n" END "0\r\n\r\n" },
	{ "chunk size no number", 400, true,
	  "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n" END "z\r\nabc\r\n0\r\n\r\n" },
	{ "chunk size with 0x", 400, true,
	  "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n" END "0x3\r\nabc\r\n0\r\n\r\n" },
	{ "negative chunk size", 400, true,
	  "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n" END "-3\r\nabc\r\n0\r\n\r\n" },
	{ "chunk size past 64 bits", 400, true,
	  "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n" END
	  "11111111111111111\r\nabc\r\n0\r\n\r\n" },
	{ "space after chunk size", 400, true,
	  "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n" END "3 \r\nabc\r\n0\r\n\r\n" },
	{ "bare LF after chunk size", 400, true,
	  "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n" END "3\nabc\r\n0\r\n\r\n" },
	{ "bare LF in an extension", 400, true,
	  "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n" END "3;a\nabc\r\n0\r\n\r\n" },
	{ "bare LF after a chunk", 400, true,
	  "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n" END "3\r\nabc\n0\r\n\r\n" },
	{ "bare LF at the end of chunks", 400, true,
	  "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n" END "3\r\nabc\r\n0\r\n\n" },
	{ "bare LF in a trailer", 400, true,
	  "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n" END "3\r\nabc\r\n0\r\nA: b\n\r\n" },
	{ "chunk longer than its size", 400, true,
	  "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n" END "3\r\nabcd\r\n0\r\n\r\n" },

	/* what the stages refuse in time */
	{ "refused head, no body", 415, false, "GET /deny HTTP/1.1\r\n" H END },
	{ "refused head, body to come", 415, true,
	  "POST /deny HTTP/1.1\r\n" H "Content-Length: 3\r\n" END "abc" },
	{ "refused head, chunked", 415, true,
	  "POST /deny HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n" END "3\r\nabc\r\n0\r\n\r\n" },
	{ "body at the route's limit", 200, false,
	  "POST /small HTTP/1.1\r\n" H "Content-Length: 10\r\n" END "0123456789" },
	{ "body past the route's limit", 413, true,
	  "POST /small HTTP/1.1\r\n" H "Content-Length: 11\r\n" END "0123456789a" },
	{ "chunks past the route's limit", 413, true,
	  "POST /small HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n" END
	  "6\r\nabcdef\r\n6\r\nghijkl\r\n0\r\n\r\n" },
};

/* The status of the row's answer; then, whether a second request is still answered. */
static void check(struct rig *r, const struct row *row, bool by_byte) {
	struct peer p = peer_open(r);
	struct answer a;
	size_t n = strlen(row->raw);
	if (by_byte)
		for (size_t i = 0; i < n && peer_write(&p, row->raw + i, 1); i++) continue;
	else
		peer_write(&p, row->raw, n);
	bool answered = peer_answer(&p, &a, false);
	if (!answered || a.status != row->status)
		fail_msg("%s%s: status %d, not %d", row->name, by_byte ? " (by byte)" : "", answered ? a.status : 0,
				 row->status);
	char connection[64];
	bool says_close =
		answer_header(&a, "Connection", connection, sizeof(connection)) && !strcmp(connection, "close");
	assert_int_equal(says_close, row->closed);
	answer_free(&a);
	peer_send(&p, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	answered = peer_answer(&p, &a, false);
	if (answered == row->closed)
		fail_msg("%s%s: %s", row->name, by_byte ? " (by byte)" : "",
				 row->closed ? "a second request was answered" : "the connection was closed");
	if (!row->closed) assert_string_equal(a.body, "hello");
	answer_free(&a);
	peer_close(&p);
}

static void corpus(void **state) {
	(void)state;
	struct rig r = { 0 };
	rig_start(&r);
	for (size_t i = 0; i < SF_COUNT(rows); i++) check(&r, &rows[i], false), check(&r, &rows[i], true);
	rig_stop(&r);
	assert_true(SF_COUNT(rows) >= 60);
}

static void nul_bytes(void **state) {
	(void)state;
	static const struct {
		const char *raw;
		size_t n;
	} rows_[] = {
#define RAW(text) { text, sizeof(text) - 1 }
		RAW("GET /he\0llo HTTP/1.1\r\nHost: x\r\n\r\n"),
		RAW("GET /hello HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n"),
		RAW("GET /hello HTTP/1.1\r\nHost: x\r\nA\0: b\r\n\r\n"),
		RAW("G\0T /hello HTTP/1.1\r\nHost: x\r\n\r\n"),
		RAW("\0GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"),
	};
	struct rig r = { 0 };
	rig_start(&r);
	for (size_t i = 0; i < SF_COUNT(rows_); i++) {
		struct peer p = peer_open(&r);
		struct answer a;
		peer_write(&p, rows_[i].raw, rows_[i].n);
		assert_true(peer_answer(&p, &a, false));
		assert_int_equal(a.status, 400);
		assert_true(peer_ended(&p));
		answer_free(&a);
		peer_close(&p);
	}
	rig_stop(&r);
}

static char *repeat(const char *before, const char *piece, size_t times, const char *after) {
	size_t n = strlen(piece), at = strlen(before);
	char *text = sf_malloc(at + n * times + strlen(after) + 1);
	memcpy(text, before, at);
	for (size_t i = 0; i < times; i++, at += n) memcpy(text + at, piece, n);
	strcpy(text + at, after);
	return text;
}

static void limits(void **state) {
	(void)state;
	struct rig r = { 0 };
	rig_start(&r);
	const struct {
		const char *before, *piece;
		size_t times;
		const char *after;
		int status;
	} rows_[] = {
		{ "GET /", "a", 8000, " HTTP/1.1\r\nHost: x\r\n\r\n", 404 },
		{ "GET /", "a", 8192, " HTTP/1.1\r\nHost: x\r\n\r\n", 414 },
		{ "GET /", "a", 100000, "", 414 },
		{ "GET /hello HTTP/1.1\r\nHost: x\r\nA: ", "b", 15000, "\r\n\r\n", 200 },
		{ "GET /hello HTTP/1.1\r\nHost: x\r\nA: ", "b", 17000, "\r\n\r\n", 431 },
		{ "GET /hello HTTP/1.1\r\nHost: x\r\n", "A: b\r\n", 99, "\r\n", 200 },
		{ "GET /hello HTTP/1.1\r\nHost: x\r\n", "A: b\r\n", 100, "\r\n", 431 },
		{ "GET /hello HTTP/1.1\r\nHost: x\r\n", "", 0, "A: b\r\nC: d\r\n\r\n", 200 },
		{ "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;", "a", 100000, "", 400 },
		{ "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "A: b\r\n", 20000, "",
		  400 },
		{ "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n", 50000,
		  "0\r\n\r\n", 200 },
	};
	for (size_t i = 0; i < SF_COUNT(rows_); i++) {
		char *text = repeat(rows_[i].before, rows_[i].piece, rows_[i].times, rows_[i].after);
		int status = rig_ask(&r, text, NULL);
		if (status != rows_[i].status) fail_msg("row %zu: %d, not %d", i, status, rows_[i].status);
		free(text);
	}
	rig_stop(&r);
}

static void absolute_form_sets_host(void **state) {
	(void)state;
	struct rig r = { 0 };
	rig_start(&r);
	struct peer p = peer_open(&r);
	struct answer a;
	peer_send(&p, "GET http://real.example:81/host HTTP/1.1\r\nHost: other\r\n\r\n");
	assert_true(peer_answer(&p, &a, false));
	assert_string_equal(a.body, "real.example:81");
	answer_free(&a);
	peer_close(&p);
	rig_stop(&r);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(corpus),
		cmocka_unit_test(nul_bytes),
		cmocka_unit_test(limits),
		cmocka_unit_test(absolute_form_sets_host),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
