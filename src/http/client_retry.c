/* Repeating a request: which may be, when, and how many a minute stands for.
 *
 * Repeats multiply the load of a host that is already in trouble; the budget keeps them to a tenth of its requests, whatever the
 * callers ask for [Google SRE, "Handling Overload"]. */
#include "http/client.h"

#include "core/hash.h"
#include "core/time.h"

enum { SLOT_MS = 10000, SLOTS = 6, LEAST = 10, BASE_MS = 100, CAP_MS = 5000 };
#define DAY_MS INT64_C(86400000)

static int slot_of(struct sf_client__budget *b, int64_t now_ms) {
	int64_t slot = now_ms / SLOT_MS + SLOTS; /* never that of an empty one */
	int i = (int)(slot % SLOTS);
	if (b->slot[i] != slot) b->slot[i] = slot, b->requests[i] = b->repeats[i] = 0;
	return i;
}

void sf_client__budget_request(struct sf_client__budget *b, int64_t now_ms) {
	b->requests[slot_of(b, now_ms)]++;
}

bool sf_client__budget_repeat(struct sf_client__budget *b, int64_t now_ms) {
	int at = slot_of(b, now_ms);
	uint32_t requests = 0, repeats = 0;
	for (int i = 0; i < SLOTS; i++)
		if (b->slot[i] > b->slot[at] - SLOTS) requests += b->requests[i], repeats += b->repeats[i];
	uint32_t most = requests / 10 > LEAST ? requests / 10 : LEAST;
	if (repeats >= most) return false;
	b->repeats[at]++;
	return true;
}

bool sf_client__repeatable(enum sf_method method, const struct sf_http_header *headers, size_t n) {
	if (method == SF_GET || method == SF_HEAD || method == SF_PUT || method == SF_DELETE) return true;
	for (size_t i = 0; i < n; i++)
		if (sf_str_ieq(headers[i].name, SF_STR("idempotency-key")) && headers[i].value.n) return true;
	return false;
}

bool sf_client__repeat_status(int status) {
	return status == 429 || status == 502 || status == 503 || status == 504;
}

int64_t sf_client__backoff(int repeat) {
	uint64_t random, most = repeat < 6 ? (uint64_t)BASE_MS << repeat : CAP_MS;
	if (most > CAP_MS) most = CAP_MS;
	sf_random(&random, sizeof(random));
	return (int64_t)(random % (most + 1));
}

int64_t sf_client__retry_after(struct sf_str value, int64_t now) {
	int64_t seconds, ms;
	char text[64];
	value = sf_str_trim(value);
	if (value.n == 0 || value.n >= sizeof(text)) return 0;
	if (value.p[0] >= '0' && value.p[0] <= '9' && sf_str_int(value, &seconds) == 0) {
		ms = seconds > DAY_MS / 1000 ? DAY_MS : seconds * 1000;
	} else {
		memcpy(text, value.p, value.n);
		text[value.n] = 0;
		time_t at = curl_getdate(text, NULL);
		if (at < 0) return 0;
		ms = (int64_t)at * 1000 - now / 1000;
	}
	return ms < 0 ? 0 : ms > DAY_MS ? DAY_MS : ms;
}
