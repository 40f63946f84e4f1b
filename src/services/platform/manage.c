/* manage: what an operator does with users and subscriptions by command. */
#include "services/platform/client.h"

#include "core/time.h"
#include "services/platform/internal.h"

#define MONTH_USEC (30 * SF_DAY_USEC)
#define YEAR_USEC  (365 * SF_DAY_USEC)

static struct sf_dbh *handle(struct sf_db *db, struct sf_arena *a) {
	return sf_db_auto(db, a, SF_READ_PRIMARY, "by command");
}

/* Values by the rules of the route that takes them from people. */
static int checked(struct sf_arena *a, const char *field, struct sf_str text, struct sf_str *out,
				   struct sf_str *why) {
	for (const struct sf_field *f = platform__register_fields; f->name; f++) {
		if (strcmp(f->name, field) != 0) continue;
		const char *bad = text.n ? sf_field_check(a, f, text, out) : "is required";
		if (!bad) return 0;
		*why = sf_arena_printf(a, "the %s %s", field, bad);
		return SF_EINVAL;
	}
	SF_BUG_ON(true);
	return SF_EINVAL;
}

/* ---- users ------------------------------------------------------------------------------------------------ */

int platform_account_add(struct sf_db *db, struct sf_arena *a, const struct platform_new_account *in,
						 int64_t *id, struct sf_str *why) {
	struct sf_str email, name, password;
	char hash[SF_PASSWORD_HASH_MAX];
	struct platform_q_manage_user_add_row row;
	int err = checked(a, "email", in->email, &email, why);
	if (!err) err = checked(a, "name", in->name, &name, why);
	if (!err) err = checked(a, "password", in->password, &password, why);
	if (!err) err = sf_password_hash(NULL, password, hash);
	if (err) return err;
	struct platform_q_manage_user_add_in add = { .email = platform_email(a, email),
												 .password_hash = sf_str(hash),
												 .name = name,
												 .role = in->role,
												 .created_at = sf_time_now() };
	err = platform_q_manage_user_add(handle(db, a), &add, &row);
	if (!err) *id = row.id;
	return err;
}

int platform_account_find(struct sf_db *db, struct sf_arena *a, struct sf_str who,
						  struct platform_account *out) {
	int64_t id = 0;
	struct platform_q_user_by_email_row by_email;
	struct platform_q_user_get_row row;
	if (sf_str_int(who, &id) != 0) {
		struct platform_q_user_by_email_in in = { .email = platform_email(a, who) };
		int err = platform_q_user_by_email(handle(db, a), &in, &by_email);
		if (err) return err;
		id = by_email.id;
	}
	int err = platform_q_user_get(handle(db, a), &(struct platform_q_user_get_in) { .id = id }, &row);
	if (err) return err;
	*out = (struct platform_account) { .id = row.id,
									   .created_at = row.created_at,
									   .email = row.email,
									   .name = row.name,
									   .role = row.role,
									   .is_active = row.is_active };
	return 0;
}

int platform_accounts(struct sf_db *db, struct sf_arena *a, struct sf_str q, int64_t page, int64_t limit,
					  struct platform_account **out, size_t *n) {
	struct platform_q_users_search_in in = { .pattern = platform_like(a, q),
											 .limit = limit,
											 .offset = (page - 1) * limit };
	struct sf_rows rows;
	int err = platform_q_users_search(handle(db, a), &in, &rows);
	if (err) return err;
	*n = rows.n;
	*out = sf_arena_alloc(a, (rows.n + 1) * sizeof **out);
	for (size_t i = 0; i < rows.n; i++) {
		const struct platform_q_users_search_row *u = SF_ROW(rows, platform_q_users_search, i);
		(*out)[i] = (struct platform_account) { .id = u->id,
												.created_at = u->created_at,
												.email = u->email,
												.name = u->name,
												.role = u->role,
												.is_active = u->is_active };
	}
	return 0;
}

int platform_account_password(struct sf_db *db, struct sf_arena *a, int64_t id, struct sf_str password,
							  struct sf_str *why) {
	char hash[SF_PASSWORD_HASH_MAX];
	struct platform_locked l;
	struct sf_dbh *tx = NULL;
	int err = checked(a, "password", password, &password, why);
	if (!err) err = sf_password_hash(NULL, password, hash);
	if (!err) err = sf_tx_begin(db, a, "by command", &tx);
	if (!err) err = platform__lock(tx, id, &l);
	if (!err) err = platform__revoke_all(&l);
	if (err) goto out;
	l.u.password_hash = sf_str(hash);
	err = platform__store(&l);
	if (!err) err = sf_tx_commit(tx);
out:
	sf_tx_end(tx);
	return err;
}

int platform_account_change(struct sf_db *db, struct sf_arena *a, int64_t id, struct sf_str role,
							int active) {
	struct platform_locked l;
	struct sf_dbh *tx = NULL;
	bool changed;
	int err = sf_tx_begin(db, a, "by command", &tx);
	if (!err) err = platform__change_rights(tx, id, role, active, &l, &changed);
	if (!err && changed) err = sf_tx_commit(tx);
	sf_tx_end(tx);
	return err;
}

int platform_has_admin(struct sf_db *db, struct sf_arena *a, bool *out) {
	struct platform_q_admin_any_row row;
	int err = platform_q_admin_any(handle(db, a), &row);
	if (err && err != SF_ENOTFOUND) return err;
	*out = err == 0;
	return 0;
}

/* ---- subscriptions ---------------------------------------------------------------------------------------- */

/* *why names the products when there is no such. */
static int product_of(struct sf_dbh *h, struct sf_str slug, int64_t *id, struct sf_str *why) {
	struct sf_arena *a = sf_dbh_arena(h);
	struct platform_q_product_by_slug_row row;
	int err = platform_q_product_by_slug(h, &(struct platform_q_product_by_slug_in) { .slug = slug }, &row);
	if (!err) *id = row.id;
	if (err != SF_ENOTFOUND) return err;
	struct sf_rows rows;
	struct sf_buf b;
	err = platform_q_product_slugs(h, &rows);
	if (err) return err;
	sf_buf_init(&b, a);
	sf_buf_printf(&b, "there is no product \"" SF_PRI "\"; there are", SF_ARG(slug));
	for (size_t i = 0; i < rows.n; i++)
		sf_buf_printf(&b, "%s " SF_PRI, i ? "," : "",
					  SF_ARG(SF_ROW(rows, platform_q_product_slugs, i)->slug));
	*why = sf_buf_view(&b);
	return SF_EINVAL;
}

int platform_grant(struct sf_db *db, struct sf_arena *a, int64_t user, struct sf_str product,
				   struct sf_str plan, int64_t until, int64_t *ends, struct sf_str *why) {
	struct platform_q_subscription_active_row row;
	struct platform_locked l;
	struct sf_dbh *tx = NULL;
	int64_t id = 0, now = sf_time_now();
	int64_t end = until ? until : now + (sf_str_eq(plan, SF_STR("annual")) ? YEAR_USEC : MONTH_USEC);
	int err = product_of(handle(db, a), product, &id, why);
	if (!err) err = sf_tx_begin(db, a, "by command", &tx);
	if (!err) err = platform__lock(tx, user, &l); /* two grants at once take turns */
	if (err) goto out;
	struct platform_q_subscription_active_in in = { .user_id = user, .product_id = id };
	err = platform_q_subscription_active(tx, &in, &row);
	if (err == 0) {
		struct platform_q_subscription_extend_in extend = { .id = row.id,
															.plan_type = plan,
															.current_period_end = end };
		err = platform_q_subscription_extend(tx, &extend, NULL);
	} else if (err == SF_ENOTFOUND) {
		struct platform_q_subscription_add_in add = { .user_id = user,
													  .slug = product,
													  .plan_type = plan,
													  .current_period_start = now,
													  .current_period_end = end };
		err = platform_q_subscription_add(tx, &add, NULL);
	}
	if (!err) err = sf_tx_commit(tx);
	if (!err) *ends = end;
out:
	sf_tx_end(tx);
	return err;
}

int platform_grant_end(struct sf_db *db, struct sf_arena *a, int64_t user, struct sf_str product,
					   struct sf_str *why) {
	struct sf_dbh *h = handle(db, a);
	int64_t id = 0, ended = 0;
	int err = product_of(h, product, &id, why);
	if (err) return err;
	struct platform_q_subscription_end_in in = { .user_id = user, .product_id = id };
	err = platform_q_subscription_end(h, &in, &ended);
	return err || ended ? err : SF_ENOTFOUND;
}

static int grants_of(struct sf_dbh *h, int64_t user, struct platform_grant **out, size_t *n) {
	struct sf_rows rows;
	int err = platform_q_subscriptions_of_user(
		h, &(struct platform_q_subscriptions_of_user_in) { .user_id = user }, &rows);
	if (err) return err;
	*n = rows.n;
	*out = sf_arena_zalloc(sf_dbh_arena(h), (rows.n + 1) * sizeof **out);
	for (size_t i = 0; i < rows.n; i++) {
		const struct platform_q_subscriptions_of_user_row *s =
			SF_ROW(rows, platform_q_subscriptions_of_user, i);
		(*out)[i] =
			(struct platform_grant) { .id = s->id,
									  .until = s->current_period_end.has ? s->current_period_end.v : 0,
									  .product = s->product_slug,
									  .plan = s->plan_type,
									  .status = s->status };
	}
	return 0;
}

int platform_grants(struct sf_db *db, struct sf_arena *a, int64_t user, int64_t after, int64_t limit,
					struct platform_grant **out, size_t *n) {
	struct sf_dbh *h = handle(db, a);
	if (user) return grants_of(h, user, out, n);
	struct platform_q_subscriptions_all_in in = { .after = after, .limit = limit };
	struct sf_rows rows;
	int err = platform_q_subscriptions_all(h, &in, &rows);
	if (err) return err;
	*n = rows.n;
	*out = sf_arena_alloc(a, (rows.n + 1) * sizeof **out);
	for (size_t i = 0; i < rows.n; i++) {
		const struct platform_q_subscriptions_all_row *s = SF_ROW(rows, platform_q_subscriptions_all, i);
		(*out)[i] =
			(struct platform_grant) { .id = s->id,
									  .until = s->current_period_end.has ? s->current_period_end.v : 0,
									  .email = s->email,
									  .product = s->product_slug,
									  .plan = s->plan_type,
									  .status = s->status };
	}
	return 0;
}
