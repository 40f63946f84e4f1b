/* client: what other services and the start of a worker ask of platform. */
#include "services/platform/client.h"

#include "core/time.h"
#include "loop/loop.h"
#include "services/platform/internal.h"
#include "services/services.h"

#define FOLLOW_MS 250
#define FOLLOW_SLACK_USEC                                                                                    \
	(15 * SF_USEC) /* hosts whose clocks differ; a transaction's longest statement is 10 s */

/* ~ */
static int time_zone(struct sf_req *r, int64_t user, struct sf_str *out) {
	struct sf_dbh *h =
		sf_db_auto(sf_app_db(sf_req_app(r), "platform"), sf_req_arena(r), SF_READ_PRIMARY, "time zone");
	struct platform_q_user_zone_row row;
	int err = platform_q_user_zone(h, &(struct platform_q_user_zone_in) { .id = user }, &row);
	if (err) return err == SF_ENOTFOUND ? 0 : err;
	*out = row.time_zone;
	return 0;
}

const struct sf_identity platform_identity = {
	.session = platform__session,
	.used = platform__used,
	.session_s = PLATFORM_SESSION_S,
	.subscribed = platform__subscribed,
	.time_zone = time_zone,
};

int platform_user(struct sf_req *r, int64_t id, struct platform_user *out) {
	struct sf_dbh *h =
		sf_db_auto(sf_app_db(sf_req_app(r), "platform"), sf_req_arena(r), SF_READ_PRIMARY, "user");
	struct platform_q_user_get_row row;
	int err = platform_q_user_get(h, &(struct platform_q_user_get_in) { .id = id }, &row);
	if (err) return err;
	*out = (struct platform_user) { .id = row.id,
									.email = row.email,
									.name = row.name,
									.time_zone = row.time_zone,
									.admin = sf_str_eq(row.role, SF_STR("admin")),
									.is_active = row.is_active,
									.confirmed = row.email_confirmed };
	return 0;
}

int platform_users_of(const struct sf_app *app, struct sf_dbh *tx, const char *service, const int64_t *ids,
					  size_t n, struct platform_user *out) {
	struct sf_db *db = sf_app_db(app, "platform");
	struct sf_dbh *h =
		db == sf_app_db(app, service) ? tx : sf_db_auto(db, sf_dbh_arena(tx), SF_READ_PRIMARY, "users");
	struct sf_rows rows;
	int err = platform_q_users_by_ids(h, &(struct platform_q_users_by_ids_in) { .ids = { ids, n } }, &rows);
	if (err) return err;
	for (size_t i = 0; i < n; i++) {
		out[i] = (struct platform_user) { 0 };
		for (size_t k = 0; k < rows.n; k++) {
			const struct platform_q_users_by_ids_row *u = SF_ROW(rows, platform_q_users_by_ids, k);
			if (u->id == ids[i])
				out[i] = (struct platform_user) { .id = u->id,
												  .email = u->email,
												  .name = u->name,
												  .time_zone = u->time_zone,
												  .is_active = u->is_active,
												  .confirmed = u->email_confirmed };
		}
	}
	return 0;
}

int platform__prune_all(struct sf_dbh *h, int64_t now, int64_t *removed) {
	int64_t day_ago = now - SF_DAY_USEC, n[9] = { 0 };
	struct platform_q_prune_otps_in codes = { .cutoff = day_ago };
	struct platform_q_prune_otp_clients_in client_codes = { .cutoff = day_ago };
	struct platform_q_prune_failures_in failures = { .cutoff = now - PLATFORM_LOCK_USEC };
	struct platform_q_prune_clients_in clients = { .cutoff = now - PLATFORM_KNOWN_USEC };
	int err = platform_q_prune_refresh(h, &(struct platform_q_prune_refresh_in) { .now = now }, &n[0]);
	if (!err) err = platform_q_prune_revoked(h, &(struct platform_q_prune_revoked_in) { .now = now }, &n[1]);
	if (!err)
		err = platform_q_prune_sessions(h, &(struct platform_q_prune_sessions_in) { .now = now }, &n[2]);
	if (!err) err = platform_q_prune_otps(h, &codes, &n[3]);
	if (!err) err = platform_q_prune_otp_clients(h, &client_codes, &n[4]);
	if (!err)
		err =
			platform_q_prune_email_codes(h, &(struct platform_q_prune_email_codes_in) { .now = now }, &n[5]);
	if (!err) err = platform_q_prune_failures(h, &failures, &n[6]);
	if (!err) err = platform_q_prune_clients(h, &clients, &n[7]);
	if (!err) err = platform_q_prune_budgets(h, &(struct platform_q_prune_budgets_in) { .now = now }, &n[8]);
	*removed = 0;
	for (size_t i = 0; i < SF_COUNT(n); i++) *removed += n[i];
	return err;
}

int platform__prune(struct sf_job *j) {
	int64_t removed;
	int err = platform__prune_all(sf_db_auto(sf_app_db(sf_job_context(j), "platform"), sf_job_arena(j),
											 SF_READ_PRIMARY, "platform prune"),
								  sf_time_now(), &removed);
	if (!err && removed)
		sf_job_result(j, sf_arena_printf(sf_job_arena(j), "{\"removed\":%lld}", (long long)removed));
	return err;
}

/* ~ Puts into this host's memory what was revoked since an instant, by whichever host, or by `softfactory user`. */
static int take_revoked(struct sf_dbh *h, int64_t since, int64_t now) {
	struct sf_rows tokens, users;
	struct platform_q_revoked_since_in of_tokens = { .since = since, .now = now };
	struct platform_q_revoked_users_in of_users = { .tokens_from = since / SF_USEC };
	int err = platform_q_revoked_since(h, &of_tokens, &tokens);
	if (!err) err = platform_q_revoked_users(h, &of_users, &users);
	if (err) return err;
	for (size_t i = 0; i < tokens.n; i++) {
		const struct platform_q_revoked_since_row *t = SF_ROW(tokens, platform_q_revoked_since, i);
		sf_token_revoke(sf_arena_cstr(sf_dbh_arena(h), t->jti), t->expires_at / SF_USEC);
	}
	for (size_t i = 0; i < users.n; i++) {
		const struct platform_q_revoked_users_row *u = SF_ROW(users, platform_q_revoked_users, i);
		sf_token_revoke_user(u->id, u->tokens_from);
	}
	return 0;
}

int platform_start(struct sf_db *db, struct sf_arena *a) {
	struct sf_dbh *h = sf_db_auto(db, a, SF_READ_PRIMARY, "platform start");
	int64_t now = sf_time_now();
	return take_revoked(h, now - PLATFORM_ACCESS_S * SF_USEC, now);
}

void platform_follow(struct sf_db *db) {
	int64_t seen = sf_time_now();
	while (sf_sleep(FOLLOW_MS) == 0) {
		struct sf_arena *a = sf_arena_new(0);
		struct sf_dbh *h = sf_db_auto(db, a, SF_READ_PRIMARY, "platform follow");
		int64_t now = sf_time_now();
		if (take_revoked(h, seen - FOLLOW_SLACK_USEC, now) == 0) seen = now;
		platform__uses_store(h);
		sf_arena_free(a);
	}
}
