/* calendar: a chef's time: what is free for guests, what is booked for the chef. */
#include "core/config.h"
#include "services/coocook/internal.h"

int64_t coocook__last_day(const struct sf_zone *z, int64_t now) {
	return coocook_last_day(z, now, sf_config_int("BOOKING_HORIZON") * 1000);
}

int coocook__calendar(struct sf_dbh *h, int64_t chef, const struct sf_zone *z, struct coocook_span window,
					  struct coocook_calendar *out) {
	struct coocook_span whole = coocook_whole_days(z, window);
	struct coocook_q_slots_in in = {
		.chef_id = chef,
		.early = whole.from - SF_DAY_USEC,
		.from = whole.from,
		.to = whole.to,
	};
	struct sf_rows rows;
	int err = coocook_q_slots(h, &in, &rows);
	if (err) return err;
	struct coocook_span *busy = sf_arena_alloc(sf_dbh_arena(h), (rows.n + 1) * sizeof(*busy));
	for (size_t i = 0; i < rows.n; i++) {
		const struct coocook_q_slots_row *slot = SF_ROW(rows, coocook_q_slots, i);
		busy[i] = (struct coocook_span) { slot->starts_at, slot->ends_at };
	}
	*out = (struct coocook_calendar) { z, busy, rows.n };
	return 0;
}

/* One day: its free hours as a list, 0 to 23. */
static void write_day(struct sf_json *j, const struct coocook_calendar *c, int64_t day, int64_t from,
					  int64_t last) {
	int hours[COOCOOK_MAX_HOURS];
	size_t n = day <= last ? coocook_hours(c, day, from, hours) : 0;
	sf_json_obj(j);
	sf_json_key(j, "date");
	sf_json_date(j, day);
	sf_json_key(j, "available_hours");
	sf_json_arr(j);
	for (size_t i = 0; i < n; i++) sf_json_int(j, hours[i]);
	sf_json_arr_end(j);
	sf_json_obj_end(j);
}

int coocook_availability(struct sf_req *r) { /* 404 no chef, 400 more than 90 days */
	const struct coocook_days_query *q = sf_req_query(r);
	int64_t now = sf_req_now(r), from = q->from.v, to = q->to.v;
	const char *why = NULL;
	struct sf_dbh *h = sf_req_db(r);
	struct coocook_q_chef_get_row chef;
	int err = coocook_q_chef_get(h, &(struct coocook_q_chef_get_in) { .id = sf_path_int(r, "id") }, &chef);
	if (err) return err;
	const struct sf_zone *z = sf_zone_of(chef.time_zone);
	int64_t last = coocook__last_day(z, now);
	err = coocook_days(q->from.has, &from, q->to.has, &to, sf_zone_day(z, now), &why);
	if (err) return sf_fail(r, err, "to", "%s", why);
	struct coocook_calendar c;
	err = coocook__calendar(h, chef.id, z, coocook_days_span(z, from, to < last ? to : last), &c);
	if (err) return err;

	struct sf_json *j = sf_reply_json(r, 200);
	sf_json_obj(j);
	sf_json_add(j, SF_KV("chef_id", chef.id), SF_KV("time_zone", sf_zone_name(z)));
	sf_json_key(j, "last_day");
	sf_json_date(j, last);
	sf_json_key(j, "days");
	sf_json_arr(j);
	for (int64_t day = from; day <= to; day++) write_day(j, &c, day, now, last);
	sf_json_arr_end(j);
	sf_json_obj_end(j);
	return 0;
}

/* ~ Puts the guests' names into the rows, which are alike whichever query they are of. */
static void name_guests(struct sf_req *r, struct sf_rows *rows) {
	int64_t *users = sf_arena_alloc(sf_req_arena(r), (rows->n + 1) * sizeof *users);
	struct sf_str *names = sf_arena_alloc(sf_req_arena(r), (rows->n + 1) * sizeof *names);
	for (size_t i = 0; i < rows->n; i++) users[i] = SF_ROW(*rows, coocook_q_bookings_of_chef, i)->user_id;
	coocook__names(r, sf_req_db(r), users, rows->n, names);
	for (size_t i = 0; i < rows->n; i++) SF_ROW(*rows, coocook_q_bookings_of_chef, i)->user_name = names[i];
}

int coocook_chef_bookings(struct sf_req *r) { /* 404 unless one's own profile */
	const struct coocook_bookings_query *q = sf_req_query(r);
	struct sf_page page = sf_req_page(r);
	int64_t chef = sf_path_int(r, "id");
	struct sf_dbh *h = sf_req_db(r);
	struct coocook_q_chef_owned_in owned = { .id = chef, .user_id = sf_req_caller(r)->user };
	struct coocook_q_chef_owned_row own;
	int err = coocook_q_chef_owned(h, &owned, &own);
	if (err) return err;
	struct coocook_q_bookings_of_chef_in all = { .chef_id = chef,
												 .limit = page.limit,
												 .offset = page.offset };
	struct coocook_q_bookings_of_chef_by_status_in some = {
		.chef_id = chef, .status = q->status, .limit = page.limit, .offset = page.offset
	};
	struct sf_rows rows;
	int64_t total = 0;
	err = q->status.p ? coocook__page(h, &coocook_bookings_of_chef_by_status_desc, &some, &rows, &total)
					  : coocook__page(h, &coocook_bookings_of_chef_desc, &all, &rows, &total);
	if (err) return err;
	name_guests(r, &rows);
	return sf_reply_page(r, &rows, total);
}
