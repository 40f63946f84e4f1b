/* admin: the administration of users. */
#include "services/platform/client.h"
#include "services/platform/internal.h"
#include "services/services.h"

int platform_users(struct sf_req *r) {
	const struct platform_users_query *q = sf_req_query(r);
	struct sf_page page = sf_req_page(r);
	struct sf_dbh *h = sf_req_db(r);
	struct sf_rows rows;
	int err;
	int64_t total = 0;
	if (q->q.n) {
		struct sf_str pattern = platform_like(sf_req_arena(r), q->q);
		struct platform_q_users_search_in in = { .pattern = pattern,
												 .limit = page.limit,
												 .offset = page.offset };
		struct platform_q_users_search_count_row count;
		err = platform_q_users_search(h, &in, &rows);
		if (!err)
			err = platform_q_users_search_count(
				h, &(struct platform_q_users_search_count_in) { .pattern = pattern }, &count);
		if (!err) total = count.n;
	} else {
		struct platform_q_users_page_in in = { .limit = page.limit, .offset = page.offset };
		struct platform_q_users_count_row count;
		err = platform_q_users_page(h, &in, &rows);
		if (!err) err = platform_q_users_count(h, &count);
		if (!err) total = count.n;
	}
	return err ? err : sf_reply_page(r, &rows, total);
}

/* Everybody who changes rights locks all administrators first, in one order, so that these changes take turns: of two
 * administrators who demote each other the second one finds that he is none any more, and the last one stays. */
int platform__change_rights(struct sf_dbh *tx, int64_t id, struct sf_str role, int active,
							struct platform_locked *out, bool *changed) {
	struct platform_locked l;
	struct sf_rows admins;
	int err = platform_q_admins_lock(tx, &admins);
	if (!err) err = platform__lock(tx, id, &l);
	if (err) return err;
	struct sf_str next = role.p ? role : l.u.role, admin = SF_STR("admin");
	bool is_active = active < 0 ? l.u.is_active : active != 0;
	bool was = l.u.is_active && sf_str_eq(l.u.role, admin), stays = is_active && sf_str_eq(next, admin);
	if (was && !stays && admins.n <= 1) return SF_ECONFLICT;
	bool activity = is_active != l.u.is_active;
	*changed = activity || !sf_str_eq(next, l.u.role);
	if (*changed) {
		l.u.role = next, l.u.is_active = is_active;
		err = platform__revoke_all(&l);
		if (!err) err = platform__store(&l);
		if (!err && activity) err = services_tell(tx, PLATFORM_USER_CHANGED, id);
	}
	if (!err) *out = l;
	return err;
}

/* ~ Whether the caller administers still, once all administrators are locked. */
static int check_admin(struct sf_req *r, struct sf_dbh *tx) {
	struct platform_locked me;
	struct sf_rows admins;
	int err = platform_q_admins_lock(tx, &admins);
	if (!err) err = platform__lock_caller(r, tx, NULL, &me);
	if (err || sf_str_eq(me.u.role, SF_STR("admin"))) return err;
	return sf_fail(r, SF_EFORBIDDEN, NULL, "Only administrators may do this.");
}

int platform_user_change(struct sf_req *r) { /* 404, 409: oneself */
	const struct platform_user_change_body *in = sf_req_body(r);
	int64_t id = sf_path_int(r, "id");
	struct platform_locked l;
	struct sf_dbh *tx = NULL;
	bool changed = false;
	int active = in->is_active.has ? in->is_active.v != 0 : -1;
	int err = sf_req_begin(r, &tx);
	if (!err) err = check_admin(r, tx);
	if (!err) err = platform__change_rights(tx, id, in->role, active, &l, &changed);
	if (err == SF_ECONFLICT || (!err && changed && id == sf_req_caller(r)->user))
		err = sf_fail(r, SF_ECONFLICT, NULL,
					  "You cannot take your own rights away. Ask another administrator.");
	if (err) goto out;
	platform__user_json(sf_reply_json(r, 200), NULL, &l.u);
	err = changed ? platform__commit_revoked(r, &l) : sf_req_commit(r, tx);
out:
	sf_tx_end(tx);
	return err;
}
