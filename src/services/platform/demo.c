/* demo: people in an empty database: a customer (user 1, whom `demo_token` is), an administrator and a chef, who may sign in, and guests,
 * who have a name only. */
#include "core/time.h"
#include "services/platform/internal.h"

static const struct person {
	const char *email, *password, *name, *role;
	const char *const *products;
} people[] = {
	{ "demo@softfactory.com", "demo123", "김데모", "user",
	  (const char *const[]) { "coocook", "sns-auto", "review", "ai-automation", "webapp-builder",
							  "experience", NULL } },
	{ "admin@softfactory.com", "admin123", "관리자", "admin",
	  (const char *const[]) { "coocook", "sns-auto", "review", "ai-automation", "webapp-builder",
							  "experience", NULL } },
	{ "chef@softfactory.com", "chef123", "박셰프", "user", (const char *const[]) { "coocook", NULL } },
};

/* Users 4 to 20, of whom CooCook's demo has bookings and reviews. */
static const char *const guests[] = {
	"김민지", "박준호",     "최수아", "강도윤", "Emily Carter", "임재현", "한지우", "오지훈", "송민서",
	"조은우", "Daniel Kim", "배수빈", "신유진", "권태오",       "남궁현", "정하늘", "윤서연",
};

static int add_guest(struct sf_dbh *tx, int64_t id, const char *name, struct sf_arena *a, int64_t now) {
	struct platform_q_demo_user_add_in user = {
		.id = id,
		.email = sf_arena_printf(a, "guest%lld@softfactory.com", (long long)id),
		.password_hash = SF_STR("-"), /* fits no password */
		.name = sf_str(name),
		.role = SF_STR("user"),
		.created_at = now,
	};
	return platform_q_demo_user_add(tx, &user, NULL);
}

static int add(struct sf_dbh *tx, int64_t id, const struct person *p, const char *hash, int64_t now) {
	struct platform_q_demo_user_add_in user = { .id = id,
												.email = sf_str(p->email),
												.password_hash = sf_str(hash),
												.name = sf_str(p->name),
												.role = sf_str(p->role),
												.created_at = now };
	int err = platform_q_demo_user_add(tx, &user, NULL);
	for (size_t i = 0; !err && p->products[i]; i++) {
		struct platform_q_subscription_add_in sub = { .user_id = id,
													  .slug = sf_str(p->products[i]),
													  .plan_type = SF_STR("annual"),
													  .current_period_start = now,
													  .current_period_end = now + 365 * SF_DAY_USEC };
		err = platform_q_subscription_add(tx, &sub, NULL);
	}
	return err;
}

int platform_demo(struct sf_db *db, struct sf_arena *a) {
	char hash[SF_COUNT(people)][SF_PASSWORD_HASH_MAX];
	struct platform_q_user_any_row any;
	struct platform_q_users_sequence_row last;
	struct sf_dbh *tx = NULL;
	int err = platform_q_user_any(sf_db_auto(db, a, SF_READ_PRIMARY, "demo"), &any);
	if (err != SF_ENOTFOUND) return err;
	err = 0;
	for (size_t i = 0; !err && i < SF_COUNT(people); i++)
		err = sf_password_hash(NULL, sf_str(people[i].password), hash[i]);
	if (!err) err = sf_tx_begin(db, a, "demo", &tx);
	for (size_t i = 0; !err && i < SF_COUNT(people); i++)
		err = add(tx, (int64_t)i + 1, &people[i], hash[i], sf_time_now());
	for (size_t i = 0; !err && i < SF_COUNT(guests); i++)
		err = add_guest(tx, (int64_t)(SF_COUNT(people) + i) + 1, guests[i], a, sf_time_now());
	if (!err) err = platform_q_users_sequence(tx, &last);
	if (!err) err = sf_tx_commit(tx);
	sf_tx_end(tx);
	return err;
}
