/* client: what other services ask of CooCook. */
#include "services/coocook/client.h"

#include "services/coocook/internal.h"

int coocook_next_bookings(struct sf_req *r, int64_t user, struct coocook_next *out, size_t most, size_t *n) {
	struct sf_dbh *h =
		sf_db_auto(sf_app_db(sf_req_app(r), "coocook"), sf_req_arena(r), SF_READ_PRIMARY, "next bookings");
	struct coocook_q_bookings_next_in in = { .user_id = user, .now = sf_req_now(r), .limit = (int64_t)most };
	struct sf_rows rows;
	int err = coocook_q_bookings_next(h, &in, &rows);
	if (err) return err;
	for (size_t i = 0; i < rows.n; i++) {
		const struct coocook_q_bookings_next_row *b = SF_ROW(rows, coocook_q_bookings_next, i);
		out[i] = (struct coocook_next) { .id = b->id,
										 .starts_at = b->starts_at,
										 .hours = b->duration_hours,
										 .chef = b->chef_name,
										 .time_zone = b->time_zone,
										 .status = b->status };
	}
	*n = rows.n;
	return 0;
}
