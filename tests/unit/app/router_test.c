/* router: literals, parameters, conflicts, what is allowed where. */
#include "harness.h"
#include "app/internal.h"

static int handler(struct sf_req *r) {
	(void)r;
	return 0;
}

#define ROW(m, p)                                                                                            \
	{ .method = m, .path = p, .run = handler, .auth = SF_PUBLIC, .rate = SF_RATE_NONE, .summary = "x" }
static const struct sf_service service = { .name = "test", .title = "Test" };

struct fixture {
	struct sf_arena *a;
	struct sf_app__node *root;
	struct sf_app__row rows[32];
	struct sf_route routes[32];
	size_t n;
};

static int add(struct fixture *f, enum sf_method m, const char *path, struct sf_str *why) {
	struct sf_app__row *row = &f->rows[f->n];
	f->routes[f->n] = (struct sf_route)ROW(m, path);
	*row = (struct sf_app__row) { .route = &f->routes[f->n], .service = &service, .index = f->n };
	f->n++;
	int err = sf_app__row_check(f->a, row, why);
	return err ? err : sf_app__router_add(f->a, f->root, row, why);
}

static const struct {
	enum sf_method m;
	const char *path;
} table[] = {
	{ SF_GET, "/" },
	{ SF_GET, "/health" },
	{ SF_GET, "/api/shop/items" },
	{ SF_POST, "/api/shop/items" },
	{ SF_GET, "/api/shop/items/{id}" },
	{ SF_PUT, "/api/shop/items/{id}" },
	{ SF_GET, "/api/shop/items/latest" },
	{ SF_GET, "/api/shop/items/{id}/notes/{note}" },
	{ SF_GET, "/api/apps/{app_id:text}" },
	{ SF_GET, "/api/apps/{app_id:text}/rules" },
	{ SF_POST, "/api/apps/new" },
	{ SF_GET, "/api/apps/{id}/number" },
};

static int setup(void **state) {
	struct fixture *f = calloc(1, sizeof *f);
	struct sf_str why;
	f->a = sf_arena_new(0);
	f->root = sf_app__router_new(f->a);
	for (size_t i = 0; i < SF_COUNT(table); i++) assert_int_equal(add(f, table[i].m, table[i].path, &why), 0);
	sf_app__router_seal(f->a, f->root);
	*state = f;
	return 0;
}

static int teardown(void **state) {
	struct fixture *f = *state;
	sf_arena_free(f->a);
	free(f);
	return 0;
}

static void test_finds(void **state) {
	struct fixture *f = *state;
	static const struct {
		enum sf_method m;
		const char *path;
		int row;
		int err;
	} cases[] = {
		{ SF_GET, "/", 0, 0 },
		{ SF_HEAD, "/", 0, 0 },
		{ SF_GET, "/health", 1, 0 },
		{ SF_GET, "/heal%74h", 1, 0 },
		{ SF_GET, "/health/", -1, SF_ENOTFOUND },
		{ SF_GET, "//health", -1, SF_ENOTFOUND },
		{ SF_GET, "health", -1, SF_ENOTFOUND },
		{ SF_GET, "", -1, SF_ENOTFOUND },
		{ SF_GET, "/healthy", -1, SF_ENOTFOUND },
		{ SF_GET, "/api", -1, SF_ENOTFOUND },
		{ SF_GET, "/api/shop/items", 2, 0 },
		{ SF_POST, "/api/shop/items", 3, 0 },
		{ SF_HEAD, "/api/shop/items", 2, 0 },
		{ SF_DELETE, "/api/shop/items", -1, SF_EMETHOD },
		{ SF_OPTIONS, "/api/shop/items", -1, SF_EMETHOD },
		{ SF_GET, "/api/shop/items/7", 4, 0 },
		{ SF_GET, "/api/shop/items/%37", 4, 0 },
		{ SF_PUT, "/api/shop/items/9223372036854775807", 5, 0 },
		{ SF_PUT, "/api/shop/items/9223372036854775808", -1, SF_ENOTFOUND },
		{ SF_PUT, "/api/shop/items/99999999999999999999", -1, SF_ENOTFOUND },
		{ SF_GET, "/api/shop/items/0", -1, SF_ENOTFOUND },
		{ SF_GET, "/api/shop/items/-1", -1, SF_ENOTFOUND },
		{ SF_GET, "/api/shop/items/+1", -1, SF_ENOTFOUND },
		{ SF_GET, "/api/shop/items/07", -1, SF_ENOTFOUND },
		{ SF_GET, "/api/shop/items/1.5", -1, SF_ENOTFOUND },
		{ SF_GET, "/api/shop/items/abc", -1, SF_ENOTFOUND },
		{ SF_GET, "/api/shop/items/..", -1, SF_ENOTFOUND },
		{ SF_GET, "/api/shop/items/%zz", -1, SF_EMALFORMED },
		{ SF_GET, "/api/shop/items/%ff", -1, SF_EMALFORMED },
		{ SF_GET, "/api/shop/items/latest", 6, 0 },
		{ SF_PUT, "/api/shop/items/latest", -1, SF_EMETHOD },
		{ SF_GET, "/api/shop/items/7/notes/8", 7, 0 },
		{ SF_GET, "/api/shop/items/7/notes", -1, SF_ENOTFOUND },
		{ SF_GET, "/api/apps/mine", 8, 0 },
		{ SF_GET, "/api/apps/new", 8, 0 }, /* the literal has only POST */
		{ SF_POST, "/api/apps/new", 10, 0 },
		{ SF_GET, "/api/apps/new/rules", 9, 0 },
		{ SF_GET, "/api/apps/a%2Fb/rules", 9, 0 },
		{ SF_GET, "/api/apps/5/number", 11, 0 },
		{ SF_GET, "/api/apps/5/rules", 9, 0 },
		{ SF_GET, "/api/apps//rules", -1, SF_ENOTFOUND },
		{ SF_GET, "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18", -1, SF_ENOTFOUND },
	};
	for (size_t i = 0; i < SF_COUNT(cases); i++) {
		struct sf_app__match m;
		int err = sf_app__router_find(f->root, cases[i].m, sf_str(cases[i].path), f->a, &m);
		if (err != cases[i].err || (!err && m.row != &f->rows[cases[i].row]))
			fail_msg("%s %s: %s, row %zd", sf_method_name(cases[i].m), cases[i].path, sf_err_symbol(err),
					 m.row ? m.row - f->rows : -1);
	}
}

static void test_parameters(void **state) {
	struct fixture *f = *state;
	struct sf_app__match m;
	assert_int_equal(sf_app__router_find(f->root, SF_GET, SF_STR("/api/shop/items/7/notes/8"), f->a, &m), 0);
	assert_int_equal(m.param_ints[0], 7);
	assert_int_equal(m.param_ints[1], 8);
	assert_true(sf_str_eq(m.row->params[1], SF_STR("note")));
	assert_int_equal(sf_app__router_find(f->root, SF_GET, SF_STR("/api/apps/a%2Fb%20%ED%95%9C"), f->a, &m),
					 0);
	assert_true(sf_str_eq(m.params[0], SF_STR("a/b 한")));
}

static void test_allowed(void **state) {
	struct fixture *f = *state;
	struct sf_app__match m;
	assert_int_equal(sf_app__router_find(f->root, SF_DELETE, SF_STR("/api/shop/items"), f->a, &m),
					 SF_EMETHOD);
	assert_true(sf_str_eq(sf_app__allow(f->a, m.allowed), SF_STR("GET, HEAD, POST, OPTIONS")));
	/* both places that this path means count */
	assert_int_equal(sf_app__router_find(f->root, SF_DELETE, SF_STR("/api/apps/new"), f->a, &m), SF_EMETHOD);
	assert_true(sf_str_eq(sf_app__allow(f->a, m.allowed), SF_STR("GET, HEAD, POST, OPTIONS")));
}

static void test_conflicts(void **state) {
	struct fixture *f = *state;
	struct sf_str why = SF_STR_NULL;
	assert_int_equal(add(f, SF_GET, "/health", &why), SF_EINVAL);
	assert_true(holds(why, "GET /health"));
	assert_int_equal(add(f, SF_GET, "/api/shop/items/{id}", &why), SF_EINVAL);
	assert_int_equal(add(f, SF_DELETE, "/api/shop/items/{item}", &why), SF_EINVAL);
	assert_true(holds(why, "path parameters"));
	assert_int_equal(add(f, SF_DELETE, "/api/shop/items/{id}", &why), 0);
}

/* Every one of many siblings is found, and nothing else: the tables hold under growth. */
static void test_many(void **state) {
	(void)state;
	struct sf_arena *a = sf_arena_new(0);
	struct sf_app__node *root = sf_app__router_new(a);
	struct sf_str why;
	enum { N = 1000 };
	struct sf_app__row *rows = sf_arena_zalloc(a, N * sizeof *rows);
	struct sf_route *routes = sf_arena_zalloc(a, N * sizeof *routes);
	for (int i = 0; i < N; i++) {
		routes[i] = (struct sf_route)ROW(SF_GET, sf_arena_printf(a, "/api/n%d/x", i * 7).p);
		rows[i] = (struct sf_app__row) { .route = &routes[i], .service = &service };
		assert_int_equal(sf_app__row_check(a, &rows[i], &why), 0);
		assert_int_equal(sf_app__router_add(a, root, &rows[i], &why), 0);
	}
	sf_app__router_seal(a, root);
	for (int i = 0; i < N * 7; i++) {
		struct sf_app__match m;
		struct sf_str path = sf_arena_printf(a, "/api/n%d/x", i);
		int err = sf_app__router_find(root, SF_GET, path, a, &m);
		assert_int_equal(err, i % 7 ? SF_ENOTFOUND : 0);
		if (!err) assert_ptr_equal(m.row, &rows[i / 7]);
	}
	sf_arena_free(a);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_finds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parameters, setup, teardown),
		cmocka_unit_test_setup_teardown(test_allowed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_conflicts, setup, teardown),
		cmocka_unit_test(test_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
