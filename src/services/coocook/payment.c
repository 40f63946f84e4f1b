/* payment: paying for a booking, and giving it back. The provider `sandbox` grants every charge without leaving the
 * process, so that the charge and its record are one transaction. */
#include "core/hash.h"
#include "services/coocook/internal.h"

int coocook__refund(struct sf_dbh *tx, int64_t booking_id, int64_t now, int64_t *amount) {
	struct coocook_q_payment_refund_in in = { .booking_id = booking_id, .refunded_at = now };
	struct coocook_q_payment_refund_row row;
	int err = coocook_q_payment_refund(tx, &in, &row);
	if (err == SF_ENOTFOUND) return *amount = 0, 0;
	if (err) return err;
	*amount = row.amount;
	return coocook_q_booking_paid(
		tx, &(struct coocook_q_booking_paid_in) { .id = booking_id, .payment_status = SF_STR("refunded") },
		NULL);
}

/* What stands against paying `amount` now: 403 for the chef, 409 cancelled or expired, 400 paid already or another amount. */
static int refuse(struct sf_req *r, const struct coocook_q_booking_lock_row *b, int64_t amount) {
	if (b->user_id != sf_req_caller(r)->user)
		return sf_fail(r, SF_EFORBIDDEN, NULL, "Only the guest can do this.");
	if (sf_str_eq(b->status, SF_STR("cancelled")))
		return sf_fail(r, SF_ECONFLICT, NULL, "A booking that is cancelled cannot be paid.");
	if (coocook__expired(r, b)) return sf_fail(r, SF_ECONFLICT, NULL, "This request has expired.");
	if (sf_str_eq(b->payment_status, SF_STR("paid")))
		return sf_fail(r, SF_EINVAL, NULL, "This booking is paid already.");
	if (amount != b->total_price)
		return sf_fail(r, SF_EINVAL, "amount", "must be %lld", (long long)b->total_price);
	return 0;
}

int coocook_booking_pay(struct sf_req *r) {
	const struct coocook_pay_body *body = sf_req_body(r);
	char ref[37];
	sf_uuid(ref);
	struct coocook_q_payment_add_in in = {
		.booking_id = sf_path_int(r, "id"),
		.user_id = sf_req_caller(r)->user,
		.amount = body->amount,
		.provider = SF_STR("sandbox"),
		.provider_ref = sf_arena_printf(sf_req_arena(r), "sandbox_%s", ref),
		.created_at = sf_req_now(r),
	};
	struct coocook_q_booking_paid_in paid = { .id = in.booking_id, .payment_status = SF_STR("paid") };
	struct coocook_q_booking_lock_row b;
	struct coocook_q_payment_add_row row;
	struct sf_dbh *tx = NULL;
	int err = sf_req_begin(r, &tx);
	if (err) goto out;
	err = coocook__lock_booking(r, tx, in.booking_id, &b);
	if (err) goto out;
	err = refuse(r, &b, body->amount);
	if (err) goto out;
	err = coocook_q_payment_add(tx, &in, &row);
	if (err) goto out;
	err = coocook_q_booking_paid(tx, &paid, NULL);
	if (err) goto out;
	sf_reply(r, 200, SF_KV("message", "The booking is paid."), SF_KV("payment_id", row.id),
			 SF_KV("booking_id", in.booking_id), SF_KV("amount", in.amount));
	err = sf_req_commit(r, tx);
out:
	sf_tx_end(tx);
	if (!err) coocook__letters_soon(r);
	return err;
}
