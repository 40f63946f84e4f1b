/* demo: an empty CooCook filled for a look around: eighty chefs, a past full of reviews, and bookings of the demo
 * user (1) in every state. The same each time but for dates, which count from today. One transaction: all of it or
 * nothing. */
#include "services/coocook/demo.h"

#include "services/coocook/internal.h"

enum {
	DEMO_USER = 1,
	CHEF_USER = 3,        /* owns the first chef */
	FIRST_OWNER = 900001, /* of the other chefs; far from the ids that registration gives */
	FIRST_GUEST = 910001,
	GUESTS = 17,
};

struct demo {
	struct sf_dbh *tx;
	struct sf_arena *a;
	int64_t now, today;
	int64_t chef[128]; /* ids */
	size_t chefs;
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

static int add_chefs(struct demo *d) {
	for (size_t i = 0; coocook_demo_chefs[i].name; i++) {
		const struct coocook_demo_chef *c = &coocook_demo_chefs[i];
		struct coocook_q_chef_add_in in = {
			.user_id = i == 0 ? CHEF_USER : FIRST_OWNER + (int64_t)i,
			.name = sf_str(c->name),
			.bio = sf_arena_printf(d->a, "%s 출장 지역: %s.", c->bio, korean_name(c->location)),
			.cuisine_type = sf_str(c->cuisine),
			.location = sf_str(c->location),
			.price_per_session = c->price * INT64_C(1000),
			.popularity = coocook_popularity(0, 0),
			.created_at = d->now - (int64_t)(1 + i * 37 % 200) * SF_DAY_USEC,
		};
		struct coocook_q_chef_add_row row;
		int err = coocook_q_chef_add(d->tx, &in, &row);
		if (err) return err;
		d->chef[d->chefs++] = row.id;
	}
	return 0;
}

static int add_payment(struct demo *d, const struct entry *e, int64_t booking, int64_t amount, int64_t at) {
	struct coocook_q_payment_add_in in = {
		.booking_id = booking,
		.user_id = e->guest,
		.amount = amount,
		.provider = SF_STR("sandbox"),
		.provider_ref = sf_arena_printf(d->a, "sandbox_demo_%lld", (long long)booking),
		.created_at = at,
	};
	struct coocook_q_payment_add_row row;
	struct coocook_q_payment_refund_row refund;
	int err = coocook_q_payment_add(d->tx, &in, &row);
	if (err || strcmp(e->payment, "refunded") != 0) return err;
	struct coocook_q_payment_refund_in back = { .booking_id = booking, .refunded_at = at + COOCOOK_HOUR };
	return coocook_q_payment_refund(d->tx, &back, &refund);
}

static int add_review(struct demo *d, const struct entry *e, int64_t booking, int64_t at) {
	struct coocook_q_review_add_in in = {
		.booking_id = booking,
		.chef_id = d->chef[e->chef],
		.user_id = e->guest,
		.rating = e->rating,
		.comment = sf_str(e->comment),
		.created_at = at < d->now ? at : d->now,
	};
	struct coocook_q_chef_rate_in rate = {
		.id = in.chef_id, .rating = e->rating, .prior_sum = COOCOOK_PRIOR_SUM, .prior_n = COOCOOK_PRIOR_N
	};
	struct coocook_q_review_add_row row;
	struct coocook_q_chef_rate_row chef;
	int err = coocook_q_review_add(d->tx, &in, &row);
	return err ? err : coocook_q_chef_rate(d->tx, &rate, &chef);
}

static int add_booking(struct demo *d, const struct entry *e) {
	int64_t start = sf_date_start(d->today + e->day) + e->hour * COOCOOK_HOUR;
	int64_t asked = start - 9 * SF_DAY_USEC;
	struct coocook_q_booking_add_in in = {
		.user_id = e->guest,
		.chef_id = d->chef[e->chef],
		.booking_date = sf_date_of(start),
		.starts_at = start,
		.ends_at = start + e->hours * COOCOOK_HOUR,
		.duration_hours = e->hours,
		.total_price = coocook_price(coocook_demo_chefs[e->chef].price * INT64_C(1000), e->hours),
		.status = sf_str(e->status),
		.payment_status = sf_str(e->payment),
		.reviewed = e->rating > 0,
		.special_requests = sf_str(e->request),
		.created_at = asked < d->now ? asked : d->now - (int64_t)e->day * 60 * SF_USEC,
	};
	struct coocook_q_booking_add_row row;
	int err = coocook_q_booking_add(d->tx, &in, &row);
	if (!err && strcmp(e->payment, "unpaid") != 0)
		err = add_payment(d, e, row.id, in.total_price, in.created_at);
	if (!err && e->rating) err = add_review(d, e, row.id, in.ends_at + 20 * COOCOOK_HOUR);
	return err;
}

/* Each chef's past: up to nine dinners that were paid and reviewed; some chefs are better liked than others. */
static int add_past(struct demo *d) {
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
			int err = add_booking(d, &e);
			if (err) return err;
		}
	}
	return 0;
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

int coocook_demo(struct sf_db *db, struct sf_arena *a) {
	struct coocook_q_chef_any_row any;
	struct demo *d = sf_arena_zalloc(a, sizeof(*d));
	d->a = a, d->now = sf_time_now(), d->today = sf_date_of(d->now);
	int err = sf_tx_begin(db, a, "coocook.demo", &d->tx);
	if (err) goto out;
	err = coocook_q_chef_any(d->tx, &any);
	if (err != SF_ENOTFOUND) goto out; /* there are chefs: nothing to do */
	err = add_chefs(d);
	if (!err) err = add_past(d);
	for (size_t i = 0; !err && i < SF_COUNT(present); i++) err = add_booking(d, &present[i]);
	if (err) goto out;
	err = sf_tx_commit(d->tx);
out:
	sf_tx_end(d->tx);
	return err;
}
