/* bookings: asking for a chef's hours, and what becomes of the request.
 *
 * No two bookings of a chef overlap. The database refuses it whoever writes (bookings_slot in
 * migrations/0001_init.sql), and the statement that books, booking_take, looks and takes in one: of any number that
 * want the same hour one gets a row, the others get none. Nobody waits for a lock while others look, so that a
 * thousand guests of one chef cost a thousand short statements.
 *
 * A request for an hour is that one statement. A request for a day picks the first hours free as it sees them and
 * takes them; when another was faster it looks again. Each such defeat means that hours of this day were booked, so
 * it ends. On SQLite, whose readers see what the writer has done only once a group is committed, looking and taking
 * are one transaction of the writer.
 *
 * A guest holds a bounded part of a calendar without paying: so many bookings with one chef, so many hours in all (booking_room in
 * migrations/0003_requests.sql). A request that nobody answers ends by itself (expiry.c).
 *
 * What both sides are told of it is written by that same statement, too (letters.c). */
#include "core/config.h"
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

/* ---- booking ---------------------------------------------------------------------------------- */

#define OFFERS       3                             /* free times that a refusal names */
#define OFFER_WITHIN 14                            /* days from the one asked for */
#define KOREA_USEC   (INT64_C(9) * 3600 * SF_USEC) /* where the meals are cooked; UTC+9 all year */

/* 409 with the times in `next_free` for programs, and in words. */
static int refuse_with(struct sf_req *r, const int64_t *starts, size_t n) {
	struct sf_buf text, list;
	sf_buf_init(&text, sf_req_arena(r));
	sf_buf_init(&list, sf_req_arena(r));
	struct sf_json j = sf_json(&list);
	sf_json_arr(&j);
	for (size_t i = 0; i < n; i++) {
		char at[32];
		sf_json_time(&j, starts[i]);
		sf_time_format_sql(starts[i] + KOREA_USEC, at); /* its first 16 characters go to the minute */
		sf_buf_printf(&text, "%s%.16s", i == 0 ? " Free next: " : i + 1 < n ? ", " : " or ", at);
	}
	sf_json_arr_end(&j);
	sf_fail_more(r, "next_free", sf_buf_view(&list));
	if (n)
		sf_buf_cstr(&text, " (time of Korea)");
	else
		sf_buf_printf(&text, " Nothing that long is free within %d days", OFFER_WITHIN);
	return sf_fail(r, SF_ECONFLICT, NULL, "The chef is booked then." SF_PRI ".", SF_ARG(sf_buf_view(&text)));
}

/* ~ Refuses with 409 and says when the chef is free next. After the transaction, on a handle of its own. */
static int refuse(struct sf_req *r, const struct coocook_booking_body *body, struct coocook_when when) {
	struct sf_dbh *h = sf_req_db(r);
	int64_t beyond = coocook__last_day(sf_req_now(r)) + 1, end = when.day + OFFER_WITHIN;
	struct coocook_span *busy = NULL,
						window = { when.window.from, sf_date_start(end < beyond ? end : beyond) };
	int64_t starts[OFFERS];
	size_t n = 0;
	int err = coocook__busy(h, body->chef_id, window, &busy, &n);
	if (err) return err;
	n = coocook_next_free(busy, n, window, body->duration_hours, starts, OFFERS);
	if (when.exact && n && starts[0] == when.window.from) return SF_ESERIAL; /* given back meanwhile */
	return refuse_with(r, starts, n);
}

/* A day after the horizon is 400. */
static int check_horizon(struct sf_req *r, int64_t day) {
	int64_t last = coocook__last_day(sf_req_now(r));
	char text[16];
	if (day <= last) return 0;
	sf_date_format(last, text);
	return sf_fail(r, SF_EINVAL, "booking_date", "must not be after %s", text);
}

/* ~ What stands against this guest and this chef at any hour; 0: nothing. */
static int check_chef(struct sf_req *r, struct sf_dbh *h, int64_t id) {
	struct coocook_q_chef_get_row chef;
	int err = coocook_q_chef_get(h, &(struct coocook_q_chef_get_in) { .id = id }, &chef);
	if (err == SF_ENOTFOUND) return sf_fail(r, err, NULL, "There is no such chef.");
	if (err) return err;
	if (chef.user_id != sf_req_caller(r)->user) return 0;
	sf_fail_field(r, "chef_id", "must be another's profile");
	return sf_fail(r, SF_EINVAL, NULL, "You cannot book yourself.");
}

/* ~ Whether the guest holds too much unpaid already; 0: no. */
static int check_held(struct sf_req *r, struct sf_dbh *h, const struct coocook_q_booking_take_in *in) {
	struct coocook_q_bookings_held_row row;
	struct coocook_q_bookings_held_in of = { .user_id = in->user_id, .chef_id = in->chef_id };
	int err = coocook_q_bookings_held(h, &of, &row);
	if (err) return err;
	if (row.held >= in->most)
		return sf_fail(
			r, SF_ECONFLICT, NULL,
			"You have %lld unpaid booking%s with this chef. Pay for one or cancel it, then ask again.",
			(long long)row.held, row.held == 1 ? "" : "s");
	if (row.hours + in->duration_hours > in->most_hours)
		return sf_fail(
			r, SF_ECONFLICT, NULL,
			"You have booked %lld hours without paying, and %lld are the most. Pay for some or cancel "
			"them, then ask again.",
			(long long)row.hours, (long long)in->most_hours);
	return 0;
}

/* Times that a request for a day looks again: more than a day has hours, for some may be cancelled meanwhile. */
#define TRIES 48

/* ~ Books the hours asked for. SF_EDUP: they are taken. */
static int take(struct sf_req *r, struct sf_dbh *h, const struct coocook_booking_body *body,
				struct coocook_when when, struct coocook_q_booking_take_in *in,
				struct coocook_q_booking_take_row *row) {
	int64_t ttl = sf_config_int("BOOKING_REQUEST_TTL") * 1000;
	for (int tries = 0; tries < (when.exact ? 1 : TRIES); tries++) {
		struct coocook_span *busy = NULL;
		size_t n = 0;
		int err = 0;
		in->starts_at = when.window.from;
		if (!when.exact) {
			err = coocook__busy(h, body->chef_id, when.window, &busy, &n);
			if (err) return err;
			if (!coocook_first_free(busy, n, when.window, body->duration_hours, &in->starts_at)) break;
		}
		in->booking_date = sf_date_of(in->starts_at);
		in->early = in->starts_at - SF_DAY_USEC;
		in->ends_at = in->starts_at + body->duration_hours * COOCOOK_HOUR;
		in->expires_at = coocook_expires(in->created_at, ttl, in->starts_at);
		err = coocook_q_booking_take(h, in, row);
		if (err != SF_ENOTFOUND) return err;
		err = tries == 0 ? check_chef(r, h, body->chef_id) : 0;
		if (!err) err = check_held(r, h, in);
		if (err) return err;
	}
	return SF_EDUP;
}

/* ~ Whether nothing is left of the hours asked for. Of a thousand who hold an Idempotency-Key and want the same hours few get a
 * connection of their own in time; the others are told what there is to know, which needs none. */
static bool gone(struct sf_req *r, const struct coocook_booking_body *body, struct coocook_when when) {
	struct coocook_span *busy = NULL, window = when.window;
	size_t n = 0;
	int64_t start;
	if (when.exact) window.to = window.from + body->duration_hours * COOCOOK_HOUR;
	if (coocook__busy(sf_req_db(r), body->chef_id, window, &busy, &n)) return false;
	return !coocook_first_free(busy, n, window, body->duration_hours, &start);
}

int coocook_booking_create(
	struct sf_req *r) { /* 400 past or own, 404 no chef, 409 hours taken or too much unpaid */
	const struct coocook_booking_body *body = sf_req_body(r);
	struct coocook_when when;
	const char *why = NULL;
	int err = coocook_when(body->booking_date, sf_req_now(r), &when, &why);
	if (err) return sf_fail(r, err, "booking_date", "%s", why);
	err = check_horizon(r, when.day);
	if (err) return err;
	struct coocook_q_booking_take_in in = {
		.user_id = sf_req_caller(r)->user,
		.chef_id = body->chef_id,
		.duration_hours = body->duration_hours,
		.special_requests = body->special_requests,
		.created_at = sf_req_now(r),
		.most = sf_config_int("BOOKING_OPEN_MAX"),
		.most_hours = sf_config_int("BOOKING_OPEN_HOURS"),
	};
	struct coocook_q_booking_take_row row;
	/* One statement is a transaction already; an idempotent answer must be stored in the same one. */
	bool keyed = sf_http_header(sf_req_http(r), "idempotency-key").p != NULL;
	struct sf_dbh *h = sf_req_db(r), *tx = NULL;
	if (keyed || (!when.exact && sf_dbh_engine(h) == SF_LITE)) {
		err = sf_req_begin(r, &tx);
		if (err == SF_EOVERLOAD && gone(r, body, when)) err = SF_EDUP;
		if (err) goto out;
		h = tx;
	}
	err = take(r, h, body, when, &in, &row);
	if (err) goto out;
	char from[32], to[32];
	sf_reply(r, 201, SF_KV("id", row.id), SF_KV("message", "Your request has been sent to the chef."),
			 SF_KV("total_price", row.total_price), sf_kv_time("starts_at", in.starts_at, from),
			 sf_kv_time("ends_at", in.ends_at, to));
	err = tx ? sf_req_commit(r, tx) : 0;
out:
	sf_tx_end(tx);
	if (err == SF_EDUP) return refuse(r, body, when);
	if (!err) coocook__letters_soon(r);
	return err;
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
