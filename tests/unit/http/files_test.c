/* Static files: what is found, what is never served, validators, ranges and encodings. */
#include "rig.h"
#include "scratch.h"

#include <sys/stat.h>

static char dir[64];

static void write_file(const char *name, const char *text, size_t n) {
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	fclose(f);
}
#define FILE_OF(name, text) write_file(name, text, sizeof(text) - 1)

static int make_files(void **state) {
	(void)state;
	char path[512], big[70000];
	assert_true(scratch_folder(dir, sizeof dir, "sf-files"));
	static const char *const folders[] = { "sub", ".git", "sub/deep" };
	for (size_t i = 0; i < SF_COUNT(folders); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, folders[i]);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	FILE_OF("index.html", "<p>root");
	FILE_OF("chefs.html", "<p>chefs");
	FILE_OF("sub/index.html", "<p>sub");
	FILE_OF("sub/deep/a b.txt", "0123456789");
	FILE_OF("sub/\xea\xb2\x80.txt", "korean");
	FILE_OF("app.3f9c0d21.js", "let a");
	FILE_OF("app.3f9c0d2.js", "let b");
	FILE_OF("empty.txt", "");
	FILE_OF(".env", "secret");
	FILE_OF(".git/config", "secret");
	FILE_OF("lone.gz", "kept as it is");
	memset(big, 'b', sizeof(big));
	write_file("wide.css", big, sizeof(big));
	FILE_OF("wide.css.br", "BR FORM");
	FILE_OF("wide.css.gz", "GZ FORM!");
	write_file("plain.css", big, 5000); /* brings no forms */
	write_file("few.css", big, 1000);
	for (size_t i = 0; i < sizeof(big); i++) big[i] = (char)rand();
	write_file("noise.txt", big, 5000);
	snprintf(path, sizeof(path), "%s/link.txt", dir);
	assert_int_equal(symlink("/etc/hostname", path), 0);
	return 0;
}

static int remove_files(void **state) {
	(void)state;
	char command[600];
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static struct rig r;
static int start(void **state) {
	(void)state;
	r = (struct rig) { 0 };
	assert_int_equal(sf_static_load(dir, &r.files), 0);
	rig_start(&r);
	return 0;
}
static int stop(void **state) {
	(void)state;
	rig_stop(&r);
	sf_static_free(r.files);
	return 0;
}

static struct answer ask(const char *method, const char *path, const char *headers) {
	struct peer p = peer_open(&r);
	struct answer a;
	char raw[1024];
	snprintf(raw, sizeof(raw), "%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n", method, path, headers);
	peer_send(&p, raw);
	assert_true(peer_answer(&p, &a, !strcmp(method, "HEAD")));
	peer_close(&p);
	return a;
}

static void found(void **state) {
	(void)state;
	static const struct {
		const char *path, *body, *type;
	} rows[] = {
		{ "/", "<p>root", "text/html; charset=utf-8" },
		{ "/index.html", "<p>root", "text/html; charset=utf-8" },
		{ "/chefs", "<p>chefs", "text/html; charset=utf-8" },
		{ "/chefs?page=2", "<p>chefs", "text/html; charset=utf-8" },
		{ "/sub/", "<p>sub", "text/html; charset=utf-8" },
		{ "/sub/deep/a%20b.txt", "0123456789", "text/plain; charset=utf-8" },
		{ "/sub/%EA%B2%80.txt", "korean", "text/plain; charset=utf-8" },
		{ "/app.3f9c0d21.js", "let a", "text/javascript; charset=utf-8" },
		{ "/empty.txt", "", "text/plain; charset=utf-8" },
		{ "/lone.gz", "kept as it is", "application/octet-stream" },
	};
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		char text[128];
		struct answer a = ask("GET", rows[i].path, "");
		if (a.status != 200) fail_msg("%s: %d", rows[i].path, a.status);
		assert_string_equal(a.body, rows[i].body);
		assert_string_equal(answer_header(&a, "Content-Type", text, sizeof(text)), rows[i].type);
		assert_non_null(answer_header(&a, "ETag", text, sizeof(text)));
		answer_free(&a);
		a = ask("HEAD", rows[i].path, "");
		assert_int_equal(a.length, strlen(rows[i].body));
		answer_free(&a);
	}
}

static void never_served(void **state) {
	(void)state;
	static const char *const paths[] = {
		"/.env",
		"/%2eenv",
		"/.git/config",
		"/sub/../.env",
		"/sub/..%2f.env",
		"/../../../../etc/passwd",
		"/..%2f..%2f..%2fetc/passwd",
		"/%2e%2e/%2e%2e/etc/passwd",
		"//etc/passwd",
		"/sub/./index.html",
		"/link.txt",
		"/sub",
		"/wide.css.br",
		"/wide.css.gz",
		"/index.html/",
		"/index.html%00.txt",
		"/%",
		"/%zz",
		"/%ff%fe",
		"/absent",
		"/sub/deep/",
		"/chefs/",
		"/\\..\\.env",
	};
	for (size_t i = 0; i < SF_COUNT(paths); i++) {
		struct answer a = ask("GET", paths[i], "");
		if (a.status != 404 && a.status != 400) fail_msg("%s: %d", paths[i], a.status);
		assert_null(strstr(a.body, "secret"));
		answer_free(&a);
	}
	struct answer a = ask("POST", "/chefs", "");
	assert_int_equal(a.status, 405);
	answer_free(&a);
}

static void validators(void **state) {
	(void)state;
	char etag[64], again[64], headers[256];
	struct answer a = ask("GET", "/chefs", "");
	assert_non_null(answer_header(&a, "ETag", etag, sizeof(etag)));
	assert_int_equal(etag[0], '"');
	answer_free(&a);
	snprintf(headers, sizeof(headers), "If-None-Match: \"x\", W/%s\r\n", etag);
	a = ask("GET", "/chefs", headers);
	assert_int_equal(a.status, 304);
	assert_string_equal(answer_header(&a, "ETag", again, sizeof(again)), etag);
	assert_string_equal(answer_header(&a, "Cache-Control", again, sizeof(again)), "no-cache");
	assert_null(answer_header(&a, "Content-Type", again, sizeof(again)));
	answer_free(&a);
	a = ask("GET", "/", "");
	assert_string_not_equal(answer_header(&a, "ETag", again, sizeof(again)), etag);
	answer_free(&a);
}

static void far_future_only_for_hashed_names(void **state) {
	(void)state;
	char text[128];
	struct answer a = ask("GET", "/app.3f9c0d21.js", "");
	assert_string_equal(answer_header(&a, "Cache-Control", text, sizeof(text)),
						"public, max-age=31536000, immutable");
	answer_free(&a);
	a = ask("GET", "/app.3f9c0d2.js", "");
	assert_string_equal(answer_header(&a, "Cache-Control", text, sizeof(text)), "no-cache");
	answer_free(&a);
}

static void ranges(void **state) {
	(void)state;
	static const struct {
		const char *range;
		int status;
		const char *body, *content_range;
	} rows[] = {
		{ "bytes=0-0", 206, "0", "bytes 0-0/10" },
		{ "bytes=2-4", 206, "234", "bytes 2-4/10" },
		{ "bytes=7-", 206, "789", "bytes 7-9/10" },
		{ "bytes=-3", 206, "789", "bytes 7-9/10" },
		{ "bytes=-30", 206, "0123456789", "bytes 0-9/10" },
		{ "bytes=5-999", 206, "56789", "bytes 5-9/10" },
		{ "bytes=5-99999999999999999999999", 206, "56789", "bytes 5-9/10" },
		{ "Bytes=0-1", 206, "01", "bytes 0-1/10" },
		{ "bytes=10-", 416, "", "bytes */10" },
		{ "bytes=99999999999999999999999-", 416, "", "bytes */10" },
		{ "bytes=-0", 416, "", "bytes */10" },
		{ "bytes=4-2", 200, "0123456789", NULL },
		{ "bytes=0-1,3-4", 200, "0123456789", NULL },
		{ "bytes=a-b", 200, "0123456789", NULL },
		{ "bytes=--1", 200, "0123456789", NULL },
		{ "bytes=", 200, "0123456789", NULL },
		{ "bytes=-", 200, "0123456789", NULL },
		{ "bytes=+1-2", 200, "0123456789", NULL },
		{ "lines=0-1", 200, "0123456789", NULL },
	};
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		char headers[128], text[128];
		snprintf(headers, sizeof(headers), "Range: %s\r\n", rows[i].range);
		struct answer a = ask("GET", "/sub/deep/a%20b.txt", headers);
		if (a.status != rows[i].status) fail_msg("%s: %d", rows[i].range, a.status);
		assert_string_equal(a.body, rows[i].body);
		const char *got = answer_header(&a, "Content-Range", text, sizeof(text));
		if (rows[i].content_range)
			assert_string_equal(got, rows[i].content_range);
		else
			assert_null(got);
		answer_free(&a);
	}
}

/* ---- forms ----------------------------------------------------------------------------------- */

static const char *etag_of(const char *path, const char *accept, char *out, size_t n) {
	char headers[128];
	snprintf(headers, sizeof(headers), "Accept-Encoding: %s\r\n", accept);
	struct answer a = ask("GET", path, headers);
	assert_int_equal(a.status, 200);
	assert_non_null(answer_header(&a, "ETag", out, n));
	assert_int_equal(out[0], '"');
	answer_free(&a);
	return out;
}

/* A part is one of the plain form: it is sent to who holds that one, or says nothing of what he holds. */
static void if_range(void **state) {
	(void)state;
	char plain[64], br[64];
	etag_of("/wide.css", "identity", plain, sizeof(plain));
	etag_of("/wide.css", "br", br, sizeof(br));
	const struct {
		const char *weak, *value;
		int status;
	} rows[] = {
		{ "", NULL, 206 }, { "", plain, 206 },   { "W/", plain, 200 },
		{ "", br, 200 },   { "", "\"x\"", 200 }, { "", "Sat, 29 Oct 1994 19:43:31 GMT", 200 },
	};
	static const char *const accepts[] = { "identity", "br", "gzip" };
	for (size_t i = 0; i < SF_COUNT(rows) * SF_COUNT(accepts); i++) {
		char headers[256], text[64];
		const char *value = rows[i / 3].value, *accept = accepts[i % 3];
		snprintf(headers, sizeof(headers), "Accept-Encoding: %s\r\nRange: bytes=1-2\r\n%s%s%s%s", accept,
				 value ? "If-Range: " : "", rows[i / 3].weak, value ? value : "", value ? "\r\n" : "");
		struct answer a = ask("GET", "/wide.css", headers);
		if (a.status != rows[i / 3].status) fail_msg("%s: %d", headers, a.status);
		if (a.status == 206) {
			assert_string_equal(a.body, "bb");
			assert_string_equal(answer_header(&a, "ETag", text, sizeof(text)), plain);
			assert_null(answer_header(&a, "Content-Encoding", text, sizeof(text)));
		}
		assert_string_equal(answer_header(&a, "Vary", text, sizeof(text)), "Accept-Encoding");
		answer_free(&a);
	}
	struct answer a = ask("HEAD", "/sub/deep/a%20b.txt", "Range: bytes=1-2\r\n");
	assert_int_equal(a.status, 200);
	answer_free(&a);
}

static void encodings(void **state) {
	(void)state;
	static const struct {
		const char *path, *headers;
		int status;
		size_t n;
		const char *coding;
		bool varies;
	} rows[] = {
		{ "/wide.css", "", 200, 70000, NULL, true },
		{ "/wide.css", "Accept-Encoding: gzip, br\r\n", 200, 7, "br", true },
		{ "/wide.css", "Accept-Encoding: gzip\r\n", 200, 8, "gzip", true },
		{ "/wide.css", "Accept-Encoding: br;q=0.1, gzip\r\n", 200, 8, "gzip", true },
		{ "/wide.css", "Accept-Encoding: identity\r\n", 200, 70000, NULL, true },
		{ "/wide.css", "Accept-Encoding: br\r\nRange: bytes=0-9\r\n", 206, 10, NULL, true },
		{ "/wide.css", "Accept-Encoding: br\r\nRange: bytes=99999-\r\n", 416, 0, NULL, true },
		{ "/wide.css", "Accept-Encoding: br\r\nRange: lines=1\r\n", 200, 7, "br", true },
		{ "/plain.css", "Accept-Encoding: br, gzip;q=0.5\r\n", 200, SIZE_MAX, "gzip", true }, /* made here */
		{ "/plain.css", "Accept-Encoding: br\r\n", 200, 5000, NULL, true },
		{ "/few.css", "Accept-Encoding: br, gzip\r\n", 200, 1000, NULL, false }, /* not worth it */
		{ "/noise.txt", "Accept-Encoding: br, gzip\r\n", 200, 5000, NULL, false },
	};
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		char text[128];
		struct answer a = ask("GET", rows[i].path, rows[i].headers);
		assert_int_equal(a.status, rows[i].status);
		if (rows[i].n == SIZE_MAX)
			assert_in_range(a.n, 20, 100);
		else
			assert_int_equal(a.n, rows[i].n);
		const char *coding = answer_header(&a, "Content-Encoding", text, sizeof(text));
		if (rows[i].coding)
			assert_string_equal(coding, rows[i].coding);
		else
			assert_null(coding);
		assert_int_equal(answer_header(&a, "Vary", text, sizeof(text)) != NULL, rows[i].varies);
		assert_non_null(answer_header(&a, "ETag", text, sizeof(text)));
		const char *end = !rows[i].coding ? "\"" : *rows[i].coding == 'b' ? "-br\"" : "-gz\"";
		assert_string_equal(text + 17, end);
		answer_free(&a);
	}
}

/* The 304 of each form carries what its 200 does, and the ETag of one form is not that of another. */
static void not_modified(void **state) {
	(void)state;
	static const char *const paths[] = { "/wide.css", "/plain.css", "/few.css", "/chefs",
										 "/app.3f9c0d21.js" };
	static const char *const accepts[] = { "identity", "gzip", "br" };
	static const char *const names[] = { "ETag", "Vary", "Cache-Control" };
	for (size_t i = 0; i < SF_COUNT(paths) * SF_COUNT(accepts); i++) {
		const char *path = paths[i / 3], *accept = accepts[i % 3];
		char headers[256], etag[64], one[64], two[64];
		snprintf(headers, sizeof(headers), "Accept-Encoding: %s\r\n", accept);
		struct answer full = ask("GET", path, headers);
		assert_non_null(answer_header(&full, "ETag", etag, sizeof(etag)));
		snprintf(headers, sizeof(headers), "Accept-Encoding: %s\r\nIf-None-Match: %s\r\n", accept, etag);
		struct answer none = ask("GET", path, headers), head = ask("HEAD", path, headers);
		assert_true(none.status == 304 && head.status == 304);
		for (size_t k = 0; k < SF_COUNT(names); k++) {
			const char *a = answer_header(&full, names[k], one, sizeof(one)),
					   *b = answer_header(&none, names[k], two, sizeof(two));
			if (!a != !b || (a && strcmp(a, b) != 0)) fail_msg("%s of %s in %s", names[k], path, accept);
		}
		assert_null(answer_header(&none, "Content-Type", one, sizeof(one)));
		assert_null(answer_header(&none, "Content-Encoding", one, sizeof(one)));
		for (size_t k = 0; k < SF_COUNT(accepts); k++) { /* who holds this form asks for another */
			struct answer other;
			snprintf(headers, sizeof(headers), "Accept-Encoding: %s\r\nIf-None-Match: %s\r\n", accepts[k],
					 etag);
			other = ask("GET", path, headers);
			bool same = strcmp(etag_of(path, accepts[k], one, sizeof(one)), etag) == 0;
			assert_int_equal(other.status, same ? 304 : 200);
			answer_free(&other);
		}
		answer_free(&full), answer_free(&none), answer_free(&head);
	}
}

static void folders_that_are_none(void **state) {
	(void)state;
	struct sf_static *s = NULL;
	assert_int_equal(sf_static_load("/nonexistent/folder", &s), SF_ENOTFOUND);
	assert_null(s);
	sf_static_free(NULL);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(found, start, stop),
		cmocka_unit_test_setup_teardown(never_served, start, stop),
		cmocka_unit_test_setup_teardown(validators, start, stop),
		cmocka_unit_test_setup_teardown(far_future_only_for_hashed_names, start, stop),
		cmocka_unit_test_setup_teardown(ranges, start, stop),
		cmocka_unit_test_setup_teardown(if_range, start, stop),
		cmocka_unit_test_setup_teardown(encodings, start, stop),
		cmocka_unit_test_setup_teardown(not_modified, start, stop),
		cmocka_unit_test(folders_that_are_none),
	};
	return cmocka_run_group_tests(tests, make_files, remove_files);
}
