/* clocks: in whose zone a time without offset is, and how often that costs a look-up. */
#include "harness.h"
#include "auth/auth.h"
#include "core/hash.h"

struct in {
	int64_t at;
	struct sf_oint until, day;
	struct sf_when when;
	struct sf_str zone;
};
static struct in seen;
static int lookups;

#define FIELDS                                                                                               \
	SF_IN(struct in, at, SF_F_TIME, .fallback = "2026-01-01T00:00:00Z"), SF_IN(struct in, until, SF_F_TIME), \
		SF_IN(struct in, day, SF_F_DATE), SF_IN(struct in, when, SF_F_WHEN),                                 \
		SF_IN(struct in, zone, SF_F_ZONE)
static const struct sf_field fields[] = { FIELDS, { 0 } };

static int body(struct sf_req *r) {
	seen = *(const struct in *)sf_req_body(r);
	return sf_reply(r, 200, SF_KV("ok", true));
}
static int query(struct sf_req *r) {
	seen = *(const struct in *)sf_req_query(r);
	return sf_reply(r, 200, SF_KV("ok", true));
}
static int zone(struct sf_req *r) {
	const struct sf_zone *z;
	int err = sf_req_zone(r, &z);
	return err ? err : sf_reply(r, 200, SF_KV("zone", sf_zone_name(z)));
}

#define OPEN .auth = SF_PUBLIC, .rate = SF_RATE_NONE, .summary = "x"
static const struct sf_route routes[] = {
	{ SF_POST, "/body", body, OPEN, .body = fields, .body_size = sizeof(struct in) },
	{ SF_GET, "/query", query, OPEN, .query = fields, .query_size = sizeof(struct in) },
	{ SF_GET, "/zone", zone, OPEN },
	{ SF_GET, "/cached", zone, OPEN, .max_age = 60 },
	{ 0 },
};
static const struct sf_service service = { .name = "test", .title = "Test", .routes = routes };
static const struct sf_service *const services[] = { &service, NULL };

/* User 1 is in New York, 2 has a zone that is no longer there, 3 meets a broken store. */
static int time_zone(struct sf_req *r, int64_t user, struct sf_str *out) {
	(void)r;
	lookups++;
	*out = user == 1 ? SF_STR("America/New_York") : SF_STR("Europe/Gone");
	return user == 3 ? SF_EUNAVAILABLE : 0;
}
static const struct sf_identity identity = { .time_zone = time_zone };

static struct harness h;
static int setup(void **state) {
	(void)state;
	assert_int_equal(sf_secrets_setup("0123456789abcdef0123456789abcdef", NULL), 0);
	h = harness_new(&(struct sf_app_opts) { .services = services, .identity = &identity, .demo = true });
	return 0;
}
static int teardown(void **state) {
	(void)state;
	harness_free(&h);
	return 0;
}

static int64_t at(const char *text) {
	int64_t t = 0;
	assert_int_equal(sf_time_parse(sf_str(text), &t), 0);
	return t;
}

static const char *as(int64_t user) {
	struct sf_str token;
	int64_t now = sf_time_now() / SF_USEC;
	struct sf_claims c = { .sub = user, .iat = now, .exp = now + 3600, .typ = SF_TOKEN_ACCESS };
	assert_int_equal(sf_token_sign(h.arena, &c, &token), 0);
	return sf_arena_printf(h.arena, "Authorization: Bearer " SF_PRI "\n", SF_ARG(token)).p;
}
#define ME "Authorization: Bearer demo_token\n"

static void whose_zone(void **state) {
	(void)state;
	static const struct {
		const char *headers, *text, *want;
		int lookups;
	} rows[] = {
		{ NULL, "2026-11-22T18:00", "2026-11-22T09:00Z", 0 }, /* nobody: Seoul */
		{ ME, "2026-11-22T18:00:30.5", "2026-11-22T23:00:30.500000Z", 1 },
		{ ME, "2026-07-22 18:00", "2026-07-22T22:00Z", 1 },
		{ ME, "2026-11-22T18:00Z", "2026-11-22T18:00Z", 0 },
		{ ME, "2026-11-22T18:00+02:00", "2026-11-22T16:00Z", 0 },
		{ ME, "2026-11-22", "2026-11-22T05:00Z", 1 },
		{ ME "Time-Zone: Europe/Berlin\n", "2026-11-22T18:00", "2026-11-22T17:00Z", 0 },
		{ ME "time-zone: UTC\n", "2026-11-22T18:00", "2026-11-22T18:00Z", 0 },
		{ "Time-Zone: Asia/Kolkata\n", "2026-11-22T18:00", "2026-11-22T12:30Z", 0 },
		{ ME, "2026-11-01T01:30", "2026-11-01T05:30Z", 1 }, /* twice: the first */
		{ ME, "2026-11-01T01:30-05:00", "2026-11-01T06:30Z", 0 },
		{ NULL, "  2026-11-22T18:00 ", "2026-11-22T09:00Z", 0 },
		{ ME, "2026-03-08T02:30", "2026-03-08T07:30Z", 1 }, /* skipped: 03:30 */
	};
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		for (int form = 0; form < 2; form++) {
			struct sf_str text = sf_str(rows[i].text), escaped = SF_STR_NULL;
			struct sf_buf b;
			sf_buf_init(&b, h.arena);
			sf_percent_encode(&b, text);
			escaped = sf_buf_view(&b);
			struct sf_str sent = form ? sf_arena_printf(h.arena, "/query?at=" SF_PRI "&until=" SF_PRI,
														SF_ARG(escaped), SF_ARG(escaped))
									  : sf_arena_printf(h.arena, "{\"at\":\"%s\",\"until\":\"%s\"}",
														rows[i].text, rows[i].text);
			lookups = 0;
			assert_status(form ? call(&h, SF_GET, sent.p, rows[i].headers, NULL)
							   : call_with(&h, SF_POST, "/body", rows[i].headers, sent),
						  200);
			if (seen.at != at(rows[i].want) || !seen.until.has || seen.until.v != seen.at)
				fail_msg("%zu: %s is %lld", i, rows[i].text, (long long)seen.at);
			assert_int_equal(lookups, rows[i].lookups); /* two fields, one look-up */
		}
	}
}

static void dates_and_times(void **state) {
	(void)state;
	lookups = 0;
	assert_status(call(&h, SF_POST, "/body", ME, "{\"when\":\"2026-11-22\",\"day\":\"2026-11-23\"}"), 200);
	assert_true(seen.when.has && seen.when.day_only && seen.when.day == sf_date_join(2026, 11, 22));
	assert_int_equal(seen.day.v, sf_date_join(2026, 11, 23)); /* a date is nobody's */
	assert_int_equal(lookups, 0);
	assert_status(call(&h, SF_POST, "/body", ME, "{\"when\":\"2026-11-22T18:00\"}"), 200);
	assert_true(seen.when.has && !seen.when.day_only && seen.when.at == at("2026-11-22T23:00Z"));
	assert_status(call(&h, SF_POST, "/body", ME, "{}"), 200);
	assert_true(!seen.when.has && !seen.until.has && seen.at == at("2026-01-01T00:00Z"));
	assert_int_equal(lookups, 1);
}

static void zones(void **state) {
	(void)state;
	assert_status(call(&h, SF_POST, "/body", NULL, "{\"zone\":\" Asia/Tokyo \"}"), 200);
	assert_true(sf_str_eq(seen.zone, SF_STR("Asia/Tokyo")));
	static const char *const bad[] = { "\"\"",
									   "\"Asia/Nowhere\"",
									   "\"KST\"",
									   "\"+09:00\"",
									   "\"asia/seoul\"",
									   "9",
									   "\"../../etc/passwd\"",
									   "\"Asia/Seoul\\n\\u0001\"" };
	for (size_t i = 0; i < SF_COUNT(bad); i++) {
		struct sf_str sent = sf_arena_printf(h.arena, "{\"zone\":%s}", bad[i]);
		struct sf_http_req *req = call_with(&h, SF_POST, "/body", NULL, sent);
		assert_status(req, 400);
		assert_holds(req, "\"fields\":{\"zone\":\"must be an IANA time zone such as Asia/Seoul\"}");
	}
	/* of the request */
	assert_holds(call(&h, SF_GET, "/zone", NULL, NULL), "Asia/Seoul");
	assert_holds(call(&h, SF_GET, "/zone", ME, NULL), "America/New_York");
	assert_holds(call(&h, SF_GET, "/zone", ME "Time-Zone: Asia/Tokyo\n", NULL), "Asia/Tokyo");
	assert_holds(call(&h, SF_GET, "/cached", ME, NULL), "Asia/Seoul"); /* knows nobody */
	assert_holds(call(&h, SF_GET, "/zone", as(2), NULL), "Asia/Seoul");
	struct sf_http_req *req = call(&h, SF_GET, "/zone", "Time-Zone: Seoul\n", NULL);
	assert_status(req, 400);
	assert_holds(req, "\"fields\":{\"Time-Zone\":\"must be an IANA time zone such as Asia/Seoul\"}");
}

static void troubles(void **state) {
	(void)state;
	/* the caller's zone cannot be read: neither guessed nor the fault of the input */
	assert_status(call(&h, SF_POST, "/body", as(3), "{\"at\":\"2026-11-22T18:00\"}"), 503);
	assert_status(call(&h, SF_POST, "/body", as(3), "{\"at\":\"2026-11-22T18:00Z\"}"), 200);
	/* nobody is asked for input that is wrong anyway */
	lookups = 0;
	assert_status(call(&h, SF_POST, "/body", as(3), "{\"at\":\"2026-11-22T18:00\",\"day\":\"x\"}"), 400);
	assert_int_equal(lookups, 0);
	struct sf_http_req *req = call(&h, SF_POST, "/body", ME, "{\"at\":\"9999-12-31T23:00\"}");
	assert_status(req, 400);
	assert_holds(req, "\"at\":\"must be in the years 1 to 9999\"");
	req = call(&h, SF_POST, "/body", ME, "{\"when\":\"2026-11-22\\n\",\"until\":\"2026-11-22\\u0085\"}");
	assert_holds(req, "\"when\":\"must be a date such");
	assert_holds(req, "\"until\":\"must be a time such");
	req = call(&h, SF_POST, "/body", ME, "{\"when\":\"tomorrow\",\"until\":\"18:00\"}");
	assert_holds(req,
				 "\"when\":\"must be a date such as 2026-11-22, or a time such as 2026-11-22T14:00:00Z\"");
	assert_holds(req, "\"until\":\"must be a time such as 2026-11-22T14:00:00Z\"");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whose_zone),
		cmocka_unit_test(dates_and_times),
		cmocka_unit_test(zones),
		cmocka_unit_test(troubles),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
