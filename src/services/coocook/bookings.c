/* bookings: what there is of them, and how the guest and the chef turn one. Asking for one: book.c. */
#include "services/coocook/internal.h"

/* ---- lists and one ---------------------------------------------------------------------------- */

int coocook_booking_list(struct sf_req *r) { /* the caller's own, newest first */
	const struct coocook_bookings_query *q = sf_req_query(r);
	struct sf_page page = sf_req_page(r);
	struct sf_dbh *h = sf_req_db(r);
	int64_t user = sf_req_caller(r)->user, total = 0;
	struct coocook_q_bookings_of_user_in all = { .user_id = user,
												 .limit = page.limit,
												 .offset = page.offset };
	struct coocook_q_bookings_of_user_by_status_in some = {
		.user_id = user, .status = q->status, .limit = page.limit, .offset = page.offset
	};
	struct sf_rows rows;
	int err = q->status.p ? coocook__page(h, &coocook_bookings_of_user_by_status_desc, &some, &rows, &total)
						  : coocook__page(h, &coocook_bookings_of_user_desc, &all, &rows, &total);
	return err ? err : sf_reply_page(r, &rows, total);
}

int coocook_booking_get(struct sf_req *r) { /* 404 unless its guest or its chef */
	struct coocook_q_booking_get_in in = { .id = sf_path_int(r, "id") };
	struct coocook_q_booking_get_row row;
	int64_t user = sf_req_caller(r)->user;
	int err = coocook_q_booking_get(sf_req_db(r), &in, &row);
	if (err) return err;
	if (row.user_id != user && row.chef_user_id != user) return SF_ENOTFOUND;
	row.user_name = coocook__name(r, sf_req_db(r), row.user_id);
	return sf_reply_row(r, 200, coocook__hide_last(sf_req_arena(r), &coocook_booking_get_desc), &row);
}

/* ---- changing --------------------------------------------------------------------------------- */

int coocook__lock_booking(struct sf_req *r, struct sf_dbh *tx, int64_t id,
						  struct coocook_q_booking_lock_row *row) {
	int64_t user = sf_req_caller(r)->user;
	int err = coocook_q_booking_lock(tx, &(struct coocook_q_booking_lock_in) { .id = id }, row);
	if (err) return err;
	return row->user_id == user || row->chef_user_id == user ? 0 : SF_ENOTFOUND;
}

bool coocook__expired(struct sf_req *r, const struct coocook_q_booking_lock_row *b) {
	return b->expires_at.has && b->expires_at.v <= sf_req_now(r);
}

/* What stands against this: 403 when it is for the other side, 409 when the status does not lead there, or not yet. */
static int check_turn(struct sf_req *r, const struct coocook_q_booking_lock_row *b, bool by_chef,
					  struct sf_str status) {
	if ((by_chef ? b->chef_user_id : b->user_id) != sf_req_caller(r)->user)
		return sf_fail(r, SF_EFORBIDDEN, NULL, "Only the %s can do this.", by_chef ? "chef" : "guest");
	if (!coocook_may_turn(b->status, status))
		return sf_fail(r, SF_ECONFLICT, NULL, "A booking that is " SF_PRI " cannot be " SF_PRI ".",
					   SF_ARG(b->status), SF_ARG(status));
	if (sf_str_eq(status, SF_STR("confirmed")) && coocook__expired(r, b))
		return sf_fail(r, SF_ECONFLICT, NULL, "This request has expired.");
	if (sf_str_eq(status, SF_STR("completed")) && b->ends_at > sf_req_now(r))
		return sf_fail(r, SF_ECONFLICT, NULL, "A booking can be completed only after its end.");
	return 0;
}

/* ~ Gives a booking a new status; one that is cancelled gives back what was paid. */
static int turn(struct sf_req *r, bool by_chef, struct sf_str status) {
	int64_t id = sf_path_int(r, "id"), refunded = 0;
	struct coocook_q_booking_lock_row b;
	struct sf_dbh *tx = NULL;
	int err = sf_req_begin(r, &tx);
	if (err) goto out;
	err = coocook__lock_booking(r, tx, id, &b);
	if (!err) err = check_turn(r, &b, by_chef, status);
	if (err) goto out;
	bool cancels = sf_str_eq(status, SF_STR("cancelled"));
	struct coocook_q_booking_turn_in in = { .id = id, .status = status };
	if (cancels) in.cancel_reason = by_chef ? SF_STR("chef") : SF_STR("guest");
	err = coocook_q_booking_turn(tx, &in, NULL);
	if (!err && cancels) err = coocook__refund(tx, id, sf_req_now(r), &refunded);
	if (err) goto out;
	sf_reply(r, 200, SF_KV("id", id), SF_KV("status", status), SF_KV("refunded_amount", refunded),
			 SF_KV("message", sf_arena_printf(sf_req_arena(r), "The booking is " SF_PRI "%s.", SF_ARG(status),
											  refunded ? " and refunded" : "")));
	err = sf_req_commit(r, tx);
out:
	sf_tx_end(tx);
	if (!err) coocook__letters_soon(r);
	return err;
}

int coocook_booking_turn(struct sf_req *r) {
	const struct coocook_status_body *body = sf_req_body(r);
	return turn(r, true, body->status);
}

int coocook_booking_cancel(struct sf_req *r) {
	return turn(r, false, SF_STR("cancelled"));
}
