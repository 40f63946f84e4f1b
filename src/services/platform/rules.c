/* rules: the pure part of accounts. */
#include "services/platform/rules.h"

struct sf_str platform_email(struct sf_arena *a, struct sf_str email) {
	char *p = sf_arena_cstr(a, email);
	for (size_t i = 0; i < email.n; i++)
		if (p[i] >= 'A' && p[i] <= 'Z') p[i] = (char)(p[i] + ('a' - 'A'));
	return (struct sf_str) { p, email.n };
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
