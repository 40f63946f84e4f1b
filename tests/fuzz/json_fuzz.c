/* JSON text of a hostile client: what is accepted is dumped, and the dump must be accepted and mean the same. Limits
 * refuse more, but change nothing of what is accepted. */
#include <jansson.h>
#include <stdint.h>

#include "core/core.h"
#include "core/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Like json_equal, but 1.0 is 1: the dump writes the shortest text of a number. */
static bool same(const json_t *a, const json_t *b) {
	const char *key;
	json_t *value;
	size_t i;
	if (json_is_number(a) && json_is_number(b)) return json_number_value(a) == json_number_value(b);
	if (json_typeof(a) != json_typeof(b)) return false;
	if (json_is_array(a)) {
		if (json_array_size(a) != json_array_size(b)) return false;
		json_array_foreach(a, i, value) if (!same(value, json_array_get(b, i))) return false;
		return true;
	}
	if (json_is_object(a)) {
		if (json_object_size(a) != json_object_size(b)) return false;
		json_object_foreach((json_t *)(uintptr_t)a, key, value) {
			const json_t *other = json_object_get(b, key);
			if (!other || !same(value, other)) return false;
		}
		return true;
	}
	return json_equal(a, b);
}

static size_t count(const json_t *v) {
	const char *key;
	json_t *value;
	size_t i, sum = 1;
	if (json_is_array(v)) json_array_foreach(v, i, value) sum += count(value);
	if (json_is_object(v)) json_object_foreach((json_t *)(uintptr_t)v, key, value) sum += count(value);
	return sum;
}

static int no_pause(void *arg) {
	++*(size_t *)arg;
	return 0;
}

static void with_limits(struct sf_arena *a, struct sf_str in, const json_t *v) {
	size_t pauses = 0, n = v ? count(v) : 3;
	struct sf_json_limits limits = { .values = n, .pause = no_pause, .arg = &pauses };
	struct json_t *got = NULL;
	struct sf_str why = SF_STR_NULL;
	int err = sf_json_parse_limited(a, in, &limits, &got, &why);
	SF_BUG_ON(v ? err != 0 || !json_equal((json_t *)(uintptr_t)v, got) : err == 0 || why.n == 0);
	SF_BUG_ON(pauses > n / SF_JSON_TURN + in.n / 16384);
	limits.values = n - 1;
	if (v && n > 1) SF_BUG_ON(sf_json_parse_limited(a, in, &limits, &got, &why) != SF_ETOOLARGE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
	struct sf_arena *a = sf_arena_new(0);
	struct json_t *v = NULL, *again = NULL;
	struct sf_str why = SF_STR_NULL;
	int err = sf_json_parse(a, (struct sf_str) { (const char *)data, n }, &v, &why);
	with_limits(a, (struct sf_str) { (const char *)data, n }, v);
	if (err) {
		SF_BUG_ON(err != SF_EMALFORMED);
		SF_BUG_ON(v != NULL || why.n == 0 || !sf_utf8_valid(why)); /* a sentence for a person */
	} else {
		struct sf_str text = sf_json_dump(a, v);
		SF_BUG_ON(!sf_utf8_valid(text));
		SF_BUG_ON(sf_json_parse(a, text, &again, &why) != 0);
		SF_BUG_ON(!same(v, again));
	}
	sf_arena_free(a);
	return 0;
}
