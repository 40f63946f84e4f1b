/* recommend: chefs a guest has not booked, by the cuisines and places of the bookings before.
 *
 * The two favourite cuisines and the two favourite places each give their most popular chefs. Who fits both comes
 * first, then by popularity; what is missing to a full answer are chefs popular with everyone. Each chef says why it
 * is there. */
#include "services/coocook/internal.h"

#define WANTED     12
#define FAVOURITES 2

struct pick {
	const struct coocook_q_recommend_cuisine_row *chef; /* rows of all three queries are alike */
	struct sf_str reason;
	int score; /* 2 for a favourite cuisine, 1 for a place; 0: popular */
};
struct picks {
	struct pick at[WANTED * (2 * FAVOURITES + 1)];
	size_t n;
};

/* Adds rows; a chef that is there already gains the score and keeps the first reason. */
static void add(struct picks *p, const struct sf_rows *rows, int score, struct sf_str reason) {
	for (size_t i = 0; i < rows->n; i++) {
		const struct coocook_q_recommend_cuisine_row *chef = SF_ROW(*rows, coocook_q_recommend_cuisine, i);
		size_t k = 0;
		while (k < p->n && p->at[k].chef->id != chef->id) k++;
		if (k == p->n) p->at[p->n++] = (struct pick) { .chef = chef, .reason = reason };
		p->at[k].score += score;
	}
}

static bool before(const struct pick *a, const struct pick *b) {
	if (a->score != b->score) return a->score > b->score;
	if (a->chef->popularity != b->chef->popularity) return a->chef->popularity > b->chef->popularity;
	return a->chef->id < b->chef->id;
}

static void sort(struct picks *p) { /* by insertion: sixty at most */
	for (size_t i = 1; i < p->n; i++) {
		struct pick one = p->at[i];
		size_t k = i;
		for (; k > 0 && before(&one, &p->at[k - 1]); k--) p->at[k] = p->at[k - 1];
		p->at[k] = one;
	}
}

/* ~ The chefs of the guest's favourite cuisines, or of the favourite places. */
static int add_favourites(struct sf_req *r, const struct coocook_taste *tastes, size_t n, bool location,
						  struct picks *p) {
	struct sf_str names[FAVOURITES];
	size_t found = coocook_favourites(tastes, n, location, names, FAVOURITES);
	for (size_t i = 0; i < found; i++) {
		struct sf_rows rows;
		struct coocook_q_recommend_cuisine_in by_cuisine = { .user_id = sf_req_caller(r)->user,
															 .name = names[i],
															 .limit = WANTED };
		struct coocook_q_recommend_location_in by_location = { .user_id = sf_req_caller(r)->user,
															   .name = names[i],
															   .limit = WANTED };
		int err = location ? coocook_q_recommend_location(sf_req_db(r), &by_location, &rows)
						   : coocook_q_recommend_cuisine(sf_req_db(r), &by_cuisine, &rows);
		if (err) return err;
		add(p, &rows, location ? 1 : 2,
			sf_arena_printf(sf_req_arena(r), "You have booked %s" SF_PRI "%s.", location ? "chefs in " : "",
							SF_ARG(names[i]), location ? "" : " cooking"));
	}
	return 0;
}

static int reply(struct sf_req *r, const struct picks *p) {
	const struct sf_query *shown = coocook__hide_last(sf_req_arena(r), &coocook_recommend_cuisine_desc);
	struct sf_json *j = sf_reply_json(r, 200);
	sf_json_obj(j);
	sf_json_key(j, "chefs");
	sf_json_arr(j);
	for (size_t i = 0; i < p->n && i < WANTED; i++) {
		sf_json_obj(j);
		sf_row_members(j, shown, p->at[i].chef);
		sf_json_add(j, SF_KV("reason", p->at[i].reason));
		sf_json_obj_end(j);
	}
	sf_json_arr_end(j);
	sf_json_obj_end(j);
	return 0;
}

int coocook_recommendations(struct sf_req *r) {
	struct sf_arena *a = sf_req_arena(r);
	struct sf_dbh *h = sf_req_db(r);
	struct sf_rows rows;
	int64_t user = sf_req_caller(r)->user;
	int err = coocook_q_tastes(h, &(struct coocook_q_tastes_in) { .user_id = user }, &rows);
	if (err) return err;
	struct coocook_taste *tastes = sf_arena_alloc(a, (rows.n + 1) * sizeof(*tastes));
	for (size_t i = 0; i < rows.n; i++) {
		const struct coocook_q_tastes_row *t = SF_ROW(rows, coocook_q_tastes, i);
		tastes[i] = (struct coocook_taste) { t->cuisine_type, t->location, t->bookings };
	}
	struct picks *p = sf_arena_zalloc(a, sizeof(*p));
	err = add_favourites(r, tastes, rows.n, false, p);
	if (!err) err = add_favourites(r, tastes, rows.n, true, p);
	if (err) return err;
	if (p->n < WANTED) {
		struct coocook_q_recommend_popular_in in = { .user_id = user, .limit = WANTED };
		err = coocook_q_recommend_popular(h, &in, &rows);
		if (err) return err;
		add(p, &rows, 0, SF_STR("Popular with other guests."));
	}
	sort(p);
	return reply(r, p);
}
