/* lock: a user's row under lock, and whether what a request was let in by still stands.
 *
 * A request reads who is asking, then waits: for a hash, which takes 50 ms and in a crowd many seconds, for a connection, for
 * another transaction. Meanwhile the user may have been deactivated or demoted, or have changed the password. Everything that
 * gives or takes away a sign-in therefore locks the user's row first, and decides by the row as it then is:
 *
 *   1. What belongs to the sign-ins of a user changes only in a transaction that holds the lock on the user's row.
 *   2. Tokens and sessions are made from a struct platform_locked, which only this file fills.
 *   3. A change of password, role or activity raises tokens_from. Only storing the same password in another form does not. */
#include "core/time.h"
#include "services/platform/internal.h"

int platform__lock(struct sf_dbh *tx, int64_t id, struct platform_locked *out) {
	SF_BUG_ON(!sf_dbh_in_tx(tx));
	struct platform_locked l = { .tx = tx };
	int err = platform_q_user_lock(tx, &(struct platform_q_user_lock_in) { .id = id }, &l.u);
	if (err) return err;
	l.now = sf_time_now();
	*out = l;
	return 0;
}

/* A password that was right in an older form may have been stored anew by another sign-in, see invariant 3. */
static bool proof_holds(const struct platform_proof *proof, const struct platform_q_user_lock_row *u) {
	bool same = sf_str_eq(u->password_hash, proof->password_hash);
	return u->is_active && u->tokens_from == proof->tokens_from && (same || proof->older);
}

int platform__lock_proved(struct sf_dbh *tx, const struct platform_proof *proof,
						  struct platform_locked *out) {
	struct platform_locked l;
	int err = platform__lock(tx, proof->user, &l);
	if (err) return err == SF_ENOTFOUND ? SF_EAUTH : err;
	if (!proof_holds(proof, &l.u)) return SF_EAUTH;
	if (proof->renewed.n && sf_str_eq(l.u.password_hash, proof->password_hash)) {
		l.u.password_hash = proof->renewed;
		err = platform__store(&l);
	}
	if (!err) *out = l;
	return err;
}

/* ~ SF_EAUTH when the caller's own token or session was ended. */
static int check_caller(struct sf_req *r, const struct platform_locked *l) {
	const struct sf_caller *c = sf_req_caller(r);
	struct platform_q_session_live_row session;
	struct platform_q_revoked_get_row token;
	struct platform_q_session_live_in of_session = { .id_hash = platform__session_id(r, c->session),
													 .user_id = l->u.id,
													 .now = l->now };
	struct platform_q_revoked_get_in of_token = { .jti = sf_str(c->jti) };
	int err = 0;
	if (c->iat < l->u.tokens_from) return SF_EAUTH;
	switch (c->via) {
	case SF_VIA_SESSION:
		err = platform_q_session_live(l->tx, &of_session, &session);
		return err == SF_ENOTFOUND ? SF_EAUTH : err;
	case SF_VIA_TOKEN:
		err = platform_q_revoked_get(l->tx, &of_token, &token);
		return err == SF_ENOTFOUND ? 0 : err ? err : SF_EAUTH;
	case SF_VIA_DEMO: return 0;
	case SF_VIA_NOBODY: break;
	}
	return SF_EAUTH;
}

int platform__lock_caller(struct sf_req *r, struct sf_dbh *tx, const struct platform_proof *proof,
						  struct platform_locked *out) {
	struct platform_locked l;
	int err = platform__lock(tx, sf_req_caller(r)->user, &l);
	if (!err) err = l.u.is_active ? check_caller(r, &l) : SF_EAUTH;
	if (!err && proof && !proof_holds(proof, &l.u)) err = SF_EAUTH;
	if (err == SF_EAUTH || err == SF_ENOTFOUND)
		return sf_fail(r, SF_EAUTH, NULL, "Your sign-in has ended meanwhile. Sign in again.");
	if (!err) *out = l;
	return err;
}

int platform__store(const struct platform_locked *l) {
	struct platform_q_user_change_in in = { .id = l->u.id,
											.name = l->u.name,
											.password_hash = l->u.password_hash,
											.role = l->u.role,
											.is_active = l->u.is_active,
											.tokens_from = l->u.tokens_from,
											.time_zone = l->u.time_zone,
											.language = l->u.language };
	return platform_q_user_change(l->tx, &in, NULL);
}
