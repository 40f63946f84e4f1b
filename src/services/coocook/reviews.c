/* reviews: what guests say of a chef, once a booking. */
#include "services/coocook/internal.h"

/* ~ Puts first names into the rows. */
static void name_authors(struct sf_req *r, struct sf_rows *rows) {
	struct sf_arena *a = sf_req_arena(r);
	int64_t *users = sf_arena_alloc(a, (rows->n + 1) * sizeof *users);
	struct sf_str *names = sf_arena_alloc(a, (rows->n + 1) * sizeof *names);
	for (size_t i = 0; i < rows->n; i++) users[i] = SF_ROW(*rows, coocook_q_reviews_of_chef, i)->user_id;
	coocook__names(r, sf_req_db(r), users, rows->n, names);
	for (size_t i = 0; i < rows->n; i++)
		if (names[i].p) SF_ROW(*rows, coocook_q_reviews_of_chef, i)->author = coocook_first_name(a, names[i]);
}

int coocook_review_list(struct sf_req *r) { /* newest first; 404 no chef */
	const struct coocook_page_query *q = sf_req_query(r);
	struct sf_dbh *h = sf_req_db(r);
	struct coocook_q_chef_get_row chef;
	int err = coocook_q_chef_get(h, &(struct coocook_q_chef_get_in) { .id = sf_path_int(r, "id") }, &chef);
	if (err) return err;
	struct coocook_q_reviews_of_chef_in in = { .chef_id = chef.id,
											   .limit = q->per_page,
											   .offset = (q->page - 1) * q->per_page };
	struct sf_rows rows;
	err = coocook_q_reviews_of_chef(h, &in, &rows);
	if (err) return err;
	name_authors(r, &rows);
	int64_t total = chef.rating_count;
	struct sf_json *j = sf_reply_json(r, 200);
	sf_json_obj(j);
	sf_json_add(j, SF_KV("chef_id", chef.id), SF_KV("chef_name", chef.name),
				SF_KV("average_rating", chef.rating), SF_KV("total_reviews", total));
	sf_json_key(j, "reviews");
	sf_rows_json(j, &rows);
	sf_json_add(j, SF_KV("total", total), SF_KV("pages", (total + q->per_page - 1) / q->per_page),
				SF_KV("current_page", q->page));
	sf_json_obj_end(j);
	return 0;
}

/* What stands against a review: 403 for the chef, 409 not completed, not over (it may have been completed before its end by an earlier
 * release), or reviewed already. */
static int refuse(struct sf_req *r, const struct coocook_q_booking_lock_row *b) {
	if (b->user_id != sf_req_caller(r)->user)
		return sf_fail(r, SF_EFORBIDDEN, NULL, "Only the guest can do this.");
	if (!sf_str_eq(b->status, SF_STR("completed")) || b->ends_at > sf_req_now(r))
		return sf_fail(r, SF_ECONFLICT, NULL, "A booking can be reviewed once it is completed.");
	if (b->reviewed) return sf_fail(r, SF_ECONFLICT, NULL, "You have reviewed this booking already.");
	return 0;
}

int coocook_review_create(struct sf_req *r) {
	const struct coocook_review_body *body = sf_req_body(r);
	struct coocook_q_review_add_in in = {
		.booking_id = sf_path_int(r, "id"),
		.user_id = sf_req_caller(r)->user,
		.rating = body->rating,
		.comment = body->comment,
		.created_at = sf_req_now(r),
	};
	struct coocook_q_booking_reviewed_in reviewed = { .id = in.booking_id };
	struct coocook_q_chef_rate_in rate = { .rating = body->rating,
										   .prior_sum = COOCOOK_PRIOR_SUM,
										   .prior_n = COOCOOK_PRIOR_N };
	struct coocook_q_booking_lock_row b;
	struct coocook_q_review_add_row row;
	struct coocook_q_chef_rate_row chef;
	struct sf_dbh *tx = NULL;
	int err = sf_req_begin(r, &tx);
	if (err) goto out;
	err = coocook__lock_booking(r, tx, in.booking_id, &b);
	if (err) goto out;
	err = refuse(r, &b);
	if (err) goto out;
	in.chef_id = rate.id = b.chef_id;
	err = coocook_q_review_add(tx, &in, &row);
	if (err) goto out;
	err = coocook_q_booking_reviewed(tx, &reviewed, NULL);
	if (err) goto out;
	err = coocook_q_chef_rate(tx, &rate, &chef);
	if (err) goto out;
	sf_reply(r, 201, SF_KV("message", "Thank you for your review."), SF_KV("review_id", row.id),
			 SF_KV("chef_rating", chef.rating), SF_KV("rating_count", chef.rating_count));
	err = sf_req_commit(r, tx);
out:
	sf_tx_end(tx);
	return err;
}

int coocook_review_get(
	struct sf_req *r) { /* 404 unless the booking is one's own, as guest or chef, and reviewed */
	int64_t id = sf_path_int(r, "id"), user = sf_req_caller(r)->user;
	struct sf_dbh *h = sf_req_db(r);
	struct coocook_q_booking_get_row b;
	struct coocook_q_review_get_row review;
	int err = coocook_q_booking_get(h, &(struct coocook_q_booking_get_in) { .id = id }, &b);
	if (err) return err;
	if (b.user_id != user && b.chef_user_id != user) return SF_ENOTFOUND;
	err = coocook_q_review_get(h, &(struct coocook_q_review_get_in) { .booking_id = id }, &review);
	if (err == SF_ENOTFOUND) return sf_fail(r, err, NULL, "This booking has no review yet.");
	return err ? err : sf_reply_row(r, 200, &coocook_review_get_desc, &review);
}
