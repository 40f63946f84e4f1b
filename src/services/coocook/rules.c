/* rules: CooCook's decisions. See rules.h. */
#include "services/coocook/rules.h"

/* ---- status ---------------------------------------------------------------------------------- */

static const struct turn {
	const char *from, *to;
} turns[] = {
	{ "pending", "confirmed" },
	{ "pending", "cancelled" },
	{ "confirmed", "completed" },
	{ "confirmed", "cancelled" },
};

bool coocook_may_turn(struct sf_str from, struct sf_str to) {
	for (size_t i = 0; i < SF_COUNT(turns); i++)
		if (sf_str_eq(from, sf_str(turns[i].from)) && sf_str_eq(to, sf_str(turns[i].to))) return true;
	return false;
}

int64_t coocook_expires(int64_t created, int64_t ttl, int64_t starts) {
	return created + ttl < starts ? created + ttl : starts;
}

/* ---- ratings ---------------------------------------------------------------------------------- */

double coocook_popularity(int64_t rating_sum, int64_t rating_count) {
	return (double)(COOCOOK_PRIOR_SUM + rating_sum) / (double)(COOCOOK_PRIOR_N + rating_count);
}

/* Rounded in integers, as the query chef_rate does, so that both engines and this agree to the last bit. */
double coocook_rating(int64_t rating_sum, int64_t rating_count) {
	if (rating_count == 0) return 0;
	int64_t hundredths = (200 * rating_sum / rating_count + 1) / 2;
	return (double)hundredths / 100;
}

/* ---- search ----------------------------------------------------------------------------------- */

#define MAX_WORDS 10

/* Characters above ASCII that both engines' parsers take for signs, and that people write between words. In order. */
static const struct {
	uint32_t from, to;
} signs[] = {
	{ 0x80, 0xA9 },       { 0xAB, 0xB1 },     { 0xB4, 0xB4 },
	{ 0xB6, 0xB8 },       { 0xBB, 0xBB },     { 0xBF, 0xBF },
	{ 0xD7, 0xD7 },       { 0xF7, 0xF7 },     { 0x2000, 0x206F }, /* punctuation, joiners */
	{ 0x20A0, 0x20C0 },   { 0x2190, 0x244A }, /* money; arrows, operators, technical signs */
	{ 0x2500, 0x2775 },   { 0x2794, 0x2BFF }, /* boxes, stars, dingbats, more arrows */
	{ 0x3000, 0x3004 },   { 0x3008, 0x3020 }, { 0xFE00, 0xFE0F },
	{ 0xFF01, 0xFF0F },   { 0xFF1A, 0xFF20 }, /* CJK; full-width ASCII */
	{ 0xFF3B, 0xFF40 },   { 0xFF5B, 0xFF65 }, { 0xFFFC, 0xFFFD },
	{ 0x1F000, 0x1F0FF }, /* game tiles and cards */
	{ 0x1F300, 0x1FAFF }, /* emoji */
};

/* Length of the separator at p (valid UTF-8), or 0 when a letter or digit stands there. A word must hold one: of a word
 * of signs alone one engine would find nothing and the other take it for left out. */
static size_t separator(const unsigned char *p, size_t n) {
	if (p[0] < 0x80) return !((p[0] >= '0' && p[0] <= '9') || ((p[0] | 32) >= 'a' && (p[0] | 32) <= 'z'));
	if (p[0] < 0xC0) return 0; /* within a letter */
	size_t len = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
	if (len > n) return 0;
	uint32_t c = p[0] & (0x7Fu >> len);
	for (size_t i = 1; i < len; i++) c = c << 6 | (p[i] & 63);
	for (size_t i = 0; i < SF_COUNT(signs) && c >= signs[i].from; i++)
		if (c <= signs[i].to) return len;
	return 0;
}

static size_t split(struct sf_str q, struct sf_str words[MAX_WORDS]) {
	size_t n = 0, i = 0;
	while (i < q.n && n < MAX_WORDS) {
		size_t start = i, sep = 0;
		while (i < q.n && (sep = separator((const unsigned char *)q.p + i, q.n - i)) == 0) i++;
		if (i > start) words[n++] = (struct sf_str) { q.p + start, i - start };
		i += sep;
	}
	return n;
}

static struct sf_str tsquery(struct sf_arena *a, const struct sf_str *words, size_t n, const char *weights) {
	struct sf_buf b;
	sf_buf_init(&b, a);
	for (size_t i = 0; i < n; i++)
		sf_buf_printf(&b, "%s'" SF_PRI "':*%s", i ? " & " : "", SF_ARG(words[i]), weights);
	return sf_buf_view(&b);
}

static struct sf_str fts5(struct sf_arena *a, const struct sf_str *words, size_t n, const char *columns) {
	struct sf_buf b;
	sf_buf_init(&b, a);
	for (size_t i = 0; i < n; i++)
		sf_buf_printf(&b, "%s%s\"" SF_PRI "\" *", i ? " AND " : "", columns, SF_ARG(words[i]));
	return sf_buf_view(&b);
}

void coocook_terms(struct sf_arena *a, struct sf_str q, enum coocook_fts lang, struct coocook_terms *out) {
	struct sf_str words[MAX_WORDS] = { { 0 } };
	*out = (struct coocook_terms) { .words = split(q, words) };
	if (out->words == 0) return;
	if (lang == COOCOOK_TSQUERY) {
		out->all = tsquery(a, words, out->words, "");
		out->name = tsquery(a, words, out->words, "A");
		out->head = tsquery(a, words, out->words, "AB");
	} else {
		out->all = fts5(a, words, out->words, "");
		out->name = fts5(a, words, out->words, "{name} : ");
		out->head = fts5(a, words, out->words, "{name cuisine_type location} : ");
	}
}

/* ---- taste ------------------------------------------------------------------------------------ */

static bool ranks_before(struct sf_str a, int64_t na, struct sf_str b, int64_t nb) {
	if (na != nb) return na > nb;
	int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
	return order ? order < 0 : a.n < b.n;
}

static struct sf_str name_of(const struct coocook_taste *t, bool location) {
	return location ? t->location : t->cuisine;
}

static int64_t total_of(const struct coocook_taste *t, size_t n, bool location, struct sf_str name) {
	int64_t sum = 0;
	for (size_t i = 0; i < n; i++)
		if (sf_str_eq(name_of(&t[i], location), name)) sum += t[i].bookings;
	return sum;
}

/* n is small (a guest's last bookings by kind), so each pick simply looks at all. */
size_t coocook_favourites(const struct coocook_taste *t, size_t n, bool location, struct sf_str *out,
						  size_t max) {
	size_t found = 0;
	while (found < max) {
		struct sf_str best = SF_STR_NULL;
		int64_t best_n = 0;
		for (size_t i = 0; i < n; i++) {
			struct sf_str name = name_of(&t[i], location);
			bool taken = false;
			for (size_t k = 0; k < found; k++) taken |= sf_str_eq(out[k], name);
			int64_t sum = taken ? 0 : total_of(t, n, location, name);
			if (!taken && (!best.p || ranks_before(name, sum, best, best_n))) best = name, best_n = sum;
		}
		if (!best.p) break;
		out[found++] = best;
	}
	return found;
}
