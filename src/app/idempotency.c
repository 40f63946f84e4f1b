/* idempotency: a request with an Idempotency-Key has its effect once, and its repetition the same answer [P-7].
 *
 * 1. Before the handler a claim is committed: state `running`, a lease, a random claim number. Its commit need not wait
 *    for the disk: the effect's, which comes later, does, and the log is written in order, so that a crash which forgets
 *    the claim has forgotten the effect. Of any number of equal
 *    requests one gets it; the others are told 409 while it runs, and the stored answer once it is done.
 * 2. The handler writes its answer and calls sf_req_commit, which stores that answer in the transaction of the effect:
 *    both are there or neither.
 * 3. A handler's error is an answer as well and is stored after its transaction was rolled back. One that says "later" (401, 408, 423, 429,
 *    503, the client has gone) gives the claim up, so that a retry runs anew; what validation refuses claims nothing.
 *    When the process dies before, the lease lapses and the next request takes the row over, with a new claim number: should the
 *    first one still live and come to its commit, step 2 finds no row of its claim and rolls its effect back.
 * After 24 h a key is free again. Tokens in an answer (`secret_reply`) are stored encrypted. Nobody's keys, those of registering, are one
 * space: who uses another's is told of another request, unless he knows all that the other sent, the password too. */
#include "app/internal.h"
#include "auth/auth.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/time.h"
#include "loop/loop.h"

#include "app.q.h"

enum { KEY_MAX = 255, CLEAN_EVERY = 512 };
#define LEASE (60 * SF_USEC)
#define KEPT  SF_DAY_USEC

static bool key_valid(struct sf_str key) {
	for (size_t i = 0; i < key.n; i++)
		if (key.p[i] < 0x21 || key.p[i] > 0x7e) return false;
	return key.n > 0 && key.n <= KEY_MAX;
}

#define SECRET_REPLY "idempotent answer"

/* The answer as it is stored. */
static struct sf_str stored_of(struct sf_req *r) {
	struct sf_str answer = sf_buf_view(&r->http->out);
	return r->row->route->secret_reply ? sf_secret_encrypt(r->http->arena, SECRET_REPLY, answer) : answer;
}

static int64_t owner(const struct sf_req *r) {
	return r->caller.user;
}

/* ~ The clean-up rides along with every 512th claim of a worker: the index makes it cheap when there is nothing. */
static void forget_old(struct sf_req *r, int64_t fresh) {
	if (++r->app->claims % CLEAN_EVERY != 0) return;
	int err = app_q_idem_forget(sf_req_db(r), &(struct app_q_idem_forget_in) { .fresh = fresh }, NULL);
	if (err) sf_log(SF_WARN, "old idempotency keys could not be removed", SF_KV("error", sf_err_symbol(err)));
}

/* Somebody else has the key: what came of it? SF_ENOTFOUND: he has just given it up. ~ */
static int replay(struct sf_req *r) {
	struct app_q_idem_get_row row;
	int err = app_q_idem_get(sf_req_db(r),
							 &(struct app_q_idem_get_in) {
								 .owner = owner(r), .key = r->in.idempotency_key, .route = r->row->label },
							 &row);
	if (err) return err;
	/* one key for two bookings is a mistake, not a repetition */
	if (!sf_app__fingerprint_fits(r, row.body_hash)) return SF_EIDEMPOTENCY;
	if (!sf_str_eq(row.state, SF_STR("done"))) {
		r->retry_s = 1;
		return sf_fail(r, SF_ECONFLICT, NULL,
					   "A request with this Idempotency-Key is still running. Try again shortly.");
	}
	if (r->row->route->secret_reply &&
		sf_secret_decrypt(r->http->arena, SECRET_REPLY, row.response, &row.response))
		return sf_fail(r, SF_ECONFLICT, NULL,
					   "The answer to this Idempotency-Key cannot be read any more: the secret it was stored "
					   "under is gone.");
	sf_reply_json(r, (int)row.status.v);
	sf_buf_str(&r->http->out, row.response);
	sf_http_add(r->http, "Idempotent-Replayed", SF_STR("true"));
	return SF_HTTP_DONE;
}

int sf_app__idem_claim(struct sf_req *r) {
	struct sf_app__idem *idem = &r->idem;
	if (!key_valid(r->in.idempotency_key))
		return sf_fail(r, SF_EINVAL, NULL, "The Idempotency-Key must be 1 to 255 visible ASCII characters.");
	int64_t now = sf_req_now(r);
	sf_random(&idem->claim, sizeof idem->claim);
	idem->claim &= INT64_MAX;
	struct app_q_idem_claim_in in = {
		.owner = owner(r),
		.key = r->in.idempotency_key,
		.route = r->row->label,
		.body_hash = sf_app__fingerprint(r),
		.claim = idem->claim,
		.now = now,
		.lease_until = now + LEASE,
		.fresh = now - KEPT,
	};
	forget_old(r, in.fresh);
	int err = SF_ENOTFOUND;
	for (int tries = 0; err == SF_ENOTFOUND && tries < 3; tries++) {
		int64_t changed = 0;
		err = app_q_idem_claim(sf_req_db(r), &in, &changed);
		if (err) return err;
		if (changed) {
			idem->claimed = true;
			return 0;
		}
		err = replay(r);
	}
	if (err != SF_ENOTFOUND) return err;
	r->retry_s = 1;
	return sf_fail(r, SF_ECONFLICT, NULL,
				   "Requests with this Idempotency-Key come too fast. Try again shortly.");
}

static int taken_over(struct sf_req *r) {
	return sf_fail(r, SF_ECONFLICT, NULL, "Another request took this Idempotency-Key over. Try again.");
}

int sf_app__idem_commit(struct sf_req *r, struct sf_dbh *tx) {
	SF_BUG_ON(r->http->status == 0); /* the answer is written before the commit */
	int err = sf_tx_commit_with(tx, &app_idem_commit_desc,
								&(struct app_q_idem_commit_in) { .owner = owner(r),
																 .key = r->in.idempotency_key,
																 .route = r->row->label,
																 .claim = r->idem.claim,
																 .status = r->http->status,
																 .response = stored_of(r) });
	if (!err) r->idem.done = true;
	return err == SF_ENOTFOUND ? taken_over(r) : err;
}

/* ~ Stores the answer of a handler that committed by itself. */
static int record(struct sf_req *r) {
	int64_t changed = 0;
	int err = app_q_idem_done(sf_req_db(r),
							  &(struct app_q_idem_done_in) { .owner = owner(r),
															 .key = r->in.idempotency_key,
															 .route = r->row->label,
															 .claim = r->idem.claim,
															 .status = r->http->status,
															 .response = stored_of(r) },
							  &changed);
	return err || changed ? err : taken_over(r);
}

/* Whether the same request may well have another answer soon. */
static bool says_later(int status) {
	return status == 401 || status == 408 || status == 423 || status == 429 || status > 500 || status == 499;
}

void sf_app__idem_settle(struct sf_req *r, int err) {
	if (r->idem.done) return;
	sf_co_shield(true); /* also of a request whose client has gone or whose time is over */
	if (err < 0 && !says_later(sf_err_status(err))) sf_app__error_write(r, err);
	if (err >= 0 || !says_later(sf_err_status(err)))
		err = record(r);
	else
		err = app_q_idem_release(sf_req_db(r),
								 &(struct app_q_idem_release_in) { .owner = owner(r),
																   .key = r->in.idempotency_key,
																   .route = r->row->label,
																   .claim = r->idem.claim },
								 NULL);
	sf_co_shield(false);
	if (err)
		sf_log(SF_WARN, "an idempotency key stays claimed until its lease ends",
			   SF_KV("error", sf_err_symbol(err)), SF_KV("request_id", r->id));
}
