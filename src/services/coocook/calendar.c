/* calendar: a chef's time: what is free for guests, what is booked for the chef. */
#include "core/config.h"
#include "services/coocook/internal.h"

int64_t coocook__last_day(int64_t now) {
	return coocook_last_day(now, sf_config_int("BOOKING_HORIZON") * 1000);
}

int coocook__busy(struct sf_dbh *h, int64_t chef, struct coocook_span window, struct coocook_span **out,
				  size_t *n) {
	struct coocook_q_slots_in in = {
		.chef_id = chef,
		.early = window.from - SF_DAY_USEC,
		.from = window.from,
		.to = window.to,
	};
	struct sf_rows rows;
	int err = coocook_q_slots(h, &in, &rows);
	if (err) return err;
	struct coocook_span *busy = sf_arena_alloc(sf_dbh_arena(h), (rows.n + 1) * sizeof(*busy));
	for (size_t i = 0; i < rows.n; i++) {
		const struct coocook_q_slots_row *slot = SF_ROW(rows, coocook_q_slots, i);
		busy[i] = (struct coocook_span) { slot->starts_at, slot->ends_at };
	}
	*out = busy, *n = rows.n;
	return 0;
}

/* One day: its free hours as a list, 0 to 23. */
static void write_day(struct sf_json *j, int64_t day, const struct coocook_span *free, size_t n) {
	int64_t start = sf_date_start(day), end = sf_date_start(day + 1);
	sf_json_obj(j);
	sf_json_key(j, "date");
	sf_json_date(j, day);
	sf_json_key(j, "available_hours");
	sf_json_arr(j);
	for (size_t i = 0; i < n; i++) {
		int64_t from = free[i].from > start ? free[i].from : start, to = free[i].to < end ? free[i].to : end;
		for (int64_t at = from; at < to; at += COOCOOK_HOUR) sf_json_int(j, (at - start) / COOCOOK_HOUR);
	}
	sf_json_arr_end(j);
	sf_json_obj_end(j);
}

int coocook_availability(struct sf_req *r) { /* 404 no chef, 400 more than 90 days */
	const struct coocook_days_query *q = sf_req_query(r);
	int64_t now = sf_req_now(r), last = coocook__last_day(now), from = q->from.v, to = q->to.v;
	const char *why = NULL;
	int err = coocook_days(q->from.has, &from, q->to.has, &to, sf_date_of(now), &why);
	if (err) return sf_fail(r, err, "to", "%s", why);
	struct sf_dbh *h = sf_req_db(r);
	struct coocook_q_chef_get_row chef;
	err = coocook_q_chef_get(h, &(struct coocook_q_chef_get_in) { .id = sf_path_int(r, "id") }, &chef);
	if (err) return err;

	struct coocook_span window = { sf_date_start(from), sf_date_start((to < last ? to : last) + 1) };
	struct coocook_span *busy = NULL;
	size_t n = 0;
	err = coocook__busy(h, chef.id, window, &busy, &n);
	if (err) return err;
	struct coocook_span *free = sf_arena_alloc(sf_req_arena(r), (n + 1) * sizeof(*free));
	if (window.from < now) window.from = now < window.to ? now : window.to; /* what is over is not free */
	n = window.from < window.to ? coocook_free(busy, n, window, free) : 0;

	struct sf_json *j = sf_reply_json(r, 200);
	sf_json_obj(j);
	sf_json_add(j, SF_KV("chef_id", chef.id));
	sf_json_key(j, "last_day");
	sf_json_date(j, last);
	sf_json_key(j, "days");
	sf_json_arr(j);
	for (int64_t day = from; day <= to; day++) write_day(j, day, free, n);
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
