/* demo: an empty CooCook filled for a look around: eighty chefs, a past full of reviews, and bookings of the demo
 * user (1) in every state. The same each time but for dates, which count from today. One transaction: all of it or
 * nothing. */
#include "services/coocook/demo.h"

#include "core/config.h"
#include "core/json.h"
#include "services/coocook/internal.h"

enum {
	DEMO_USER = 1,
	CHEF_USER = 3,        /* owns the first chef */
	FIRST_OWNER = 900001, /* of the other chefs; far from the ids that registration gives */
	FIRST_GUEST = 4,      /* as platform's demo has them */
	GUESTS = 17,
};

struct demo {
	struct sf_arena *a;
	int64_t now, today;
	size_t chefs;
	int64_t rating_sum[128], rating_count[128]; /* of each chef */
	struct sf_json chef_rows, booking_rows;     /* arrays that the queries demo_… take */
};

/* One booking to put in; times count in days and hours from today's midnight. */
struct entry {
	int64_t guest;
	size_t chef;
	int day, hour, hours;
	int rating;                   /* 0: not reviewed */
	const char *status, *payment; /* payment: unpaid, paid, refunded */
	const char *request, *comment;
};

static const char *const praise[] = {
	"정말 맛있었어요. 다음 모임도 꼭 부탁드릴게요.",
	"Every course came on time and was a little surprise. Thank you!",
	"재료가 신선하고 설명도 친절하셨습니다.",
	"Our guests are still talking about it.",
	"부모님 생신상으로 모셨는데 모두 감동했어요.",
	"Spotless kitchen afterwards, too.",
	"아이들도 남김없이 먹었습니다.",
	"Worth every won. We have booked again.",
};
static const char *const mixed[] = {
	"맛은 좋았지만 조금 늦게 시작했어요.",
	"Good food, portions a little small for six people.",
	"무난했습니다. 간이 조금 셌어요.",
	"Nice evening, though the menu differed from what we agreed.",
};

/* Guests also look for a city by its Korean name. */
static const char *korean_name(const char *city) {
	static const char *const names[][2] = {
		{ "Seoul", "서울" },   { "Busan", "부산" },   { "Incheon", "인천" }, { "Daegu", "대구" },
		{ "Daejeon", "대전" }, { "Gwangju", "광주" }, { "Ulsan", "울산" },   { "Suwon", "수원" },
		{ "Jeju", "제주" },    { "Jeonju", "전주" },
	};
	for (size_t i = 0; i < SF_COUNT(names); i++)
		if (strcmp(names[i][0], city) == 0) return names[i][1];
	return city;
}

static int64_t owner_of(size_t chef) {
	return chef == 0 ? CHEF_USER : FIRST_OWNER + (int64_t)chef;
}

static void write_time(struct sf_json *j, const char *key, int64_t t) {
	char text[32];
	sf_json_add(j, SF_KV(key, ((struct sf_str) { text, sf_time_format_sql(t, text) })));
}

static void write_chefs(struct demo *d) {
	struct sf_json *j = &d->chef_rows;
	for (size_t i = 0; i < d->chefs; i++) {
		const struct coocook_demo_chef *c = &coocook_demo_chefs[i];
		struct sf_str bio = sf_arena_printf(d->a, "%s 출장 지역: %s.", c->bio, korean_name(c->location));
		sf_json_obj(j);
		sf_json_add(j, SF_KV("owner", owner_of(i)), SF_KV("name", c->name), SF_KV("bio", bio),
					SF_KV("cuisine", c->cuisine), SF_KV("location", c->location),
					SF_KV("price", c->price * INT64_C(1000)), SF_KV("rating_sum", d->rating_sum[i]),
					SF_KV("rating_count", d->rating_count[i]));
		write_time(j, "created_at", d->now - (int64_t)(1 + i * 37 % 200) * SF_DAY_USEC);
		sf_json_obj_end(j);
	}
}

static void add_booking(struct demo *d, const struct entry *e) {
	struct sf_json *j = &d->booking_rows;
	int64_t start = sf_date_start(d->today + e->day) + e->hour * COOCOOK_HOUR;
	int64_t end = start + e->hours * COOCOOK_HOUR;
	bool pending = strcmp(e->status, "pending") == 0; /* asked for today: an older one would have expired */
	int64_t asked = pending ? d->now - e->day * COOCOOK_HOUR / 2 : start - 9 * SF_DAY_USEC,
			reviewed = end + 20 * COOCOOK_HOUR;
	char day[16];
	sf_date_format(sf_zone_day(sf_zone_of(SF_STR(SF_ZONE_DEFAULT)), start), day);
	sf_json_obj(j);
	sf_json_add(j, SF_KV("owner", owner_of(e->chef)), SF_KV("guest", e->guest),
				SF_KV("day", (const char *)day), SF_KV("hours", e->hours), SF_KV("status", e->status),
				SF_KV("payment", e->payment), SF_KV("rating", e->rating), SF_KV("request", e->request),
				SF_KV("comment", e->comment));
	write_time(j, "starts_at", start);
	write_time(j, "ends_at", end);
	asked = asked < d->now ? asked : d->now - (int64_t)e->day * 60 * SF_USEC;
	write_time(j, "created_at", asked);
	if (pending)
		write_time(j, "expires_at",
				   coocook_expires(asked, sf_config_int("BOOKING_REQUEST_TTL") * 1000, start));
	write_time(j, "reviewed_at", reviewed < d->now ? reviewed : d->now);
	sf_json_obj_end(j);
	d->rating_sum[e->chef] += e->rating;
	d->rating_count[e->chef] += e->rating > 0;
}

/* Each chef's past: up to nine dinners that were paid and reviewed; some chefs are better liked than others. */
static void add_past(struct demo *d) {
	for (size_t chef = 0; chef < d->chefs; chef++) {
		size_t dinners = chef == 0 ? 9 : chef * 7 % 10;
		for (size_t k = 0; k < dinners; k++) {
			size_t taste = (chef * 5 + k * 3) % 11;
			int rating = taste < 6 ? 5 : taste < 9 ? 4 : 3;
			if (chef % 9 == 4 && rating > 3) rating--;
			struct entry e = {
				.guest = FIRST_GUEST + (int64_t)((chef * 11 + k * 5) % GUESTS),
				.chef = chef,
				.day = -(int)(12 + k * 13 + chef % 11),
				.hour = 8 + (int)((chef + k) % 4),
				.hours = 2 + (int)((chef + k) % 3),
				.status = "completed",
				.payment = "paid",
				.rating = rating,
				.comment = rating >= 4 ? praise[(chef * 3 + k) % SF_COUNT(praise)]
									   : mixed[(chef + k) % SF_COUNT(mixed)],
			};
			add_booking(d, &e);
		}
	}
}

/* What the demo user sees under "my bookings", and what waits on the desk of the demo's chef. */
static const struct entry present[] = {
	{ DEMO_USER, 24, -58, 10, 3, 5, "completed", "paid", "Wine pairing, please.",
	  "The tagliatelle alone was worth it. 최고의 저녁이었습니다." },
	{ DEMO_USER, 8, -35, 9, 2, 4, "completed", "paid", "두 명, 새우 알레르기가 있어요.",
	  "오마카세가 훌륭했어요. 조금만 더 천천히 내주시면 완벽합니다." },
	{ DEMO_USER, 25, -17, 10, 3, 5, "completed", "paid", NULL,
	  "Rolling the pasta together was the best part." },
	{ DEMO_USER, 2, -6, 9, 4, 0, "completed", "paid", "결혼기념일 저녁입니다.", NULL },
	{ DEMO_USER, 32, -3, 10, 3, 0, "cancelled", "refunded", NULL, NULL },
	{ DEMO_USER, 0, 4, 9, 3, 0, "confirmed", "paid", "부모님 생신상, 여섯 명입니다. 덜 맵게 부탁드려요.",
	  NULL },
	{ DEMO_USER, 56, 9, 10, 2, 0, "confirmed", "unpaid", "Vegetarian options for two guests.", NULL },
	{ DEMO_USER, 0, 12, 10, 2, 0, "pending", "unpaid", "A small dinner for four.", NULL },
	{ DEMO_USER, 73, 16, 6, 2, 0, "pending", "unpaid", "돌잔치 디저트 테이블", NULL },
	{ DEMO_USER, 40, 20, 11, 3, 0, "cancelled", "unpaid", NULL, NULL },
	{ FIRST_GUEST + 2, 0, 2, 9, 4, 0, "confirmed", "paid", "임원 만찬, 여덟 명", NULL },
	{ FIRST_GUEST + 5, 0, 6, 3, 3, 0, "pending", "unpaid", "점심 모임, 땅콩 알레르기 있습니다.", NULL },
	{ FIRST_GUEST + 9, 0, 12, 3, 3, 0, "pending", "unpaid", "Lunch for visitors from abroad, mild please.",
	  NULL },
	{ FIRST_GUEST + 11, 24, 5, 10, 3, 0, "confirmed", "paid", NULL, NULL },
	{ FIRST_GUEST + 12, 2, 8, 9, 3, 0, "pending", "unpaid", NULL, NULL },
};

/* ~ */
static int store(struct sf_dbh *tx, struct sf_str chefs, struct sf_str bookings) {
	struct coocook_q_demo_chefs_in in = { .rows = chefs,
										  .prior_sum = COOCOOK_PRIOR_SUM,
										  .prior_n = COOCOOK_PRIOR_N };
	int err = coocook_q_demo_chefs(tx, &in, NULL);
	if (!err)
		err = coocook_q_demo_bookings(tx, &(struct coocook_q_demo_bookings_in) { .rows = bookings }, NULL);
	if (!err)
		err = coocook_q_demo_payments(tx, &(struct coocook_q_demo_payments_in) { .rows = bookings }, NULL);
	if (!err)
		err = coocook_q_demo_reviews(tx, &(struct coocook_q_demo_reviews_in) { .rows = bookings }, NULL);
	return err;
}

int coocook_demo(struct sf_db *db, struct sf_arena *a) {
	struct coocook_q_chef_any_row any;
	struct sf_dbh *tx = NULL;
	struct sf_buf chefs, bookings;
	sf_buf_init(&chefs, a);
	sf_buf_init(&bookings, a);
	struct demo *d = sf_arena_zalloc(a, sizeof(*d));
	d->a = a, d->now = sf_time_now(), d->today = sf_date_of(d->now);
	d->chef_rows = sf_json(&chefs), d->booking_rows = sf_json(&bookings);
	int err = sf_tx_begin(db, a, "coocook.demo", &tx);
	if (err) goto out;
	err = coocook_q_chef_any(tx, &any);
	if (err != SF_ENOTFOUND) goto out; /* there are chefs: nothing to do */
	while (coocook_demo_chefs[d->chefs].name) d->chefs++;
	SF_BUG_ON(d->chefs > SF_COUNT(d->rating_sum));
	sf_json_arr(&d->booking_rows);
	add_past(d);
	for (size_t i = 0; i < SF_COUNT(present); i++) add_booking(d, &present[i]);
	sf_json_arr_end(&d->booking_rows);
	sf_json_arr(&d->chef_rows);
	write_chefs(d);
	sf_json_arr_end(&d->chef_rows);
	err = store(tx, sf_buf_view(&chefs), sf_buf_view(&bookings));
	if (err) goto out;
	err = sf_tx_commit(tx);
out:
	sf_tx_end(tx);
	return err;
}
