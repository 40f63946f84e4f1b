/* otp: accounts proved by a code that is mailed. An answer never says whether an email has an account: asking for a code is
 * answered the same and by the same work for every address, and what differs is told in the mail alone.
 *
 * A code is six digits, so its digest is keyed (else a million hashes find it), it lives ten minutes, and it can be tried five
 * times; an address is sent ten a day. A try is counted before it is looked at and in a transaction of its own, so that many at once have five as well. */
#include "core/hash.h"
#include "services/mail/client.h"
#include "services/platform/internal.h"

/* ---- codes ------------------------------------------------------------------------------------- */

/* What a code's digest is of: the code for one email and purpose. */
static struct sf_str digested(struct sf_arena *a, struct sf_str email, const char *purpose,
							  struct sf_str otp) {
	return sf_arena_printf(a, "%s:" SF_PRI ":" SF_PRI, purpose, SF_ARG(otp), SF_ARG(email));
}

/* The digest that is stored, hex in the arena. */
static struct sf_str digest(struct sf_arena *a, struct sf_str email, const char *purpose, struct sf_str otp) {
	unsigned char d[32];
	char *hex = sf_arena_alloc(a, 65);
	sf_secret_digest(a, "otp", digested(a, email, purpose, otp), d);
	sf_hex(d, sizeof d, hex);
	return (struct sf_str) { hex, 64 };
}

/* Whether a code is the one whose digest was stored, under whichever accepted secret that was. */
static bool is_code(struct sf_arena *a, struct sf_str email, const char *purpose, struct sf_str otp,
					struct sf_str stored) {
	unsigned char d[32];
	return sf_unhex(stored, d, sizeof d) == 0 &&
		   sf_secret_verify(a, "otp", digested(a, email, purpose, otp), d);
}

static struct sf_str draw(struct sf_arena *a) {
	uint32_t n;
	do sf_random(&n, sizeof n);
	while (n >= UINT32_MAX / 1000000 * 1000000); /* so that every code is as likely */
	return sf_arena_printf(a, "%06u", (unsigned)(n % 1000000));
}

/* ~ Puts a code in its place and mails it, within tx; a code that would lead nowhere is replaced by a word why. Within a minute of
 * the one before, and after the tenth of a day, nothing happens. */
static int send_code(struct sf_req *r, struct sf_dbh *tx, struct sf_str email, const char *purpose,
					 const char *template) {
	struct sf_arena *a = sf_req_arena(r);
	struct sf_str otp = draw(a);
	int64_t now = sf_req_now(r);
	struct platform_q_otp_put_in in = { .email = email,
										.purpose = sf_str(purpose),
										.otp_hash = digest(a, email, purpose, otp),
										.expires_at = now + PLATFORM_OTP_USEC,
										.now = now,
										.since = now - PLATFORM_OTP_PAUSE_USEC,
										.day_ago = now - SF_DAY_USEC,
										.most = PLATFORM_OTP_A_DAY };
	struct platform_q_otp_put_row row;
	int err = platform_q_otp_put(tx, &in, &row);
	if (err) return err == SF_ENOTFOUND ? 0 : err;
	const struct sf_kv data[] = { SF_KV("otp", otp),
								  SF_KV("minutes", PLATFORM_OTP_USEC / SF_USEC / 60),
								  { 0 } };
	const struct mail_to to = { .email = email };
	return mail_send(
		tx, &(struct mail) {
				.template = template, .to = &to, .nto = 1, .data = data, .trace = sf_req_traceparent(r) });
}

/* ~ Registering and a forgotten password alike: the code is put in its place for every address, so that the work is the same;
 * only what the mail says differs. */
static int ask(struct sf_req *r, const char *purpose) {
	const struct platform_email_body *in = sf_req_body(r);
	struct sf_str email = platform_email(sf_req_arena(r), in->email);
	struct sf_dbh *tx = NULL;
	struct platform_q_user_by_email_row who;
	bool registering = strcmp(purpose, "register") == 0;
	if (!mail_reaches(email))
		return sf_fail(r, SF_EINVAL, "email", "must be an address that mail can be sent to");
	int err = sf_req_begin(r, &tx);
	if (err) goto out;
	err = platform_q_user_by_email(tx, &(struct platform_q_user_by_email_in) { .email = email }, &who);
	if (err && err != SF_ENOTFOUND) goto out;
	const char *instead = registering ? "has_account" : "no_account";
	const char *template = (err == 0) != registering ? "otp" : instead;
	err = send_code(r, tx, email, purpose, template);
	if (err) goto out;
	sf_reply(r, 202, SF_KV("status", "queued"),
			 SF_KV("message", "If this address can be used, a mail with a code is on its way."),
			 SF_KV("outbox", mail_kept()));
	err = sf_req_commit(r, tx);
out:
	sf_tx_end(tx);
	return err;
}
int platform_otp_register(struct sf_req *r) {
	return ask(r, "register");
}
int platform_otp_forgot(struct sf_req *r) {
	return ask(r, "reset");
}

/* ---- using one --------------------------------------------------------------------------------- */

static int refused(struct sf_req *r) {
	sf_fail_field(r, "otp", "must be the code of the last mail, which is not over");
	return sf_fail(r, SF_EINVAL, NULL, "This code is wrong or over. Ask for a new one.");
}

/* ~ Checks what was typed: SF_EINVAL with the reason. *otp is to be used within the transaction that follows. */
static int check(struct sf_req *r, const struct platform_otp_body *in, struct sf_str email,
				 const char *purpose, struct platform_q_otp_use_in *otp) {
	if (!sf_str_eq(in->password, in->password_confirm))
		return sf_fail(r, SF_EINVAL, "password_confirm", "must be the same as password");
	struct platform_q_otp_try_in try = {
		.email = email, .purpose = sf_str(purpose), .now = sf_req_now(r), .most = PLATFORM_OTP_TRIES
	};
	struct platform_q_otp_try_row row;
	int err = platform_q_otp_try(sf_req_db(r), &try, &row);
	if (err) return err == SF_ENOTFOUND ? refused(r) : err;
	if (!is_code(sf_req_arena(r), email, purpose, in->otp, row.otp_hash)) return refused(r);
	*otp = (struct platform_q_otp_use_in) { .id = row.id, .otp_hash = row.otp_hash, .now = sf_req_now(r) };
	return 0;
}

/* ~ One of those who hold the code goes on. */
static int use(struct sf_req *r, struct sf_dbh *tx, const struct platform_q_otp_use_in *otp) {
	int64_t changed = 0;
	int err = platform_q_otp_use(tx, otp, &changed);
	return err || changed ? err : refused(r);
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
	struct sf_str email = platform_email(sf_req_arena(r), in->email), domain;
	struct platform_q_otp_use_in otp;
	char hash[SF_PASSWORD_HASH_MAX];
	struct sf_dbh *tx = NULL;
	struct platform_q_user_lock_row u = {
		.email = email,
		.role = SF_STR("user"),
		.is_active = true,
		.time_zone = SF_STR(SF_ZONE_DEFAULT),
		.created_at = sf_req_now(r),
	};
	struct platform_q_user_add_row row;
	sf_str_cut(email, '@', &u.name, &domain); /* until its owner says another */
	int err = check(r, in, email, "register", &otp);
	if (!err) err = platform__hash(r, email, in->password, hash);
	if (!err) err = sf_req_begin(r, &tx);
	if (!err) err = use(r, tx, &otp);
	if (err) goto out;
	struct platform_q_user_add_in add = {
		.email = email, .name = u.name, .password_hash = sf_str(hash), .created_at = u.created_at
	};
	err = platform_q_user_add(tx, &add, &row);
	if (err == SF_EDUP) {
		sf_fail_field(r, "email", "must not have an account already");
		err = sf_fail(r, SF_EINVAL, NULL, "This email has an account already. Sign in instead.");
	}
	if (err) goto out;
	u.id = row.id;
	err = platform__trial(tx, u.id, u.created_at);
	if (!err) err = mail_one(r, tx, "welcome", &u);
	if (err) goto out;
	platform__user_json(sf_reply_json(r, 201), NULL, &u);
	err = sf_req_commit(r, tx);
out:
	sf_tx_end(tx);
	return err;
}

/* ~ Sets the password and ends every token and session, and the lock: what was guessed wrong is no password any more. */
static int reset(struct sf_req *r, struct platform_locked *l, struct sf_str hash) {
	struct platform_q_login_worked_in worked = { .email = l->u.email };
	l->u.password_hash = hash;
	int err = platform__revoke_all(l);
	if (!err) err = platform__store(l);
	if (!err) err = platform_q_login_worked(l->tx, &worked, NULL);
	return err ? err : mail_one(r, l->tx, "password_changed", &l->u);
}

int platform_otp_reset(struct sf_req *r) { /* 400: the code; also where nobody has the email */
	const struct platform_otp_body *in = sf_req_body(r);
	struct sf_str email = platform_email(sf_req_arena(r), in->email);
	struct platform_q_otp_use_in otp;
	struct platform_q_user_by_email_row who;
	struct platform_locked l;
	char hash[SF_PASSWORD_HASH_MAX];
	struct sf_dbh *tx = NULL;
	int err = check(r, in, email, "reset", &otp);
	if (!err) err = platform__hash(r, email, in->password, hash);
	if (!err) err = sf_req_begin(r, &tx);
	if (!err) err = use(r, tx, &otp);
	if (!err)
		err = platform_q_user_by_email(tx, &(struct platform_q_user_by_email_in) { .email = email }, &who);
	if (!err) err = platform__lock(tx, who.id, &l);
	if (err == SF_ENOTFOUND) err = refused(r);
	if (!err) err = reset(r, &l, sf_str(hash));
	if (err) goto out;
	sf_reply(r, 200, SF_KV("message", "The password is set. Sign in with it."));
	err = platform__commit_revoked(r, &l);
out:
	sf_tx_end(tx);
	return err;
}
