/* prepare: what the databases need before a worker may call itself ready: their tables, what platform keeps in memory of
 * them, and demo data in demo mode.
 *
 * All workers do it at the same time: sf_migrate has its lock in the database, and demo data is one worker's task, marked in
 * shared memory. It may be done again at any time. */
#include "cli/internal.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "app/app.h"
#include "core/config.h"
#include "core/log.h"
#include "db/db.h"
#include "loop/loop.h"
#include "services/platform/client.h"
#include "services/services.h"

#define DATABASES_MAX  16
#define DEMO_POLL_MS   50
#define RETRY_FIRST_MS 100
#define RETRY_MAX_MS   1000

/* Area "cli.demo": who puts the demo data in. A worker that dies over it is followed by another. */
struct demo_mark {
	_Atomic int done, owner; /* owner: pid, 0: nobody */
};

static int migrate(struct sf_db *db, struct sf_arena *a, struct sf_str *why) {
	int applied = 0;
	platform_not_ready("the database's tables are being brought up to date");
	int err = sf_migrate(db, sf_all_migrations, a, &applied, why);
	if (!err && applied > 0) sf_log(SF_INFO, "migrations applied", SF_KV("count", applied));
	return err;
}

/* AUTO_MIGRATE is off: the tables must stand. */
static int check_tables(struct sf_db *db, struct sf_arena *a, struct sf_str *why) {
	struct sf_migration_state *states;
	size_t n;
	int err = sf_migrate_status(db, sf_all_migrations, a, &states, &n);
	if (err) return err;
	for (size_t i = 0; i < n; i++) {
		if (states[i].applied && !states[i].changed) continue;
		platform_not_ready("migrations are missing; run `softfactory db migrate`");
		*why =
			sf_arena_printf(a, "%s %04d_%s %s", states[i].m->service, states[i].m->version, states[i].m->name,
							states[i].applied ? "was changed after it was applied" : "is not applied");
		return SF_ECONFLICT;
	}
	return 0;
}

static int demo_fill(struct sf_arena *a) {
	for (const struct sf_service *const *s = cli_services(); *s; s++) {
		if (!(*s)->demo) continue;
		int err = (*s)->demo(cli_database_of((*s)->name), a);
		if (err) return err;
	}
	return 0;
}

static int demo(struct sf_arena *a) {
	struct demo_mark *mark = sf_shm_area("cli.demo", sizeof *mark);
	platform_not_ready("demo data is being put in");
	while (!atomic_load(&mark->done)) {
		int owner = atomic_load(&mark->owner);
		bool is_free = owner == 0 || owner == getpid() || (kill(owner, 0) != 0 && errno == ESRCH);
		if (is_free && atomic_compare_exchange_strong(&mark->owner, &owner, getpid())) {
			int err = demo_fill(a);
			if (!err) atomic_store(&mark->done, 1);
			atomic_store(&mark->owner, 0);
			if (!err) sf_log(SF_INFO, "demo data is in place");
			return err;
		}
		int err = sf_sleep(DEMO_POLL_MS);
		if (err) return err;
	}
	return 0;
}

/* A new installation has nobody who administers it: one of the workers says what to do. */
static int say_who_administers(struct sf_arena *a) {
	struct sf_worker w;
	bool any = true;
	if (sf_worker_self(&w) && w.slot != 0) return 0;
	int err = platform_has_admin(cli_database_of(platform_service.name), a, &any);
	if (!err && !any)
		sf_log(SF_WARN, "nobody administers this platform yet",
			   SF_KV("do", "softfactory user add EMAIL --name NAME --role admin"));
	return err;
}

int cli_prepare(struct sf_arena *a, struct sf_str *why) {
	struct sf_db *dbs[DATABASES_MAX];
	bool automatic = sf_config_bool("AUTO_MIGRATE");
	size_t n = cli_databases(dbs, DATABASES_MAX);
	int err = 0;
	for (size_t i = 0; i < n && !err; i++)
		err = automatic ? migrate(dbs[i], a, why) : check_tables(dbs[i], a, why);
	if (!err && sf_config_bool("DEMO_MODE")) err = demo(a);
	if (!err) err = platform_start(cli_database_of(platform_service.name), a);
	if (!err) err = say_who_administers(a);
	if (!err) platform_not_ready(NULL);
	return err;
}

bool cli_prepare_until(void (*failed)(void *arg), void *arg) {
	int64_t wait = RETRY_FIRST_MS;
	int said = 0;
	for (;;) {
		struct sf_arena *a = sf_arena_new(0);
		struct sf_str why = SF_STR_NULL;
		int err = cli_prepare(a, &why);
		bool over = sf_co_canceled(sf_co_self()) != 0;
		if (err && err != said && !over)
			sf_log(err == SF_EUNAVAILABLE ? SF_WARN : SF_ERROR, "the database is not ready yet",
				   SF_KV("error", sf_err_symbol(err)), SF_KV("why", why));
		sf_arena_free(a);
		if (!err) break;
		if (over) return false;
		said = err;
		failed(arg);
		if (sf_sleep(wait) != 0) return false;
		wait = wait * 2 < RETRY_MAX_MS ? wait * 2 : RETRY_MAX_MS;
	}
	if (said) sf_log(SF_INFO, "the database is ready now");
	return true;
}
