/* events: what one service tells the others. An event is a job of each service that follows it, written in the transaction that makes
 * the event true: it exists exactly when the change does, is delivered at least once, and outlives a restart of either side.
 *
 *     platform: a user is deactivated ─┬─ services_tell(tx, "user.changed", id) ──▶ job coocook.user, in platform's database
 *                                      └─ commit
 *     coocook:  coocook.user ──▶ asks platform's client how the user is now ──▶ its own tables, in its own database
 *
 * Who tells knows nobody who follows, so that no service includes another that includes it. An event says what has changed, not
 * how it is: jobs may overtake each other, and whoever reads the present state is right whichever comes last. */
#include "app/app.h"
#include "jobs/jobs.h"
#include "services/services.h"

#define FOLLOWERS_MAX 32

int services_tell(struct sf_dbh *tx, const char *event, int64_t id) {
	struct sf_job_new jobs[FOLLOWERS_MAX];
	struct sf_str payload = sf_arena_printf(sf_dbh_arena(tx), "{\"id\":%lld}", (long long)id);
	size_t n = 0;
	SF_BUG_ON(!sf_dbh_in_tx(tx));
	for (const struct sf_service *const *s = sf_services; *s; s++)
		for (const struct sf_follow *f = (*s)->follows; f && f->event; f++) {
			if (strcmp(f->event, event) != 0) continue;
			SF_BUG_ON(n == FOLLOWERS_MAX);
			jobs[n++] = (struct sf_job_new) { .kind = f->kind, .payload = payload };
		}
	return n ? sf_job_add_many(tx, jobs, n, NULL) : 0;
}
