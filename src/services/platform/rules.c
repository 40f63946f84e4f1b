/* rules: the pure part of accounts. */
#include "services/platform/rules.h"

struct sf_str platform_email(struct sf_arena *a, struct sf_str email) {
	char *p = sf_arena_cstr(a, email);
	for (size_t i = 0; i < email.n; i++)
		if (p[i] >= 'A' && p[i] <= 'Z') p[i] = (char)(p[i] + ('a' - 'A'));
	return (struct sf_str) { p, email.n };
}

struct sf_str platform_local(struct sf_str email) {
	struct sf_str local, domain;
	sf_str_cut(email, '@', &local, &domain);
	return local;
}

struct sf_str platform_like(struct sf_arena *a, struct sf_str text) {
	struct sf_buf b;
	sf_buf_init(&b, a);
	sf_buf_char(&b, '%');
	for (size_t i = 0; i < text.n; i++) {
		if (strchr("%_\\", text.p[i])) sf_buf_char(&b, '\\');
		sf_buf_char(&b, text.p[i]);
	}
	sf_buf_char(&b, '%');
	return sf_buf_view(&b);
}

/* Names that a User-Agent holds, the telling ones first: each pretends to be those after it. */
struct mark {
	const char *in, *name;
};
static const struct mark browsers[] = {
	{ "KAKAOTALK", "KakaoTalk" },
	{ "NAVER(", "Naver" },
	{ "Whale/", "Whale" },
	{ "SamsungBrowser/", "Samsung Internet" },
	{ "Edg", "Edge" },
	{ "OPR/", "Opera" },
	{ "Firefox/", "Firefox" },
	{ "FxiOS/", "Firefox" },
	{ "CriOS/", "Chrome" },
	{ "Chrome/", "Chrome" },
	{ "Safari/", "Safari" },
};
static const struct mark systems[] = {
	{ "iPhone", "iPhone" },  { "iPad", "iPad" },     { "Android", "Android" }, { "Windows", "Windows" },
	{ "Mac OS X", "macOS" }, { "CrOS", "ChromeOS" }, { "Linux", "Linux" },
};

static const char *marked(struct sf_str text, const struct mark *all, size_t n) {
	for (size_t i = 0; i < n; i++)
		if (memmem(text.p, text.n, all[i].in, strlen(all[i].in))) return all[i].name;
	return NULL;
}

struct sf_str platform_device(struct sf_arena *a, struct sf_str user_agent) {
	struct sf_str ua = user_agent;
	if (ua.n == 0) return SF_STR("");
	const char *browser = marked(ua, browsers, SF_COUNT(browsers)),
			   *system = marked(ua, systems, SF_COUNT(systems));
	if (browser && system) return sf_arena_printf(a, "%s on %s", browser, system);
	if (browser) return sf_str(browser);
	size_t n = 0; /* a program: its product's name (RFC 9110 §10.1.5), without version and comment */
	while (n < ua.n && n < PLATFORM_DEVICE_MAX && ua.p[n] > ' ' && ua.p[n] < 0x7f && ua.p[n] != '/') n++;
	return sf_arena_str(a, (struct sf_str) { ua.p, n });
}

int64_t platform_issued_at(int64_t now_usec, int64_t tokens_from) {
	int64_t now = now_usec / SF_USEC;
	return now > tokens_from ? now : tokens_from;
}

int64_t platform_revoke_from(int64_t now_usec, int64_t tokens_from, int64_t last_iat) {
	int64_t last = now_usec / SF_USEC;
	if (tokens_from > last) last = tokens_from;
	if (last_iat > last) last = last_iat;
	return last + 1;
}

int64_t platform_budget_limit(const struct platform_budget *b, int64_t now) {
	return now + (b->most - 1) * b->each;
}

int64_t platform_budget_wait(const struct platform_budget *b, int64_t whole_at, int64_t now) {
	int64_t limit = platform_budget_limit(b, now);
	return whole_at > limit ? whole_at - limit : 0;
}

struct sf_str platform_code(struct sf_arena *a, struct sf_str typed) {
	char *text = sf_arena_alloc(a, typed.n + 1);
	size_t n = 0;
	for (size_t i = 0; i < typed.n; i++) {
		char c = typed.p[i];
		if (c == ' ' || c == '-') continue;
		if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
		text[n++] = c == 'O' ? '0' : c == 'I' || c == 'L' ? '1' : c;
	}
	return (struct sf_str) { text, n };
}
