/* client: what other services ask of CooCook. */
#include "services/coocook/client.h"

#include "services/coocook/internal.h"
#include "services/platform/client.h"

int coocook_next_bookings(struct sf_req *r, int64_t user, struct coocook_next *out, size_t most, size_t *n) {
	struct sf_dbh *h =
		sf_db_auto(sf_app_db(sf_req_app(r), "coocook"), sf_req_arena(r), SF_READ_PRIMARY, "next bookings");
	struct coocook_q_bookings_next_in in = { .user_id = user, .now = sf_req_now(r), .limit = (int64_t)most };
	struct sf_rows rows;
	int err = coocook_q_bookings_next(h, &in, &rows);
	if (err) return err;
	int64_t *ids = sf_arena_alloc(sf_req_arena(r), (most + 1) * sizeof *ids);
	struct platform_user *chefs = sf_arena_zalloc(sf_req_arena(r), (most + 1) * sizeof *chefs);
	for (size_t i = 0; i < rows.n; i++) ids[i] = SF_ROW(rows, coocook_q_bookings_next, i)->chef_user_id;
	if (rows.n) err = platform_users_of(sf_req_app(r), h, "coocook", ids, rows.n, chefs);
	if (err) return err;
	for (size_t i = 0; i < rows.n; i++) {
		const struct coocook_q_bookings_next_row *b = SF_ROW(rows, coocook_q_bookings_next, i);
		out[i] = (struct coocook_next) { .id = b->id,
										 .starts_at = b->starts_at,
										 .hours = b->duration_hours,
										 .chef = chefs[i].confirmed ? b->chef_name : SF_STR_NULL,
										 .time_zone = b->time_zone,
										 .status = b->status };
	}
	*n = rows.n;
	return 0;
}
