/* health: whether the program lives, is ready, and of what it consists. */
#include "core/config.h"
#include "core/time.h"
#include "loop/loop.h"
#include "services/platform/internal.h"
#include "services/services.h"
#include "telemetry/telemetry.h"

static struct {
	const char *not_ready; /* static text, NULL: nothing of ours stands against it */
	int64_t started;
} process;

void platform_not_ready(const char *why) {
	process.not_ready = why;
	if (!process.started) process.started = sf_time_now();
}

int platform_health(struct sf_req *r) {
	return sf_reply(r, 200, SF_KV("status", "ok"));
}

/* ---- checks ------------------------------------------------------------------------------------------ */

#define SLOW_NS (INT64_C(500) * 1000000) /* an answer that takes longer is told */
#define STILL_MS                                                                                             \
	15000 /* a job worker that has neither taken nor asked for a job for so long stands still [Q-4] */
#define CHECKS    32
#define PROCESSES 256

enum health { WELL, DEGRADED, DOWN }; /* DEGRADED: slow, or missed where one can do without */
struct checks {
	struct sf_req *r;
	struct {
		struct sf_str name;
		const char *says;
	} at[CHECKS];
	size_t n;
	enum health databases, all;
};

static void note(struct checks *c, struct sf_str name, enum health health, const char *says) {
	if (c->n < CHECKS) {
		c->at[c->n].name = name, c->at[c->n].says = says;
		c->n++;
	}
	if (health > c->all) c->all = health;
}

/* ~ A service cannot do without its database. */
static void check_database(struct checks *c, struct sf_str name, struct sf_db *db) {
	int64_t began = sf_clock_ns();
	int err = sf_db_ping(db);
	bool slow = sf_clock_ns() - began > SLOW_NS;
	enum health health = err ? DOWN : slow ? DEGRADED : WELL;
	if (health > c->databases) c->databases = health;
	note(c, name, health, err ? "unavailable" : slow ? "slow" : "ok");
}

/* ~ Whoever reads from a replica reads from the primary without it. */
static void check_replicas(struct checks *c, struct sf_db *db) {
	size_t all = 0, well = 0;
	for (int err = 0; err != SF_ENOTFOUND; all += err != SF_ENOTFOUND) {
		err = sf_db_ping_replica(db, all);
		well += err == 0;
	}
	if (all == 0) return;
	const char *says = "ok";
	if (well < all) says = sf_arena_printf(sf_req_arena(c->r), "%zu of %zu unavailable", all - well, all).p;
	if (well < all && c->databases == WELL) c->databases = DEGRADED;
	note(c, SF_STR("replica"), well < all ? DEGRADED : WELL, says);
}

/* Jobs wait while nobody runs them, and are polled while the broker is away: requests are answered all the same. */
static void check_queue(struct checks *c) {
	struct sf_proc procs[PROCESSES];
	size_t n = sf_super_processes(procs, SF_COUNT(procs)), workers = 0, still = 0;
	for (size_t i = 0; i < n; i++) {
		int64_t ms;
		if (procs[i].role != SF_WORKER_JOBS || procs[i].slot < 0 || strcmp(procs[i].state, "ready") != 0)
			continue;
		workers++;
		still += sf_telemetry_jobs_idle(procs[i].pid, &ms) && ms > STILL_MS;
	}
	if (workers == 0) return; /* they run elsewhere, or are about to start */
	bool broker = sf_config_text("AMQP_URL") && sf_telemetry_jobs_connected() == 0;
	if (still)
		note(c, SF_STR("queue"), DEGRADED,
			 sf_arena_printf(sf_req_arena(c->r), "%zu of %zu job workers stand still", still, workers).p);
	else
		note(c, SF_STR("queue"), broker ? DEGRADED : WELL,
			 broker ? "RabbitMQ unavailable, jobs are polled" : "ok");
}

struct own { /* databases of services beside platform's */
	struct checks *c;
	const struct sf_service *last;
	struct sf_db *shared;
};

static bool check_service(const struct sf_service *s, const struct sf_route *route, void *arg) {
	(void)route;
	struct own *own = arg;
	const struct sf_app *app = sf_req_app(own->c->r);
	struct sf_db *db = s != own->last ? sf_app_db(app, s->name) : NULL;
	own->last = s;
	if (db && db != own->shared)
		check_database(own->c, sf_arena_printf(sf_req_arena(own->c->r), "database:%s", s->name), db);
	return true;
}

/* ~ What of the contract's checks this installation has. */
static struct checks check_all(struct sf_req *r) {
	struct checks c = { .r = r };
	struct sf_db *db = sf_app_db(sf_req_app(r), "platform");
	if (process.not_ready && sf_db_ping(db) == 0) {
		c.databases = DOWN;
		note(&c, SF_STR("database"), DOWN, process.not_ready);
	} else {
		check_database(&c, SF_STR("database"), db);
	}
	sf_app_each(sf_req_app(r), check_service, &(struct own) { &c, NULL, db });
	check_replicas(&c, db);
	check_queue(&c);
	return c;
}

int platform_ready(struct sf_req *r) { /* 503: draining, or what it cannot do without is not there */
	static const char *const words[] = { [WELL] = "ready", [DEGRADED] = "degraded", [DOWN] = "not_ready" };
	struct checks c = check_all(r);
	bool draining = sf_super_draining(), ready = !draining && c.all != DOWN;
	if (!ready) sf_reply_header(r, "Retry-After", SF_STR("1"));
	struct sf_json *j = sf_reply_json(r, ready ? 200 : 503);
	sf_json_obj(j);
	sf_json_add(j, SF_KV("status", draining ? "draining" : words[c.all]));
	sf_json_key(j, "checks");
	sf_json_obj(j);
	for (size_t i = 0; i < c.n; i++)
		sf_json_add(j, SF_KV(sf_arena_cstr(sf_req_arena(r), c.at[i].name), c.at[i].says));
	sf_json_obj_end(j);
	sf_json_obj_end(j);
	return 0;
}

static int64_t uptime_s(int64_t now) {
	struct sf_proc first;
	int64_t since = sf_super_processes(&first, 1) ? first.started : process.started;
	return since ? (now - since) / SF_USEC : 0;
}

int platform_infrastructure(struct sf_req *r) {
	static const char *const words[] = { [WELL] = "healthy", [DEGRADED] = "degraded", [DOWN] = "unhealthy" };
	struct checks c = check_all(r);
	int64_t now = sf_req_now(r);
	char at[32];
	return sf_reply(r, 200, SF_KV("overall_status", words[c.all]), SF_KV("api_status", "healthy"),
					SF_KV("database_status", words[c.databases]), SF_KV("uptime", uptime_s(now)),
					sf_kv_time("timestamp", now, at));
}

int platform_processes(struct sf_req *r) {
	struct sf_proc procs[PROCESSES];
	size_t n = sf_super_processes(procs, SF_COUNT(procs));
	struct sf_json *j = sf_reply_json(r, 200);
	sf_json_obj(j);
	sf_json_key(j, "processes");
	sf_json_arr(j);
	for (size_t i = 0; i < n; i++) {
		const struct sf_proc *p = &procs[i];
		char name[32];
		sf_proc_name(p, name);
		sf_json_obj(j);
		sf_json_add(j, SF_KV("name", (const char *)name), SF_KV("pid", p->pid),
					SF_KV("status", (const char *)p->state), SF_KV("generation", p->generation),
					SF_KV("restarts", p->restarts));
		sf_json_key(j, "started_at");
		sf_json_time(j, p->started);
		sf_json_key(j, "idle_seconds");
		int64_t ms;
		if (p->role == SF_WORKER_JOBS && sf_telemetry_jobs_idle(p->pid, &ms))
			sf_json_int(j, ms / 1000);
		else
			sf_json_null(j);
		sf_json_obj_end(j);
	}
	sf_json_arr_end(j);
	sf_json_add(j, SF_KV("total_count", (int64_t)n));
	sf_json_obj_end(j);
	return 0;
}
