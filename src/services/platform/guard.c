/* guard: how often a password may be guessed, so that nobody guesses for long and no stranger keeps the owner out.
 *
 *   - Ten failures of one client with one name within 15 minutes lock that name for that client, for 15 minutes (423). A client is
 *     an address (IPv6: its /64), or the browser, where the account knows its cookie.
 *   - Whatever the number of clients, those that never signed in to the account have one budget for its name: 100 failures at once
 *     and one more every two minutes, so 820 in the first day and 720 in each that follows. Past it they are told to
 *     wait (429). Clients that the account knows do not draw on it and go on.
 *   - Who has a live sign-in and wants another password is counted by that sign-in alone: no stranger gets there.
 *
 * Names without an account are counted alike, so that nothing of this says who has one. All of it is looked at before the
 * password, to spare the work, and once more after it, because many guesses may be sent at once: those that come to their end
 * after the last one allowed learn nothing, not even that one of them was right. */
#include "services/platform/internal.h"

static const struct platform_budget strangers = PLATFORM_STRANGERS;

static int too_often(struct sf_req *r) {
	sf_fail_retry(r, PLATFORM_LOCK_USEC / SF_USEC);
	return sf_fail(r, SF_ELOCKED, NULL, "Too many failed attempts. Try again in 15 minutes.");
}

static int slow_down(struct sf_req *r, const struct platform_guard *g) {
	int64_t wait = platform_budget_wait(&strangers, g->whole_at, sf_req_now(r));
	sf_fail_retry(r, wait / SF_USEC + 1);
	return sf_fail(
		r, SF_ERATE, NULL,
		"Too many people have tried to sign in to this account. Try again in a minute or two, from a device "
		"that has signed in before, or set a new password.");
}

/* ~ Fills what is on record; the rest of *g is there. */
static int look(struct sf_req *r, struct platform_guard *g) {
	int64_t now = sf_req_now(r);
	const struct platform_client *c = &g->who;
	struct platform_q_guard_in in = { .email = g->email,
									  .user_id = g->user,
									  .address = c->address,
									  .address_before = c->address_before,
									  .device = c->device,
									  .device_before = c->device_before,
									  .budget = g->budget,
									  .since = now - PLATFORM_LOCK_USEC,
									  .forgotten = now - PLATFORM_KNOWN_USEC };
	struct platform_q_guard_row row;
	int err = platform_q_guard(sf_req_db(r), &in, &row);
	if (err) return err;
	bool device = row.device_seen.has;
	g->client = device ? c->device : c->address;
	g->failures = (device ? row.device_failures : row.address_failures).v;
	g->known = g->signed_in || device || row.address_seen.has;
	g->whole_at = row.whole_at.has ? row.whole_at.v : 0;
	g->by_device = device;
	g->seen_at = device ? row.device_seen.v : row.address_seen.has ? row.address_seen.v : 0;
	return 0;
}

static int judge(struct sf_req *r, const struct platform_guard *g) {
	if (g->failures >= PLATFORM_FAILURES_MAX) return too_often(r);
	bool slow = !g->known && platform_budget_wait(&strangers, g->whole_at, sf_req_now(r)) > 0;
	return slow ? slow_down(r, g) : 0;
}

int platform__guard(struct sf_req *r, struct sf_str email, int64_t user, struct platform_guard *g) {
	*g = (struct platform_guard) { .email = email,
								   .user = user,
								   .who = platform__client(r),
								   .budget = platform__budget_key(r, "sign-in", email, SF_STR("")) };
	return platform__guard_again(r, g);
}

int platform__guard_self(struct sf_req *r, struct sf_str email, struct sf_str sign_in,
						 struct platform_guard *g) {
	*g = (struct platform_guard) {
		.email = email, .who = { .address = sign_in }, .budget = SF_STR(""), .signed_in = true
	};
	return platform__guard_again(r, g);
}

int platform__guard_again(struct sf_req *r, struct platform_guard *g) {
	int err = look(r, g);
	return err ? err : judge(r, g);
}

int platform__guard_wrong(struct sf_req *r, struct platform_guard *g) {
	int64_t now = sf_req_now(r);
	struct platform_q_client_failed_in in = { .email = g->email,
											  .client = g->client,
											  .now = now,
											  .cutoff = now - PLATFORM_LOCK_USEC,
											  .most = PLATFORM_FAILURES_MAX };
	struct platform_q_client_failed_row row;
	int err = platform_q_client_failed(sf_req_db(r), &in, &row);
	if (err) return err;
	if (row.failures > PLATFORM_FAILURES_MAX) return too_often(r);
	if (g->known) return 0;
	err = platform__budget_take(sf_req_db(r), g->budget, &strangers, now, &g->whole_at);
	return err == SF_ERATE ? slow_down(r, g) : err;
}

int platform__guard_right(struct sf_dbh *tx, const struct platform_guard *g) {
	if (g->failures == 0) return 0;
	struct platform_q_client_worked_in in = { .email = g->email, .client = g->client };
	return platform_q_client_worked(tx, &in, NULL);
}

/* ---- who is known -------------------------------------------------------------------------------------- */

int platform__client_known(struct sf_req *r, struct sf_dbh *h, int64_t user, const struct platform_client *c,
						   bool *known) {
	struct platform_q_client_known_in in = { .user_id = user,
											 .address = c->address,
											 .address_before = c->address_before,
											 .device = c->device,
											 .device_before = c->device_before,
											 .forgotten = sf_req_now(r) - PLATFORM_KNOWN_USEC };
	struct platform_q_client_known_row row;
	int err = platform_q_client_known(h, &in, &row);
	*known = err == 0;
	return err == SF_ENOTFOUND ? 0 : err;
}

static int seen(struct sf_req *r, struct sf_dbh *tx, int64_t user, struct sf_str client) {
	struct platform_q_client_seen_in in = { .user_id = user, .client = client, .now = sf_req_now(r) };
	return client.n ? platform_q_client_seen(tx, &in, NULL) : 0;
}

int platform__client_seen(struct sf_req *r, struct sf_dbh *tx, int64_t user,
						  const struct platform_client *c) {
	int err = seen(r, tx, user, c->address);
	if (!err) err = seen(r, tx, user, c->device);
	struct platform_q_clients_trim_in trim = { .user_id = user, .most = PLATFORM_KNOWN_MAX };
	return err ? err : platform_q_clients_trim(tx, &trim, NULL);
}

int platform__guard_reset(struct sf_req *r, struct sf_dbh *tx, struct sf_str email, int64_t user) {
	struct platform_client c = platform__client_named(r);
	struct platform_q_budget_refill_in budget = { .key =
													  platform__budget_key(r, "sign-in", email, SF_STR("")) };
	int err = platform_q_name_worked(tx, &(struct platform_q_name_worked_in) { .email = email }, NULL);
	if (!err) err = platform_q_budget_refill(tx, &budget, NULL);
	if (!err)
		err = platform_q_clients_forget(tx, &(struct platform_q_clients_forget_in) { .user_id = user }, NULL);
	return err ? err : platform__client_seen(r, tx, user, &c);
}
