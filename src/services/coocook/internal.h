/* Shared inside services/coocook/: the checked inputs of its routes, its handlers, and what they share. */
#ifndef SF_SERVICES_COOCOOK_INTERNAL_H
#define SF_SERVICES_COOCOOK_INTERNAL_H

#include "app/app.h"
#include "coocook.q.h"
#include "services/coocook/hours.h"
#include "services/coocook/rules.h"

struct sf_job;

/* ---- inputs: where the rows of service.c put what they checked ----------------------------------- */

struct coocook_chefs_query {
	struct sf_str cuisine, location, sort; /* cuisine, location: p NULL when absent */
	struct sf_oint min_price, max_price, user_id;
};
struct coocook_search_query {
	struct sf_str q;
};
struct coocook_days_query {
	struct sf_oint from, to; /* days */
};
struct coocook_page_query {
	int64_t page, per_page;
};
struct coocook_bookings_query {
	struct sf_str status; /* p NULL: all */
};
struct coocook_chef_body {
	struct sf_str name, cuisine_type, location, bio, time_zone;
	int64_t price_per_session;
};
struct coocook_chef_change_body { /* what is absent stays */
	struct sf_str name, cuisine_type, location, bio, time_zone;
	struct sf_oint price_per_session, is_active;
};
struct coocook_booking_body {
	int64_t chef_id, duration_hours;
	struct sf_when booking_date;
	struct sf_str special_requests;
};
struct coocook_status_body {
	struct sf_str status;
};
struct coocook_pay_body {
	int64_t amount;
};
struct coocook_review_body {
	int64_t rating;
	struct sf_str comment;
};

/* ---- handlers, all ~ ------------------------------------------------------------------------------ */

sf_handler coocook_chef_list, coocook_chef_get, coocook_chef_create, coocook_chef_change,
	coocook_chef_deactivate, coocook_cuisines, coocook_popular;
sf_handler coocook_availability, coocook_chef_bookings;
sf_handler coocook_search;
sf_handler coocook_recommendations;
sf_handler coocook_booking_list, coocook_booking_create, coocook_booking_get, coocook_booking_turn,
	coocook_booking_cancel;
sf_handler coocook_booking_pay;
sf_handler coocook_review_list, coocook_review_create, coocook_review_get;

int coocook_demo(struct sf_db *db, struct sf_arena *a); /* ~ */

/* ---- shared ---------------------------------------------------------------------------------------- */

/* ~ One page of a query whose last column, `total`, counts the rows of all pages; `in` holds its `limit` and `offset`.
 * rows comes back without that column. A page past the end costs a second query, for the total. */
SF_MUSTCHECK
int coocook__page(struct sf_dbh *h, const struct sf_query *q, void *in, struct sf_rows *rows, int64_t *total);
/* The query without its last column, in the arena: to write rows that carry one the caller should not see. */
const struct sf_query *coocook__hide_last(struct sf_arena *a, const struct sf_query *q);
/* Answers {"chefs": rows}. */
int coocook__reply_chefs(struct sf_req *r, const struct sf_rows *rows);

/* The last day that can be booked now: BOOKING_HORIZON from now. */
int64_t coocook__last_day(const struct sf_zone *z, int64_t now);
/* ~ The names of n users, in one statement; p NULL of whom nobody is found for, and of all when they cannot be asked for: an answer is
 * not refused for the want of a name. h: a handle on CooCook's database. */
void coocook__names(struct sf_req *r, struct sf_dbh *h, const int64_t *users, size_t n, struct sf_str *out);
struct sf_str coocook__name(struct sf_req *r, struct sf_dbh *h, int64_t user); /* ~ of one */
/* ~ What the chef has booked on the days of z that the window meets, in the handle's arena. */
SF_MUSTCHECK
int coocook__calendar(struct sf_dbh *h, int64_t chef, const struct sf_zone *z, struct coocook_span window,
					  struct coocook_calendar *out);
/* ~ Locks a booking for this transaction and tells who asks: SF_ENOTFOUND unless its guest or its chef. */
SF_MUSTCHECK
int coocook__lock_booking(struct sf_req *r, struct sf_dbh *tx, int64_t id,
						  struct coocook_q_booking_lock_row *row);
/* Whether it is a request whose time is over, though the job that cancels it has not come by. */
bool coocook__expired(struct sf_req *r, const struct coocook_q_booking_lock_row *b);
/* ~ Within the transaction that cancelled these (rows of requests_expire, or of a query like it): gives back what was paid, and asks for
 * the letters. */
SF_MUSTCHECK
int coocook__give_back(struct sf_dbh *tx, const struct sf_rows *cancelled, int64_t now);
int coocook__expire(struct sf_job *j); /* ~ coocook.expire: cancels requests that nobody answered in time */
int coocook__user(struct sf_job *j);   /* ~ coocook.user: a user was deactivated or activated */
int coocook__owners(struct sf_job *j); /* ~ coocook.owners: looks at the owners of all profiles */
/* ~ After the commit of what booking_letters got a row of: has it told soon. Cannot fail: what cannot be asked for now is late. */
void coocook__letters_soon(struct sf_req *r);
int coocook__letters(struct sf_job *j); /* ~ coocook.letters: tells all that is to be told */
/* ~ Gives back what was paid for a booking; *amount is 0 when nothing was. */
SF_MUSTCHECK
int coocook__refund(struct sf_dbh *tx, int64_t booking_id, int64_t now, int64_t *amount);

#endif
