/* client: what other services and the start of a worker ask of platform. */
#include "services/platform/client.h"

#include "core/time.h"
#include "services/platform/internal.h"
#include "services/services.h"

const struct sf_identity platform_identity = {
	.session = platform__session,
	.csrf = platform__csrf,
	.subscribed = platform__subscribed,
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
									.admin = sf_str_eq(row.role, SF_STR("admin")),
									.is_active = row.is_active };
	return 0;
}

/* ~ Rows whose time is over. */
static int prune(struct sf_dbh *h, int64_t now) {
	int err = platform_q_prune_refresh(h, &(struct platform_q_prune_refresh_in) { .now = now }, NULL);
	if (!err) err = platform_q_prune_revoked(h, &(struct platform_q_prune_revoked_in) { .now = now }, NULL);
	if (!err) err = platform_q_prune_sessions(h, &(struct platform_q_prune_sessions_in) { .now = now }, NULL);
	struct platform_q_prune_failures_in failures = { .cutoff = now - PLATFORM_LOCK_USEC };
	return err ? err : platform_q_prune_failures(h, &failures, NULL);
}

int platform_start(struct sf_db *db, struct sf_arena *a) {
	struct sf_dbh *h = sf_db_auto(db, a, SF_READ_PRIMARY, "platform start");
	int64_t now = sf_time_now();
	struct sf_rows tokens, users;
	int err = prune(h, now);
	if (!err) err = platform_q_revoked_list(h, &(struct platform_q_revoked_list_in) { .now = now }, &tokens);
	struct platform_q_revoked_users_in since = { .tokens_from = now / SF_USEC - PLATFORM_ACCESS_S };
	if (!err) err = platform_q_revoked_users(h, &since, &users);
	if (err) return err;
	for (size_t i = 0; i < tokens.n; i++) {
		const struct platform_q_revoked_list_row *t = SF_ROW(tokens, platform_q_revoked_list, i);
		sf_token_revoke(sf_arena_cstr(a, t->jti), t->expires_at / SF_USEC);
	}
	for (size_t i = 0; i < users.n; i++) {
		const struct platform_q_revoked_users_row *u = SF_ROW(users, platform_q_revoked_users, i);
		sf_token_revoke_user(u->id, u->tokens_from);
	}
	return 0;
}
