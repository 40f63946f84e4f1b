/* A chef's days and hours: what was asked for, what is free, and all of it where clocks change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "app/app.h"
#include "services/coocook/hours.h"

#define DAY  INT64_C(20000) /* 2024-10-04 */
#define H(n) (sf_date_start(DAY) + (n)*COOCOOK_HOUR)
#define HALF (COOCOOK_HOUR / 2)

static const struct sf_zone *zone(const char *name) {
	const struct sf_zone *z = NULL;
	assert_int_equal(sf_zone_get(sf_str(name), &z), 0);
	return z;
}
static int64_t at(const char *text) {
	int64_t t = 0;
	assert_int_equal(sf_time_parse(sf_str(text), &t), 0);
	return t;
}
static int64_t day_at(const char *text) {
	return sf_date_of(at(text));
}

/* ---- what was asked for -------------------------------------------------------------------------- */

static void when(void **state) {
	(void)state;
	const int64_t now = H(9) + 20 * 60 * SF_USEC; /* 2024-10-04T09:20Z, in Seoul 18:20 */
	static const struct {
		const char *zone, *text;
		int err;
		bool exact;
		int64_t from, to; /* hours from the UTC day's start */
	} cases[] = {
		{ "UTC", "2024-10-05", 0, false, 24, 48 },
		{ "UTC", "2024-10-04", 0, false, 10, 24 }, /* today: what is left of it */
		{ "UTC", "2024-10-03", SF_EINVAL, false, 0, 0 },
		{ "UTC", "2024-10-04T10:00:00Z", 0, true, 10, 34 },
		{ "UTC", "2024-10-04T09:00:00Z", SF_EINVAL, false, 0, 0 }, /* has begun */
		{ "UTC", "2024-10-04T10:30:00Z", SF_EINVAL, false, 0, 0 },
		{ "UTC", "2024-10-04T10:00:00.5Z", SF_EINVAL, false, 0, 0 },
		{ "UTC", "2024-10-05T23:00:00Z", 0, true, 47, 71 },
		{ "Asia/Seoul", "2024-10-04", 0, false, 10, 15 },
		{ "Asia/Seoul", "2024-10-05", 0, false, 15, 39 },
		{ "Asia/Seoul", "2024-10-04T16:00:00Z", 0, true, 16, 40 },
		{ "America/New_York", "2024-10-04", 0, false, 10, 28 },
		{ "America/New_York", "2024-10-03", SF_EINVAL, false, 0, 0 },
		{ "Pacific/Kiritimati", "2024-10-03", SF_EINVAL, false, 0, 0 },     /* is over there */
		{ "Asia/Kolkata", "2024-10-04T12:00:00Z", SF_EINVAL, false, 0, 0 }, /* half past five */
	};
	for (size_t i = 0; i < SF_COUNT(cases); i++) {
		struct coocook_when w = { 0 };
		struct sf_when asked = { .has = true };
		const char *why = NULL;
		const struct sf_zone *z = zone(cases[i].zone);
		asked.day_only = sf_date_parse(sf_str(cases[i].text), &asked.day) == 0;
		if (!asked.day_only) asked.at = at(cases[i].text);
		if (coocook_when(&asked, z, now, &w, &why) != cases[i].err)
			fail_msg("%s in %s", cases[i].text, cases[i].zone);
		if (cases[i].err) {
			assert_non_null(why);
			continue;
		}
		assert_int_equal(w.exact, cases[i].exact);
		assert_int_equal(w.window.from, H(cases[i].from));
		assert_int_equal(w.window.to, H(cases[i].to));
		assert_int_equal(w.day, sf_zone_day(z, w.window.from));
	}
	assert_int_equal(coocook_last_day(zone("UTC"), now, 0), DAY);
	assert_int_equal(coocook_last_day(zone("UTC"), now, 14 * COOCOOK_HOUR), DAY);
	assert_int_equal(coocook_last_day(zone("UTC"), now, 15 * COOCOOK_HOUR), DAY + 1);
	assert_int_equal(coocook_last_day(zone("Asia/Seoul"), now, 6 * COOCOOK_HOUR), DAY + 1);
	/* the last hour of a day has no whole hour left, yet is no past date */
	struct coocook_when w;
	const char *why = NULL;
	int64_t start = 0;
	struct sf_when today = { .has = true, .day_only = true, .day = DAY };
	assert_int_equal(coocook_when(&today, zone("UTC"), H(23) + 1, &w, &why), 0);
	assert_false(
		coocook_first_free(&(struct coocook_calendar) { zone("UTC"), NULL, 0 }, w.window, 1, &start));
}

/* ---- what is free ---------------------------------------------------------------------------------- */

static void first_free(void **state) {
	(void)state;
	const struct coocook_span busy[] = { { H(-2), H(1) }, { H(3), H(5) }, { H(5), H(8) }, { H(23), H(26) } };
	const struct coocook_calendar c = { zone("UTC"), busy, SF_COUNT(busy) };
	static const struct {
		int64_t from, to, hours, start; /* start -1: none */
	} cases[] = {
		{ 0, 24, 1, 1 },   { 0, 24, 2, 1 },    { 0, 24, 3, 8 },   { 0, 24, 15, 8 }, { 0, 24, 16, -1 },
		{ 2, 24, 2, 8 },   { 3, 6, 1, -1 },    { 1, 3, 2, 1 },    { 1, 4, 3, -1 },  { 22, 24, 2, -1 },
		{ 22, 48, 2, 26 }, { 26, 50, 24, 26 }, { 0, 24, 24, -1 },
	};
	for (size_t i = 0; i < SF_COUNT(cases); i++) {
		int64_t start = -1;
		struct coocook_span window = { H(cases[i].from), H(cases[i].to) };
		bool found = coocook_first_free(&c, window, cases[i].hours, &start);
		assert_int_equal(found, cases[i].start >= 0);
		if (found) assert_int_equal(start, H(cases[i].start));
	}
	int64_t starts[3];
	assert_int_equal(coocook_next_free(&c, (struct coocook_span) { H(0), H(48) }, 2, starts, 3), 3);
	assert_int_equal(starts[0], H(1));
	assert_int_equal(starts[1], H(8));
	assert_int_equal(starts[2], H(10));
	assert_int_equal(coocook_next_free(&c, (struct coocook_span) { H(0), H(8) }, 2, starts, 3), 1);
	assert_true(coocook_fits(&c, (struct coocook_span) { H(1), H(3) }));
	assert_false(coocook_fits(&c, (struct coocook_span) { H(1), H(4) }));
	assert_false(coocook_fits(&c, (struct coocook_span) { H(22), H(24) }));
	assert_true(coocook_fits(&c, (struct coocook_span) { H(26), H(50) }));
}

/* "0 1 5-7" of a list of hours. */
static void assert_hours(const struct coocook_calendar *c, int64_t day, int64_t from, const char *want) {
	int out[COOCOOK_MAX_HOURS];
	struct sf_buf b = { 0 };
	size_t n = coocook_hours(c, day, from, out);
	for (size_t i = 0, k; i < n; i = k + 1) {
		for (k = i; k + 1 < n && out[k + 1] == out[k] + 1;) k++;
		sf_buf_printf(&b, k > i ? "%s%d-%d" : "%s%d", i ? " " : "", out[i], out[k]);
	}
	sf_buf_char(&b, 0);
	assert_string_equal(b.p, want);
	sf_buf_fini(&b);
}

static void hours_of_a_day(void **state) {
	(void)state;
	const struct coocook_span busy[] = { { H(-2), H(1) }, { H(3), H(5) }, { H(5), H(8) }, { H(23), H(26) } };
	const struct coocook_calendar c = { zone("UTC"), busy, 4 }, seoul = { zone("Asia/Seoul"), busy, 4 },
								  kolkata = { zone("Asia/Kolkata"), busy, 4 },
								  none = { zone("UTC"), NULL, 0 };
	assert_hours(&c, DAY, H(0), "1-2 8-22");
	assert_hours(&c, DAY + 1, H(0), "2-23");
	assert_hours(&c, DAY, H(9) + 1, "10-22"); /* an hour that has begun is gone */
	assert_hours(&c, DAY, H(24), "");
	assert_hours(&none, DAY, 0, "0-23");
	assert_hours(&seoul, DAY, 0, "0-6 10-11 17-23"); /* 2024-10-03T15:00Z on */
	assert_hours(&seoul, DAY + 1, 0, "0-7 11-23");
	assert_hours(&kolkata, DAY, 0, "0-2 7 14-23"); /* 18:30Z the day before on: half hours are lost */
}

/* Whatever first_free gives is free, lies in the window, and no earlier hour would have done. */
static void first_free_is_first(void **state) {
	(void)state;
	uint32_t seed = 7;
	for (int round = 0; round < 2000; round++) {
		struct coocook_span busy[12];
		bool taken[48] = { false };
		size_t n = 0;
		for (int64_t t = 0; t < 40 && n < 12;) {
			seed = seed * 1664525 + 1013904223;
			int64_t gap = seed >> 28, length = 1 + (seed >> 20 & 7);
			t += gap & 3;
			if (t + length > 48) break;
			busy[n++] = (struct coocook_span) { H(t), H(t + length) };
			for (int64_t h = t; h < t + length; h++) taken[h] = true;
			t += length;
		}
		int64_t hours = 1 + (seed >> 8 & 7), start = 0, want = -1;
		for (int64_t h = 0; h + hours <= 48 && want < 0; h++) {
			bool clear = true;
			for (int64_t k = h; k < h + hours; k++) clear &= !taken[k];
			if (clear) want = h;
		}
		const struct coocook_calendar c = { zone("UTC"), busy, n };
		bool found = coocook_first_free(&c, (struct coocook_span) { H(0), H(48) }, hours, &start);
		assert_int_equal(found, want >= 0);
		if (found) assert_int_equal(start, H(want));
	}
}

/* ---- where clocks change --------------------------------------------------------------------------- */

static void days_of_other_lengths(void **state) {
	(void)state;
	static const struct {
		const char *zone, *day, *hours;
		int halves; /* half hours that the day has */
	} rows[] = {
		{ "America/New_York", "2026-03-08", "0-1 3-23", 46 },
		{ "America/New_York", "2026-11-01", "0-23", 50 },
		{ "Australia/Lord_Howe", "2026-10-04", "0-1 3-23", 47 }, /* 02:00 is 02:30 */
		{ "Australia/Lord_Howe", "2026-04-05", "0-23", 49 },
		{ "America/Santiago", "2026-09-06", "1-23", 46 }, /* midnight is skipped */
		{ "America/Santiago", "2026-04-04", "0-23", 50 }, /* and comes after 23:00 twice */
		{ "America/Havana", "2026-11-01", "0-23", 50 },   /* midnight twice */
		{ "Asia/Seoul", "2026-11-01", "0-23", 48 },
	};
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		const struct coocook_calendar c = { zone(rows[i].zone), NULL, 0 };
		int64_t day = day_at(rows[i].day);
		struct coocook_span s = coocook_days_span(c.zone, day, day);
		assert_int_equal((s.to - s.from) / HALF, rows[i].halves);
		assert_hours(&c, day, 0, rows[i].hours);
		assert_int_equal(coocook_long_day(c.zone, s), rows[i].halves > 48);
		assert_int_equal(coocook_whole_days(c.zone, (struct coocook_span) { s.from + 1, s.to - 1 }).from,
						 s.from);
		assert_int_equal(coocook_whole_days(c.zone, s).to, s.to);
		assert_int_equal(coocook_whole_days(c.zone, (struct coocook_span) { s.to, s.to }).from, s.to);
	}
	const struct sf_zone *howe = zone("Australia/Lord_Howe");
	assert_int_equal(coocook_hour_up(howe, at("2026-10-03T15:30Z")),
					 at("2026-10-03T16:00Z")); /* 02:30, 03:00 */
	assert_int_equal(coocook_hour_up(howe, at("2026-04-04T14:30Z")),
					 at("2026-04-04T15:30Z")); /* 01:30, 02:00 */
	assert_int_equal(coocook_hour_up(zone("America/New_York"), at("2026-11-01T05:30Z")),
					 at("2026-11-01T06:00Z"));
}

static void put(struct coocook_span *busy, size_t *n, struct coocook_span s) {
	size_t i = (*n)++;
	for (; i && busy[i - 1].from > s.from; i--) busy[i] = busy[i - 1];
	busy[i] = s;
}

/* A day is filled with bookings of any length until nothing fits any more: never more than 24 hours, never two at once, always on the
 * hour there, and what `hours` says is free is what can be booked. */
static void fill(const struct sf_zone *z, int64_t day, uint32_t *seed) {
	struct coocook_span busy[64], whole = coocook_days_span(z, day, day);
	struct coocook_calendar c = { z, busy, 0 };
	int64_t booked = 0, start;
	for (int misses = 0; misses < 200;) {
		*seed = *seed * 1664525 + 1013904223;
		int64_t hours = misses > 100 ? 1 : 1 + (*seed >> 28 & 3),
				from = whole.from + (*seed >> 8) % 25 * COOCOOK_HOUR;
		if (!coocook_first_free(&c, (struct coocook_span) { misses > 150 ? whole.from : from, whole.to },
								hours, &start)) {
			misses++;
			continue;
		}
		struct coocook_span s = { start, start + hours * COOCOOK_HOUR };
		assert_true(s.from >= whole.from && s.to <= whole.to && coocook_fits(&c, s));
		assert_int_equal(sf_zone_wall(z, start) % COOCOOK_HOUR, 0);
		for (size_t i = 0; i < c.n; i++) assert_true(busy[i].to <= s.from || busy[i].from >= s.to);
		int free[COOCOOK_MAX_HOURS];
		size_t n = coocook_hours(&c, day, 0, free);
		for (size_t i = 0; i < n; i++) {
			int64_t t = sf_zone_instant(z, sf_date_start(day) + free[i] * COOCOOK_HOUR);
			assert_true(coocook_fits(&c, (struct coocook_span) { t, t + COOCOOK_HOUR }));
			assert_true(i == 0 || free[i] > free[i - 1]);
		}
		put(busy, &c.n, s);
		booked += s.to - s.from;
	}
	int64_t length = whole.to - whole.from, most = 24 * COOCOOK_HOUR;
	assert_true(booked <= (length < most ? length : most) && booked > length - 3 * COOCOOK_HOUR);
	int left[COOCOOK_MAX_HOURS];
	assert_int_equal(coocook_hours(&c, day, 0, left), 0);
}

static void a_day_holds_24_hours(void **state) {
	(void)state;
	static const char *const zones[] = { "America/New_York",  "Australia/Lord_Howe", "America/Santiago",
										 "Europe/London",     "Asia/Kolkata",        "Antarctica/Troll",
										 "Africa/Casablanca", "America/Havana" };
	uint32_t seed = 11;
	int changes = 0;
	for (size_t i = 0; i < SF_COUNT(zones); i++) {
		const struct sf_zone *z = zone(zones[i]);
		for (int64_t from = at("2026-01-01") / SF_USEC, end; from < at("2032-01-01") / SF_USEC; from = end) {
			sf_zone_offset(z, from, &end);
			if (end == INT64_MAX) end = from + 400 * 86400;
			int64_t day = sf_zone_day(z, end * SF_USEC);
			for (int k = -1; k <= 1; k++) fill(z, day + k, &seed);
			changes++;
		}
	}
	assert_true(changes > 60);
	/* 25 hours of which 24 are booked: the last cannot be had, whichever it is */
	const struct sf_zone *z = zone("America/New_York");
	struct coocook_span day = coocook_days_span(z, day_at("2026-11-01"), day_at("2026-11-01")), rest;
	struct coocook_span busy = { day.from, day.to - COOCOOK_HOUR };
	struct coocook_calendar c = { z, &busy, 1 };
	int64_t start;
	rest = (struct coocook_span) { busy.to, day.to };
	assert_false(coocook_fits(&c, rest));
	assert_false(coocook_first_free(&c, day, 1, &start));
	assert_hours(&c, day_at("2026-11-01"), 0, "");
	assert_true(coocook_first_free(&c, (struct coocook_span) { day.from, day.to + COOCOOK_HOUR }, 1, &start));
	assert_int_equal(start, day.to); /* the next day's first */
}

static void days(void **state) {
	(void)state;
	static const struct {
		int64_t from, to; /* days from today, INT64_MIN: absent */
		int err;
		int64_t first, last;
	} cases[] = {
		{ INT64_MIN, INT64_MIN, 0, 0, 29 },
		{ 3, INT64_MIN, 0, 3, 32 },
		{ INT64_MIN, 10, 0, 0, 10 },
		{ 0, 89, 0, 0, 89 },
		{ 0, 90, SF_EINVAL, 0, 0 },
		{ 5, 4, SF_EINVAL, 0, 0 },
		{ 5, 5, 0, 5, 5 },
		{ INT64_MIN, -3, 0, -3, -3 },
	};
	for (size_t i = 0; i < SF_COUNT(cases); i++) {
		bool has_from = cases[i].from != INT64_MIN, has_to = cases[i].to != INT64_MIN;
		int64_t from = has_from ? DAY + cases[i].from : 0, to = has_to ? DAY + cases[i].to : 0;
		const char *why = NULL;
		assert_int_equal(coocook_days(has_from, &from, has_to, &to, DAY, &why), cases[i].err);
		if (cases[i].err) {
			assert_non_null(why);
			continue;
		}
		assert_int_equal(from, DAY + cases[i].first);
		assert_int_equal(to, DAY + cases[i].last);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(when),
		cmocka_unit_test(first_free),
		cmocka_unit_test(hours_of_a_day),
		cmocka_unit_test(first_free_is_first),
		cmocka_unit_test(days_of_other_lengths),
		cmocka_unit_test(a_day_holds_24_hours),
		cmocka_unit_test(days),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
