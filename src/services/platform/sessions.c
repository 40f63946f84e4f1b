/* sessions: browsers hold a random cookie; its SHA-256 names the session's row. The tokens answered beside the cookie are of a family that
 * bears the session's name, so that signing out ends both. */
#include "core/hash.h"
#include "core/time.h"
#include "services/platform/internal.h"

#define COOKIE_BYTES 32

static struct sf_str digest(struct sf_arena *a, struct sf_str cookie) {
	unsigned char d[32];
	char *hex = sf_arena_alloc(a, 65);
	sf_sha256(cookie.p, cookie.n, d);
	sf_hex(d, sizeof d, hex);
	return (struct sf_str) { hex, 64 };
}

int platform__session_open(struct sf_req *r, const struct platform_locked *l, struct sf_str *family) {
	struct sf_arena *a = sf_req_arena(r);
	unsigned char random[COOKIE_BYTES];
	char *text = sf_arena_alloc(a, 64);
	sf_random(random, sizeof random);
	struct sf_str cookie = { text, sf_base64url(random, sizeof random, text) };
	struct platform_q_session_add_in in = { .id_hash = digest(a, cookie),
											.user_id = l->u.id,
											.created_at = l->now,
											.expires_at = l->now + PLATFORM_SESSION_S * SF_USEC };
	int err = platform_q_session_add(l->tx, &in, NULL);
	if (err) return err;
	sf_reply_session(r, cookie, PLATFORM_SESSION_S);
	if (family) *family = in.id_hash;
	return 0;
}

struct sf_str platform__session_id(struct sf_req *r) {
	return digest(sf_req_arena(r), sf_req_caller(r)->session);
}

int platform__session_close(struct sf_req *r, struct sf_dbh *tx) {
	struct sf_str id = platform__session_id(r);
	int err = platform_q_session_delete(tx, &(struct platform_q_session_delete_in) { .id_hash = id }, NULL);
	return err ? err : platform__revoke_family(r, tx, id);
}

void platform__session_forget(struct sf_req *r) {
	sf_reply_session(r, SF_STR(""), 0);
}

int platform__session(struct sf_req *r, struct sf_str cookie, struct sf_caller *out) {
	struct sf_arena *a = sf_req_arena(r);
	struct sf_dbh *h = sf_db_auto(sf_app_db(sf_req_app(r), "platform"), a, SF_READ_PRIMARY, "session");
	struct platform_q_session_user_in in = { .id_hash = digest(a, cookie), .now = sf_req_now(r) };
	struct platform_q_session_user_row row;
	int err = platform_q_session_user(h, &in, &row);
	if (err) return err == SF_ENOTFOUND ? SF_EAUTH : err;
	out->user = row.user_id;
	int64_t refused = sf_token_revoked_before(row.user_id);
	out->iat = refused > row.tokens_from ? refused : row.tokens_from;
	out->admin = sf_str_eq(row.role, SF_STR("admin"));
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
