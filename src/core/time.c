/* time: clocks, and UTC instants and dates as text, by plain arithmetic.
 *
 * Neither strftime nor timegm is used: they are slow, know the process's zone and locale, and take what
 * they should refuse. The day count follows the proleptic Gregorian calendar: years are counted from March,
 * so that the leap day is the last of its year, and 400 years are 146,097 days. */
#include "core/time.h"
#include "core/internal.h"

#include <time.h>

#define MIN_DAY (SF_TIME_MIN / SF_DAY_USEC)
#define MAX_DAY (SF_TIME_MAX / SF_DAY_USEC)

int64_t sf_time_now(void) {
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * SF_USEC + t.tv_nsec / 1000;
}

int64_t sf_clock_ns(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* ---- calendar ----------------------------------------------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t b) {
	return a / b - (a % b < 0);
}

int64_t sf_date_of(int64_t t) {
	return floor_div(t, SF_DAY_USEC);
}

void sf_date_split(int64_t day, int *year, int *month, int *mday) {
	int64_t z = day + 719468; /* days since 0000-03-01 */
	int64_t era = floor_div(z, 146097);
	unsigned doe = (unsigned)(z - era * 146097);                          /* of the 400 years */
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365; /* year of the 400 */
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);               /* from 1 March */
	unsigned mp = (5 * doy + 2) / 153;                                    /* 0: March */
	*mday = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*year = (int)(yoe + era * 400 + (*month <= 2));
}

int64_t sf_date_join(int year, int month, int mday) {
	int64_t y = (int64_t)year - (month <= 2);
	int64_t era = floor_div(y, 400);
	unsigned yoe = (unsigned)(y - era * 400);
	unsigned doy = (153 * (unsigned)(month > 2 ? month - 3 : month + 9) + 2) / 5 + (unsigned)mday - 1;
	unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return era * 146097 + (int64_t)doe - 719468;
}

/* ---- writing ------------------------------------------------------------------------------------ */

/* What lies outside the years 1 to 9999 is written as their first or last day: a text of known length. */
static int64_t clamp_day(int64_t day) {
	return day < MIN_DAY ? MIN_DAY : day > MAX_DAY ? MAX_DAY : day;
}

size_t sf_date_format(int64_t day, char *buf) {
	int y, m, d;
	sf_date_split(clamp_day(day), &y, &m, &d);
	sf_core__two((unsigned)y / 100, buf);
	sf_core__two((unsigned)y % 100, buf + 2);
	buf[4] = '-';
	sf_core__two((unsigned)m, buf + 5);
	buf[7] = '-';
	sf_core__two((unsigned)d, buf + 8);
	buf[10] = 0;
	return 10;
}

/* "hh:mm:ss" of the seconds of a day */
static void put_clock(unsigned s, char *p) {
	sf_core__two(s / 3600, p);
	p[2] = ':';
	sf_core__two(s / 60 % 60, p + 3);
	p[5] = ':';
	sf_core__two(s % 60, p + 6);
}

static void put_micros(unsigned us, char *p) {
	p[0] = '.';
	sf_core__two(us / 10000, p + 1);
	sf_core__two(us / 100 % 100, p + 3);
	sf_core__two(us % 100, p + 5);
}

/* Splits into day, second of the day and microsecond; the whole is clamped to the years 1..9999. */
static int64_t split(int64_t t, unsigned *second, unsigned *micro) {
	int64_t rest = t % SF_DAY_USEC;
	if (rest < 0) rest += SF_DAY_USEC;
	*second = (unsigned)(rest / SF_USEC);
	*micro = (unsigned)(rest % SF_USEC);
	return clamp_day(sf_date_of(t));
}

size_t sf_time_format(int64_t t, char *buf) {
	unsigned second, micro;
	sf_date_format(split(t, &second, &micro), buf);
	buf[10] = 'T';
	put_clock(second, buf + 11);
	size_t n = 19;
	if (micro) {
		put_micros(micro, buf + n);
		n += 7;
	}
	buf[n++] = 'Z';
	buf[n] = 0;
	return n;
}

size_t sf_time_format_sql(int64_t t, char *buf) {
	unsigned second, micro;
	sf_date_format(split(t, &second, &micro), buf);
	buf[10] = ' ';
	put_clock(second, buf + 11);
	put_micros(micro, buf + 19);
	buf[26] = 0;
	return 26;
}

size_t sf_time_format_http(int64_t t, char *buf) {
	static const char days[] = "ThuFriSatSunMonTueWed"; /* 1970-01-01 was a Thursday */
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	unsigned second, micro;
	int64_t day = split(t, &second, &micro);
	int y, m, d;
	sf_date_split(day, &y, &m, &d);
	memcpy(buf, days + 3 * (day - 7 * floor_div(day, 7)), 3);
	buf[3] = ',', buf[4] = ' ';
	sf_core__two((unsigned)d, buf + 5);
	buf[7] = ' ';
	memcpy(buf + 8, months + (size_t)3 * (size_t)(m - 1), 3);
	buf[11] = ' ';
	sf_core__two((unsigned)y / 100, buf + 12);
	sf_core__two((unsigned)y % 100, buf + 14);
	buf[16] = ' ';
	put_clock(second, buf + 17);
	memcpy(buf + 25, " GMT", 5);
	return 29;
}

/* ---- reading ------------------------------------------------------------------------------------- */

/* n digits at the head of s; -1 when they are not all digits */
static int take_digits(struct sf_str *s, size_t n) {
	if (s->n < n) return -1;
	int v = 0;
	for (size_t i = 0; i < n; i++) {
		unsigned digit = (unsigned char)s->p[i] - '0';
		if (digit > 9) return -1;
		v = v * 10 + (int)digit;
	}
	s->p += n, s->n -= n;
	return v;
}

static bool take_char(struct sf_str *s, char c) {
	if (!s->n || s->p[0] != c) return false;
	s->p++, s->n--;
	return true;
}

static int take_date(struct sf_str *s, int64_t *day) {
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int y = take_digits(s, 4);
	if (y < 1 || !take_char(s, '-')) return SF_EINVAL;
	int m = take_digits(s, 2);
	if (m < 1 || m > 12 || !take_char(s, '-')) return SF_EINVAL;
	int d = take_digits(s, 2);
	bool leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
	if (d < 1 || d > lengths[m - 1] + (m == 2 && leap)) return SF_EINVAL;
	*day = sf_date_join(y, m, d);
	return 0;
}

int sf_date_parse(struct sf_str s, int64_t *day) {
	int64_t v;
	if (s.n != 10 || take_date(&s, &v)) return SF_EINVAL;
	*day = v;
	return 0;
}

/* ".ddd…" as microseconds; digits past the sixth are cut off */
static int take_fraction(struct sf_str *s, int64_t *us) {
	int64_t v = 0;
	size_t digits = 0;
	while (s->n && s->p[0] >= '0' && s->p[0] <= '9') {
		if (digits < 6) v = v * 10 + (s->p[0] - '0');
		digits++;
		s->p++, s->n--;
	}
	if (!digits || digits > 18) return SF_EINVAL;
	for (; digits < 6; digits++) v *= 10;
	*us = v;
	return 0;
}

static int take_clock(struct sf_str *s, int64_t *us) {
	int second = 0;
	int64_t fraction = 0;
	int hour = take_digits(s, 2);
	if (hour < 0 || hour > 23 || !take_char(s, ':')) return SF_EINVAL;
	int minute = take_digits(s, 2);
	if (minute < 0 || minute > 59) return SF_EINVAL;
	if (take_char(s, ':')) {
		second = take_digits(s, 2);
		if (second < 0 || second > 59) return SF_EINVAL;
		if (take_char(s, '.') && take_fraction(s, &fraction)) return SF_EINVAL;
	}
	*us = (hour * INT64_C(3600) + minute * INT64_C(60) + second) * SF_USEC + fraction;
	return 0;
}

/* Z, +hh:mm, -hh:mm or nothing, and then the end */
static int take_offset(struct sf_str *s, int64_t *us, bool *none) {
	*us = 0;
	*none = s->n == 0;
	if (*none) return 0;
	if (take_char(s, 'Z') || take_char(s, 'z')) return s->n ? SF_EINVAL : 0;
	bool west = s->p[0] == '-';
	if (!take_char(s, west ? '-' : '+')) return SF_EINVAL;
	int hour = take_digits(s, 2);
	if (hour < 0 || hour > 23 || !take_char(s, ':')) return SF_EINVAL;
	int minute = take_digits(s, 2);
	if (minute < 0 || minute > 59 || s->n) return SF_EINVAL;
	*us = (hour * INT64_C(3600) + minute * INT64_C(60)) * (west ? -SF_USEC : SF_USEC);
	return 0;
}

int sf_time_parse_wall(struct sf_str s, int64_t *t, bool *local) {
	int64_t day, clock = 0, offset = 0;
	bool none = true;
	if (take_date(&s, &day)) return SF_EINVAL;
	if (s.n) {
		if (!take_char(&s, 'T') && !take_char(&s, 't') && !take_char(&s, ' ')) return SF_EINVAL;
		if (take_clock(&s, &clock) || take_offset(&s, &offset, &none)) return SF_EINVAL;
	}
	int64_t v = day * SF_DAY_USEC + clock - offset;
	if (v < SF_TIME_MIN || v > SF_TIME_MAX) return SF_EINVAL;
	*t = v;
	*local = none;
	return 0;
}

int sf_time_parse(struct sf_str s, int64_t *t) {
	bool local;
	return sf_time_parse_wall(s, t, &local);
}
