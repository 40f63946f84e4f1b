/* service: the rows of CooCook, chef bookings. */
#include "jobs/jobs.h"
#include "services/coocook/internal.h"
#include "services/platform/client.h"
#include "services/services.h"

#define CHEFS    "/api/coocook/chefs"
#define BOOKINGS "/api/coocook/bookings"

#define STATUSES "pending|confirmed|completed|cancelled"
#define MAX_WON  100000000 /* of one hour */
#define MAX_ID   INT64_MAX

/* ---- inputs ----------------------------------------------------------------------------------- */

static const struct sf_field chefs_in[] = {
	SF_IN(struct coocook_chefs_query, cuisine, SF_F_TEXT, .min = 1, .max = 100,
		  .help = "exactly this cuisine", .example = "\"Korean\""),
	SF_IN(struct coocook_chefs_query, location, SF_F_TEXT, .min = 1, .max = 100, .help = "exactly this place",
		  .example = "\"Seoul\""),
	SF_IN(struct coocook_chefs_query, min_price, SF_F_INT, .max = MAX_WON, .help = "an hour, in won"),
	SF_IN(struct coocook_chefs_query, max_price, SF_F_INT, .max = MAX_WON, .help = "an hour, in won"),
	SF_IN(struct coocook_chefs_query, sort, SF_F_ENUM, .choices = "rating|price|newest",
		  .fallback = "rating"),
	SF_IN(struct coocook_chefs_query, user_id, SF_F_INT, .min = 1, .max = MAX_ID,
		  .help = "the profile of this user alone; other filters are left out"),
	{ 0 },
};
static const struct sf_field search_in[] = {
	SF_IN(struct coocook_search_query, q, SF_F_TEXT, .required = true, .min = 2, .max = 100,
		  .help = "words, each found at the start of a word of name, cuisine, location or bio",
		  .example = "\"seoul pasta\""),
	{ 0 },
};
static const struct sf_field days_in[] = {
	SF_IN(struct coocook_days_query, from, SF_F_DATE,
		  .help = "first day where the chef is; today when absent"),
	SF_IN(struct coocook_days_query, to, SF_F_DATE, .help = "last day, at most 90 in all; 30 when absent"),
	{ 0 },
};
static const struct sf_field reviews_in[] = {
	SF_IN(struct coocook_page_query, page, SF_F_INT, .min = 1, .max = 1000000, .fallback = "1"),
	SF_IN(struct coocook_page_query, per_page, SF_F_INT, .min = 1, .max = 100, .fallback = "20"),
	{ 0 },
};
static const struct sf_field bookings_in[] = {
	SF_IN(struct coocook_bookings_query, status, SF_F_ENUM, .choices = STATUSES),
	{ 0 },
};
static const struct sf_field chef_in[] = {
	SF_IN(struct coocook_chef_body, name, SF_F_TEXT, .required = true, .min = 1, .max = 100),
	SF_IN(struct coocook_chef_body, cuisine_type, SF_F_TEXT, .required = true, .min = 1, .max = 100,
		  .example = "\"Korean\""),
	SF_IN(struct coocook_chef_body, location, SF_F_TEXT, .required = true, .min = 1, .max = 100,
		  .example = "\"Seoul\""),
	SF_IN(struct coocook_chef_body, price_per_session, SF_F_INT, .required = true, .max = MAX_WON,
		  .help = "an hour, in won", .example = "120000"),
	SF_IN(struct coocook_chef_body, bio, SF_F_TEXT, .multiline = true, .max = 2000),
	SF_IN(struct coocook_chef_body, time_zone, SF_F_ZONE,
		  .help = "by whose clocks days and hours are; the caller's when absent"),
	{ 0 },
};
static const struct sf_field chef_change_in[] = {
	SF_IN(struct coocook_chef_change_body, name, SF_F_TEXT, .min = 1, .max = 100),
	SF_IN(struct coocook_chef_change_body, cuisine_type, SF_F_TEXT, .min = 1, .max = 100),
	SF_IN(struct coocook_chef_change_body, location, SF_F_TEXT, .min = 1, .max = 100),
	SF_IN(struct coocook_chef_change_body, price_per_session, SF_F_INT, .max = MAX_WON,
		  .help = "an hour, in won"),
	SF_IN(struct coocook_chef_change_body, bio, SF_F_TEXT, .multiline = true, .max = 2000),
	SF_IN(struct coocook_chef_change_body, time_zone, SF_F_ZONE,
		  .help = "bookings that were made keep their instants, their zone and their day"),
	SF_IN(struct coocook_chef_change_body, is_active, SF_F_BOOL,
		  .help = "true brings a deactivated profile back"),
	{ 0 },
};
static const struct sf_field booking_in[] = {
	SF_IN(struct coocook_booking_body, chef_id, SF_F_INT, .required = true, .min = 1, .max = MAX_ID),
	SF_IN(struct coocook_booking_body, booking_date, SF_F_WHEN, .required = true,
		  .help = "YYYY-MM-DD: the first hours free that day where the chef is; or a date-time to start "
				  "then, on the hour there",
		  .example = "\"2027-03-01T18:00:00+09:00\""),
	SF_IN(struct coocook_booking_body, duration_hours, SF_F_INT, .required = true, .min = 1,
		  .max = COOCOOK_MAX_HOURS, .example = "3"),
	SF_IN(struct coocook_booking_body, special_requests, SF_F_TEXT, .multiline = true, .max = 2000),
	{ 0 },
};
static const struct sf_field status_in[] = {
	SF_IN(struct coocook_status_body, status, SF_F_ENUM, .required = true,
		  .choices = "confirmed|completed|cancelled"),
	{ 0 },
};
static const struct sf_field pay_in[] = {
	SF_IN(struct coocook_pay_body, amount, SF_F_INT, .required = true, .min = 0, .max = INT64_MAX,
		  .help = "total_price of the booking"),
	{ 0 },
};
static const struct sf_field review_in[] = {
	SF_IN(struct coocook_review_body, rating, SF_F_INT, .required = true, .min = 1, .max = 5),
	SF_IN(struct coocook_review_body, comment, SF_F_TEXT, .multiline = true, .max = 2000),
	{ 0 },
};
#define QUERY(fields, type) .query = (fields), .query_size = sizeof(struct type)
#define BODY(fields, type)  .body = (fields), .body_size = sizeof(struct type)

/* ---- replies ---------------------------------------------------------------------------------- */

#define CHEF_FIELDS                                                                                          \
	SF_OUT(name, SF_F_TEXT, .required = true), SF_OUT(bio, SF_F_TEXT, .required = true, .nullable = true),   \
		SF_OUT(cuisine_type, SF_F_TEXT, .required = true), SF_OUT(location, SF_F_TEXT, .required = true),    \
		SF_OUT(price_per_session, SF_F_INT, .required = true, .help = "an hour, in won"),                    \
		SF_OUT(rating, SF_F_FLOAT, .required = true, .help = "mean of all reviews; 0 without any"),          \
		SF_OUT(rating_count, SF_F_INT, .required = true),                                                    \
		SF_OUT(time_zone, SF_F_ZONE, .required = true, .help = "of the chef's days and hours")
/* what a guest and a chef see alike of a booking */
#define BOOKING_FIELDS                                                                                       \
	SF_OUT(booking_date, SF_F_DATE, .required = true, .help = "the day it starts in time_zone"),             \
		SF_OUT(time_zone, SF_F_ZONE, .required = true, .help = "the chef's when it was booked"),             \
		SF_OUT(starts_at, SF_F_TIME, .required = true), SF_OUT(ends_at, SF_F_TIME, .required = true),        \
		SF_OUT(duration_hours, SF_F_INT, .required = true), SF_OUT(total_price, SF_F_INT, .required = true), \
		SF_OUT(status, SF_F_ENUM, .required = true, .choices = STATUSES),                                    \
		SF_OUT(payment_status, SF_F_ENUM, .required = true, .choices = "unpaid|paid|refunded"),              \
		SF_OUT(reviewed, SF_F_BOOL, .required = true),                                                       \
		SF_OUT(special_requests, SF_F_TEXT, .required = true, .nullable = true),                             \
		SF_OUT(expires_at, SF_F_TIME, .required = true, .nullable = true,                                    \
			   .help = "of a pending one: it is cancelled then, unless the chef confirms it before"),        \
		SF_OUT(cancel_reason, SF_F_ENUM, .required = true, .nullable = true,                                 \
			   .choices = "guest|chef|expired|closed",                                                       \
			   .help = "closed: the account of one side was closed"),                                        \
		SF_OUT(created_at, SF_F_TIME, .required = true)

static const struct sf_field listed_chef_out[] = { SF_OUT(id, SF_F_INT, .required = true),
												   CHEF_FIELDS,
												   { 0 } };
static const struct sf_field chef_out[] = {
	SF_OUT(id, SF_F_INT, .required = true),
	SF_OUT(user_id, SF_F_INT, .required = true),
	CHEF_FIELDS,
	{ 0 },
};
static const struct sf_field recommended_chef_out[] = {
	SF_OUT(id, SF_F_INT, .required = true),
	CHEF_FIELDS,
	SF_OUT(reason, SF_F_TEXT, .required = true, .help = "why this chef, a sentence"),
	{ 0 },
};
static const struct sf_field popular_out[] = {
	SF_OUT(chefs, SF_F_ARRAY, .required = true, .sub = listed_chef_out),
	{ 0 },
};
static const struct sf_field recommendations_out[] = {
	SF_OUT(chefs, SF_F_ARRAY, .required = true, .sub = recommended_chef_out),
	{ 0 },
};
static const struct sf_field done_out[] = {
	SF_OUT(id, SF_F_INT, .required = true),
	SF_OUT(message, SF_F_TEXT, .required = true),
	{ 0 },
};
static const struct sf_field cuisine_out[] = {
	SF_OUT(cuisine_type, SF_F_TEXT, .required = true),
	SF_OUT(chefs, SF_F_INT, .required = true),
	{ 0 },
};
static const struct sf_field day_out[] = {
	SF_OUT(date, SF_F_DATE, .required = true),
	SF_OUT(available_hours, SF_F_INTS, .required = true,
		   .help = "hours of the chef's day that are free, 0 to 23: those that clocks there do not show are "
				   "not, of one that comes twice the first is meant"),
	{ 0 },
};
static const struct sf_field availability_out[] = {
	SF_OUT(chef_id, SF_F_INT, .required = true),
	SF_OUT(time_zone, SF_F_ZONE, .required = true, .help = "the chef's: of the days and hours"),
	SF_OUT(last_day, SF_F_DATE, .required = true, .help = "the last day that can be booked now"),
	SF_OUT(days, SF_F_ARRAY, .required = true, .sub = day_out),
	{ 0 },
};
static const struct sf_field listed_review_out[] = {
	SF_OUT(id, SF_F_INT, .required = true),
	SF_OUT(user_id, SF_F_INT, .required = true),
	SF_OUT(author, SF_F_TEXT, .required = true, .nullable = true,
		   .help = "a first name, such as 김○○ or Minji K.; null when there is none to show",
		   .example = "\"김○○\""),
	SF_OUT(rating, SF_F_INT, .required = true),
	SF_OUT(comment, SF_F_TEXT, .required = true, .nullable = true),
	SF_OUT(created_at, SF_F_TIME, .required = true),
	{ 0 },
};
static const struct sf_field reviews_out[] = {
	SF_OUT(chef_id, SF_F_INT, .required = true),
	SF_OUT(chef_name, SF_F_TEXT, .required = true),
	SF_OUT(average_rating, SF_F_FLOAT, .required = true),
	SF_OUT(total_reviews, SF_F_INT, .required = true),
	SF_OUT(reviews, SF_F_ARRAY, .required = true, .sub = listed_review_out),
	SF_OUT(total, SF_F_INT, .required = true),
	SF_OUT(pages, SF_F_INT, .required = true),
	SF_OUT(current_page, SF_F_INT, .required = true),
	{ 0 },
};
#define GUEST_NAME                                                                                           \
	SF_OUT(user_name, SF_F_TEXT, .required = true, .nullable = true,                                         \
		   .help = "the guest's name; null when the account is gone")

static const struct sf_field calendar_out[] = {
	SF_OUT(id, SF_F_INT, .required = true),
	SF_OUT(user_id, SF_F_INT, .required = true),
	GUEST_NAME,
	BOOKING_FIELDS,
	{ 0 },
};
static const struct sf_field listed_booking_out[] = {
	SF_OUT(id, SF_F_INT, .required = true),
	SF_OUT(chef_id, SF_F_INT, .required = true),
	SF_OUT(chef_name, SF_F_TEXT, .required = true),
	SF_OUT(chef_cuisine, SF_F_TEXT, .required = true),
	BOOKING_FIELDS,
	{ 0 },
};
static const struct sf_field booking_out[] = {
	SF_OUT(id, SF_F_INT, .required = true),
	SF_OUT(user_id, SF_F_INT, .required = true, .help = "the guest"),
	GUEST_NAME,
	SF_OUT(chef_id, SF_F_INT, .required = true),
	SF_OUT(chef_name, SF_F_TEXT, .required = true),
	SF_OUT(chef_cuisine, SF_F_TEXT, .required = true),
	BOOKING_FIELDS,
	{ 0 },
};
static const struct sf_field refused_out[] = {
	SF_OUT(next_free, SF_F_TIMES,
		   .help = "where the hours were taken: the next starts at which that many hours are free"),
	{ 0 },
};
static const struct sf_field booked_out[] = {
	SF_OUT(id, SF_F_INT, .required = true),          SF_OUT(message, SF_F_TEXT, .required = true),
	SF_OUT(total_price, SF_F_INT, .required = true), SF_OUT(starts_at, SF_F_TIME, .required = true),
	SF_OUT(ends_at, SF_F_TIME, .required = true),    { 0 },
};
static const struct sf_field turned_out[] = {
	SF_OUT(id, SF_F_INT, .required = true),
	SF_OUT(status, SF_F_ENUM, .required = true, .choices = STATUSES),
	SF_OUT(refunded_amount, SF_F_INT, .required = true, .help = "0 when nothing had been paid"),
	SF_OUT(message, SF_F_TEXT, .required = true),
	{ 0 },
};
static const struct sf_field paid_out[] = {
	SF_OUT(message, SF_F_TEXT, .required = true),
	SF_OUT(payment_id, SF_F_INT, .required = true),
	SF_OUT(booking_id, SF_F_INT, .required = true),
	SF_OUT(amount, SF_F_INT, .required = true),
	{ 0 },
};
static const struct sf_field reviewed_out[] = {
	SF_OUT(message, SF_F_TEXT, .required = true),
	SF_OUT(review_id, SF_F_INT, .required = true),
	SF_OUT(chef_rating, SF_F_FLOAT, .required = true),
	SF_OUT(rating_count, SF_F_INT, .required = true),
	{ 0 },
};
static const struct sf_field review_out[] = {
	SF_OUT(id, SF_F_INT, .required = true),
	SF_OUT(booking_id, SF_F_INT, .required = true),
	SF_OUT(chef_id, SF_F_INT, .required = true),
	SF_OUT(user_id, SF_F_INT, .required = true),
	SF_OUT(rating, SF_F_INT, .required = true),
	SF_OUT(comment, SF_F_TEXT, .required = true, .nullable = true),
	SF_OUT(created_at, SF_F_TIME, .required = true),
	{ 0 },
};

/* ---- routes ----------------------------------------------------------------------------------- */

/* A public read: a replica may answer, clients keep the answer for `seconds` and may use it for as long again while
 * they ask anew. */
#define PUBLIC_READ(tags, seconds)                                                                           \
	.auth = SF_PUBLIC, .rate = SF_RATE_API, .read = SF_READ_REPLICA, .cache_tags = (tags),                   \
	.max_age = (seconds), .stale = (seconds)

static const struct sf_route routes[] = {
	{ SF_GET, CHEFS, coocook_chef_list, PUBLIC_READ("chefs", 300), QUERY(chefs_in, coocook_chefs_query),
	  .page_of = "chefs", .per_page = 12, .reply = listed_chef_out,
	  .summary = "Active chefs, by cuisine, place and price" },
	{ SF_GET, CHEFS "/{id}", coocook_chef_get, PUBLIC_READ("chef:{id}", 300), .reply = chef_out,
	  .errors = { SF_ENOTFOUND }, .summary = "One chef" },
	{ SF_POST, CHEFS, coocook_chef_create, .auth = SF_USER, .rate = SF_RATE_WRITE,
	  BODY(chef_in, coocook_chef_body), .status = 201, .reply = done_out, .idempotent = true,
	  .summary = "Become a chef; one profile a user" },
	{ SF_PUT, CHEFS "/{id}", coocook_chef_change, .auth = SF_WHO("chef"), .rate = SF_RATE_WRITE,
	  BODY(chef_change_in, coocook_chef_change_body), .reply = done_out, .errors = { SF_ENOTFOUND },
	  .summary = "Change one's chef profile; what is not sent stays" },
	{ SF_DELETE, CHEFS "/{id}", coocook_chef_deactivate, .auth = SF_WHO("chef"), .rate = SF_RATE_WRITE,
	  .reply = done_out, .errors = { SF_ENOTFOUND }, .summary = "Take one's chef profile out of the lists" },
	{ SF_GET, CHEFS "/{id}/reviews", coocook_review_list, PUBLIC_READ("chef:{id}", 300),
	  QUERY(reviews_in, coocook_page_query), .reply = reviews_out, .errors = { SF_ENOTFOUND },
	  .summary = "A chef's reviews, newest first" },
	{ SF_GET, CHEFS "/{id}/availability", coocook_availability, PUBLIC_READ("chef:{id}", 60),
	  QUERY(days_in, coocook_days_query), .reply = availability_out, .errors = { SF_ENOTFOUND },
	  .summary = "A chef's free hours, day by day" },
	{ SF_GET, CHEFS "/{id}/bookings", coocook_chef_bookings, .auth = SF_WHO("chef"), .rate = SF_RATE_API,
	  QUERY(bookings_in, coocook_bookings_query), .page_of = "bookings", .reply = calendar_out,
	  .errors = { SF_ENOTFOUND }, .summary = "The chef's calendar, latest first" },
	{ SF_GET, "/api/coocook/cuisines", coocook_cuisines, PUBLIC_READ("chefs", 600), .reply = cuisine_out,
	  .reply_list = true, .summary = "Cuisines and how many chefs cook them" },
	{ SF_GET, "/api/coocook/search", coocook_search, PUBLIC_READ("chefs", 300),
	  QUERY(search_in, coocook_search_query), .page_of = "chefs", .per_page = 12, .reply = listed_chef_out,
	  .summary = "Chefs by words, best match first" },
	{ SF_GET, "/api/coocook/popular", coocook_popular, PUBLIC_READ("chefs", 300), .reply = popular_out,
	  .summary = "The twelve best rated chefs, weighted by how many rated them" },
	{ SF_GET, "/api/coocook/recommendations", coocook_recommendations, .auth = SF_USER, .rate = SF_RATE_API,
	  .read = SF_READ_REPLICA, .reply = recommendations_out,
	  .summary = "Chefs like those the caller has booked, with the reason" },
	{ SF_GET, BOOKINGS, coocook_booking_list, .auth = SF_SUB("coocook"), .rate = SF_RATE_API,
	  QUERY(bookings_in, coocook_bookings_query), .reply = listed_booking_out, .page_of = "bookings",
	  .reply_list = true,
	  .summary = "The caller's bookings, newest first; X-Total-Count says how many in all" },
	{ SF_POST, BOOKINGS, coocook_booking_create, .auth = SF_SUB("coocook"), .rate = SF_RATE_WRITE,
	  BODY(booking_in, coocook_booking_body), .status = 201, .reply = booked_out, .conflict = refused_out,
	  .errors = { SF_ENOTFOUND, SF_ECONFLICT }, .idempotent = true,
	  .summary = "Ask for a chef's hours; 409 names the next free ones (next_free)" },
	{ SF_GET, BOOKINGS "/{id}", coocook_booking_get, .auth = SF_WHO("owner or chef"), .rate = SF_RATE_API,
	  .reply = booking_out, .errors = { SF_ENOTFOUND }, .summary = "One booking" },
	{ SF_PUT, BOOKINGS "/{id}", coocook_booking_turn, .auth = SF_WHO("chef"), .rate = SF_RATE_WRITE,
	  BODY(status_in, coocook_status_body), .reply = turned_out,
	  .errors = { SF_EFORBIDDEN, SF_ENOTFOUND, SF_ECONFLICT },
	  .summary = "Confirm, complete or cancel: pending to confirmed or cancelled, confirmed to completed or "
				 "cancelled" },
	{ SF_DELETE, BOOKINGS "/{id}", coocook_booking_cancel, .auth = SF_WHO("owner"), .rate = SF_RATE_WRITE,
	  .reply = turned_out, .errors = { SF_EFORBIDDEN, SF_ENOTFOUND, SF_ECONFLICT },
	  .summary = "Cancel a pending or confirmed booking; a paid one is refunded" },
	{ SF_POST, BOOKINGS "/{id}/pay", coocook_booking_pay, .auth = SF_WHO("owner"), .rate = SF_RATE_WRITE,
	  BODY(pay_in, coocook_pay_body), .reply = paid_out,
	  .errors = { SF_EFORBIDDEN, SF_ENOTFOUND, SF_ECONFLICT }, .idempotent = true,
	  .summary = "Pay for a booking, its whole price at once" },
	{ SF_POST, BOOKINGS "/{id}/review", coocook_review_create, .auth = SF_WHO("owner"), .rate = SF_RATE_WRITE,
	  BODY(review_in, coocook_review_body), .status = 201, .reply = reviewed_out,
	  .errors = { SF_EFORBIDDEN, SF_ENOTFOUND, SF_ECONFLICT }, .idempotent = true,
	  .summary = "Review a completed booking, once" },
	{ SF_GET, BOOKINGS "/{id}/review", coocook_review_get, .auth = SF_WHO("owner or chef"),
	  .rate = SF_RATE_API, .reply = review_out, .errors = { SF_ENOTFOUND },
	  .summary = "The review of a booking" },
	{ 0 },
};

static const char *const tags[] = { "chefs", "chef", NULL };

static const struct sf_job_kind jobs[] = {
	{ .kind = "coocook.letters",
	  .run = coocook__letters,
	  .backoff_max_ms = 60000,
	  .summary = "Tell both sides of bookings what has become of them" },
	{ .kind = "coocook.user",
	  .run = coocook__user,
	  .summary = "Close or open what belongs to a user whose account was closed or opened" },
	{ .kind = "coocook.owners",
	  .run = coocook__owners,
	  .unique = SF_JOB_UNIQUE_LIVE,
	  .summary = "Look whether the owners of all profiles are active" },
	{ .kind = "coocook.expire",
	  .run = coocook__expire,
	  .unique = SF_JOB_UNIQUE_LIVE,
	  .summary = "Cancel requests that no chef has answered in time" },
	{ 0 },
};

/* Letters: the net under those that bookings ask for. */
static const struct sf_cron crons[] = {
	{ "coocook.owners", "23 3 * * *", .kind = "coocook.owners" },
	{ "coocook.expire", "* * * * *", .kind = "coocook.expire", .catchup = SF_CATCHUP_SKIP },
	{ "coocook.letters", "* * * * *", .kind = "coocook.letters", .catchup = SF_CATCHUP_SKIP },
	{ 0 },
};

static const struct sf_follow follows[] = {
	{ PLATFORM_USER_CHANGED, "coocook.user" },
	{ 0 },
};

const struct sf_service coocook_service = {
	.name = "coocook",
	.title = "CooCook: chef bookings",
	.routes = routes,
	.tags = tags,
	.demo = coocook_demo,
	.jobs = jobs,
	.crons = crons,
	.follows = follows,
};
