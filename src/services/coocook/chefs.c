/* chefs: the profiles: lists of them, one of them, making and changing one's own. */
#include "services/coocook/internal.h"

/* ---- lists ------------------------------------------------------------------------------------ */

enum filter {
	ALL,
	CUISINE,
	LOCATION,
	ALL_PRICED,
	CUISINE_PRICED,
	LOCATION_PRICED,
	BOTH_PRICED,
	DEEP,
	FILTERS
};
enum sort { RATING, PRICE, NEWEST, SORTS };

static const char *const sort_names[SORTS] = { "rating", "price", "newest" };

#define BY(filter)                                                                                           \
	{                                                                                                        \
		&coocook_##filter##_by_rating_desc, &coocook_##filter##_by_price_desc,                               \
			&coocook_##filter##_by_newest_desc                                                               \
	}
static const struct sf_query *const lists[FILTERS][SORTS] = {
	[ALL] = BY(chefs),
	[CUISINE] = BY(cuisine),
	[LOCATION] = BY(location),
	[ALL_PRICED] = BY(chefs_priced),
	[CUISINE_PRICED] = BY(cuisine_priced),
	[LOCATION_PRICED] = BY(location_priced),
	[BOTH_PRICED] = BY(both_priced),
	[DEEP] = BY(deep),
};

#define DEEP_OFFSET 1000 /* from here on walking the index alone is cheaper */

static const struct sf_query *list_query(const struct coocook_chefs_query *q, int64_t offset) {
	enum sort sort = RATING;
	for (int i = 0; i < SORTS; i++)
		if (sf_str_eq(q->sort, sf_str(sort_names[i]))) sort = (enum sort)i;
	bool priced = q->min_price.has || q->max_price.has;
	enum filter filter = priced ? ALL_PRICED : offset >= DEEP_OFFSET ? DEEP : ALL;
	if (q->cuisine.p && q->location.p)
		filter = BOTH_PRICED;
	else if (q->cuisine.p)
		filter = priced ? CUISINE_PRICED : CUISINE;
	else if (q->location.p)
		filter = priced ? LOCATION_PRICED : LOCATION;
	return lists[filter][sort];
}

/* The parameters of any of the lists: each takes some of these, by name. */
struct list_in {
	struct sf_str cuisine, location;
	int64_t min_price, max_price, limit, offset;
};
static const struct sf_dbcol list_params[] = {
	{ .name = "cuisine", .type = SF_T_TEXT, .offset = offsetof(struct list_in, cuisine) },
	{ .name = "location", .type = SF_T_TEXT, .offset = offsetof(struct list_in, location) },
	{ .name = "min_price", .type = SF_T_INT, .offset = offsetof(struct list_in, min_price) },
	{ .name = "max_price", .type = SF_T_INT, .offset = offsetof(struct list_in, max_price) },
	{ .name = "limit", .type = SF_T_INT, .offset = offsetof(struct list_in, limit) },
	{ .name = "offset", .type = SF_T_INT, .offset = offsetof(struct list_in, offset) },
};

static void *list_params_of(struct sf_arena *a, const struct sf_query *q, const struct list_in *from) {
	char *in = sf_arena_zalloc(a, sizeof(*from));
	for (size_t i = 0; i < q->nin; i++)
		for (size_t k = 0; k < SF_COUNT(list_params); k++)
			if (strcmp(q->in[i].name, list_params[k].name) == 0)
				memcpy(in + q->in[i].offset, (const char *)from + list_params[k].offset,
					   list_params[k].type == SF_T_TEXT ? sizeof(struct sf_str) : sizeof(int64_t));
	return in;
}

static int list_of_user(struct sf_req *r, int64_t user, int64_t offset) {
	struct coocook_q_chefs_of_user_in in = { .user_id = user };
	struct sf_rows rows;
	int64_t total = 0;
	int err = coocook__page(sf_req_db(r), &coocook_chefs_of_user_desc, &in, &rows, &total);
	if (err) return err;
	if (offset > 0) rows.n = 0;
	return sf_reply_page(r, &rows, total);
}

int coocook_chef_list(struct sf_req *r) {
	const struct coocook_chefs_query *q = sf_req_query(r);
	struct sf_page page = sf_req_page(r);
	if (q->min_price.has && q->max_price.has && q->min_price.v > q->max_price.v)
		return sf_fail(r, SF_EINVAL, "max_price", "must not be below min_price");
	if (q->user_id.has) return list_of_user(r, q->user_id.v, page.offset);
	struct list_in from = {
		.cuisine = q->cuisine,
		.location = q->location,
		.min_price = q->min_price.has ? q->min_price.v : 0,
		.max_price = q->max_price.has ? q->max_price.v : INT64_MAX,
		.limit = page.limit,
		.offset = page.offset,
	};
	const struct sf_query *query = list_query(q, page.offset);
	struct sf_rows rows;
	int64_t total = 0;
	int err =
		coocook__page(sf_req_db(r), query, list_params_of(sf_req_arena(r), query, &from), &rows, &total);
	return err ? err : sf_reply_page(r, &rows, total);
}

int coocook_cuisines(struct sf_req *r) {
	struct sf_rows rows;
	int err = coocook_q_cuisines(sf_req_db(r), &rows);
	return err ? err : sf_reply_rows(r, 200, &rows);
}

int coocook_popular(struct sf_req *r) {
	struct coocook_q_chefs_popular_in in = { .limit = 12 };
	struct sf_rows rows;
	int err = coocook_q_chefs_popular(sf_req_db(r), &in, &rows);
	if (err) return err;
	rows.q = coocook__hide_last(sf_req_arena(r), rows.q);
	return coocook__reply_chefs(r, &rows);
}

/* ---- one chef --------------------------------------------------------------------------------- */

int coocook_chef_get(struct sf_req *r) { /* 404 also when deactivated */
	struct coocook_q_chef_get_in in = { .id = sf_path_int(r, "id") };
	struct coocook_q_chef_get_row row;
	int err = coocook_q_chef_get(sf_req_db(r), &in, &row);
	return err ? err : sf_reply_row(r, 200, &coocook_chef_get_desc, &row);
}

int coocook_chef_create(struct sf_req *r) { /* 400 when the user is a chef already */
	const struct coocook_chef_body *body = sf_req_body(r);
	const struct sf_zone *own = NULL;
	int err = body->time_zone.p ? 0 : sf_req_zone(r, &own);
	if (err) return err;
	struct coocook_q_chef_add_in in = {
		.user_id = sf_req_caller(r)->user,
		.name = body->name,
		.bio = body->bio,
		.cuisine_type = body->cuisine_type,
		.location = body->location,
		.price_per_session = body->price_per_session,
		.popularity = coocook_popularity(0, 0),
		.time_zone = own ? sf_zone_name(own) : body->time_zone,
		.created_at = sf_req_now(r),
	};
	struct coocook_q_chef_add_row row;
	struct sf_dbh *tx = NULL;
	err = sf_req_begin(r, &tx);
	if (err) goto out;
	err = coocook_q_chef_add(tx, &in, &row);
	if (err == SF_EDUP) err = sf_fail(r, SF_EINVAL, NULL, "You have a chef profile already.");
	if (err) goto out;
	sf_reply(r, 201, SF_KV("id", row.id), SF_KV("message", "Your chef profile is ready."));
	err = sf_req_commit(r, tx);
out:
	sf_tx_end(tx);
	return err;
}

int coocook_chef_change(
	struct sf_req *r) { /* 404 unless one's own; a deactivated one comes back with is_active */
	const struct coocook_chef_change_body *body = sf_req_body(r);
	struct coocook_q_chef_change_in in = {
		.id = sf_path_int(r, "id"),
		.user_id = sf_req_caller(r)->user,
		.name = body->name,
		.bio = body->bio,
		.cuisine_type = body->cuisine_type,
		.location = body->location,
		.price_per_session = body->price_per_session,
		.time_zone = body->time_zone,
		.is_active = body->is_active,
	};
	int64_t changed = 0;
	int err = coocook_q_chef_change(sf_req_db(r), &in, &changed);
	if (err) return err;
	if (changed == 0) return SF_ENOTFOUND;
	return sf_reply(r, 200, SF_KV("id", in.id), SF_KV("message", "Your chef profile is changed."));
}

int coocook_chef_deactivate(struct sf_req *r) { /* 404 unless one's own; bookings stay */
	struct coocook_q_chef_change_in in = {
		.id = sf_path_int(r, "id"),
		.user_id = sf_req_caller(r)->user,
		.is_active = { .has = true, .v = 0 },
	};
	int64_t changed = 0;
	int err = coocook_q_chef_change(sf_req_db(r), &in, &changed);
	if (err) return err;
	if (changed == 0) return SF_ENOTFOUND;
	return sf_reply(r, 200, SF_KV("id", in.id), SF_KV("message", "Your chef profile is no longer shown."));
}
