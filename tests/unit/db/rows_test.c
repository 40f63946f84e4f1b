/* Rows by descriptor: JSON of every type and of NULL, and members read and written back. */
#include "fixture.h"
#include "core/json.h"
#include "db/internal.h"

static const struct sf_dbcol cols[] = { EVERY_PLAIN, COL(struct every, ids, SF_T_INTS, false),
										EVERY_NULLABLE };
QUERY(q, SF_Q_MANY, false, "", OUT(cols, struct every), .id = 0);

static const int64_t ids[] = { 3, -4 };
static const struct every rows[] = {
	{ .i = INT64_MIN,
	  .f = 0.1,
	  .b = true,
	  .t = SF_STR("셰프 \"x\"\n"),
	  .j = SF_STR("{\"a\":[1]}"),
	  .at = 1763820101000000,
	  .day = 20779,
	  .raw = SF_STR("\xff\0\x01"),
	  .ids = { ids, 2 },
	  .i0 = { true, 7 },
	  .b0 = { true, 1 },
	  .at0 = { true, 0 },
	  .day0 = { true, -1 },
	  .f0 = { true, -2.5 },
	  .t0 = SF_STR(""),
	  .j0 = SF_STR("[]"),
	  .raw0 = SF_STR("") },
	{ .t = SF_STR(""), .j = SF_STR("null"), .raw = SF_STR("") },
};
#define FIRST                                                                                                \
	"\"i\":-9223372036854775808,\"f\":0.1,\"b\":true,\"t\":\"셰프 \\\"x\\\"\\n\",\"j\":{\"a\":[1]},"       \
	"\"at\":\"2025-11-22T14:01:41Z\",\"day\":\"2026-11-22\",\"raw\":\"_wAB\",\"ids\":[3,-4],\"i0\":7,"       \
	"\"b0\":true,\"at0\":\"1970-01-01T00:00:00Z\",\"day0\":\"1969-12-31\",\"f0\":-2.5,\"t0\":\"\","          \
	"\"j0\":[],\"raw0\":\"\""
#define SECOND                                                                                               \
	"\"i\":0,\"f\":0,\"b\":false,\"t\":\"\",\"j\":null,\"at\":\"1970-01-01T00:00:00Z\","                     \
	"\"day\":\"1970-01-01\",\"raw\":\"\",\"ids\":[],\"i0\":null,\"b0\":null,\"at0\":null,\"day0\":null,"     \
	"\"f0\":null,\"t0\":null,\"j0\":null,\"raw0\":null"

static void is(struct sf_buf *b, const char *text) {
	sf_buf_char(b, 0);
	assert_false(b->failed);
	assert_string_equal(b->p, text);
	sf_buf_clear(b);
}

static void json(void **state) {
	(void)state;
	struct sf_buf b = { 0 };
	struct sf_json j = sf_json(&b);
	sf_rows_json(&j, &(struct sf_rows) { &q, (void *)rows, 2 });
	is(&b, "[{" FIRST "},{" SECOND "}]");
	j = sf_json(&b);
	sf_rows_json(&j, &(struct sf_rows) { &q, NULL, 0 });
	is(&b, "[]");
	j = sf_json(&b);
	sf_row_json(&j, &q, &rows[1]);
	is(&b, "{" SECOND "}");
	j = sf_json(&b);
	sf_json_obj(&j);
	sf_json_add(&j, SF_KV("more", 1));
	sf_row_members(&j, &q, &rows[0]);
	sf_json_add(&j, SF_KV("last", (bool)true));
	sf_json_obj_end(&j);
	is(&b, "{\"more\":1," FIRST ",\"last\":true}");
	sf_buf_fini(&b);
}

static void get_and_put(void **state) {
	(void)state;
	for (size_t r = 0; r < SF_COUNT(rows); r++) {
		struct every copy = { 0 };
		for (size_t i = 0; i < SF_COUNT(cols); i++) {
			struct sf_db__val v = sf_db__get(&cols[i], &rows[r]);
			assert_int_equal(v.null, r == 1 && cols[i].null);
			assert_true(sf_db__put(&cols[i], &copy, &v));
		}
		struct sf_buf a = { 0 }, b = { 0 };
		struct sf_json ja = sf_json(&a), jb = sf_json(&b);
		sf_row_json(&ja, &q, &rows[r]), sf_row_json(&jb, &q, &copy);
		assert_true(sf_str_eq(sf_buf_view(&a), sf_buf_view(&b)));
		sf_buf_fini(&a), sf_buf_fini(&b);
	}
}

/* NULL where the type has no "?" is refused and changes nothing; a parameter without a text is empty text. */
static void nulls(void **state) {
	(void)state;
	struct every row = { .i = 5 };
	const struct sf_db__val null = { .null = true };
	for (size_t i = 0; i < SF_COUNT(cols); i++)
		assert_int_equal(sf_db__put(&cols[i], &row, &null), cols[i].null);
	assert_int_equal(row.i, 5);
	struct sf_db__val v = sf_db__get(&cols[3], &row);
	assert_true(!v.null && v.s.p && v.s.n == 0);
}

int main(void) {
	const struct CMUnitTest tests[] = { cmocka_unit_test(json), cmocka_unit_test(get_and_put),
										cmocka_unit_test(nulls) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
