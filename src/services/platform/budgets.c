/* budgets: what may still be tried or sent, kept by the database for all hosts: so many at once, one more each while
 * (migrations/0007_abuse.sql). */
#include "services/platform/internal.h"

struct sf_str platform__budget_key(struct sf_req *r, const char *purpose, struct sf_str about,
								   struct sf_str who) {
	return sf_arena_printf(sf_req_arena(r), "%s " SF_PRI " " SF_PRI, purpose, SF_ARG(about), SF_ARG(who));
}

int platform__budget_take(struct sf_dbh *h, struct sf_str key, const struct platform_budget *b, int64_t now,
						  int64_t *whole_at) {
	struct platform_q_budget_take_in in = { .key = key,
											.now = now,
											.fresh = now + b->each,
											.each = b->each,
											.limit = platform_budget_limit(b, now) };
	struct platform_q_budget_take_row row;
	int err = platform_q_budget_take(h, &in, &row);
	if (err == SF_ENOTFOUND) return SF_ERATE;
	if (!err && whole_at) *whole_at = row.whole_at;
	return err;
}
