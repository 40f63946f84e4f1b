/* Cron expressions: what they say, and their next tick in a time zone.
 *
 * There are two kinds of schedules, as in Debian's cron(8). One at fixed hours means a time of the day, which comes once a day: ticks
 * are sought in local time, minute by minute that exists in the calendar, and then placed on the line of instants: a local time
 * L stands for the first instant at which local clocks show L or later. So a time that is skipped comes at the first instant after the
 * gap, one that is repeated at its first pass, and the order of local times is that of their instants.
 *
 * One whose hour is * means an interval: it must not stand still while an hour is repeated. Its ticks are sought in one piece of time
 * with the same offset after the other, as clocks show them; what is skipped between two pieces comes at the first instant
 * after the gap, here too. */
#include "jobs/jobs.h"

#include <strings.h>

#include "core/zone.h"

enum { YEARS = 80 };
#define LAST_SECOND INT64_C(220000000000) /* in the year 8941; and as long before 1970 */

/* ---- reading ----------------------------------------------------------------------------------------- */

struct field {
	int min, max;
	const char *const *names; /* of min, min + 1 … */
	const char *range;        /* a sentence */
};
static const char *const months[] = { "jan", "feb", "mar", "apr", "may", "jun", "jul",
									  "aug", "sep", "oct", "nov", "dec", NULL };
static const char *const weekdays[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL };
static const struct field fields[5] = {
	{ 0, 59, NULL, "The minute must be *, a number from 0 to 59, a range, or a list of them." },
	{ 0, 23, NULL, "The hour must be *, a number from 0 to 23, a range, or a list of them." },
	{ 1, 31, NULL, "The day of the month must be *, a number from 1 to 31, a range, or a list of them." },
	{ 1, 12, months,
	  "The month must be *, a number from 1 to 12, a name such as jan, a range, or a list of them." },
	{ 0, 7, weekdays,
	  "The day of the week must be *, a number from 0 to 7, a name such as mon, a range, or a list of "
	  "them." },
};

static const char *const shorthands[][2] = {
	{ "@yearly", "0 0 1 1 *" }, { "@annually", "0 0 1 1 *" }, { "@monthly", "0 0 1 * *" },
	{ "@weekly", "0 0 * * 0" }, { "@daily", "0 0 * * *" },    { "@midnight", "0 0 * * *" },
	{ "@hourly", "0 * * * *" },
};

static int wrong(const char **why, const char *sentence) {
	*why = sentence;
	return SF_EINVAL;
}

static bool read_value(struct sf_str s, const struct field *f, int *out) {
	int64_t n;
	for (int i = 0; f->names && f->names[i]; i++)
		if (sf_str_ieq(s, sf_str(f->names[i]))) {
			*out = f->min + i;
			return true;
		}
	if (s.n == 0 || s.n > 2 || s.p[0] < '0' || s.p[0] > '9' || sf_str_int(s, &n)) return false;
	*out = (int)n;
	return n >= f->min && n <= f->max;
}

/* "*", "5", "1-5", each with "/2" or without. */
static int read_item(struct sf_str s, const struct field *f, uint64_t *set, const char **why) {
	struct sf_str range, step, low, high;
	int from = f->min, to = f->max, by = 1;
	int64_t n;
	bool stepped = sf_str_cut(s, '/', &range, &step);
	if (!sf_str_eq(range, SF_STR("*"))) {
		bool two = sf_str_cut(range, '-', &low, &high);
		if (!read_value(low, f, &from)) return wrong(why, f->range);
		to = two || !stepped ? from : f->max;
		if (two && !read_value(high, f, &to)) return wrong(why, f->range);
		if (f->max == 7 && two && to == 0 && from > 0) to = 7; /* sat-sun */
		if (from > to) return wrong(why, "A range must go from the lower to the higher.");
	}
	if (stepped) {
		if (step.n == 0 || step.p[0] < '0' || step.p[0] > '9' || sf_str_int(step, &n) || n < 1 || n > f->max)
			return wrong(why, "A step must be a number from 1 to the highest that the field can be.");
		by = (int)n;
	}
	for (int i = from; i <= to; i += by) *set |= UINT64_C(1) << i;
	return 0;
}

static int read_field(struct sf_str s, const struct field *f, uint64_t *set, const char **why) {
	struct sf_str item;
	*set = 0;
	for (bool more = true; more;) {
		more = sf_str_cut(s, ',', &item, &s);
		int err = read_item(item, f, set, why);
		if (err) return err;
	}
	return 0;
}

static bool is_space(char c) {
	return c == ' ' || c == '\t';
}

int sf_cron_parse(const char *expr, struct sf_cron_spec *out, const char **why) {
	uint64_t sets[5];
	bool any[5];
	const char *p = expr, *ignored;
	if (!why) why = &ignored;
	while (is_space(*p)) p++;
	struct sf_str name = sf_str_trim(sf_str(p));
	for (size_t i = 0; i < SF_COUNT(shorthands); i++)
		if (sf_str_ieq(name, sf_str(shorthands[i][0]))) p = shorthands[i][1];
	if (*p == '@') return wrong(why, "The short forms are @yearly, @monthly, @weekly, @daily and @hourly.");
	for (int i = 0; i < 5; i++) {
		const char *from = p;
		while (*p && !is_space(*p)) p++;
		if (p == from)
			return wrong(
				why, "There must be five fields: minute, hour, day of the month, month, day of the week.");
		int err = read_field((struct sf_str) { from, (size_t)(p - from) }, &fields[i], &sets[i], why);
		if (err) return err;
		any[i] = *from == '*';
		while (is_space(*p)) p++;
	}
	if (*p)
		return wrong(why,
					 "There must be five fields: minute, hour, day of the month, month, day of the week.");
	*out = (struct sf_cron_spec) {
		.minute = sets[0],
		.hour = (uint32_t)sets[1],
		.mday = (uint32_t)sets[2],
		.month = (uint32_t)sets[3],
		.wday = (uint32_t)((sets[4] | sets[4] >> 7) & 0x7f), /* 7 is Sunday, too */
		.hour_any = any[1],
		.mday_any = any[2],
		.wday_any = any[4],
	};
	return 0;
}

/* ---- seeking ------------------------------------------------------------------------------------------- */

/* Both days given: either will do, as in every cron since 1979; else both must fit, one of them being "*". */
static bool day_fits(const struct sf_cron_spec *c, int64_t day, int mday) {
	bool by_month = c->mday >> mday & 1, by_week = c->wday >> (((day + 4) % 7 + 7) % 7) & 1;
	return c->mday_any || c->wday_any ? by_month && by_week : by_month || by_week;
}

/* First minute of a day, from the given one on, that fits; -1: none. */
static int minute_of_day(const struct sf_cron_spec *c, int from) {
	for (int hour = from / 60, minute = from % 60; hour < 24; hour++, minute = 0) {
		uint64_t left = c->hour >> hour & 1 ? c->minute >> minute : 0;
		if (left) return hour * 60 + minute + __builtin_ctzll(left);
	}
	return -1;
}

/* The first local minute (since 1970-01-01 00:00 there) from the given one on that fits; false: none in 80 years, and so
 * never: weekdays of dates repeat within 40. */
static bool next_local(const struct sf_cron_spec *c, int64_t *minute) {
	int64_t day = *minute >= 0 ? *minute / 1440 : -((1439 - *minute) / 1440);
	int from = (int)(*minute - day * 1440), year, month, mday, first_year;
	sf_date_split(day, &year, &month, &mday);
	first_year = year;
	while (year <= first_year + YEARS) {
		if (!(c->month >> month & 1)) {
			month = month == 12 ? 1 : month + 1;
			year += month == 1;
			day = sf_date_join(year, month, mday = 1);
			from = 0;
			continue;
		}
		int at = day_fits(c, day, mday) ? minute_of_day(c, from) : -1;
		if (at >= 0) {
			*minute = day * 1440 + at;
			return true;
		}
		from = 0;
		sf_date_split(++day, &year, &month, &mday);
	}
	return false;
}

static int64_t floor_div(int64_t a, int64_t b) {
	return a / b - (a % b < 0);
}

/* The first minute after a second that clocks show, or that they skip, and that fits; false: none. */
static bool next_shown(const struct sf_cron_spec *spec, const struct sf_zone *z, int64_t after, int64_t *at) {
	int64_t end, from = after + 1, minute;
	int64_t before = sf_zone_offset(z, after, &end);
	for (;;) {
		int64_t offset = sf_zone_offset(z, from, &end);
		minute = -floor_div(-(from + before), 60);
		if (offset > before && next_local(spec, &minute) && minute * 60 < from + offset) {
			*at = from; /* a gap ends here, and it fits in the gap */
			return true;
		}
		minute = -floor_div(-(from + offset), 60);
		if (!next_local(spec, &minute)) return false;
		*at = minute * 60 - offset;
		if (*at < end) return true;
		from = end, before = offset;
	}
}

/* The first local time after a second that fits, at the first instant it is reached; false: none. */
static bool next_reached(const struct sf_cron_spec *spec, const struct sf_zone *z, int64_t after,
						 int64_t *at) {
	int64_t end, minute = floor_div(after + sf_zone_offset(z, after, &end), 60);
	do {          /* in the second pass of a time that is repeated, what comes first is over */
		minute++; /* the minute it is now has begun */
		if (!next_local(spec, &minute)) return false;
		*at = sf_zone_reach(z, minute * 60 * SF_USEC) / SF_USEC;
	} while (*at <= after);
	return true;
}

int sf_cron_next(const struct sf_cron_spec *spec, const char *zone, int64_t t, int64_t *next) {
	const struct sf_zone *z;
	int64_t at, seconds = floor_div(t, SF_USEC);
	int err = sf_zone_get(sf_str(zone ? zone : ""), &z);
	if (err) return err;
	if (seconds < -LAST_SECOND) seconds = -LAST_SECOND;
	bool any = seconds <= LAST_SECOND &&
			   (spec->hour_any ? next_shown(spec, z, seconds, &at) : next_reached(spec, z, seconds, &at));
	*next = any ? at * SF_USEC : INT64_MAX;
	return 0;
}
