/* rules: what a bot makes of texts and answers (pure). */
#include "services/telegram/rules.h"

#define LATER_MS     INT64_C(5000)
#define LATER_MAX_MS INT64_C(3600000)

static const struct {
	const char *name;
	enum telegram__command command;
} commands[] = {
	{ "/start", TELEGRAM__START },       { "/switch", TELEGRAM__SWITCH }, { "/stop", TELEGRAM__STOP },
	{ "/bookings", TELEGRAM__BOOKINGS }, { "/posts", TELEGRAM__POSTS },   { "/status", TELEGRAM__STATUS },
};

enum telegram__command telegram__command(struct sf_str text, struct sf_str *argument) {
	struct sf_str word, name, rest = SF_STR_NULL, bot = SF_STR_NULL;
	text = sf_str_trim(text);
	*argument = SF_STR("");
	if (text.n == 0 || text.p[0] != '/') return TELEGRAM__TALK;
	size_t n = 0;
	while (n < text.n && text.p[n] != ' ' && text.p[n] != '\n' && text.p[n] != '\t') n++;
	word = (struct sf_str) { text.p, n };
	rest = sf_str_trim((struct sf_str) { text.p + n, text.n - n });
	if (rest.n) *argument = rest;
	sf_str_cut(word, '@', &name, &bot);
	for (size_t i = 0; i < SF_COUNT(commands); i++)
		if (sf_str_ieq(name, sf_str(commands[i].name))) return commands[i].command;
	return TELEGRAM__UNKNOWN;
}

struct sf_str telegram__clip(struct sf_str text) {
	size_t units = 0, i = 0;
	while (i < text.n) {
		unsigned char c = (unsigned char)text.p[i];
		size_t bytes = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
		units += bytes == 4 ? 2 : 1; /* a surrogate pair */
		if (units > TELEGRAM_TEXT_MAX || bytes > text.n - i) break;
		i += bytes;
	}
	return (struct sf_str) { text.p, i };
}

enum telegram__outcome telegram__outcome(int status, bool ok, int64_t retry_after_ms, int64_t *ms) {
	if (status == 429) {
		*ms = retry_after_ms > 0 ? retry_after_ms : LATER_MS;
		if (*ms > LATER_MAX_MS) *ms = LATER_MAX_MS;
		return TELEGRAM__LATER;
	}
	if (status >= 200 && status < 300) return ok ? TELEGRAM__SENT : TELEGRAM__AGAIN;
	if (status == 403) return TELEGRAM__GONE;
	if (status == 408 || status < 400 || status >= 500) return TELEGRAM__AGAIN;
	return TELEGRAM__NEVER;
}
