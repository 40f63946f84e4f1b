/* Cron: what expressions mean, and their ticks over changes of clocks, against a reference that walks minute by minute with libc's
 * zones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/time.h"
#include "jobs/jobs.h"

/* ---- reading ------------------------------------------------------------------------------------------ */

static uint64_t bits(const char *list) { /* "1 5-8" */
	uint64_t set = 0;
	for (char *p = (char *)(uintptr_t)list; *p;) {
		long a = strtol(p, &p, 10), b = a;
		if (*p == '-') b = strtol(p + 1, &p, 10);
		for (; a <= b; a++) set |= UINT64_C(1) << a;
		while (*p == ' ') p++;
	}
	return set;
}

static void what_expressions_mean(void **state) {
	(void)state;
	static const struct {
		const char *expr, *minute, *hour, *mday, *month, *wday;
		bool mday_any, wday_any;
	} rows[] = {
		{ "* * * * *", "0-59", "0-23", "1-31", "1-12", "0-6", true, true },
		{ "5 4 3 2 1", "5", "4", "3", "2", "1" },
		{ "  0\t12  *  * 1-5 ", "0", "12", "1-31", "1-12", "1-5", true, false },
		{ "0,15,30-33 8-10,20 1,31 1,6-7 0", "0 15 30-33", "8-10 20", "1 31", "1 6-7", "0" },
		{ "*/15 */6 */10 */5 */2", "0 15 30 45", "0 6 12 18", "1 11 21 31", "1 6 11", "0 2 4 6", true, true },
		{ "10-20/5 3/7 5/10 * *", "10 15 20", "3 10 17", "5 15 25", "1-12", "0-6", false, true },
		{ "59 23 31 12 7", "59", "23", "31", "12", "0" },
		{ "0 0 * jan,DEC Mon-Fri", "0", "0", "1-31", "1 12", "1-5", true, false },
		{ "0 0 * may-aug sat-sun", "0", "0", "1-31", "5-8", "0 6", true, false },
		{ "0 0 * * 5-7", "0", "0", "1-31", "1-12", "0 5 6", true, false },
		{ "0 0 * * 0-7", "0", "0", "1-31", "1-12", "0-6", true, false },
		{ "*/59 * * * *", "0 59", "0-23", "1-31", "1-12", "0-6", true, true },
		{ "@hourly", "0", "0-23", "1-31", "1-12", "0-6", true, true },
		{ "@daily", "0", "0", "1-31", "1-12", "0-6", true, true },
		{ "@midnight", "0", "0", "1-31", "1-12", "0-6", true, true },
		{ "@weekly", "0", "0", "1-31", "1-12", "0", true, false },
		{ " @Monthly ", "0", "0", "1", "1-12", "0-6", false, true },
		{ "@yearly", "0", "0", "1", "1", "0-6", false, true },
		{ "@annually", "0", "0", "1", "1", "0-6", false, true },
	};
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		struct sf_cron_spec c;
		const char *why = "";
		if (sf_cron_parse(rows[i].expr, &c, &why)) fail_msg("%s: %s", rows[i].expr, why);
		if (c.minute != bits(rows[i].minute) || c.hour != bits(rows[i].hour) ||
			c.mday != bits(rows[i].mday) || c.month != bits(rows[i].month) || c.wday != bits(rows[i].wday) ||
			c.mday_any != rows[i].mday_any || c.wday_any != rows[i].wday_any)
			fail_msg("%s is read wrong", rows[i].expr);
	}
}

static void bad_expressions(void **state) {
	(void)state;
	static const char *const rows[][2] = {
		{ "", "five fields" },
		{ "* * * *", "five fields" },
		{ "* * * * * *", "five fields" },
		{ "@reboot", "short forms" },
		{ "@", "short forms" },
		{ "60 * * * *", "minute" },
		{ "-1 * * * *", "minute" },
		{ "a * * * *", "minute" },
		{ "1, * * * *", "minute" },
		{ ",1 * * * *", "minute" },
		{ "1-2-3 * * * *", "minute" },
		{ "*-5 * * * *", "minute" },
		{ "005 * * * *", "minute" },
		{ "+5 * * * *", "minute" },
		{ "jan * * * *", "minute" },
		{ "* 24 * * *", "hour" },
		{ "* 1- * * *", "hour" },
		{ "* * 0 * *", "day of the month" },
		{ "* * 32 * *", "day of the month" },
		{ "* * L * *", "day of the month" },
		{ "* * ? * *", "day of the month" },
		{ "* * * 0 *", "month" },
		{ "* * * 13 *", "month" },
		{ "* * * janu *", "month" },
		{ "* * * mon *", "month" },
		{ "* * * * 8", "day of the week" },
		{ "* * * * jan", "day of the week" },
		{ "* * * * 1#2", "day of the week" },
		{ "30-10 * * * *", "lower" },
		{ "* 22-2 * * *", "lower" },
		{ "* * * dec-jan *", "lower" },
		{ "*/0 * * * *", "step" },
		{ "*/ * * * *", "step" },
		{ "*/-1 * * * *", "step" },
		{ "*/60 * * * *", "step" },
		{ "*/2/3 * * * *", "step" },
		{ "*/99999999999999999999 * * * *", "step" },
	};
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		struct sf_cron_spec c = { .minute = 42 };
		const char *why = "";
		if (sf_cron_parse(rows[i][0], &c, &why) != SF_EINVAL) fail_msg("taken: %s", rows[i][0]);
		if (!strstr(why, rows[i][1])) fail_msg("%s: %s", rows[i][0], why);
		assert_int_equal(why[strlen(why) - 1], '.');
		assert_int_equal(c.minute, 42); /* untouched */
	}
}

/* ---- single ticks ----------------------------------------------------------------------------------------- */

static struct sf_cron_spec spec(const char *expr) {
	struct sf_cron_spec c;
	const char *why;
	assert_int_equal(sf_cron_parse(expr, &c, &why), 0);
	return c;
}

static void ticks(void **state) {
	(void)state;
	static const struct {
		const char *expr, *zone, *after, *next; /* next NULL: never */
	} rows[] = {
		{ "* * * * *", NULL, "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z" },
		{ "* * * * *", "UTC", "2026-01-01T00:00:59.999999Z", "2026-01-01T00:01:00Z" },
		{ "* * * * *", "", "2025-12-31T23:59:00.000001Z", "2026-01-01T00:00:00Z" },
		{ "30 4 1 * *", NULL, "2026-01-01T04:30:00Z", "2026-02-01T04:30:00Z" },
		{ "0 0 1 1 *", NULL, "1969-06-01", "1970-01-01" },
		{ "0 0 1 1 *", NULL, "1901-06-01T12:00:01Z", "1902-01-01" },
		{ "0 9 * * *", "Asia/Seoul", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z" },
		{ "0 9 * * *", "Asia/Seoul", "2026-11-21T23:59:59Z", "2026-11-22T00:00:00Z" },
		{ "0 0 * * sun", "Asia/Seoul", "2026-11-18", "2026-11-21T15:00:00Z" },
		/* either day, unless one is a star */
		{ "0 0 13 * fri", NULL, "2026-11-01", "2026-11-06" },
		{ "0 0 13 * fri", NULL, "2026-11-06", "2026-11-13" },
		{ "0 0 15 * fri", NULL, "2026-11-13", "2026-11-15" },
		{ "0 0 */2 * fri", NULL, "2026-11-01", "2026-11-13" },
		/* 29 February, over 2100 too, and on a Sunday */
		{ "0 0 29 2 *", NULL, "2026-01-01", "2028-02-29" },
		{ "0 0 29 2 *", NULL, "2096-02-29", "2104-02-29" },
		{ "0 0 29 2 */7", NULL, "2026-01-01", "2032-02-29" },
		{ "0 0 29 2 */7", NULL, "2088-02-29", "2128-02-29" },
		{ "0 0 31 2 *", NULL, "2026-01-01", NULL },
		{ "0 0 31 2 *", "Europe/Berlin", "2026-01-01", NULL },
		{ "0 0 31 4,6,9,11 *", NULL, "2026-01-01", NULL },
		{ "0 0 30 2 mon", NULL, "2026-01-01", "2026-02-02" },
		/* skipped: Berlin 29 March 02:00–03:00, New York 8 March, Lord Howe 4 October 02:00–02:30 */
		{ "30 2 * * *", "Europe/Berlin", "2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z" },
		{ "30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z" },
		{ "*/10 2 * * *", "Europe/Berlin", "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z" },
		{ "0 * * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z" },
		{ "30 2 * * *", "America/New_York", "2026-03-08T06:00:00Z", "2026-03-08T07:00:00Z" },
		{ "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-03T15:30:00Z" },
		{ "45 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-03T15:45:00Z" },
		/* repeated: Berlin 25 October 02:00–03:00, Lord Howe 5 April 01:30–02:00 */
		{ "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z" },
		{ "30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z" },
		{ "30 2 * * *", "Europe/Berlin", "2026-10-25T01:15:00Z", "2026-10-26T01:30:00Z" },
		/* ... at both passes where the hour is a star: every hour means every hour */
		{ "0 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z" },
		{ "0 * * * *", "Europe/London", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z" },
		{ "0 * * * *", "America/New_York", "2026-11-01T05:00:00Z", "2026-11-01T06:00:00Z" },
		{ "*/15 * * * *", "America/New_York", "2026-11-01T05:45:00Z", "2026-11-01T06:00:00Z" },
		{ "*/15 * * * *", "America/New_York", "2026-11-01T06:45:00Z", "2026-11-01T07:00:00Z" },
		{ "30 1 * * *", "America/New_York", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z" },
		{ "*/15 1 * * *", "America/New_York", "2026-11-01T05:45:00Z", "2026-11-02T06:00:00Z" },
		{ "30 * * * *", "Australia/Lord_Howe", "2026-04-04T14:30:00Z", "2026-04-04T15:00:00Z" },
		{ "*/15 * * * *", "Australia/Lord_Howe", "2026-04-04T14:45:00Z", "2026-04-04T15:00:00Z" },
		{ "0 */2 * * *", "Australia/Lord_Howe", "2026-04-04T13:00:00Z", "2026-04-04T15:30:00Z" },
		{ "0 * * * *", "America/Santiago", "2026-04-05T02:00:00Z", "2026-04-05T03:00:00Z" },
		{ "0 * * * *", "America/Santiago", "2026-04-05T03:00:00Z", "2026-04-05T04:00:00Z" },
		{ "0 0 * * *", "America/Santiago", "2026-04-04T12:00:00Z", "2026-04-05T04:00:00Z" },
		{ "0 0 * * *", "America/Santiago", "2026-09-05T12:00:00Z",
		  "2026-09-06T04:00:00Z" }, /* skipped midnight */
		{ "0 0 * * *", "America/Santiago", "2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z" },
		{ "0 * * * *", "America/Santiago", "2026-09-06T03:00:00Z", "2026-09-06T04:00:00Z" },
		{ "0 * * * *", "America/Santiago", "2026-09-06T04:00:00Z", "2026-09-06T05:00:00Z" },
		{ "0 * * * *", "Australia/Lord_Howe", "2026-10-03T14:30:00Z",
		  "2026-10-03T15:30:00Z" }, /* 02:00 is skipped */
		{ "0 * * * *", "Australia/Lord_Howe", "2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z" },
		{ "0 * 29 2 *", "America/New_York", "2026-01-01", "2028-02-29T05:00:00Z" },
		{ "0 * 31 2 *", "America/New_York", "2026-01-01", NULL },
		{ "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z" },
		/* a whole day skipped: Samoa, 30 December 2011 */
		{ "0 12 30 12 *", "Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-30T10:00:00Z" },
		/* by the rule, long after the table */
		{ "30 2 * * *", "Europe/Berlin", "2500-03-27T12:00:00Z", "2500-03-28T01:00:00Z" },
		{ "0 12 1 7 *", "America/New_York", "2999-06-30", "2999-07-01T16:00:00Z" },
	};
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		struct sf_cron_spec c = spec(rows[i].expr);
		int64_t after, want = INT64_MAX, got = 0;
		char a[32] = "never", b[32] = "never";
		assert_int_equal(sf_time_parse(sf_str(rows[i].after), &after), 0);
		if (rows[i].next) assert_int_equal(sf_time_parse(sf_str(rows[i].next), &want), 0);
		assert_int_equal(sf_cron_next(&c, rows[i].zone, after, &got), 0);
		if (got == want) continue;
		if (want != INT64_MAX) sf_time_format(want, a);
		if (got != INT64_MAX) sf_time_format(got, b);
		fail_msg("%s in %s after %s: %s instead of %s", rows[i].expr, rows[i].zone ? rows[i].zone : "UTC",
				 rows[i].after, b, a);
	}
}

static void unknown_zones(void **state) {
	(void)state;
	static const char *const rows[] = { "Europe/Nowhere", "../../etc/passwd", "/etc/localtime",
										"Europe",         "zone.tab",         "Europe/../UTC",
										"leapseconds",    "Europe/Berlin ",   "x\xff" };
	struct sf_cron_spec c = spec("* * * * *");
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		int64_t next = 42;
		assert_int_equal(sf_cron_next(&c, rows[i], 0, &next), SF_EINVAL);
		assert_int_equal(next, 42);
	}
}

static void ends_of_time(void **state) {
	(void)state;
	struct sf_cron_spec c = spec("* * * * *");
	int64_t next = 0;
	assert_int_equal(sf_cron_next(&c, "Europe/Berlin", INT64_MAX, &next), 0);
	assert_true(next == INT64_MAX);
	assert_int_equal(sf_cron_next(&c, "Europe/Berlin", INT64_MIN, &next), 0);
	assert_true(next < 0);
}

/* ---- against libc ------------------------------------------------------------------------------------------- */

static const char *const zones[] = { "Asia/Seoul",       "Europe/Berlin",       "Europe/London",
									 "America/New_York", "Australia/Lord_Howe", "America/Santiago" };

static void in_zone(const char *zone) {
	setenv("TZ", zone, 1);
	tzset();
}

static uint64_t seed = 88172645463325252u;
static uint64_t draw(uint64_t n) { /* xorshift: the same in every run */
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return seed % n;
}

static bool fits(const struct sf_cron_spec *c, time_t local_minute) {
	struct tm tm;
	time_t local = local_minute * 60;
	gmtime_r(&local, &tm);
	bool by_month = c->mday >> tm.tm_mday & 1, by_week = c->wday >> tm.tm_wday & 1;
	bool day = c->mday_any || c->wday_any ? by_month && by_week : by_month || by_week;
	return day && c->minute >> tm.tm_min & 1 && c->hour >> tm.tm_hour & 1 && c->month >> (tm.tm_mon + 1) & 1;
}

static void draw_field(char *out, size_t n, int min, int max) {
	int a = min + (int)draw((uint64_t)(max - min + 1)), b = a + (int)draw((uint64_t)(max - a + 1));
	switch (draw(6)) {
	case 0: snprintf(out, n, "%d", a); break;
	case 1: snprintf(out, n, "%d-%d", a, b); break;
	case 2: snprintf(out, n, "*/%d", 1 + (int)draw((uint64_t)max)); break;
	case 3: snprintf(out, n, "%d,%d", a, b); break;
	default: snprintf(out, n, "*");
	}
}

enum { EXPRS = 24 };
struct walk {
	char expr[128];
	struct sf_cron_spec spec;
	int64_t next; /* as sf_cron_next says */
	int n;
};

/* A year minute by minute: an instant ticks when local minutes that clocks have not shown before fit, be it
 * the one or all those that were skipped; with any hour, when what clocks show fits, or what they have just skipped. */
static void walk_year(const char *zone, int year, struct walk *w, size_t n) {
	time_t from = sf_date_join(year, 1, 1) * 86400, to = from + 366 * 86400, shown = INT64_MIN;
	in_zone(zone);
	for (size_t i = 0; i < n; i++) {
		w[i].n = 0;
		assert_int_equal(sf_cron_next(&w[i].spec, zone, (from - 60) * SF_USEC, &w[i].next), 0);
	}
	for (time_t t = from - 86400, last = INT64_MIN; t < to; t += 60) {
		struct tm tm;
		localtime_r(&t, &tm);
		time_t minute = (t + tm.tm_gmtoff) / 60, fresh = shown == INT64_MIN ? minute : shown + 1;
		time_t next = last == INT64_MIN || last >= minute ? minute : last + 1;
		last = minute;
		if (minute > shown) shown = minute;
		if (t < from) continue;
		for (size_t i = 0; i < n; i++) {
			bool tick = false;
			for (time_t m = w[i].spec.hour_any ? next : fresh; m <= minute && !tick; m++)
				tick = fits(&w[i].spec, m);
			if (tick != (w[i].next == t * SF_USEC))
				fail_msg("%s in %s: %s at %lld", w[i].expr, zone, tick ? "no tick" : "a tick", (long long)t);
			if (!tick) continue;
			w[i].n++;
			assert_int_equal(sf_cron_next(&w[i].spec, zone, t * SF_USEC + (int64_t)draw(SF_USEC), &w[i].next),
							 0);
		}
	}
}

static void a_year_of_ticks(void **state) {
	(void)state;
	static const int years[] = { 2026, 2045 }; /* by the table, by the rule */
	struct walk w[EXPRS];
	int ticked = 0;
	for (size_t z = 0; z < SF_COUNT(zones); z++)
		for (size_t y = 0; y < (z % 2 ? SF_COUNT(years) : 1); y++) {
			for (size_t i = 0; i < EXPRS; i++) {
				static const char *const fixed[] = { "* * * * *",  "30 2 * * *", "*/20 1-2 * * *",
													 "0 0 29 2 *", "0 * * * *",  "*/15 * * * *" };
				char f[5][16];
				draw_field(f[0], sizeof(f[0]), 0, 59);
				draw_field(f[1], sizeof(f[1]), 0, 23);
				draw_field(f[2], sizeof(f[2]), 1, 31);
				draw_field(f[3], sizeof(f[3]), 1, 12);
				draw_field(f[4], sizeof(f[4]), 0, 7);
				snprintf(w[i].expr, sizeof(w[i].expr), "%s %s %s %s %s", f[0], f[1], f[2], f[3], f[4]);
				if (i < SF_COUNT(fixed)) strcpy(w[i].expr, fixed[i]);
				w[i].spec = spec(w[i].expr);
			}
			walk_year(zones[z], years[y], w, EXPRS);
			for (size_t i = 0; i < EXPRS; i++) ticked += w[i].n;
			assert_int_equal(w[0].n, 366 * 1440); /* every minute of the 366 days, whatever clocks show */
			assert_int_equal(w[1].n, 366);        /* once a day */
		}
	assert_true(ticked > 9 * 366 * 1440);
	unsetenv("TZ");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_expressions_mean),
		cmocka_unit_test(bad_expressions),
		cmocka_unit_test(ticks),
		cmocka_unit_test(unknown_zones),
		cmocka_unit_test(ends_of_time),
		cmocka_unit_test(a_year_of_ticks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
