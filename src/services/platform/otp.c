/* otp: accounts proved by a code that is mailed (otp_codes.c). An answer never says whether an email has an account: asking for a
 * code is answered the same and by the same work for every address, and what differs is told in the mail alone. */
#include "services/mail/client.h"
#include "services/platform/internal.h"
#include "services/telegram/client.h"

/* ~ Registering and a forgotten password alike: the code is put in its place for every address, so that the work is the same;
 * only what the mail says differs. Where none may be sent the answer is the same, and nothing happens. */
int platform__otp_ask(struct sf_req *r, struct sf_str typed, const char *purpose) {
	struct sf_str email = platform_email(sf_req_arena(r), typed);
	struct sf_dbh *tx = NULL;
	struct platform_q_user_by_email_row who = { 0 };
	bool registering = strcmp(purpose, "register") == 0;
	if (!mail_reaches(email))
		return sf_fail(r, SF_EINVAL, "email", "must be an address that mail can be sent to");
	int err = sf_req_begin(r, &tx);
	if (err) goto out;
	err = platform_q_user_by_email(tx, &(struct platform_q_user_by_email_in) { .email = email }, &who);
	if (err && err != SF_ENOTFOUND) goto out;
	const char *instead = registering ? "has_account" : "no_account";
	const char *template = (err == 0) != registering ? "otp" : instead;
	err = platform__otp_send(r, tx, email, purpose, err ? 0 : who.id, template);
	bool refused = err == SF_ERATE;
	if (err && !refused) goto out;
	platform__reply_queued(r, "If this address can be used, a mail with a code is on its way.");
	err = refused ? 0 : sf_req_commit(r, tx);
out:
	sf_tx_end(tx);
	return err;
}
int platform_otp_register(struct sf_req *r) {
	const struct platform_email_body *in = sf_req_body(r);
	return platform__otp_ask(r, in->email, "register");
}
int platform_otp_forgot(struct sf_req *r) {
	const struct platform_email_body *in = sf_req_body(r);
	return platform__otp_ask(r, in->email, "reset");
}

void platform__reply_queued(struct sf_req *r, const char *message) {
	sf_reply(r, 202, SF_KV("status", "queued"), SF_KV("message", message), SF_KV("outbox", mail_kept()));
}

/* ---- using one --------------------------------------------------------------------------------- */

/* ~ Checks what was typed: SF_EINVAL with the reason. *otp is to be used within the transaction that follows. */
static int check(struct sf_req *r, const struct platform_otp_body *in, struct sf_str email,
				 const char *purpose, struct platform_otp *otp) {
	if (!sf_str_eq(in->password, in->password_confirm))
		return sf_fail(r, SF_EINVAL, "password_confirm", "must be the same as password");
	return platform__otp_try(r, email, purpose, in->otp, otp);
}

static int mail_one(struct sf_req *r, struct sf_dbh *tx, const char *template,
					const struct platform_q_user_lock_row *u) {
	char at[32];
	const struct mail_to to = {
		.email = u->email, .name = u->name, .user = u->id, .time_zone = u->time_zone
	};
	const struct sf_kv data[] = { SF_KV("email", u->email),
								  sf_kv_time("changed_at", sf_req_now(r), at),
								  { 0 } };
	return mail_send(
		tx, &(struct mail) {
				.template = template, .to = &to, .nto = 1, .data = data, .trace = sf_req_traceparent(r) });
}

int platform_otp_verify(struct sf_req *r) { /* 400: the code, or the email has an account */
	const struct platform_otp_body *in = sf_req_body(r);
	struct sf_str email = platform_email(sf_req_arena(r), in->email);
	struct platform_otp otp;
	char hash[SF_PASSWORD_HASH_MAX];
	struct sf_dbh *tx = NULL;
	struct platform_q_user_lock_row u = {
		.email = email,
		.name = in->name,
		.role = SF_STR("user"),
		.is_active = true,
		.email_confirmed = true,
		.time_zone = SF_STR(SF_ZONE_DEFAULT),
		.created_at = sf_req_now(r),
	};
	struct platform_q_user_add_row row;
	if (!u.name.p) u.name = platform_local(email); /* until its owner says another */
	int err = check(r, in, email, "register", &otp);
	if (!err) err = platform__hash(r, email, in->password, hash);
	if (!err) err = sf_req_begin(r, &tx);
	if (!err) err = platform__otp_use(r, tx, &otp);
	if (err) goto out;
	struct platform_q_user_add_in add = { .email = email,
										  .name = u.name,
										  .password_hash = sf_str(hash),
										  .email_confirmed = true,
										  .created_at = u.created_at };
	err = platform_q_user_add(tx, &add, &row);
	if (err == SF_EDUP) {
		sf_fail_field(r, "email", "must not have an account already");
		err = sf_fail(r, SF_EINVAL, NULL, "This email has an account already. Sign in instead.");
	}
	if (err) goto out;
	u.id = row.id;
	struct platform_client c = platform__client_named(r);
	err = platform__trial(tx, u.id, u.created_at);
	if (!err) err = platform__client_seen(r, tx, u.id, &c);
	if (!err) err = mail_one(r, tx, "welcome", &u);
	if (err) goto out;
	platform__user_json(sf_reply_json(r, 201), NULL, &u);
	err = sf_req_commit(r, tx);
out:
	sf_tx_end(tx);
	return err;
}

/* ~ The account may have been made by somebody else for the address of whoever has it now: its name and its chat are not theirs. */
static int take_over(struct sf_req *r, struct platform_locked *l) {
	l->u.name = platform_local(l->u.email);
	return telegram_forget(sf_req_app(r), l->tx, "platform", l->u.id);
}

/* ~ Sets the password and ends every token and session, and what stands in the way of signing in: what was guessed wrong is no
 * password any more. The mail has come, so its address is confirmed. */
static int reset(struct sf_req *r, struct platform_locked *l, struct sf_str hash) {
	struct platform_q_user_confirm_in confirm = { .id = l->u.id };
	l->u.password_hash = hash;
	int err = platform__revoke_all(l);
	if (!err && !l->u.email_confirmed) err = take_over(r, l);
	if (!err) err = platform__store(l);
	if (!err) err = platform_q_user_confirm(l->tx, &confirm, NULL);
	if (!err) err = platform__guard_reset(r, l->tx, l->u.email, l->u.id);
	return err ? err : mail_one(r, l->tx, "password_changed", &l->u);
}

int platform_otp_reset(struct sf_req *r) { /* 400: the code; also where nobody has the email */
	const struct platform_otp_body *in = sf_req_body(r);
	struct sf_str email = platform_email(sf_req_arena(r), in->email);
	struct platform_otp otp;
	struct platform_q_user_by_email_row who;
	struct platform_locked l;
	char hash[SF_PASSWORD_HASH_MAX];
	struct sf_dbh *tx = NULL;
	int err = check(r, in, email, "reset", &otp);
	if (!err) err = platform__hash(r, email, in->password, hash);
	if (!err) err = sf_req_begin(r, &tx);
	if (!err) err = platform__otp_use(r, tx, &otp);
	if (!err)
		err = platform_q_user_by_email(tx, &(struct platform_q_user_by_email_in) { .email = email }, &who);
	if (!err) err = platform__lock(tx, who.id, &l);
	if (err == SF_ENOTFOUND) err = platform__otp_refused(r);
	if (!err) err = reset(r, &l, sf_str(hash));
	if (err) goto out;
	sf_reply(r, 200, SF_KV("message", "The password is set. Sign in with it."));
	err = platform__commit_revoked(r, &l);
out:
	sf_tx_end(tx);
	return err;
}
