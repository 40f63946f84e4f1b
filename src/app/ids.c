/* ids: X-Request-Id and traceparent (W3C Trace Context), taken over from the request or made.
 *
 * Making one asks nobody: 8 random bytes of the process, then a counter put through a bijection, so ids are unique within a
 * process, do not repeat between processes, and do not show how many requests there were. */
#include "app/internal.h"

/* 8 lower-case hex digits of v at once: each nibble is spread to a byte, then bytes above 9 are moved up to the letters. */
static void hex32(uint32_t v, char *out) {
	uint64_t x = v;
	x = (x << 16 | x) & UINT64_C(0x0000ffff0000ffff);
	x = (x << 8 | x) & UINT64_C(0x00ff00ff00ff00ff);
	x = (x << 4 | x) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	uint64_t letters = (x + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
	x += UINT64_C(0x3030303030303030) + letters * ('a' - '0' - 10);
	for (int i = 0; i < 8; i++) out[i] = (char)(x >> (56 - 8 * i));
}

static void hex64(uint64_t v, char *out) {
	hex32((uint32_t)(v >> 32), out);
	hex32((uint32_t)v, out + 8);
}

/* The finaliser of SplitMix64: a bijection of 64-bit numbers. */
static uint64_t scatter(uint64_t v) {
	v = (v ^ (v >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	v = (v ^ (v >> 27)) * UINT64_C(0x94d049bb133111eb);
	return v ^ (v >> 31);
}

static uint64_t seed(const struct sf_app *app, size_t i) {
	uint64_t v;
	memcpy(&v, app->seed + 8 * i, 8);
	return v;
}

struct sf_str sf_app__id_new(struct sf_app *app, struct sf_arena *a) {
	char *text = sf_arena_alloc(a, 33);
	hex64(seed(app, 0), text);
	hex64(scatter(++app->ids + seed(app, 1)), text + 16);
	text[32] = '\0';
	return (struct sf_str) { text, 32 };
}

static bool is_visible(struct sf_str s) {
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x21 || s.p[i] > 0x7e) return false;
	return s.n > 0 && s.n <= SF_APP_ID_MAX;
}

/* n lower-case hex digits, not all 0 unless zero_ok. */
static bool is_hex(const char *p, size_t n, bool zero_ok) {
	bool zero = true;
	for (size_t i = 0; i < n; i++) {
		if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f'))) return false;
		zero &= p[i] == '0';
	}
	return zero_ok || !zero;
}

/* §3.2: version-traceid-parentid-flags; later versions may append more, version ff is invalid. */
static bool is_traceparent(struct sf_str s) {
	if (s.n < SF_APP_TRACE_LEN || s.p[2] != '-' || s.p[35] != '-' || s.p[52] != '-') return false;
	if (!is_hex(s.p, 2, true) || memcmp(s.p, "ff", 2) == 0) return false;
	if (s.n > SF_APP_TRACE_LEN && (memcmp(s.p, "00", 2) == 0 || s.p[SF_APP_TRACE_LEN] != '-')) return false;
	return is_hex(s.p + 3, 32, false) && is_hex(s.p + 36, 16, false) && is_hex(s.p + 53, 2, true);
}

void sf_app__ids_take(struct sf_req *r) {
	struct sf_app *app = r->app;
	r->id = is_visible(r->in.request_id) ? r->in.request_id : sf_app__id_new(app, r->http->arena);
	uint64_t span = scatter(++app->ids ^ seed(app, 0));
	char *t = r->trace;
	if (is_traceparent(r->in.traceparent)) {
		memcpy(t, r->in.traceparent.p, SF_APP_TRACE_LEN);
		t[0] = t[1] = '0';
	} else {
		memcpy(t, "00-", 3);
		hex64(seed(app, 1), t + 3);
		hex64(scatter(++app->ids + seed(app, 0)), t + 19);
		memcpy(t + 52, "-01", 3);
		t[35] = '-';
	}
	hex64(span ? span : 1, t + 36); /* our own span under the caller's trace */
	t[SF_APP_TRACE_LEN] = '\0';
}
