/* names: what of people's names is shown, and to whom. A chef sees the name of who booked; under a review, which everybody may read,
 * stands a first name: the family name of a Korean, as is usual in Korea, the given name of others. Addresses and numbers
 * that somebody took for a name are not shown at all. */
#include "core/log.h"
#include "services/coocook/internal.h"
#include "services/platform/client.h"

/* ---- a first name (pure) ------------------------------------------------------------------------ */

#define FIRST_MAX  20 /* code points of the part that is shown */
#define DIGITS_MAX 3  /* a fourth digit makes it a number */

static uint32_t code_point(struct sf_str s, size_t *len) { /* of valid UTF-8 */
	const unsigned char *p = (const unsigned char *)s.p;
	*len = p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
	if (*len > s.n) *len = s.n;
	uint32_t c = *len == 1 ? p[0] : p[0] & (0x7Fu >> *len);
	for (size_t i = 1; i < *len; i++) c = c << 6 | (p[i] & 63);
	return c;
}

/* Length of the Korean syllable (composed or of letters, as macOS writes it) or the Chinese or Japanese character at the start; 0:
 * something else stands there. */
static size_t syllable(struct sf_str s) {
	size_t len = 0;
	uint32_t c = s.n ? code_point(s, &len) : 0;
	if ((c >= 0xAC00 && c <= 0xD7A3) || (c >= 0x3041 && c <= 0x30FE) || (c >= 0x3400 && c <= 0x9FFF))
		return len;
	if (c < 0x1100 || c > 0x115F) return 0;
	for (size_t at = len; at < s.n; len = at) { /* a leading consonant, then vowels and trailing consonants */
		size_t more;
		c = code_point((struct sf_str) { s.p + at, s.n - at }, &more);
		if (c < 0x1160 || c > 0x11FF) break;
		at += more;
	}
	return len;
}

static size_t syllables(struct sf_str s) { /* at the start of the text, spaces left out */
	size_t n = 0, len;
	for (; s.n; s.p += len, s.n -= len) {
		len = syllable(s);
		if (len)
			n++;
		else if (*s.p == ' ')
			len = 1;
		else
			break;
	}
	return n;
}

static bool is_two_syllable_family(struct sf_str name) {
	static const char *const families[] = { "남궁", "황보", "제갈", "사공", "선우", "서문", "독고", "동방" };
	for (size_t i = 0; i < SF_COUNT(families); i++)
		if (sf_str_starts(name, sf_str(families[i]))) return true;
	return false;
}

/* An address of mail, a link or a number is none of the things that a name is. */
static bool is_name(struct sf_str s) {
	int digits = 0;
	for (size_t i = 0; i < s.n; i++) {
		bool inside = i > 0 && i + 1 < s.n && s.p[i - 1] != ' ' && s.p[i + 1] != ' ';
		if (s.p[i] == '@' || s.p[i] == '/' || s.p[i] == ':' || (s.p[i] == '.' && inside)) return false;
		digits += s.p[i] >= '0' && s.p[i] <= '9';
	}
	return s.n > 0 && digits <= DIGITS_MAX;
}

static struct sf_str korean_style(struct sf_arena *a, struct sf_str name, size_t n) {
	size_t shown = n > 2 && is_two_syllable_family(name) ? 2 : 1, len = 0;
	for (size_t i = 0; i < shown; i++) len += syllable((struct sf_str) { name.p + len, name.n - len });
	size_t hidden = n > shown ? n - shown : 1;
	return sf_arena_printf(a, SF_PRI "%s", SF_ARG(((struct sf_str) { name.p, len })),
						   hidden == 1   ? "○"
						   : hidden == 2 ? "○○"
										 : "○○○");
}

struct sf_str coocook_first_name(struct sf_arena *a, struct sf_str name) {
	struct sf_str s = sf_str_trim(sf_arena_line(a, name)), first, rest;
	if (!is_name(s)) return SF_STR_NULL;
	size_t n = syllables(s), len = 0, points = 0;
	if (n) return korean_style(a, s, n);
	sf_str_cut(s, ' ', &first, &rest);
	while (len < first.n && points++ < FIRST_MAX) {
		size_t one;
		code_point((struct sf_str) { first.p + len, first.n - len }, &one);
		len += one;
	}
	first.n = len;
	struct sf_str last = SF_STR_NULL, word;
	for (bool more = rest.n > 0; more;) {
		more = sf_str_cut(rest, ' ', &word, &rest);
		if (word.n) last = word;
	}
	if (last.n == 0) return first;
	code_point(last, &len);
	return sf_arena_printf(a, SF_PRI " " SF_PRI ".", SF_ARG(first),
						   SF_ARG(((struct sf_str) { last.p, len })));
}

/* ---- of users ------------------------------------------------------------------------------------- */

void coocook__names(struct sf_req *r, struct sf_dbh *h, const int64_t *users, size_t n, struct sf_str *out) {
	struct sf_arena *a = sf_req_arena(r);
	struct platform_user *who = sf_arena_zalloc(a, (n + 1) * sizeof *who);
	int err = n ? platform_users_of(sf_req_app(r), h, "coocook", users, n, who) : 0;
	if (err)
		sf_log(SF_WARN, "names of users are left out", SF_KV("error", sf_err_symbol(err)),
			   SF_KV("request_id", sf_req_id(r)));
	for (size_t i = 0; i < n; i++) out[i] = err || !who[i].id ? SF_STR_NULL : sf_arena_line(a, who[i].name);
}

struct sf_str coocook__name(struct sf_req *r, struct sf_dbh *h, int64_t user) {
	struct sf_str name;
	coocook__names(r, h, &user, 1, &name);
	return name;
}
