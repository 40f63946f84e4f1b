/* book: asking for a chef's hours.
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
 * What a day and an hour is, the chef's clocks say, and to ask for them would be another statement. Most chefs are in
 * SF_ZONE_DEFAULT, so a request for an hour supposes that zone. The statement books only with a chef who is in it; where it gets no
 * row, or the hour is none there, the zone is read and the request is placed anew.
 *
 * Hours that do not overlap add up to more than 24 only on a day that clocks make longer. Who books on such a day locks the chef first,
 * and sees what is booked on it.
 *
 * A guest holds a bounded part of a calendar without paying: so many bookings with one chef, so many hours in all (booking_room in
 * migrations/0003_requests.sql). A request that nobody answers ends by itself (expiry.c).
 *
 * What both sides are told of it is written by that same statement, too (letters.c). */
#include "core/config.h"
#include "services/coocook/internal.h"

#define OFFERS       3  /* free times that a refusal names */
#define OFFER_WITHIN 14 /* days from the one asked for */
#define PLACINGS     3  /* times that a request is placed: a chef may move meanwhile */

struct ask { /* Lifetime: the request */
	struct sf_req *r;
	const struct coocook_booking_body *body;
	const struct sf_zone *zone; /* the chef's, */
	bool sure;                  /* or supposed to be */
	bool moved;                 /* the chef has another than it was placed by */
	struct coocook_when when;
	struct coocook_q_booking_take_in in;
	struct coocook_q_booking_take_row row;
};

/* Where the booking may lie: in the very hours that were asked for, or on the day. */
static struct coocook_span asked_span(const struct ask *a) {
	if (!a->when.exact) return a->when.window;
	int64_t from = a->when.window.from;
	return (struct coocook_span) { from, from + a->body->duration_hours * COOCOOK_HOUR };
}

/* ---- the chef, and the chef's clocks ------------------------------------------------------------ */

/* ~ What stands against this guest and this chef at any hour; 0: nothing. The zone is sure from then on. */
static int read_chef(struct ask *a, struct sf_dbh *h) {
	struct coocook_q_chef_get_row chef;
	int err = coocook_q_chef_get(h, &(struct coocook_q_chef_get_in) { .id = a->body->chef_id }, &chef);
	if (err == SF_ENOTFOUND) return sf_fail(a->r, err, NULL, "There is no such chef.");
	if (err) return err;
	const struct sf_zone *zone = sf_zone_of(chef.time_zone);
	a->moved = zone != a->zone;
	a->zone = zone, a->sure = true;
	if (chef.user_id != a->in.user_id) return 0;
	sf_fail_field(a->r, "chef_id", "must be another's profile");
	return sf_fail(a->r, SF_EINVAL, NULL, "You cannot book yourself.");
}

static int place_in_zone(struct ask *a, const char **why) {
	char day[16];
	int64_t now = sf_req_now(a->r), last = coocook__last_day(a->zone, now);
	int err = coocook_when(&a->body->booking_date, a->zone, now, &a->when, why);
	if (err || a->when.day <= last) return err;
	sf_date_format(last, day);
	*why = sf_arena_printf(sf_req_arena(a->r), "must not be after %s", day).p;
	return SF_EINVAL;
}

/* ~ What was asked for, by the chef's clocks. 400: not on the hour there, over, or too far ahead. */
static int place(struct ask *a) {
	const char *why = NULL;
	bool day_only = a->body->booking_date.day_only;
	int err = day_only && !a->sure ? read_chef(a, sf_req_db(a->r)) : 0;
	if (err) return err;
	err = place_in_zone(a, &why);
	if (err && !a->sure) {
		err = read_chef(a, sf_req_db(a->r));
		if (err) return err;
		err = place_in_zone(a, &why);
	}
	a->moved = false;
	return err ? sf_fail(a->r, err, "booking_date", "%s", why) : 0;
}

/* ---- refusing ----------------------------------------------------------------------------------- */

/* ~ 409 with the times in `next_free` for programs, and in words by the reader's clocks. */
static int refuse_with(struct ask *a, const int64_t *starts, size_t n) {
	struct sf_arena *arena = sf_req_arena(a->r);
	const struct sf_zone *reader = NULL;
	struct sf_buf text, list;
	int err = n ? sf_req_zone(a->r, &reader) : 0;
	if (err) return err;
	sf_buf_init(&text, arena);
	sf_buf_init(&list, arena);
	struct sf_json j = sf_json(&list);
	sf_json_arr(&j);
	for (size_t i = 0; i < n; i++) {
		char at[32];
		sf_json_time(&j, starts[i]);
		sf_zone_format(reader, starts[i], at);
		sf_buf_printf(&text, "%s%s", i == 0 ? " Free next: " : i + 1 < n ? ", " : " or ", at);
	}
	sf_json_arr_end(&j);
	sf_fail_more(a->r, "next_free", sf_buf_view(&list));
	if (n == 0) sf_buf_printf(&text, " Nothing that long is free within %d days", OFFER_WITHIN);
	if (n && reader != a->zone) sf_buf_printf(&text, " (" SF_PRI ")", SF_ARG(sf_zone_name(reader)));
	return sf_fail(a->r, SF_ECONFLICT, NULL, "The chef is booked then." SF_PRI ".",
				   SF_ARG(sf_buf_view(&text)));
}

/* ~ Refuses with 409 and says when the chef is free next. */
static int refuse(struct ask *a, struct sf_dbh *h) {
	int64_t beyond = coocook__last_day(a->zone, sf_req_now(a->r)) + 1, end = a->when.day + OFFER_WITHIN;
	struct coocook_span window = { a->when.window.from,
								   sf_zone_day_start(a->zone, end < beyond ? end : beyond) };
	struct coocook_calendar c;
	int64_t starts[OFFERS];
	int err = coocook__calendar(h, a->body->chef_id, a->zone, window, &c);
	if (err) return err;
	size_t n = coocook_next_free(&c, window, a->body->duration_hours, starts, OFFERS);
	if (a->when.exact && n && starts[0] == window.from) return SF_ESERIAL; /* given back meanwhile */
	return refuse_with(a, starts, n);
}

/* ~ Whether the guest holds too much unpaid already; 0: no. */
static int check_held(struct ask *a, struct sf_dbh *h) {
	const struct coocook_q_booking_take_in *in = &a->in;
	struct coocook_q_bookings_held_row row;
	struct coocook_q_bookings_held_in of = { .user_id = in->user_id, .chef_id = in->chef_id };
	int err = coocook_q_bookings_held(h, &of, &row);
	if (err) return err;
	if (row.held >= in->most)
		return sf_fail(
			a->r, SF_ECONFLICT, NULL,
			"You have %lld unpaid booking%s with this chef. Pay for one or cancel it, then ask again.",
			(long long)row.held, row.held == 1 ? "" : "s");
	if (row.hours + in->duration_hours > in->most_hours)
		return sf_fail(
			a->r, SF_ECONFLICT, NULL,
			"You have booked %lld hours without paying, and %lld are the most. Pay for some or cancel "
			"them, then ask again.",
			(long long)row.hours, (long long)in->most_hours);
	return 0;
}

/* ---- taking ------------------------------------------------------------------------------------- */

/* Times that a request for a day looks again: more than a day has hours, for some may be cancelled meanwhile. */
#define TRIES 48

/* ~ Where the booking may start; SF_EDUP: nowhere. An exact one is looked at only on a long day, see above. */
static int find_start(struct ask *a, struct sf_dbh *h, bool long_day, int64_t *start) {
	struct coocook_calendar c;
	*start = a->when.window.from;
	if (a->when.exact && !long_day) return 0;
	struct coocook_span window = asked_span(a);
	int err = coocook__calendar(h, a->body->chef_id, a->zone, window, &c);
	if (err) return err;
	bool found = a->when.exact ? coocook_fits(&c, window)
							   : coocook_first_free(&c, window, a->body->duration_hours, start);
	return found ? 0 : SF_EDUP;
}

/* ~ Books the hours asked for. SF_EDUP: they are taken, or a->moved. */
static int take(struct ask *a, struct sf_dbh *h, bool long_day) {
	struct coocook_q_booking_take_in *in = &a->in;
	int64_t ttl = sf_config_int("BOOKING_REQUEST_TTL") * 1000;
	for (int tries = 0; tries < (a->when.exact ? 1 : TRIES); tries++) {
		int err = find_start(a, h, long_day, &in->starts_at);
		if (err) return err;
		in->booking_date = sf_zone_day(a->zone, in->starts_at);
		in->time_zone = sf_zone_name(a->zone);
		in->early = in->starts_at - SF_DAY_USEC;
		in->ends_at = in->starts_at + a->body->duration_hours * COOCOOK_HOUR;
		in->expires_at = coocook_expires(in->created_at, ttl, in->starts_at);
		err = coocook_q_booking_take(h, in, &a->row);
		if (err != SF_ENOTFOUND) return err;
		err = tries == 0 ? read_chef(a, h) : 0;
		if (!err && a->moved) return SF_EDUP;
		if (!err) err = check_held(a, h);
		if (err) return err;
	}
	return SF_EDUP;
}

/* ~ Whether nothing is left of the hours asked for. Of a thousand who hold an Idempotency-Key and want the same hours few get a
 * connection of their own in time; the others are told what there is to know, which needs none. */
static bool gone(struct ask *a) {
	struct coocook_calendar c;
	struct coocook_span window = asked_span(a);
	int64_t start;
	if (coocook__calendar(sf_req_db(a->r), a->body->chef_id, a->zone, window, &c)) return false;
	return !coocook_first_free(&c, window, a->body->duration_hours, &start);
}

/* ~ Books and answers. SF_EDUP as of take: not refused yet. */
static int book(struct ask *a) {
	struct sf_req *r = a->r;
	bool long_day = coocook_long_day(a->zone, asked_span(a));
	/* One statement is a transaction already; an idempotent answer must be stored in the same one. */
	bool keyed = sf_http_header(sf_req_http(r), "idempotency-key").p != NULL;
	struct coocook_q_chef_hold_in hold = { .id = a->body->chef_id };
	struct coocook_q_chef_hold_row held;
	struct sf_dbh *h = sf_req_db(r), *tx = NULL;
	int err = 0;
	if (keyed || long_day || (!a->when.exact && sf_dbh_engine(h) == SF_LITE)) {
		err = sf_req_begin(r, &tx);
		if (err == SF_EOVERLOAD && gone(a)) err = SF_EDUP;
		if (err) goto out;
		h = tx;
	}
	if (long_day) err = coocook_q_chef_hold(tx, &hold, &held);
	if (!err || err == SF_ENOTFOUND) err = take(a, h, long_day);
	if (err) goto out;
	char from[32], to[32];
	sf_reply(r, 201, SF_KV("id", a->row.id), SF_KV("message", "Your request has been sent to the chef."),
			 SF_KV("total_price", a->row.total_price), sf_kv_time("starts_at", a->in.starts_at, from),
			 sf_kv_time("ends_at", a->in.ends_at, to));
	err = tx ? sf_req_commit(r, tx) : 0;
out:
	/* On SQLite only the writer sees yet who was faster. Elsewhere the connection is not kept for that. */
	if (err == SF_EDUP && !a->moved && tx && sf_dbh_engine(tx) == SF_LITE) err = refuse(a, tx);
	sf_tx_end(tx);
	return err;
}

int coocook_booking_create(
	struct sf_req *r) { /* 400 past or own, 404 no chef, 409 hours taken or too much unpaid */
	const struct coocook_booking_body *body = sf_req_body(r);
	struct ask a = { .r = r, .body = body, .zone = sf_zone_of(SF_STR(SF_ZONE_DEFAULT)) };
	a.in = (struct coocook_q_booking_take_in) {
		.user_id = sf_req_caller(r)->user,
		.chef_id = body->chef_id,
		.duration_hours = body->duration_hours,
		.special_requests = body->special_requests,
		.created_at = sf_req_now(r),
		.most = sf_config_int("BOOKING_OPEN_MAX"),
		.most_hours = sf_config_int("BOOKING_OPEN_HOURS"),
	};
	int err = 0;
	for (int n = 0; n < PLACINGS && (n == 0 || a.moved); n++) {
		err = place(&a);
		if (!err) err = book(&a);
	}
	if (err == SF_EDUP) return refuse(&a, sf_req_db(r));
	if (!err) coocook__letters_soon(r);
	return err;
}
