/* sessions: sign-ins. A sign-in is a row, and what was given with it ends with it: a browser's cookie, whose SHA-256 names the row, and
 * the tokens, whose family bears that name. A program is given no cookie; its row is named by one that nobody has. */
#include "core/hash.h"
#include "core/time.h"
#include "services/platform/internal.h"

#define COOKIE_BYTES 32

struct sf_str platform__session_id(struct sf_req *r, struct sf_str cookie) {
	unsigned char d[32];
	char *hex = sf_arena_alloc(sf_req_arena(r), 65);
	sf_sha256(cookie.p, cookie.n, d);
	sf_hex(d, sizeof d, hex);
	return (struct sf_str) { hex, 64 };
}

static struct sf_str device_of(struct sf_req *r) {
	return platform_device(sf_req_arena(r), sf_http_header(sf_req_http(r), "user-agent"));
}

/* ---- beginning and ending ------------------------------------------------------------------------------ */

int platform__begin(struct sf_req *r, const struct platform_locked *l, bool cookie,
					struct platform_pair *pair) {
	unsigned char random[COOKIE_BYTES];
	char *text = sf_arena_alloc(sf_req_arena(r), 64);
	sf_random(random, sizeof random);
	struct sf_str secret = { text, sf_base64url(random, sizeof random, text) };
	struct platform_q_session_add_in in = { .id_hash = platform__session_id(r, secret),
											.user_id = l->u.id,
											.device = device_of(r),
											.address = sf_req_ip(r),
											.now = l->now,
											.expires_at = l->now + PLATFORM_SESSION_S * SF_USEC };
	int err = platform_q_session_add(l->tx, &in, NULL);
	if (!err && pair) err = platform__issue(r, l, in.id_hash, pair);
	if (!err && cookie) sf_reply_session(r, secret, PLATFORM_SESSION_S);
	return err;
}

int platform__renew(struct sf_req *r, const struct platform_locked *l, struct sf_str id) {
	struct platform_q_session_renew_in in = { .id_hash = id,
											  .user_id = l->u.id,
											  .device = device_of(r),
											  .address = sf_req_ip(r),
											  .now = l->now,
											  .expires_at = l->now + PLATFORM_REFRESH_S * SF_USEC };
	return platform_q_session_renew(l->tx, &in, NULL);
}

int platform__end(const struct platform_locked *l, struct sf_str id) {
	int64_t gone = 0;
	struct platform_q_session_delete_in in = { .id_hash = id, .user_id = l->u.id };
	int err = platform_q_session_delete(l->tx, &in, &gone);
	if (err) return err;
	return gone ? platform__revoke_family(l, id) : SF_ENOTFOUND;
}

void platform__session_forget(struct sf_req *r) {
	sf_reply_session(r, SF_STR(""), 0);
}

/* ---- whose ------------------------------------------------------------------------------------------- */

int platform__session(struct sf_req *r, struct sf_str cookie, struct sf_caller *out) {
	struct sf_dbh *h =
		sf_db_auto(sf_app_db(sf_req_app(r), "platform"), sf_req_arena(r), SF_READ_PRIMARY, "session");
	struct platform_q_session_user_in in = { .id_hash = platform__session_id(r, cookie),
											 .now = sf_req_now(r) };
	struct platform_q_session_user_row row;
	int err = platform_q_session_user(h, &in, &row);
	if (err) return err == SF_ENOTFOUND ? SF_EAUTH : err;
	out->user = row.user_id;
	int64_t refused = sf_token_revoked_before(row.user_id);
	out->iat = refused > row.tokens_from ? refused : row.tokens_from;
	out->admin = sf_str_eq(row.role, SF_STR("admin"));
	return 0;
}

int platform__current(struct sf_req *r, struct sf_dbh *h, struct sf_str *id) {
	const struct sf_caller *c = sf_req_caller(r);
	struct platform_q_family_of_access_in in = { .access_jti = sf_str(c->jti) };
	struct platform_q_family_of_access_row row = { 0 };
	if (c->via == SF_VIA_SESSION) return *id = platform__session_id(r, c->session), 0;
	int err = c->via == SF_VIA_TOKEN ? platform_q_family_of_access(h, &in, &row) : SF_ENOTFOUND;
	if (err && err != SF_ENOTFOUND) return err;
	*id = err ? SF_STR("") : row.family;
	return 0;
}

int platform_session_login(struct sf_req *r) { /* 401, 403 inactive, 423 locked */
	return platform__sign_in(r, true);
}

int platform_session_get(struct sf_req *r) {
	struct platform_q_user_get_in in = { .id = sf_req_caller(r)->user };
	struct platform_q_user_get_row row;
	int err = in.id ? platform_q_user_get(sf_req_db(r), &in, &row) : SF_ENOTFOUND;
	if (err && err != SF_ENOTFOUND) return err;
	struct sf_json *j = sf_reply_json(r, 200);
	sf_json_obj(j);
	sf_json_key(j, "user");
	if (err)
		sf_json_null(j);
	else
		sf_row_json(j, &platform_user_get_desc, &row);
	sf_json_obj_end(j);
	return 0;
}

int platform_session_list(struct sf_req *r) { /* the last used first */
	struct sf_dbh *h = sf_req_db(r);
	struct sf_page page = sf_req_page(r);
	struct platform_q_sessions_count_in all = { .user_id = sf_req_caller(r)->user, .now = sf_req_now(r) };
	struct platform_q_sessions_of_user_in in = {
		.user_id = all.user_id, .now = all.now, .limit = page.limit, .offset = page.offset
	};
	struct platform_q_sessions_count_row count;
	struct sf_rows rows;
	int err = platform__current(r, h, &in.current);
	if (!err) err = platform_q_sessions_of_user(h, &in, &rows);
	if (!err) err = platform_q_sessions_count(h, &all, &count);
	return err ? err : sf_reply_page(r, &rows, count.n);
}

/* ---- signing out --------------------------------------------------------------------------------------- */

int platform_session_end(struct sf_req *r) { /* 404: not one of the caller's */
	struct sf_str id = sf_path_text(r, "id"), current;
	struct platform_locked l;
	struct sf_dbh *tx = NULL;
	int err = sf_req_begin(r, &tx);
	if (!err) err = platform__lock_caller(r, tx, NULL, &l);
	if (!err) err = platform__current(r, tx, &current);
	if (!err) err = platform__end(&l, id);
	if (err) goto out;
	sf_reply(r, 200, SF_KV("message", "That device is signed out."));
	if (sf_req_caller(r)->via == SF_VIA_SESSION && sf_str_eq(id, current)) platform__session_forget(r);
	err = sf_req_commit(r, tx);
out:
	sf_tx_end(tx);
	return err;
}

int platform_logout_all(struct sf_req *r) {
	struct platform_locked l;
	struct sf_dbh *tx = NULL;
	int err = sf_req_begin(r, &tx);
	if (!err) err = platform__lock_caller(r, tx, NULL, &l);
	if (!err) err = platform__revoke_all(&l);
	if (!err) err = platform__store(&l);
	if (err) goto out;
	sf_reply(r, 200, SF_KV("message", "You are signed out everywhere."));
	if (sf_req_caller(r)->via == SF_VIA_SESSION) platform__session_forget(r);
	err = platform__commit_revoked(r, &l);
out:
	sf_tx_end(tx);
	return err;
}

/* ~ All of the caller's sign-in; a token that belongs to none ends alone. */
static int end_current(struct sf_req *r, const struct platform_locked *l) {
	const struct sf_caller *c = sf_req_caller(r);
	struct sf_str id;
	int err = platform__current(r, l->tx, &id);
	if (!err && id.n) err = platform__end(l, id);
	if (err == SF_ENOTFOUND) err = 0; /* somebody was faster */
	if (!err && c->via == SF_VIA_TOKEN) err = platform__revoke_access(l, sf_str(c->jti), c->token_exp);
	return err;
}

int platform_logout(struct sf_req *r) {
	struct platform_locked l;
	struct sf_dbh *tx = NULL;
	int err = sf_req_begin(r, &tx);
	if (!err) err = platform__lock(tx, sf_req_caller(r)->user, &l);
	if (!err) err = end_current(r, &l);
	if (err) goto out;
	sf_reply(r, 200, SF_KV("message", "You are signed out."));
	if (sf_req_caller(r)->via == SF_VIA_SESSION) platform__session_forget(r);
	err = sf_req_commit(r, tx);
out:
	sf_tx_end(tx);
	return err;
}
