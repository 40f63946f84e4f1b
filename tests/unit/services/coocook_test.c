/* CooCook's handlers in process, over SQLite: one booking's life, who may do what, lists and search, many guests at once. */
#include "coocook.h"

#define CHEFS    "/api/coocook/chefs"
#define BOOKINGS "/api/coocook/bookings"

static int64_t new_chef(struct world *w, int64_t user, const char *name, const char *cuisine,
						const char *location, int price) {
	struct answer a =
		POST(w, user, CHEFS,
			 "{\"name\":\"%s\",\"cuisine_type\":\"%s\",\"location\":\"%s\",\"price_per_session\":%d,"
			 "\"bio\":\"정성을 담은 집밥\"}",
			 name, cuisine, location, price);
	IS(a, 201);
	return int_of(a, "id");
}
static struct answer book(struct world *w, int64_t user, int64_t chef, const char *date, int hours) {
	return POST(w, user, BOOKINGS, "{\"chef_id\":%lld,\"booking_date\":\"%s\",\"duration_hours\":%d}",
				(long long)chef, date, hours);
}
static struct answer turn(struct world *w, int64_t user, int64_t id, const char *status) {
	return PUT(w, user, path(w, BOOKINGS "/%lld", (long long)id), "{\"status\":\"%s\"}", status);
}

/* ---- a booking's life --------------------------------------------------------------------------- */

static void life(struct world *w) {
	int64_t chef = new_chef(w, 3, "박셰프", "Korean", "Seoul", 120000);
	struct answer a = book(w, 1, chef, day(w, 7), 3);
	IS(a, 201);
	int64_t id = int_of(a, "id");
	assert_int_equal(int_of(a, "total_price"), 360000);
	assert_string_equal(text_of(a, "starts_at"), path(w, "%sT15:00:00Z", day(w, 6)));

	const char *self = path(w, BOOKINGS "/%lld", (long long)id), *pay = path(w, "%s/pay", self),
			   *review = path(w, "%s/review", self);
	a = GET(w, 1, self);
	IS(a, 200);
	assert_string_equal(text_of(a, "status"), "pending");
	assert_string_equal(text_of(a, "booking_date"), day(w, 7));
	assert_string_equal(text_of(a, "time_zone"), "Asia/Seoul");
	assert_null(json_object_get(a.body, "chef_user_id"));
	IS(GET(w, 3, self), 200);
	IS(GET(w, 2, self), 404);

	IS(POST(w, 2, pay, "{\"amount\":360000}"), 404);
	IS(POST(w, 3, pay, "{\"amount\":360000}"), 403);
	IS(POST(w, 1, pay, "{\"amount\":1}"), 400);
	a = ask(w, SF_POST, pay, as(w, 1, "once"), "{\"amount\":360000}");
	IS(a, 200);
	int64_t payment = int_of(a, "payment_id");
	a = ask(w, SF_POST, pay, as(w, 1, "once"), "{\"amount\":360000}");
	IS(a, 200);
	assert_int_equal(int_of(a, "payment_id"), payment);
	IS(ask(w, SF_POST, pay, as(w, 1, "once"), "{\"amount\":1}"), 422);
	IS(POST(w, 1, pay, "{\"amount\":360000}"), 400);
	assert_int_equal(number(w, "SELECT count(*) FROM booking_payments WHERE provider = 'sandbox'"), 1);

	IS(POST(w, 1, review, "{\"rating\":5}"), 409);
	IS(GET(w, 1, review), 404);
	IS(turn(w, 1, id, "confirmed"), 403);
	IS(turn(w, 2, id, "confirmed"), 404);
	IS(turn(w, 3, id, "completed"), 409);
	IS(turn(w, 3, id, "pending"), 400);
	IS(turn(w, 3, id, "confirmed"), 200);
	IS(turn(w, 3, id, "confirmed"), 409);
	IS(turn(w, 3, id, "completed"), 409);
	OK(run_sql(w, "UPDATE bookings SET starts_at = '2026-01-05 00:00:00.000000', ends_at = '2026-01-05 "
				  "03:00:00.000000'"));
	IS(POST(w, 1, review, "{\"rating\":5}"), 409);
	IS(turn(w, 3, id, "completed"), 200);
	IS(DELETE(w, 1, self), 409);

	IS(POST(w, 3, review, "{\"rating\":5}"), 403);
	IS(POST(w, 1, review, "{\"rating\":6}"), 400);
	a = POST(w, 1, review, "{\"rating\":4,\"comment\":\"좋아요\"}");
	IS(a, 201);
	assert_int_equal(int_of(a, "rating_count"), 1);
	assert_true(json_number_value(json_object_get(a.body, "chef_rating")) == 4);
	IS(POST(w, 1, review, "{\"rating\":4}"), 409);
	IS(GET(w, 3, review), 200);
	IS(GET(w, 2, review), 404);
	a = GET(w, 0, path(w, CHEFS "/%lld/reviews", (long long)chef));
	IS(a, 200);
	assert_int_equal(int_of(a, "total_reviews"), 1);
	assert_int_equal(json_array_size(list_of(a, "reviews")), 1);

	a = GET(w, 1, BOOKINGS "?status=completed");
	IS(a, 200);
	assert_int_equal(json_array_size(a.body), 1);
	assert_true(json_is_true(json_object_get(json_array_get(a.body, 0), "reviewed")));
	assert_non_null(strstr(a.head.p, "X-Total-Count: 1\r\n"));
	a = GET(w, 1, BOOKINGS "?page=2&per_page=1");
	IS(a, 200);
	assert_int_equal(json_array_size(a.body), 0);
	assert_non_null(strstr(a.head.p, "X-Total-Count: 1\r\n"));
	a = GET(w, 3, path(w, CHEFS "/%lld/bookings", (long long)chef));
	IS(a, 200);
	assert_int_equal(int_of(a, "total"), 1);
	IS(GET(w, 1, path(w, CHEFS "/%lld/bookings", (long long)chef)), 404);
}
static void test_life(void **state) {
	(void)state;
	world_run(life);
}

static void refusals(struct world *w) {
	int64_t chef = new_chef(w, 3, "박셰프", "Korean", "Seoul", 100);
	IS(book(w, 0, chef, day(w, 3), 1), 401);
	IS(book(w, 1000, chef, day(w, 3), 1), 403);
	IS(book(w, 1, chef, day(w, -1), 1), 400);
	IS(book(w, 1, chef, path(w, "%sT10:30:00Z", day(w, 3)), 1), 400);
	IS(book(w, 1, chef, day(w, 3), 25), 400);
	IS(book(w, 1, chef + 1, day(w, 3), 1), 404);
	IS(book(w, 3, chef, day(w, 3), 1), 400);
	IS(book(w, 1, chef, path(w, "%sT20:00:00", day(w, 3)), 8), 201); /* into the next day */
	IS(book(w, 1, chef, day(w, 4), 21), 409);
	struct answer a = book(w, 2, chef, path(w, "%sT02:00:00+09:00", day(w, 4)), 1);
	IS(a, 409);
	assert_null(json_object_get(a.body, "fields"));
	assert_string_equal(json_string_value(json_array_get(list_of(a, "next_free"), 0)),
						path(w, "%sT19:00:00Z", day(w, 3)));
	assert_int_equal(json_array_size(list_of(a, "next_free")), 3);
	assert_non_null(strstr(text_of(a, "error"), path(w, "Free next: %s 04:00, ", day(w, 4))));
	a = book(w, 1, chef, day(w, 4), 20);
	IS(a, 201);
	assert_string_equal(text_of(a, "starts_at"), path(w, "%sT19:00:00Z", day(w, 3)));
	/* cancelled hours are free again, and a payment is given back */
	const char *self = path(w, BOOKINGS "/%lld", (long long)int_of(a, "id"));
	IS(POST(w, 1, path(w, "%s/pay", self), "{\"amount\":2000}"), 200);
	IS(DELETE(w, 3, self), 403);
	IS(DELETE(w, 2, self), 404);
	a = DELETE(w, 1, self);
	IS(a, 200);
	assert_int_equal(int_of(a, "refunded_amount"), 2000);
	IS(DELETE(w, 1, self), 409);
	IS(POST(w, 1, path(w, "%s/pay", self), "{\"amount\":2000}"), 409);
	assert_int_equal(number(w, "SELECT count(*) FROM booking_payments WHERE status = 'refunded'"), 1);
	IS(book(w, 1, chef, day(w, 4), 20), 201);
	/* the chef cancels what is paid: given back too */
	a = book(w, 1, chef, day(w, 9), 1);
	self = path(w, BOOKINGS "/%lld", (long long)int_of(a, "id"));
	IS(POST(w, 1, path(w, "%s/pay", self), "{\"amount\":100}"), 200);
	a = turn(w, 3, int_of(a, "id"), "cancelled");
	IS(a, 200);
	assert_int_equal(int_of(a, "refunded_amount"), 100);
	/* a deactivated chef is not there, and comes back */
	IS(DELETE(w, 1, path(w, CHEFS "/%lld", (long long)chef)), 404);
	IS(DELETE(w, 3, path(w, CHEFS "/%lld", (long long)chef)), 200);
	IS(GET(w, 0, path(w, CHEFS "/%lld", (long long)chef)), 404);
	IS(book(w, 1, chef, day(w, 12), 1), 404);
	IS(PUT(w, 3, path(w, CHEFS "/%lld", (long long)chef), "{\"is_active\":true}"), 200);
	IS(book(w, 1, chef, day(w, 12), 1), 201);
	IS(POST(w, 3, CHEFS,
			"{\"name\":\"x\",\"cuisine_type\":\"y\",\"location\":\"z\",\"price_per_session\":1}"),
	   400);
}
static void test_refusals(void **state) {
	(void)state;
	world_run(refusals);
}

/* ---- names ---- */

static const char *name_at(struct answer a, const char *list, size_t i, const char *member) {
	return json_string_value(json_object_get(json_array_get(list_of(a, list), i), member));
}
static uint64_t queries_of(struct world *w, int64_t who, const char *target) {
	struct sf_db_stats before, after;
	sf_db_stats(w->db, &before);
	IS(GET(w, who, target), 200);
	sf_db_stats(w->db, &after);
	return after.queries - before.queries;
}

static void names(struct world *w) {
	int64_t chef = new_chef(w, 3, "박셰프", "Korean", "Seoul", 100);
	const char *calendar = path(w, CHEFS "/%lld/bookings", (long long)chef),
			   *reviews = path(w, CHEFS "/%lld/reviews", (long long)chef);
	for (int user = 11; user < 31; user++) {
		if (user != 30) /* whose account is gone */
			OK(run_sql(
				w, path(w,
						"INSERT INTO users (id, email, password_hash, name) VALUES (%d, 'u%d@example.com', "
						"'-', '%s%d')",
						user, user, user % 2 ? "김민지" : "Minji Kim ", user)));
		struct answer a = book(w, user, chef, day(w, user), 1);
		IS(a, 201);
		IS(turn(w, 3, int_of(a, "id"), "confirmed"), 200);
	}
	struct answer a = GET(w, 3, calendar);
	IS(a, 200);
	assert_null(name_at(a, "bookings", 0, "user_name"));
	assert_string_equal(name_at(a, "bookings", 1, "user_name"), "김민지29");
	assert_string_equal(name_at(a, "bookings", 2, "user_name"), "Minji Kim 28");
	a = GET(w, 3,
			path(w, BOOKINGS "/%lld",
				 (long long)json_integer_value(
					 json_object_get(json_array_get(list_of(a, "bookings"), 1), "id"))));
	assert_string_equal(text_of(a, "user_name"), "김민지29");

	OK(run_sql(
		w,
		"INSERT INTO booking_reviews (booking_id, chef_id, user_id, rating) SELECT id, chef_id, user_id, 5 "
		"FROM bookings ORDER BY id"));
	a = GET(w, 0, reviews);
	IS(a, 200);
	assert_null(name_at(a, "reviews", 0, "author"));
	assert_string_equal(name_at(a, "reviews", 1, "author"), "김○○");
	assert_string_equal(name_at(a, "reviews", 2, "author"), "Minji 2.");
	/* twenty names cost what one does */
	assert_int_equal(queries_of(w, 3, path(w, "%s?per_page=1", calendar)), queries_of(w, 3, calendar));
	assert_int_equal(queries_of(w, 0, path(w, "%s?per_page=1", reviews)), queries_of(w, 0, reviews));
}
static void test_names(void **state) {
	(void)state;
	world_run(names);
}

/* ---- lists -------------------------------------------------------------------------------------- */

static int64_t total(struct world *w, const char *target) {
	struct answer a = GET(w, 0, target);
	IS(a, 200);
	return int_of(a, "total");
}
static int64_t first_id(struct world *w, const char *target) {
	struct answer a = GET(w, 0, target);
	IS(a, 200);
	return json_integer_value(json_object_get(json_array_get(list_of(a, "chefs"), 0), "id"));
}

static void lists(struct world *w) {
	static const char *const cuisines[] = { "Korean", "Thai", "Indian" }, *const cities[] = { "Seoul",
																							  "Busan" };
	int64_t ids[30];
	for (int i = 0; i < 30; i++)
		ids[i] = new_chef(w, 10 + i, path(w, "Chef %d", i), cuisines[i % 3], cities[i % 2], 1000 + i * 10);
	static const struct {
		const char *query;
		int total;
	} cases[] = {
		{ "", 30 },
		{ "?cuisine=Thai", 10 },
		{ "?location=Busan", 15 },
		{ "?cuisine=Thai&location=Busan", 5 },
		{ "?min_price=1100&max_price=1190", 10 },
		{ "?cuisine=Thai&min_price=1100", 7 },
		{ "?location=Busan&max_price=1099", 5 },
		{ "?cuisine=Thai&location=Busan&max_price=1099", 2 },
		{ "?cuisine=French", 0 },
		{ "?min_price=9999", 0 },
		{ "?user_id=12", 1 },
		{ "?user_id=9", 0 },
	};
	for (size_t i = 0; i < SF_COUNT(cases); i++)
		for (int s = 0; s < 3; s++) {
			static const char *const sorts[] = { "rating", "price", "newest" };
			const char *mark = cases[i].query[0] ? "&" : "?";
			assert_int_equal(total(w, path(w, CHEFS "%s%ssort=%s", cases[i].query, mark, sorts[s])),
							 cases[i].total);
			assert_int_equal(total(w, path(w, CHEFS "%s%ssort=%s&page=9", cases[i].query, mark, sorts[s])),
							 cases[i].total); /* past the end the total is told all the same */
		}
	assert_int_equal(first_id(w, CHEFS "?sort=price&page=2&per_page=10"), ids[10]);
	assert_int_equal(first_id(w, CHEFS "?sort=newest"), ids[29]);
	IS(GET(w, 0, CHEFS "?min_price=5&max_price=4"), 400);
	struct answer a = GET(w, 0, "/api/coocook/cuisines");
	IS(a, 200);
	assert_int_equal(json_array_size(a.body), 3);
	/* counts follow what is changed and taken out */
	IS(PUT(w, 10, path(w, CHEFS "/%lld", (long long)ids[0]),
		   "{\"cuisine_type\":\"French\",\"location\":\"Jeju\"}"),
	   200);
	IS(DELETE(w, 11, path(w, CHEFS "/%lld", (long long)ids[1])), 200);
	assert_int_equal(total(w, CHEFS), 29);
	assert_int_equal(total(w, CHEFS "?cuisine=French"), 1);
	assert_int_equal(total(w, CHEFS "?cuisine=Korean"), 9);
	assert_int_equal(total(w, CHEFS "?location=Jeju"), 1);
	assert_int_equal(total(w, CHEFS "?cuisine=Thai"), 9);
}
static void test_lists(void **state) {
	(void)state;
	world_run(lists);
}

static void search(struct world *w) {
	int64_t bio = new_chef(w, 11, "Kim", "Korean", "Busan", 1),
			name = new_chef(w, 12, "파스타 장인", "Italian", "Seoul", 1),
			head = new_chef(w, 13, "Lee", "파스타", "Daegu", 1);
	IS(PUT(w, 11, path(w, CHEFS "/%lld", (long long)bio),
		   "{\"bio\":\"서울에서 파스타를 배웠습니다. Pasta/Pizza\"}"),
	   200);
	struct answer a = GET(w, 0, "/api/coocook/search?q=%ED%8C%8C%EC%8A%A4%ED%83%80"); /* 파스타 */
	IS(a, 200);
	assert_int_equal(int_of(a, "total"), 3);
	const int64_t want[] = { name, head, bio };
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(json_integer_value(json_object_get(json_array_get(list_of(a, "chefs"), i), "id")),
						 want[i]);
	assert_int_equal(total(w, "/api/coocook/search?q=piz"), 1);
	assert_int_equal(total(w, "/api/coocook/search?q=KIM%20bus"), 1);
	assert_int_equal(total(w, "/api/coocook/search?q=kim%20seoul"), 0);
	assert_int_equal(total(w, "/api/coocook/search?q=%28%28%22"), 0);
	assert_int_equal(total(w, "/api/coocook/search?q=%27%3B%20DROP%20TABLE%20chefs"), 0);
	IS(GET(w, 0, "/api/coocook/search?q=a"), 400);
	IS(DELETE(w, 12, path(w, CHEFS "/%lld", (long long)name)), 200);
	assert_int_equal(total(w, "/api/coocook/search?q=%ED%8C%8C%EC%8A%A4%ED%83%80"), 2);
}
static void test_search(void **state) {
	(void)state;
	world_run(search);
}

/* ---- the demo ------------------------------------------------------------------------------------ */

static void demo(struct world *w) {
	OK(coocook_service.demo(w->db, w->a));
	int64_t bookings = number(w, "SELECT count(*) FROM bookings");
	OK(coocook_service.demo(w->db, w->a));
	assert_int_equal(number(w, "SELECT count(*) FROM bookings"), bookings);
	assert_int_equal(number(w, "SELECT count(*) FROM chefs"), 80);
	assert_int_equal(number(w, "SELECT chefs FROM chef_counts WHERE kind = 'all'"), 80);
	assert_int_equal(number(w, "SELECT count(DISTINCT cuisine_type) FROM chefs"), 10);
	assert_int_equal(number(w, "SELECT count(DISTINCT status) FROM bookings WHERE user_id = 1"), 4);
	assert_true(
		number(w, "SELECT count(*) FROM bookings b JOIN chefs c ON c.id = b.chef_id WHERE c.user_id = 3 AND "
				  "b.status = 'pending'") >= 2);
	assert_int_equal(
		number(w,
			   "SELECT count(*) FROM chefs c WHERE rating_count <> (SELECT count(*) FROM booking_reviews r "
			   "WHERE r.chef_id = c.id)"),
		0);
	assert_int_equal(
		number(w, "SELECT count(*) FROM bookings a JOIN bookings b ON a.chef_id = b.chef_id AND a.id < b.id "
				  "AND a.starts_at < b.ends_at AND b.starts_at < a.ends_at WHERE a.status <> 'cancelled' "
				  "AND b.status <> 'cancelled'"),
		0);
	struct answer a = GET(w, 0, "/api/coocook/popular");
	IS(a, 200);
	assert_int_equal(json_array_size(list_of(a, "chefs")), 12);
	assert_true(json_integer_value(json_object_get(json_array_get(list_of(a, "chefs"), 0), "rating_count")) >
				1);
	a = GET(w, 1, "/api/coocook/recommendations");
	IS(a, 200);
	assert_int_equal(json_array_size(list_of(a, "chefs")), 12);
	const char *reason = json_string_value(json_object_get(json_array_get(list_of(a, "chefs"), 0), "reason"));
	assert_string_equal(reason, "You have booked Korean cooking.");
	a = GET(w, 2, "/api/coocook/recommendations"); /* nothing booked yet */
	IS(a, 200);
	reason = json_string_value(json_object_get(json_array_get(list_of(a, "chefs"), 0), "reason"));
	assert_string_equal(reason, "Popular with other guests.");
	a = GET(w, 0, "/api/coocook/chefs/1/availability");
	IS(a, 200);
	assert_int_equal(json_array_size(list_of(a, "days")), 30);
}
static void test_demo(void **state) {
	(void)state;
	world_run(demo);
}

/* ---- many at once --------------------------------------------------------------------------------- */

#define GUESTS 300
static int64_t wanted; /* the chef of the crowd */

static int book_hour(struct world *w, int i) {
	return book(w, 4 + i % 8, wanted, path(w, "%sT%02d:00:00Z", day(w, 30 + i % 2), i * 7 % 24), 1 + i % 3)
		.status;
}
static int book_day(struct world *w, int i) {
	return book(w, 4 + i % 8, wanted, day(w, 40), 1).status;
}
static int book_keyed(struct world *w, int i) {
	(void)i;
	return ask(w, SF_POST, BOOKINGS, as(w, 1, "same"),
			   "{\"chef_id\":%lld,\"booking_date\":\"%s\",\"duration_hours\":1}", (long long)wanted,
			   day(w, 50))
		.status;
}
static int become_chef(struct world *w, int i) {
	(void)i;
	return POST(w, 77, CHEFS,
				"{\"name\":\"x\",\"cuisine_type\":\"y\",\"location\":\"z\",\"price_per_session\":1}")
		.status;
}

static void crowds(struct world *w) {
	wanted = new_chef(w, 3, "박셰프", "Korean", "Seoul", 100);
	int *status = at_once(w, GUESTS, book_hour);
	int made = count(status, GUESTS, 201);
	assert_int_equal(made + count(status, GUESTS, 409), GUESTS);
	assert_int_equal(number(w, "SELECT count(*) FROM bookings"), made);
	assert_int_equal(
		number(w,
			   "SELECT count(*) FROM bookings a JOIN bookings b ON a.id < b.id AND a.starts_at < b.ends_at "
			   "AND b.starts_at < a.ends_at"),
		0);
	for (int i = 0; i < GUESTS; i++) /* the set is maximal: who was refused is refused again */
		if (status[i] == 409) assert_int_equal(book_hour(w, i), 409);

	status = at_once(w, 60, book_day); /* a day has 24 hours, none is lost and none given twice */
	assert_int_equal(count(status, 60, 201), 24);
	assert_int_equal(count(status, 60, 409), 36);

	status = at_once(w, 20, book_keyed);
	assert_int_equal(
		number(w, path(w, "SELECT count(*) FROM bookings WHERE booking_date = '%s'", day(w, 50))), 1);
	assert_true(count(status, 20, 201) >= 1);

	status = at_once(w, 20, become_chef);
	assert_int_equal(count(status, 20, 201), 1);
	assert_int_equal(count(status, 20, 400), 19);
}
static void test_crowds(void **state) {
	(void)state;
	world_run(crowds);
}

/* The database refuses an overlap whoever writes it. */
static void backstop(struct world *w) {
	int64_t chef = new_chef(w, 3, "박셰프", "Korean", "Seoul", 100);
	IS(book(w, 1, chef, path(w, "%sT10:00:00Z", day(w, 5)), 3), 201);
#define AGAIN(status)                                                                                        \
	"INSERT INTO bookings (user_id, chef_id, booking_date, starts_at, ends_at, duration_hours, "             \
	"total_price, status) "                                                                                  \
	"SELECT 2, chef_id, booking_date, starts_at, ends_at, duration_hours, 1, '" status                       \
	"' FROM bookings WHERE id = 1"
	assert_int_equal(run_sql(w, AGAIN("pending")), SF_EDUP);
	assert_int_equal(run_sql(w, AGAIN("cancelled")), 0);
	assert_int_equal(run_sql(w, "UPDATE bookings SET status = 'confirmed' WHERE status = 'cancelled'"),
					 SF_EDUP);
}
static void test_backstop(void **state) {
	(void)state;
	world_run(backstop);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),     cmocka_unit_test(test_refusals), cmocka_unit_test(test_lists),
		cmocka_unit_test(test_search),   cmocka_unit_test(test_demo),     cmocka_unit_test(test_crowds),
		cmocka_unit_test(test_backstop), cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
