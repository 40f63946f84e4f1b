/* Zones: offsets as libc has them; wall times around every change of clocks of every zone, 2020 to 2035; days; names. */
#include "test.h"

#include <ftw.h>
#include <stdlib.h>
#include <time.h>

#include "core/zone.h"

static const char *const zones[] = { "Asia/Seoul",          "Europe/Berlin",   "America/New_York",
									 "Australia/Lord_Howe", "America/Nuuk",    "Europe/Dublin",
									 "Africa/Casablanca",   "Asia/Gaza",       "America/Asuncion",
									 "Asia/Tehran",         "Pacific/Apia",    "Etc/GMT+5",
									 "Antarctica/Troll",    "Asia/Kathmandu",  "America/Santiago",
									 "Europe/London",       "America/Havana",  "America/St_Johns",
									 "Asia/Beirut",         "Pacific/Chatham", "UTC" };

static const struct sf_zone *zone(const char *name) {
	const struct sf_zone *z = NULL;
	assert_int_equal(sf_zone_get(sf_str(name), &z), 0);
	assert_string_equal(sf_zone_name(z).p, name);
	return z;
}

static void in_zone(const char *name) {
	setenv("TZ", name, 1);
	tzset();
}

static int64_t libc_offset(int64_t t) {
	struct tm tm;
	time_t at = t;
	localtime_r(&at, &tm);
	return tm.tm_gmtoff;
}

static uint64_t seed = 88172645463325252u;
static uint64_t draw(uint64_t n) { /* xorshift: the same in every run */
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return seed % n;
}

static int64_t at(const char *text) {
	int64_t t = 0;
	assert_int_equal(sf_time_parse(sf_str(text), &t), 0);
	return t;
}

/* ---- names ---------------------------------------------------------------------------------------------- */

static void names(void **state) {
	(void)state;
	static const char *const bad[] = {
		"Europe/Nowhere",   "../../etc/passwd", "/etc/localtime", "Europe",     "zone.tab",  "Europe/../UTC",
		"leapseconds",      "Europe/Berlin ",   "x\xff",          "asia/seoul", "localtime", "posixrules",
		"right/Asia/Seoul", "Asia/Seoul\n",     "+09:00",         "KST-9"
	};
	const struct sf_zone *z = NULL;
	for (size_t i = 0; i < SF_COUNT(bad); i++) {
		assert_int_equal(sf_zone_get(sf_str(bad[i]), &z), SF_EINVAL);
		assert_null(z);
		assert_string_equal(sf_zone_name(sf_zone_of(sf_str(bad[i]))).p, "Asia/Seoul");
	}
	char longest[200];
	memset(longest, 'A', sizeof longest);
	assert_int_equal(sf_zone_get((struct sf_str) { longest, sizeof longest }, &z), SF_EINVAL);
	assert_int_equal(sf_zone_get((struct sf_str) { "Asia/Seoul\0x", 12 }, &z), SF_EINVAL);
	assert_int_equal(sf_zone_get(SF_STR(""), &z), 0);
	assert_string_equal(sf_zone_name(z).p, "UTC");
	assert_ptr_equal(zone("Asia/Seoul"), zone("Asia/Seoul"));
	assert_ptr_equal(sf_zone_of(SF_STR("Europe/Paris")), zone("Europe/Paris"));
	assert_ptr_equal(sf_zone_of(SF_STR_NULL), zone("Asia/Seoul"));
}

/* ---- against libc --------------------------------------------------------------------------------------- */

static void offsets_are_those_of_libc(void **state) {
	(void)state;
	for (size_t i = 0; i < SF_COUNT(zones); i++) {
		const struct sf_zone *z = zone(zones[i]);
		in_zone(zones[i]);
		for (int k = 0; k < 4000; k++) {
			int64_t end, t = (int64_t)draw(UINT64_C(6500000000)) - 2000000000; /* 1906 … 2112 */
			int64_t offset = sf_zone_offset(z, t, &end);
			if (offset != libc_offset(t)) fail_msg("%s at %lld: %d", zones[i], (long long)t, (int)offset);
			assert_true(sf_zone_wall(z, t * SF_USEC + 7) == (t + offset) * SF_USEC + 7);
			assert_true(end > t);
			if (end != INT64_MAX) assert_int_equal(libc_offset(end - 1), offset);
		}
	}
	unsetenv("TZ");
}

/* The instants at which libc's clocks show `wall`, in order; *gap: where it is skipped, the instant of the jump. */
static size_t shown(int64_t wall, int64_t out[4], int64_t *gap) {
	size_t n = 0;
	*gap = 0;
	for (int64_t t = wall - 27 * 3600; t <= wall + 27 * 3600; t += 900) {
		int64_t there = t + libc_offset(t);
		if (there == wall && n < 4) out[n++] = t;
		if (there > wall && n == 0 && !*gap) *gap = t;
	}
	return n;
}

static int skipped, twice;

static void check_wall(const char *name, const struct sf_zone *z, int64_t wall) {
	int64_t seen[4], gap, got = sf_zone_instant(z, wall * SF_USEC), first = sf_zone_reach(z, wall * SF_USEC);
	size_t n = shown(wall, seen, &gap);
	int64_t want = n ? seen[0] : wall - libc_offset(gap - 1), want_first = n ? seen[0] : gap;
	skipped += n == 0, twice += n > 1;
	if (got != want * SF_USEC || first != want_first * SF_USEC)
		fail_msg("%s, wall %lld: %lld and %lld instead of %lld and %lld", name, (long long)wall,
				 (long long)got, (long long)first, (long long)want, (long long)want_first);
}

/* Five hours of wall times around each change of clocks, by quarters. */
static void wall_times_are_those_of_libc(void **state) {
	(void)state;
	for (size_t i = 0; i < SF_COUNT(zones); i++) {
		const struct sf_zone *z = zone(zones[i]);
		in_zone(zones[i]);
		for (int64_t end = at("2009-01-01") / SF_USEC, last; end < at("2040-01-01") / SF_USEC; end = last) {
			int32_t offset = sf_zone_offset(z, end, &last);
			if (last == INT64_MAX) break;
			if (last < at("2020-01-01") / SF_USEC && last > at("2012-01-01") / SF_USEC) continue;
			for (int64_t w = last + offset - 9000; w <= last + offset + 9000; w += 900)
				check_wall(zones[i], z, w);
		}
	}
	assert_true(skipped > 1000 && twice > 1000);
	unsetenv("TZ");
}

/* ---- every zone ------------------------------------------------------------------------------------------ */

static int nzones, nchanges;

/* Around a change at `last`: what is skipped, what comes twice, and that days follow each other. */
static void check_change(const char *name, const struct sf_zone *z, int64_t last, int32_t before,
						 int32_t after) {
	int64_t t = last * SF_USEC, from = t + before * SF_USEC, to = t + after * SF_USEC, step = SF_USEC * 300;
	for (int64_t w = (from < to ? from : to) - 3 * step; w < (from < to ? to : from) + 3 * step; w += step) {
		int64_t instant = sf_zone_instant(z, w), reach = sf_zone_reach(z, w);
		bool gap = w >= from && w < to;
		if (sf_zone_wall(z, reach) != (gap ? to : w) || instant != (gap ? w - before * SF_USEC : reach))
			fail_msg("%s at %lld: wall %lld", name, (long long)last, (long long)w);
		if (w >= to && w < from) assert_true(instant < t); /* the first pass */
	}
	int64_t day = sf_date_of(from < to ? from : to) - 1;
	for (int i = 0; i < 4; i++, day++) {
		int64_t start = sf_zone_day_start(z, day), end = sf_zone_day_start(z, day + 1);
		assert_true(start <= end && end - start <= 28 * 3600 * SF_USEC);
		if (start == end) continue; /* a day that the zone left out */
		assert_int_equal(sf_zone_day(z, start), day);
		assert_int_equal(sf_zone_day(z, end - 1), day);
		assert_int_equal(sf_zone_day(z, start + (end - start) / 2), day);
	}
}

static int check_file(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
	static const size_t folder = sizeof("/usr/share/zoneinfo/") - 1;
	const struct sf_zone *z;
	(void)st, (void)ftw;
	if ((kind != FTW_F && kind != FTW_SL) || path[folder] < 'A' || path[folder] > 'Z') return 0;
	if (sf_zone_get(sf_str(path + folder), &z)) fail_msg("%s cannot be read", path);
	nzones++;
	for (int64_t from = at("2020-01-01") / SF_USEC, end; from < at("2036-01-01") / SF_USEC; from = end) {
		int64_t next;
		int32_t before = sf_zone_offset(z, from, &end);
		if (end == INT64_MAX) break;
		check_change(path + folder, z, end, before, sf_zone_offset(z, end, &next));
		nchanges++;
	}
	return 0;
}

static void every_zone_and_change(void **state) {
	(void)state;
	assert_int_equal(nftw("/usr/share/zoneinfo", check_file, 16, FTW_PHYS), 0);
	print_message("%d zones, %d changes\n", nzones, nchanges);
	assert_true(nzones > 400 && nchanges > 4000);
}

/* ---- by example ------------------------------------------------------------------------------------------- */

static void examples(void **state) {
	(void)state;
	static const struct {
		const char *zone, *wall, *instant, *reach;
	} rows[] = {
		{ "Asia/Seoul", "2026-11-22T18:00", "2026-11-22T09:00Z", "2026-11-22T09:00Z" },
		{ "America/New_York", "2026-03-08T02:30", "2026-03-08T07:30Z", "2026-03-08T07:00Z" }, /* = 03:30 */
		{ "America/New_York", "2026-11-01T01:30", "2026-11-01T05:30Z", "2026-11-01T05:30Z" }, /* of two */
		{ "Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:45Z", "2026-10-03T15:30Z" },
		{ "Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45Z", "2026-04-04T14:45Z" },
		{ "America/Santiago", "2026-09-06T00:30", "2026-09-06T04:30Z", "2026-09-06T04:00Z" }, /* midnight */
		{ "Pacific/Apia", "2011-12-30T12:00", "2011-12-30T22:00Z", "2011-12-30T10:00Z" },  /* a whole day */
		{ "Europe/London", "2500-03-28T01:30", "2500-03-28T01:30Z", "2500-03-28T01:00Z" }, /* by the rule */
	};
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		const struct sf_zone *z = zone(rows[i].zone);
		if (sf_zone_instant(z, at(rows[i].wall)) != at(rows[i].instant) ||
			sf_zone_reach(z, at(rows[i].wall)) != at(rows[i].reach))
			fail_msg("%s %s", rows[i].zone, rows[i].wall);
	}
	char text[32];
	sf_zone_format(zone("Asia/Seoul"), at("2026-11-22T15:30:59Z"), text);
	assert_string_equal(text, "2026-11-23 00:30");
	static const struct {
		const char *zone, *place, *text;
	} told[] = {
		{ "Asia/Seoul", "Asia/Seoul", "2026-11-23 00:30" },
		{ "Asia/Seoul", "America/New_York", "2026-11-23 00:30 (Asia/Seoul)" },
		{ "America/New_York", "Asia/Seoul", "2026-11-22 10:30 (America/New_York)" },
		{ "America/New_York", "", "2026-11-22 10:30 (America/New_York)" },
		{ "Europe/Gone", "Europe/Gone", "2026-11-23 00:30 (Asia/Seoul)" },
		{ "", "Asia/Seoul", "2026-11-23 00:30" },
	};
	struct sf_arena *a = sf_arena_new(0);
	for (size_t i = 0; i < SF_COUNT(told); i++)
		assert_str(sf_zone_text(a, sf_str(told[i].zone), sf_str(told[i].place), at("2026-11-22T15:30:59Z")),
				   told[i].text);
	sf_arena_free(a);
	/* put back over midnight: the minute after it belongs to the day that has begun already */
	const struct sf_zone *johns = zone("America/St_Johns");
	int64_t start = sf_zone_day_start(johns, sf_date_join(2010, 11, 7));
	assert_int_equal(start, at("2010-11-07T02:30Z"));
	assert_int_equal(sf_date_of(sf_zone_wall(johns, start + 120 * SF_USEC)), sf_date_join(2010, 11, 6));
	assert_int_equal(sf_zone_day(johns, start + 120 * SF_USEC), sf_date_join(2010, 11, 7));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(offsets_are_those_of_libc),
		cmocka_unit_test(wall_times_are_those_of_libc),
		cmocka_unit_test(every_zone_and_change),
		cmocka_unit_test(examples),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
