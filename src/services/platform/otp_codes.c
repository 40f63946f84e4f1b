/* otp_codes: the codes themselves: drawing, sending, trying and using them, so that no stranger's doing spoils them for the owner
 * of the address, and nobody guesses for long.
 *
 * A code is six digits, so its digest is keyed (else a million hashes find it), and it lives ten minutes. It belongs to the
 * client that asked for it (devices.c): its address and its browser each may try it five times, and what others try leaves
 * these tries alone. A client that asked for none, as one without cookies whose address has changed, is compared with the
 * newest code of the address; all those together have five tries. A try is counted before it is looked at and in a
 * transaction of its own, so that many at once have five as well.
 *
 * Codes are sent to an address at most once a minute for one client, 5 at once and one more every 5 hours; for all clients
 * together 10 and one more every 4 hours; clients that the account knows have 3 of their own then, and one more every 8
 * hours. So an address gets 22 codes in a day at most, whoever asks, and 330 guesses can be made at them: 1 in 3,000. */
#include "core/hash.h"
#include "services/mail/client.h"
#include "services/platform/internal.h"

static const struct platform_budget of_client = PLATFORM_OTP_CLIENT, of_address = PLATFORM_OTP_ADDRESS,
									of_known = PLATFORM_OTP_KNOWN;

/* ---- digests ----------------------------------------------------------------------------------- */

/* What a code's digest is of: the code for one email and purpose. */
static struct sf_str digested(struct sf_arena *a, struct sf_str email, const char *purpose,
							  struct sf_str otp) {
	return sf_arena_printf(a, "%s:" SF_PRI ":" SF_PRI, purpose, SF_ARG(otp), SF_ARG(email));
}

/* The digest that is stored. */
static struct sf_str digest(struct sf_arena *a, struct sf_str email, const char *purpose, struct sf_str otp) {
	return sf_secret_hex(a, "otp", digested(a, email, purpose, otp));
}

/* Whether a code is the one whose digest was stored, under whichever accepted secret that was. */
static bool is_code(struct sf_arena *a, struct sf_str email, const char *purpose, struct sf_str otp,
					struct sf_str stored) {
	return sf_secret_hex_verify(a, "otp", digested(a, email, purpose, otp), stored);
}

static struct sf_str draw(struct sf_arena *a) {
	uint32_t n;
	do sf_random(&n, sizeof n);
	while (n >= UINT32_MAX / 1000000 * 1000000); /* so that every code is as likely */
	return sf_arena_printf(a, "%06u", (unsigned)(n % 1000000));
}

/* ---- sending ----------------------------------------------------------------------------------- */

/* ~ SF_ERATE: nothing may be sent. */
static int spend(struct sf_req *r, struct sf_dbh *tx, const struct platform_otp *o, struct sf_str client,
				 bool known) {
	const char *purpose = sf_arena_printf(sf_req_arena(r), "otp-%s", o->purpose).p;
	int64_t now = sf_req_now(r);
	struct sf_str all = platform__budget_key(r, purpose, o->email, SF_STR("all")),
				  mine = platform__budget_key(r, purpose, o->email, client),
				  owners = platform__budget_key(r, purpose, o->email, SF_STR("known"));
	int err = platform__budget_take(tx, mine, &of_client, now, NULL);
	if (!err) err = platform__budget_take(tx, all, &of_address, now, NULL);
	if (err == SF_ERATE && known) err = platform__budget_take(tx, owners, &of_known, now, NULL);
	return err;
}

/* ~ The code becomes the client's own, by its address and by its browser, and the newest of all. SF_ENOTFOUND: the client was sent
 * one within the minute. */
static int put(struct sf_req *r, struct sf_dbh *tx, const struct platform_otp *o,
			   const struct platform_client *c) {
	int64_t now = sf_req_now(r);
	struct platform_q_otp_put_in newest = { .email = o->email,
											.purpose = sf_str(o->purpose),
											.otp_hash = o->otp_hash,
											.expires_at = now + PLATFORM_OTP_USEC,
											.now = now };
	struct platform_q_otp_client_put_in own = { .email = o->email,
												.purpose = sf_str(o->purpose),
												.client = c->address,
												.otp_hash = o->otp_hash,
												.expires_at = newest.expires_at,
												.now = now,
												.since = now - PLATFORM_OTP_PAUSE_USEC };
	struct platform_q_otp_client_put_row row;
	int err = platform_q_otp_client_put(tx, &own, &row);
	own.client = c->device;
	own.since = now;
	if (!err) err = platform_q_otp_client_put(tx, &own, &row);
	return err ? err : platform_q_otp_put(tx, &newest, NULL);
}

int platform__otp_send(struct sf_req *r, struct sf_dbh *tx, struct sf_str email, const char *purpose,
					   int64_t user, const char *template) {
	struct sf_arena *a = sf_req_arena(r);
	struct sf_str otp = draw(a);
	struct platform_client c = platform__client_named(r);
	struct platform_otp o = { email, purpose, digest(a, email, purpose, otp) };
	bool known = false;
	int err = platform__client_known(r, tx, user, &c, &known);
	if (!err) err = put(r, tx, &o, &c);
	if (!err) err = spend(r, tx, &o, c.address, known);
	if (err) return err == SF_ENOTFOUND ? SF_ERATE : err;
	const struct sf_kv data[] = { SF_KV("otp", otp),
								  SF_KV("minutes", PLATFORM_OTP_USEC / SF_USEC / 60),
								  { 0 } };
	const struct mail_to to = { .email = email };
	return mail_send(
		tx, &(struct mail) {
				.template = template, .to = &to, .nto = 1, .data = data, .trace = sf_req_traceparent(r) });
}

/* ---- using one --------------------------------------------------------------------------------- */

int platform__otp_refused(struct sf_req *r) {
	sf_fail_field(r, "otp", "must be the code of the last mail, which is not over");
	return sf_fail(r, SF_EINVAL, NULL, "This code is wrong or over. Ask for a new one.");
}

/* ~ Tries what the client asked for; SF_ENOTFOUND: that was nothing, or it is over. */
static int try_own(struct sf_req *r, struct platform_otp *o, struct sf_str client) {
	struct platform_q_otp_client_try_in in = { .email = o->email,
											   .purpose = sf_str(o->purpose),
											   .client = client,
											   .now = sf_req_now(r),
											   .most = PLATFORM_OTP_TRIES };
	struct platform_q_otp_client_try_row row;
	if (!client.n) return SF_ENOTFOUND;
	int err = platform_q_otp_client_try(sf_req_db(r), &in, &row);
	if (!err) o->otp_hash = row.otp_hash;
	return err;
}

/* ~ Tries the newest code. */
static int try_newest(struct sf_req *r, struct platform_otp *o) {
	struct platform_q_otp_try_in in = {
		.email = o->email, .purpose = sf_str(o->purpose), .now = sf_req_now(r), .most = PLATFORM_OTP_TRIES
	};
	struct platform_q_otp_try_row row;
	int err = platform_q_otp_try(sf_req_db(r), &in, &row);
	if (!err) o->otp_hash = row.otp_hash;
	return err;
}

int platform__otp_try(struct sf_req *r, struct sf_str email, const char *purpose, struct sf_str typed,
					  struct platform_otp *out) {
	struct platform_client c = platform__client(r);
	struct platform_otp o = { .email = email, .purpose = purpose };
	for (int i = 0; i < 3; i++) {
		int err = i == 2 ? try_newest(r, &o) : try_own(r, &o, i ? c.address : c.device);
		if (err && err != SF_ENOTFOUND) return err;
		if (err || !is_code(sf_req_arena(r), email, purpose, typed, o.otp_hash)) continue;
		*out = o;
		return 0;
	}
	return platform__otp_refused(r);
}

int platform__otp_use(struct sf_req *r, struct sf_dbh *tx, const struct platform_otp *o) {
	struct sf_str purpose = sf_str(o->purpose);
	struct platform_q_otp_use_in use = { .email = o->email, .purpose = purpose, .otp_hash = o->otp_hash };
	struct platform_q_otp_end_in end = { .email = o->email, .purpose = purpose, .now = sf_req_now(r) };
	struct platform_q_otp_clients_end_in rest = { .email = o->email, .purpose = purpose };
	int64_t changed = 0;
	int err = platform_q_otp_use(tx, &use, &changed);
	if (!err && !changed) return platform__otp_refused(r);
	if (!err) err = platform_q_otp_end(tx, &end, NULL);
	return err ? err : platform_q_otp_clients_end(tx, &rest, NULL);
}
