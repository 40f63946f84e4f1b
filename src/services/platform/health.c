/* health: whether the program lives, is ready, and of what it consists. */
#include "core/time.h"
#include "loop/loop.h"
#include "services/platform/internal.h"
#include "services/services.h"
#include "telemetry/telemetry.h"

static struct {
	const char *not_ready; /* static text, NULL: nothing of ours stands against it */
	int64_t started;
} health;

void platform_not_ready(const char *why) {
	health.not_ready = why;
	if (!health.started) health.started = sf_time_now();
}

int platform_health(struct sf_req *r) {
	return sf_reply(r, 200, SF_KV("status", "ok"));
}

/* ~ "ok", or why the database is not. */
static const char *database_check(struct sf_req *r) {
	if (sf_db_ping(sf_app_db(sf_req_app(r), "platform")) != 0) return "unavailable";
	return health.not_ready ? health.not_ready : "ok";
}

int platform_ready(struct sf_req *r) { /* 503: draining, or a dependency is not ready */
	const char *database = database_check(r), *status = "ready";
	bool ok = strcmp(database, "ok") == 0;
	if (!ok) status = "not_ready";
	if (sf_super_draining()) status = "draining";
	bool ready = strcmp(status, "ready") == 0;
	if (!ready) sf_reply_header(r, "Retry-After", SF_STR("1"));
	struct sf_json *j = sf_reply_json(r, ready ? 200 : 503);
	sf_json_obj(j);
	sf_json_add(j, SF_KV("status", status));
	sf_json_key(j, "checks");
	sf_json_obj(j);
	sf_json_add(j, SF_KV("database", database));
	sf_json_obj_end(j);
	sf_json_obj_end(j);
	return 0;
}

static int64_t uptime_s(int64_t now) {
	struct sf_proc first;
	int64_t since = sf_super_processes(&first, 1) ? first.started : health.started;
	return since ? (now - since) / SF_USEC : 0;
}

int platform_infrastructure(struct sf_req *r) {
	bool up = strcmp(database_check(r), "ok") == 0;
	int64_t now = sf_req_now(r);
	char at[32];
	return sf_reply(r, 200, SF_KV("overall_status", up ? "healthy" : "unhealthy"),
					SF_KV("api_status", "healthy"), SF_KV("database_status", up ? "healthy" : "unhealthy"),
					SF_KV("uptime", uptime_s(now)), sf_kv_time("timestamp", now, at));
}

int platform_processes(struct sf_req *r) {
	struct sf_proc procs[256];
	size_t n = sf_super_processes(procs, SF_COUNT(procs));
	struct sf_json *j = sf_reply_json(r, 200);
	sf_json_obj(j);
	sf_json_key(j, "processes");
	sf_json_arr(j);
	for (size_t i = 0; i < n; i++) {
		const struct sf_proc *p = &procs[i];
		struct sf_str name = SF_STR("supervisor");
		if (p->slot >= 0)
			name = sf_arena_printf(sf_req_arena(r), p->role == SF_WORKER_JOBS ? "job worker %d" : "worker %d",
								   p->number);
		sf_json_obj(j);
		sf_json_add(j, SF_KV("name", name), SF_KV("pid", p->pid), SF_KV("status", (const char *)p->state),
					SF_KV("generation", p->generation), SF_KV("restarts", p->restarts));
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
