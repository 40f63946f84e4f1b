/* confirm: that mail to an account's address reaches its owner. An account made without a code (/api/auth/register) works at once,
 * but anybody can make one for anybody's address and under any name; so until its owner has typed the code that was mailed, nothing
 * it writes is sent to others (client.h). A code set for a forgotten password confirms as well.
 *
 * The code is eight letters and digits, 40 bits, lives a day and can be tried five times, by who is signed in alone. It is sent once a
 * minute at most, 5 at once and one more every 5 hours. */
#include "core/hash.h"
#include "services/mail/client.h"
#include "services/platform/internal.h"

static const struct platform_budget codes = PLATFORM_CODES;

static const char letters[] =
	"0123456789ABCDEFGHJKMNPQRSTVWXYZ"; /* Crockford's base 32: none is taken for another */

enum { CODE = 8 };

/* What a code's digest is of. */
static struct sf_str digested(struct sf_arena *a, int64_t user, struct sf_str code) {
	return sf_arena_printf(a, "%lld:" SF_PRI, (long long)user, SF_ARG(code));
}

static struct sf_str draw(struct sf_arena *a) {
	unsigned char random[CODE];
	char *text = sf_arena_alloc(a, CODE);
	sf_random(random, sizeof random);
	for (size_t i = 0; i < CODE; i++) text[i] = letters[random[i] % 32];
	return (struct sf_str) { text, CODE };
}

/* ~ SF_ERATE: none may be sent now. */
static int put(struct sf_req *r, const struct platform_locked *l, struct sf_str code) {
	struct sf_arena *a = sf_req_arena(r);
	struct platform_q_email_code_put_in in = { .user_id = l->u.id,
											   .code_hash =
												   sf_secret_hex(a, "confirm", digested(a, l->u.id, code)),
											   .expires_at = l->now + PLATFORM_CODE_USEC,
											   .now = l->now,
											   .since = l->now - PLATFORM_OTP_PAUSE_USEC };
	struct platform_q_email_code_put_row row;
	struct sf_str key = platform__budget_key(r, "confirm", l->u.email, SF_STR(""));
	int err = platform__budget_take(l->tx, key, &codes, l->now, NULL);
	if (!err) err = platform_q_email_code_put(l->tx, &in, &row);
	return err == SF_ENOTFOUND ? SF_ERATE : err;
}

int platform__confirm_send(struct sf_req *r, const struct platform_locked *l) {
	struct sf_str code = draw(sf_req_arena(r));
	if (l->u.email_confirmed || !mail_reaches(l->u.email)) return 0;
	int err = put(r, l, code);
	if (err) return err == SF_ERATE ? 0 : err;
	struct sf_str shown = sf_arena_printf(sf_req_arena(r), "%.4s-%.4s", code.p, code.p + 4);
	const struct sf_kv data[] = { SF_KV("code", shown), { 0 } };
	const struct mail_to to = { .email = l->u.email, .user = l->u.id };
	return mail_send(
		l->tx,
		&(struct mail) {
			.template = "confirm", .to = &to, .nto = 1, .data = data, .trace = sf_req_traceparent(r) });
}

int platform_confirm_mail(struct sf_req *r) { /* 409: confirmed already */
	struct platform_locked l;
	struct sf_dbh *tx = NULL;
	int err = sf_req_begin(r, &tx);
	if (!err) err = platform__lock_caller(r, tx, NULL, &l);
	if (!err && l.u.email_confirmed) err = sf_fail(r, SF_ECONFLICT, NULL, "Your email is confirmed already.");
	if (!err) err = platform__confirm_send(r, &l);
	if (err) goto out;
	platform__reply_queued(r, "A mail with a code is on its way.");
	err = sf_req_commit(r, tx);
out:
	sf_tx_end(tx);
	return err;
}

/* ~ Counts the try, then compares. SF_EINVAL with the reason. */
static int check(struct sf_req *r, int64_t user, struct sf_str typed) {
	struct sf_arena *a = sf_req_arena(r);
	struct platform_q_email_code_try_in in = { .user_id = user,
											   .now = sf_req_now(r),
											   .most = PLATFORM_OTP_TRIES };
	struct platform_q_email_code_try_row row;
	int err = platform_q_email_code_try(sf_req_db(r), &in, &row);
	if (err && err != SF_ENOTFOUND) return err;
	if (!err && sf_secret_hex_verify(a, "confirm", digested(a, user, platform_code(a, typed)), row.code_hash))
		return 0;
	sf_fail_field(r, "code", "must be the code of the last mail, which is not over");
	return sf_fail(r, SF_EINVAL, NULL, "This code is wrong or over. Ask for a new one.");
}

int platform_confirm(struct sf_req *r) { /* 400: the code */
	const struct platform_code_body *in = sf_req_body(r);
	struct platform_locked l;
	struct sf_dbh *tx = NULL;
	int64_t user = sf_req_caller(r)->user;
	int err = check(r, user, in->code);
	if (!err) err = sf_req_begin(r, &tx);
	if (!err) err = platform__lock_caller(r, tx, NULL, &l);
	if (!err) err = platform_q_user_confirm(tx, &(struct platform_q_user_confirm_in) { .id = user }, NULL);
	if (!err)
		err = platform_q_email_code_end(tx, &(struct platform_q_email_code_end_in) { .user_id = user }, NULL);
	if (err) goto out;
	l.u.email_confirmed = true;
	platform__user_json(sf_reply_json(r, 200), NULL, &l.u);
	err = sf_req_commit(r, tx);
out:
	sf_tx_end(tx);
	return err;
}
