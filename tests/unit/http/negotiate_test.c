/* Accept-Encoding (RFC 9110 §12.5.3) and the types worth compressing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/http.h"
#include "http/internal.h"

static void codings(void **state) {
	(void)state;
	enum { I = SF_CODING_IDENTITY, G = SF_CODING_GZIP, B = SF_CODING_BR };
	static const struct {
		const char *accept;
		int both, gzip_only;
	} rows[] = {
		{ NULL, I, I },
		{ "", I, I },
		{ "gzip", G, G },
		{ "br", B, I },
		{ "gzip, deflate, br", B, G },
		{ "gzip, deflate, br, zstd", B, G },
		{ "GZIP", G, G },
		{ "x-gzip", G, G },
		{ "deflate", I, I },
		{ "identity", I, I },
		{ "*", B, G },
		{ "*;q=0", I, I },
		{ "gzip;q=0", I, I },
		{ "gzip;q=0, br", B, I },
		{ "gzip;q=1.0, br;q=0.5", G, G },
		{ "gzip;q=0.5, br;q=0.5", B, G },
		{ "gzip;q=0.001", G, G },
		{ "br;q=0.8 , gzip ; q=0.9", G, G },
		{ "identity;q=1, gzip;q=0.5", I, I },
		{ "identity;q=0, gzip;q=0.5", G, G },
		{ "gzip;q=0.5, *;q=0", G, G },
		{ "br;q=0, *;q=0.1", G, G },
		{ "gzip;q=2", I, I },
		{ "gzip;q=1.5", I, I },
		{ "gzip;q=x", I, I },
		{ "gzip;q=", I, I },
		{ "gzip;q=0.1234", I, I },
		{ "gzip;q=-1", I, I },
		{ ",,gzip,,", G, G },
		{ ";q=1,gzip", G, G },
		{ "gzipped", I, I },
	};
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		struct sf_http_header h = { SF_STR("Accept-Encoding"), sf_str(rows[i].accept) };
		struct sf_http_req req = { .headers = &h, .nheaders = rows[i].accept ? 1 : 0 };
		if ((int)sf_http__coding(&req, true, true) != rows[i].both) fail_msg("%s, both", rows[i].accept);
		if ((int)sf_http__coding(&req, true, false) != rows[i].gzip_only)
			fail_msg("%s, gzip", rows[i].accept);
		assert_int_equal(sf_http__coding(&req, false, false), I);
	}
}

static void types(void **state) {
	(void)state;
	static const char *const yes[] = {
		"text/html; charset=utf-8",       "TEXT/CSS",      "text/javascript", "application/json",
		"application/json;charset=utf-8", "image/svg+xml", "application/xml", "text/event-streams"
	};
	static const char *const no[] = {
		"image/png",         "application/octet-stream", "video/mp4", "font/woff2",
		"text/event-stream", "application/jsonx",        "text/",     ""
	};
	for (size_t i = 0; i < SF_COUNT(yes); i++) assert_true(sf_http__compressible(sf_str(yes[i])));
	for (size_t i = 0; i < SF_COUNT(no); i++) assert_false(sf_http__compressible(sf_str(no[i])));
	assert_false(sf_http__compressible(SF_STR_NULL));
}

int main(void) {
	const struct CMUnitTest tests[] = { cmocka_unit_test(codings), cmocka_unit_test(types) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
