/* expiry: requests that no chef answered in time are cancelled: their hours are free again, what was paid is given back, and both
 * sides are told (letters.c). A chef who answers at that moment holds the booking's row: one of the two comes first. */
#include "core/time.h"
#include "jobs/jobs.h"
#include "services/coocook/internal.h"

#define BATCH 100 /* requests of one transaction */

int coocook__give_back(struct sf_dbh *tx, const struct sf_rows *cancelled, int64_t now) {
	int err = 0;
	for (size_t i = 0; !err && i < cancelled->n; i++) {
		const struct coocook_q_requests_expire_row *b = SF_ROW(*cancelled, coocook_q_requests_expire, i);
		int64_t amount;
		if (sf_str_eq(b->payment_status, SF_STR("paid"))) err = coocook__refund(tx, b->id, now, &amount);
	}
	if (err || cancelled->n == 0) return err;
	return sf_job_add(tx, &(struct sf_job_new) { .kind = "coocook.letters" }, NULL);
}

/* ~ Cancels one batch in one transaction; *n is how many there were. */
static int batch(struct sf_db *db, struct sf_arena *a, size_t *n) {
	struct coocook_q_requests_expire_in in = { .now = sf_time_now(), .limit = BATCH };
	struct sf_rows rows = { 0 };
	struct sf_dbh *tx = NULL;
	int err = sf_tx_begin(db, a, "coocook.expire", &tx);
	if (!err) err = coocook_q_requests_expire(tx, &in, &rows);
	*n = err ? 0 : rows.n;
	if (*n == 0) goto out;
	err = coocook__give_back(tx, &rows, in.now);
	if (!err) err = sf_tx_commit(tx);
out:
	sf_tx_end(tx);
	return err;
}

int coocook__expire(struct sf_job *j) {
	struct sf_db *db = sf_app_db(sf_job_context(j), "coocook");
	size_t n = BATCH, all = 0;
	int err = 0;
	while (!err && n == BATCH) {
		struct sf_arena *a = sf_arena_new(0);
		err = batch(db, a, &n);
		if (!err) all += n;
		sf_arena_free(a);
	}
	if (all) sf_job_result(j, sf_arena_printf(sf_job_arena(j), "{\"expired\":%zu}", all));
	return err;
}
