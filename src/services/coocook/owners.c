/* owners: what belongs to a user goes with the user. While an account is closed its chef's profile is in no list and takes no bookings,
 * and the requests that it has sent or received are cancelled, of which the other side is told; when the account is opened again,
 * the profile is what it was before. Bookings that are confirmed stand: the guest may cancel them, and is refunded.
 *
 * Platform tells of each change (job coocook.user, services/events.c). Once a day all owners are looked at: accounts that were closed
 * before this was so, and profiles made in the very moment. */
#include <jansson.h>

#include "core/time.h"
#include "jobs/jobs.h"
#include "services/coocook/internal.h"
#include "services/platform/client.h"

#define BATCH 500 /* profiles that are looked at together */

/* ~ Cancels the requests of a user as guest and as chef. */
static int close_requests(struct sf_dbh *tx, int64_t user) {
	struct sf_rows rows;
	int err = coocook_q_requests_close_chef(
		tx, &(struct coocook_q_requests_close_chef_in) { .user_id = user }, &rows);
	if (!err) err = coocook__give_back(tx, &rows, sf_time_now());
	if (!err)
		err = coocook_q_requests_close_guest(
			tx, &(struct coocook_q_requests_close_guest_in) { .user_id = user }, &rows);
	return err ? err : coocook__give_back(tx, &rows, sf_time_now());
}

/* ~ */
static int apply(struct sf_db *db, struct sf_arena *a, int64_t user, bool active) {
	struct sf_dbh *tx = NULL;
	int err = sf_tx_begin(db, a, "coocook.user", &tx);
	if (!err && active)
		err = coocook_q_chef_open(tx, &(struct coocook_q_chef_open_in) { .user_id = user }, NULL);
	if (!err && !active) {
		err = coocook_q_chef_close(tx, &(struct coocook_q_chef_close_in) { .user_id = user }, NULL);
		if (!err) err = close_requests(tx, user);
	}
	if (!err) err = sf_tx_commit(tx);
	sf_tx_end(tx);
	return err;
}

/* ~ Brings what the user owns to what the user is. What was read is stale once it is applied, for the user may have been changed
 * meanwhile, and the job that was told of it may be through already: so it is read again until it is still so. */
static int follow(const struct sf_app *app, struct sf_arena *a, int64_t user) {
	struct sf_db *db = sf_app_db(app, "coocook");
	struct platform_user was = { 0 }, is;
	for (int turns = 0;; turns++) {
		struct sf_dbh *h = sf_db_auto(db, a, SF_READ_PRIMARY, "coocook.user");
		int err = platform_users_of(app, h, "coocook", &user, 1, &is);
		if (err || is.id == 0) return err;
		if (turns > 0 && is.is_active == was.is_active) return 0;
		err = apply(db, a, user, is.is_active);
		if (err) return err;
		was = is;
	}
}

int coocook__user(struct sf_job *j) {
	const json_t *id = json_object_get(sf_job_payload(j), "id");
	if (!json_is_integer(id)) return sf_job_give_up(j, "the payload needs an id");
	return follow(sf_job_context(j), sf_job_arena(j), json_integer_value(id));
}

/* ~ Looks at the owners of one batch of profiles; *after is the last of them, 0 when there is none left. */
static int look(const struct sf_app *app, struct sf_arena *a, int64_t *after) {
	struct sf_dbh *h = sf_db_auto(sf_app_db(app, "coocook"), a, SF_READ_PRIMARY, "coocook.owners");
	struct sf_rows rows;
	int err = coocook_q_chef_owners(h, &(struct coocook_q_chef_owners_in) { .after = *after, .limit = BATCH },
									&rows);
	if (err) return err;
	int64_t *users = sf_arena_alloc(a, (rows.n + 1) * sizeof *users);
	struct platform_user *who = sf_arena_alloc(a, (rows.n + 1) * sizeof *who);
	for (size_t i = 0; i < rows.n; i++) users[i] = SF_ROW(rows, coocook_q_chef_owners, i)->user_id;
	if (rows.n) err = platform_users_of(app, h, "coocook", users, rows.n, who);
	for (size_t i = 0; !err && i < rows.n; i++) {
		bool closed = SF_ROW(rows, coocook_q_chef_owners, i)->closed;
		if (who[i].id && who[i].is_active == closed) err = follow(app, a, users[i]);
	}
	*after = rows.n ? SF_ROW(rows, coocook_q_chef_owners, rows.n - 1)->id : 0;
	return err;
}

int coocook__owners(struct sf_job *j) {
	int64_t after = 0;
	int err = 0;
	do {
		struct sf_arena *a = sf_arena_new(0);
		err = look(sf_job_context(j), a, &after);
		sf_arena_free(a);
	} while (!err && after);
	return err;
}
