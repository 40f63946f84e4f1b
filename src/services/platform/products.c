/* products: what can be subscribed to, and what the caller has. */
#include "core/time.h"
#include "services/platform/internal.h"

int platform_products(struct sf_req *r) {
	struct sf_rows rows;
	int err = platform_q_products(sf_req_db(r), &rows);
	return err ? err : sf_reply_rows(r, 200, &rows);
}

int platform_subscriptions(struct sf_req *r) {
	struct platform_q_subscriptions_of_user_in in = { .user_id = sf_req_caller(r)->user };
	struct sf_rows rows;
	int err = platform_q_subscriptions_of_user(sf_req_db(r), &in, &rows);
	return err ? err : sf_reply_rows(r, 200, &rows);
}

static bool in_force(const struct platform_q_subscriptions_of_user_row *s, int64_t now) {
	return sf_str_eq(s->status, SF_STR("active")) &&
		   (!s->current_period_end.has || s->current_period_end.v > now);
}

/* The caller's subscription to a product that is in force; NULL: none. */
static const struct platform_q_subscriptions_of_user_row *subscription_to(const struct sf_rows *subs,
																		  int64_t product, int64_t now) {
	const struct platform_q_subscriptions_of_user_row *all = subs->at;
	for (size_t i = 0; i < subs->n; i++)
		if (all[i].product_id == product && in_force(&all[i], now)) return &all[i];
	return NULL;
}

int platform_dashboard(struct sf_req *r) {
	struct sf_dbh *h = sf_req_db(r);
	struct platform_q_user_get_in me = { .id = sf_req_caller(r)->user };
	struct platform_q_user_get_row user;
	struct sf_rows products, subs;
	int64_t now = sf_req_now(r), count = 0;
	int err = platform_q_user_get(h, &me, &user);
	if (!err) err = platform_q_products(h, &products);
	if (!err)
		err = platform_q_subscriptions_of_user(
			h, &(struct platform_q_subscriptions_of_user_in) { .user_id = me.id }, &subs);
	if (err) return err;
	struct sf_json *j = sf_reply_json(r, 200);
	sf_json_obj(j);
	sf_json_key(j, "user");
	sf_row_json(j, &platform_user_get_desc, &user);
	sf_json_key(j, "products");
	sf_json_arr(j);
	for (size_t i = 0; i < products.n; i++) {
		const struct platform_q_products_row *p = SF_ROW(products, platform_q_products, i);
		const struct platform_q_subscriptions_of_user_row *s = subscription_to(&subs, p->id, now);
		sf_json_obj(j);
		sf_row_members(j, &platform_products_desc, p);
		sf_json_add(j, SF_KV("subscribed", (bool)(s != NULL)));
		if (s) {
			count++;
			sf_json_key(j, "subscription");
			sf_row_json(j, &platform_subscriptions_of_user_desc, s);
		}
		sf_json_obj_end(j);
	}
	sf_json_arr_end(j);
	sf_json_add(j, SF_KV("subscription_count", count));
	sf_json_obj_end(j);
	return 0;
}

int platform__subscribed(struct sf_req *r, int64_t user, const char *product, bool *out) {
	struct sf_dbh *h =
		sf_db_auto(sf_app_db(sf_req_app(r), "platform"), sf_req_arena(r), SF_READ_PRIMARY, "subscription");
	struct platform_q_subscribed_in in = { .user_id = user, .slug = sf_str(product), .now = sf_req_now(r) };
	struct platform_q_subscribed_row row;
	int err = platform_q_subscribed(h, &in, &row);
	if (err && err != SF_ENOTFOUND) return err;
	*out = err == 0;
	return 0;
}
