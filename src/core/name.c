/* name: names that people gave themselves, made harmless for messages that go to others. Programs that show mail and chat
 * turn words into links, mentions and commands by themselves, so that a name such as "Your account is locked, verify at
 * http://evil.example" would be a letter of its own. */
#include "core/core.h"

#define SHOWN 40 /* code points */
#define DOTS  "…"

static bool letter(char c) { /* of any script: bytes of UTF-8 beyond ASCII count */
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}
static bool digit(char c) {
	return c >= '0' && c <= '9';
}

/* "Kim.evil" at the dot: a letter or digit before, two letters after. *end: where these stop. */
static bool host_dot(struct sf_str w, size_t dot, size_t *end) {
	size_t i = dot + 1;
	while (i < w.n && (letter(w.p[i]) || digit(w.p[i]) || w.p[i] == '-')) i++;
	*end = i;
	return dot > 0 && (letter(w.p[dot - 1]) || digit(w.p[dot - 1])) && i - dot > 2 && letter(w.p[dot + 1]) &&
		   letter(w.p[dot + 2]);
}

/* A word that would become a link, whole: an address of the web or of mail, a telephone number. */
static bool is_link(struct sf_str w) {
	size_t digits = 0, end;
	bool at = false;
	if (w.n >= 4 && sf_str_ieq((struct sf_str) { w.p, 4 }, SF_STR("www."))) return true;
	for (size_t i = 0; i < w.n; i++) {
		digits += digit(w.p[i]);
		if (w.p[i] == '@' && i > 0) at = true;
		if (w.n - i >= 3 && memcmp(w.p + i, "://", 3) == 0) return true;
		if (w.p[i] != '.' || !host_dot(w, i, &end)) continue;
		if (at || (end < w.n && strchr("/:?#", w.p[end]))) return true;
	}
	return digits >= 7;
}

/* A plain word: "@kim" loses what makes it a mention, "/start" a command, "evil.example" is torn at its dot. */
static void add_word(struct sf_buf *b, struct sf_str w) {
	size_t end;
	for (size_t i = 0; i < w.n; i++) {
		char c = w.p[i], before = i ? w.p[i - 1] : ' ', after = i + 1 < w.n ? w.p[i + 1] : ' ';
		bool joined = letter(before) || digit(before) || before == '<',
			 leads = letter(after) || digit(after) || after == '_';
		if (strchr("/@#$", c) && !joined && leads) continue;
		sf_buf_char(b, c);
		if (c == '.' && host_dot(w, i, &end)) sf_buf_char(b, ' ');
	}
}

/* The text, or its first code points and dots. */
static struct sf_str clip(struct sf_buf *b) {
	size_t points = 0;
	for (size_t i = 0; i < b->n; i++) {
		if (((unsigned char)b->p[i] & 0xC0) == 0x80 || points++ < SHOWN) continue;
		b->n = i;
		while (b->n && b->p[b->n - 1] == ' ') b->n--;
		sf_buf_cstr(b, DOTS);
		break;
	}
	return b->n ? sf_buf_view(b) : SF_STR("-");
}

struct sf_str sf_arena_name(struct sf_arena *a, struct sf_str s) {
	struct sf_buf b;
	struct sf_str rest = sf_arena_line(a, s), w;
	sf_buf_init(&b, a);
	for (bool more = true; more;) {
		more = sf_str_cut(rest, ' ', &w, &rest);
		if (!w.n) continue;
		if (b.n) sf_buf_char(&b, ' ');
		if (is_link(w))
			sf_buf_cstr(&b, DOTS);
		else
			add_word(&b, w);
	}
	return clip(&b);
}
