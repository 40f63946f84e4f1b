/* zone: IANA time zones, read from the system's zoneinfo files (RFC 9636). See zone.h.
 *
 * Read by ourselves because libc knows one zone a process, the environment's. A file holds the changes of the past as a table, and
 * in its last line the rule of the future (POSIX TZ: "CET-1CEST,M3.5.0,M10.5.0/3"), which holds after the last entry.
 * Zones that were asked for are kept: there are 600 at most, of some KB each, and whoever holds one may keep it. */
#include "core/zone.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/hash.h"

enum { CHANGES = 1024, FILE_MAX = 256 << 10, HEADER = 44, BUCKETS = 256 };
#define FOLDER "/usr/share/zoneinfo/"
#define NEVER  INT64_MAX
#define SLACK  (INT64_C(27) * 3600) /* more than any zone is from UTC */

struct day_rule { /* of every year */
	char kind;    /* 'M' month, week, weekday; 'J' 1..365 without 29 February; 'N' 0..365 */
	int month, week, day;
	int32_t time; /* of that day, local, seconds; may be negative or past the day */
};
struct sf_zone {
	struct sf_zone *next; /* in its bucket */
	char name[SF_ZONE_NAME_MAX];
	size_t n;
	int64_t *at; /* offset[i] holds from at[i]; seconds */
	int32_t *offset;
	int32_t first; /* before at[0] */
	bool ruled, saves;
	int32_t standard, saving;
	struct day_rule start, end; /* of saving */
};

/* ---- the rule of the future -------------------------------------------------------------------------- */

static bool read_number(const char **p, int max, int *out) {
	int n = 0;
	if (**p < '0' || **p > '9') return false;
	while (**p >= '0' && **p <= '9' && n <= max) n = n * 10 + *(*p)++ - '0';
	*out = n;
	return n <= max;
}

/* [+-]hh[:mm[:ss]] */
static bool read_time(const char **p, int32_t *out) {
	int h, m = 0, s = 0, sign = 1;
	if (**p == '-' || **p == '+') sign = *(*p)++ == '-' ? -1 : 1;
	if (!read_number(p, 167, &h)) return false;
	if (**p == ':' && (++*p, !read_number(p, 59, &m))) return false;
	if (**p == ':' && (++*p, !read_number(p, 59, &s))) return false;
	*out = sign * (h * 3600 + m * 60 + s);
	return true;
}

static bool skip_name(const char **p) {
	const char *from = *p;
	if (**p == '<') {
		while (**p && **p != '>') ++*p;
		return *(*p)++ == '>';
	}
	while ((**p >= 'a' && **p <= 'z') || (**p >= 'A' && **p <= 'Z')) ++*p;
	return *p > from;
}

/* ",M3.5.0/2", ",J60" or ",59" */
static bool read_rule(const char **p, struct day_rule *r) {
	if (*(*p)++ != ',') return false;
	r->kind = 'N';
	r->time = 2 * 3600;
	if (**p == 'M' || **p == 'J') r->kind = *(*p)++;
	if (r->kind == 'M') {
		if (!read_number(p, 12, &r->month) || r->month < 1 || *(*p)++ != '.') return false;
		if (!read_number(p, 5, &r->week) || r->week < 1 || *(*p)++ != '.') return false;
		if (!read_number(p, 6, &r->day)) return false;
	} else if (!read_number(p, 365, &r->day)) {
		return false;
	}
	return **p != '/' || (++*p, read_time(p, &r->time));
}

static bool read_rules(struct sf_zone *z, const char *p) {
	if (!skip_name(&p) || !read_time(&p, &z->standard)) return false;
	z->standard = -z->standard; /* POSIX counts to the west */
	z->ruled = true;
	if (!*p) return true;
	z->saves = true;
	z->saving = z->standard + 3600;
	if (!skip_name(&p)) return false;
	if (*p != ',') {
		if (!read_time(&p, &z->saving)) return false;
		z->saving = -z->saving;
	}
	return read_rule(&p, &z->start) && read_rule(&p, &z->end) && !*p;
}

static int weekday_of(int64_t day) {
	return (int)(((day + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
}

/* Local seconds of a rule in a year. */
static int64_t rule_in(const struct day_rule *r, int year) {
	int64_t day, first = sf_date_join(year, 1, 1);
	if (r->kind == 'M') {
		first = sf_date_join(year, r->month, 1);
		int64_t next = r->month == 12 ? sf_date_join(year + 1, 1, 1) : sf_date_join(year, r->month + 1, 1);
		day = first + (r->day - weekday_of(first) + 7) % 7 + 7 * (r->week - 1);
		while (day >= next) day -= 7; /* week 5 is the last */
	} else if (r->kind == 'J') {
		bool leap = sf_date_join(year + 1, 1, 1) - first == 366;
		day = first + r->day - 1 + (leap && r->day >= 60);
	} else {
		day = first + r->day;
	}
	return day * 86400 + r->time;
}

static int32_t ruled_offset(const struct sf_zone *z, int64_t t, int64_t *end) {
	int year, month, mday;
	int64_t last = INT64_MIN;
	int32_t offset = z->standard;
	*end = NEVER;
	if (!z->saves) return offset;
	sf_date_split(sf_date_of(t * SF_USEC), &year, &month, &mday);
	for (int y = year - 1; y <= year + 1; y++)
		for (int starts = 0; starts < 2; starts++) {
			int64_t at = starts ? rule_in(&z->start, y) - z->standard : rule_in(&z->end, y) - z->saving;
			if (at <= t && at >= last) last = at, offset = starts ? z->saving : z->standard;
			if (at > t && at < *end) *end = at;
		}
	return offset;
}

int32_t sf_zone_offset(const struct sf_zone *z, int64_t t, int64_t *end) {
	size_t low = 0, high = z->n; /* how many changes are not after t */
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (z->at[mid] <= t)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == z->n && z->ruled) return ruled_offset(z, t, end);
	*end = low < z->n ? z->at[low] : NEVER;
	return low ? z->offset[low - 1] : z->first;
}

/* ---- the file ------------------------------------------------------------------------------------------ */

static uint64_t big_endian(const unsigned char *p, int n) {
	uint64_t v = 0;
	while (n--) v = v << 8 | *p++;
	return v;
}

struct counts { /* in the order of the header */
	size_t isut, isstd, leap, time, type, chars;
};
static bool read_header(const unsigned char *p, size_t n, struct counts *c) {
	if (n < HEADER || memcmp(p, "TZif", 4) != 0 || p[4] < '2') return false;
	size_t *to = &c->isut;
	for (int i = 0; i < 6; i++) to[i] = big_endian(p + 20 + 4 * i, 4);
	for (int i = 0; i < 6; i++)
		if (to[i] > FILE_MAX) return false;
	return c->type > 0;
}

static size_t block_size(const struct counts *c, size_t time) {
	return c->time * (time + 1) + c->type * 6 + c->chars + c->leap * (time + 4) + c->isstd + c->isut;
}

static bool read_block(struct sf_zone *z, const unsigned char *p, const struct counts *c) {
	const unsigned char *kinds = p + c->time * 8, *types = kinds + c->time;
	if (c->time > CHANGES) return false;
	z->at = sf_calloc(c->time + 1, sizeof(*z->at));
	z->offset = sf_calloc(c->time + 1, sizeof(*z->offset));
	z->first = (int32_t)big_endian(types, 4); /* type 0, RFC 8536 §3.2 */
	for (size_t i = 0; i < c->time; i++) {
		if (kinds[i] >= c->type) return false;
		z->at[i] = (int64_t)big_endian(p + 8 * i, 8);
		z->offset[i] = (int32_t)big_endian(types + 6 * (size_t)kinds[i], 4);
		if (i && z->at[i] <= z->at[i - 1]) return false;
	}
	z->n = c->time;
	return true;
}

static bool read_zone(struct sf_zone *z, const unsigned char *p, size_t n) {
	struct counts c;
	char rules[128];
	if (!read_header(p, n, &c)) return false;
	size_t skip = HEADER + block_size(&c, 4); /* the old block, of 32-bit times */
	if (skip > n || !read_header(p + skip, n - skip, &c)) return false;
	skip += HEADER;
	size_t size = block_size(&c, 8);
	if (size > n - skip || !read_block(z, p + skip, &c)) return false;
	p += skip + size, n -= skip + size;
	const unsigned char *end = n > 1 && *p == '\n' ? memchr(p + 1, '\n', n - 1) : NULL;
	if (!end || (size_t)(end - p) > sizeof(rules)) return false;
	size_t k = (size_t)(end - p) - 1;
	memcpy(rules, p + 1, k);
	rules[k] = 0;
	return k == 0 || read_rules(z, rules);
}

/* As the tz database names zones. What else lies in the folder begins with a small letter: localtime, posix/, right/. */
static bool is_name(struct sf_str s) {
	static const char rest[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
	if (s.n == 0 || s.n >= SF_ZONE_NAME_MAX || s.p[0] < 'A' || s.p[0] > 'Z') return false;
	for (size_t i = 0; i < s.n; i++)
		if (!s.p[i] || !strchr(rest, s.p[i])) return false;
	return true;
}

static bool load(struct sf_zone *z) {
	char path[sizeof(FOLDER) + sizeof(z->name)];
	snprintf(path, sizeof(path), FOLDER "%s", z->name);
	FILE *f = fopen(path, "re");
	if (!f) return false;
	unsigned char *p = sf_malloc(FILE_MAX);
	size_t n = fread(p, 1, FILE_MAX, f);
	fclose(f);
	bool ok = n < FILE_MAX && read_zone(z, p, n);
	free(p);
	return ok;
}

/* ---- by name ------------------------------------------------------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	struct sf_zone *buckets[BUCKETS];
} known = { .lock = PTHREAD_MUTEX_INITIALIZER };

static const struct sf_zone utc = { .name = "UTC" };
static const struct sf_zone korea = { .name = SF_ZONE_DEFAULT, .first = 9 * 3600 }; /* so since 1988 */

/* Under the lock. */
static const struct sf_zone *find(struct sf_str name) {
	struct sf_zone **bucket = &known.buckets[sf_hash64_fixed(name.p, name.n) % BUCKETS];
	for (struct sf_zone *z = *bucket; z; z = z->next)
		if (sf_str_eq(sf_str(z->name), name)) return z;
	struct sf_zone *z = sf_calloc(1, sizeof(*z));
	memcpy(z->name, name.p, name.n);
	if (!load(z)) {
		free(z->at);
		free(z->offset);
		free(z);
		return NULL;
	}
	z->next = *bucket;
	return *bucket = z;
}

int sf_zone_get(struct sf_str name, const struct sf_zone **out) {
	if (name.n == 0 || sf_str_eq(name, SF_STR("UTC"))) return *out = &utc, 0;
	if (!is_name(name)) return SF_EINVAL;
	pthread_mutex_lock(&known.lock);
	const struct sf_zone *z = find(name);
	pthread_mutex_unlock(&known.lock);
	if (!z) return SF_EINVAL;
	*out = z;
	return 0;
}

const struct sf_zone *sf_zone_of(struct sf_str name) {
	const struct sf_zone *z = NULL;
	if (name.n && sf_zone_get(name, &z) == 0) return z;
	return sf_zone_get(SF_STR(SF_ZONE_DEFAULT), &z) == 0 ? z : &korea;
}

struct sf_str sf_zone_name(const struct sf_zone *z) {
	return sf_str(z->name);
}

/* ---- wall time ----------------------------------------------------------------------------------------- */

static int64_t floor_div(int64_t a, int64_t b) {
	return a / b - (a % b < 0);
}

int64_t sf_zone_wall(const struct sf_zone *z, int64_t t) {
	int64_t end;
	return t + sf_zone_offset(z, floor_div(t, SF_USEC), &end) * SF_USEC;
}

/* The first instant at which clocks show `wall` or later, and whether they jump over it then, and from which offset. */
static int64_t reach(const struct sf_zone *z, int64_t wall, bool *skipped, int64_t *before) {
	int64_t second = floor_div(wall, SF_USEC), from = second - SLACK, end, last = 0;
	for (;; from = end) {
		int64_t offset = sf_zone_offset(z, from, &end);
		*skipped = second - offset < from;
		*before = last;
		int64_t at = *skipped ? from : second - offset;
		if (at < end) return *skipped ? at * SF_USEC : wall - offset * SF_USEC;
		last = offset;
	}
}

int64_t sf_zone_reach(const struct sf_zone *z, int64_t wall) {
	bool skipped;
	int64_t before;
	return reach(z, wall, &skipped, &before);
}

int64_t sf_zone_instant(const struct sf_zone *z, int64_t wall) {
	bool skipped;
	int64_t before, at = reach(z, wall, &skipped, &before);
	return skipped ? wall - before * SF_USEC : at;
}

int64_t sf_zone_day_start(const struct sf_zone *z, int64_t day) {
	return sf_zone_reach(z, sf_date_start(day));
}

int64_t sf_zone_day(const struct sf_zone *z, int64_t t) {
	int64_t day = sf_date_of(sf_zone_wall(z, t));
	return t < sf_zone_day_start(z, day + 1) ? day
											 : day + 1; /* put back over midnight: it has begun before */
}

size_t sf_zone_format(const struct sf_zone *z, int64_t t, char *buf) {
	sf_time_format_sql(sf_zone_wall(z, t), buf);
	buf[16] = 0;
	return 16;
}

struct sf_str sf_zone_text(struct sf_arena *a, struct sf_str zone, struct sf_str place, int64_t t) {
	const struct sf_zone *z = sf_zone_of(zone);
	char text[32];
	sf_zone_format(z, t, text);
	return sf_str_eq(place, sf_zone_name(z)) ? sf_arena_str(a, sf_str(text))
											 : sf_arena_printf(a, "%s (%s)", text, z->name);
}
