/* A circuit breaker: a host that keeps failing is left alone for a while.
 *
 *     CLOSED ──5 failures in a row, or more than half of ≥ 20 within 10 s──▶ OPEN ──pause over──▶ HALF_OPEN
 *        ▲                                                                    ▲                     │ one probe
 *        └──────────────────────────── the probe succeeds ────────────────────┼─────────────────────┤
 *                                                                             └──── it fails ───────┘
 *
 * The pause is 2 s and doubles with each failed probe up to a minute. What ends while it is open or half open (requests that were under
 * way when it opened) changes nothing: only the probe decides. */
#include "http/client.h"

enum { ROW = 5, LEAST = 20, WINDOW = 10, PAUSE_MS = 2000, PAUSE_MAX_MS = 60000 };

static void open_for(struct sf_client__breaker *b, int64_t now_ms, int64_t pause_ms) {
	b->state = SF_BREAKER_OPEN;
	b->pause_ms = pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
	b->until_ms = now_ms + b->pause_ms;
	b->probing = false;
}

static void close_it(struct sf_client__breaker *b) {
	*b = (struct sf_client__breaker) { .state = SF_BREAKER_CLOSED };
}

bool sf_client__breaker_lets(const struct sf_client__breaker *b, int64_t now_ms) {
	switch (b->state) {
	case SF_BREAKER_CLOSED: return true;
	case SF_BREAKER_OPEN: return now_ms >= b->until_ms;
	case SF_BREAKER_HALF_OPEN: return !b->probing;
	}
	return false;
}

bool sf_client__breaker_take(struct sf_client__breaker *b, int64_t now_ms, bool *probe) {
	if (!sf_client__breaker_lets(b, now_ms)) return false;
	*probe = b->state != SF_BREAKER_CLOSED;
	if (*probe) b->state = SF_BREAKER_HALF_OPEN, b->probing = true;
	return true;
}

/* More than half of what the last ten seconds saw failed, and they saw enough to tell. */
static bool mostly_bad(const struct sf_client__breaker *b, int64_t second) {
	uint32_t good = 0, bad = 0;
	for (int i = 0; i < WINDOW; i++)
		if (b->second[i] > second - WINDOW) good += b->good[i], bad += b->bad[i];
	return good + bad >= LEAST && bad > good;
}

void sf_client__breaker_note(struct sf_client__breaker *b, int64_t now_ms, bool probe, bool good) {
	if (b->state != SF_BREAKER_CLOSED) {
		if (!probe) return;
		if (good)
			close_it(b);
		else
			open_for(b, now_ms, b->pause_ms * 2);
		return;
	}
	int64_t second = now_ms / 1000 + WINDOW; /* never that of an empty bucket */
	int i = (int)(second % WINDOW);
	if (b->second[i] != second) b->second[i] = second, b->good[i] = b->bad[i] = 0;
	if (good)
		b->good[i]++, b->row = 0;
	else
		b->bad[i]++, b->row++;
	if (b->row >= ROW || (!good && mostly_bad(b, second))) open_for(b, now_ms, PAUSE_MS);
}

void sf_client__breaker_forget(struct sf_client__breaker *b, bool probe) {
	if (probe) b->probing = false;
}
