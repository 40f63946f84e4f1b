/* connections: who uses which database connection in each worker, published with the other figures once a second.
 *
 * A request that is over within a second may never be seen here; one that is in the way of others is. The writer makes a
 * sequence number odd while it writes, so that a reader notices and tries again. Cost: nothing on the way of a request but four
 * pointers a statement (db/db.c); once a second a few microseconds for the loop; 18 KiB of shared memory a process. */
#include "telemetry/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"
#include "core/time.h"
#include "loop/loop.h"

enum { PROCS_MOST = 512, TRIES = 1000 };

static void pools_of(struct sf_telemetry_conns *c, const struct sf_db *db,
					 const struct sf_telemetry_opts *opts) {
	struct sf_db_pool p;
	for (size_t i = 0; c->npools < SF_TELEMETRY_POOLS && sf_db_pool(db, i, &p); i++) {
		struct sf_telemetry_pool *to = &c->pool[c->npools++];
		to->services[0] = '\0';
		if (opts->services) opts->services(db, to->services, sizeof to->services);
		snprintf(to->server, sizeof to->server, "%s", p.server);
		to->lite = sf_db_engine(db) == SF_LITE, to->replica = p.replica;
		to->open = (uint32_t)p.open, to->busy = (uint32_t)p.busy, to->idle = (uint32_t)p.idle;
		to->waiting = (uint32_t)p.waiting, to->max = (uint32_t)p.max;
	}
}

static void held_of(struct sf_telemetry_conns *c, const struct sf_db *db, uint32_t primary) {
	struct sf_db_holder who[SF_TELEMETRY_HELD];
	size_t room = SF_TELEMETRY_HELD - c->nheld, n = sf_db_holders(db, who, room);
	c->held_all += (uint32_t)n;
	for (size_t i = 0; i < n && i < room; i++) {
		struct sf_telemetry_held *to = &c->held[c->nheld++];
		snprintf(to->label, sizeof to->label, "%s", who[i].label);
		snprintf(to->query, sizeof to->query, "%s", who[i].query);
		snprintf(to->request, sizeof to->request, SF_PRI, SF_ARG(who[i].request));
		to->job = who[i].job, to->ms = who[i].age_ms, to->transaction = who[i].transaction;
		/* which of several replicas is not known here: the first stands for them */
		to->pool = who[i].replica && primary + 1 < c->npools ? primary + 1 : primary;
	}
}

void sf_telemetry__conns_publish(struct sf_telemetry__live *to, const struct sf_telemetry_opts *opts) {
	struct sf_telemetry_conns *c = &to->conns;
	__atomic_store_n(&to->conns_seq, to->conns_seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	c->at_us = sf_time_now();
	c->npools = c->nheld = c->held_all = 0;
	for (struct sf_db *const *db = opts->dbs; db && *db; db++) {
		uint32_t primary = c->npools;
		pools_of(c, *db, opts);
		if (primary < SF_TELEMETRY_POOLS) held_of(c, *db, primary);
	}
	__atomic_store_n(&to->conns_seq, to->conns_seq + 1, __ATOMIC_RELEASE);
}

/* ---- reading -------------------------------------------------------------------------------------- */

struct wanted {
	int64_t pid;
	struct sf_telemetry_conns *out;
	bool found;
};

static void of_slot(const char *name, void *p, size_t n, void *arg) {
	(void)name;
	const struct sf_telemetry__slot *s = p;
	struct wanted *w = arg;
	for (int k = 0; n == sizeof *s && k < SF_TM_LIVE && !w->found; k++) {
		const struct sf_telemetry__live *l = &s->live[k];
		if (l->pid != w->pid) continue;
		for (int tries = 0; tries < TRIES && !w->found; tries++) {
			uint32_t seq = __atomic_load_n(&l->conns_seq, __ATOMIC_ACQUIRE);
			if (seq & 1) continue;
			*w->out = l->conns;
			__atomic_thread_fence(__ATOMIC_ACQUIRE);
			w->found = __atomic_load_n(&l->conns_seq, __ATOMIC_RELAXED) == seq;
		}
	}
}

bool sf_telemetry_conns(int64_t pid, struct sf_telemetry_conns *out) {
	struct wanted w = { .pid = pid, .out = out };
	sf_shm_each(sf_telemetry__prefix(), of_slot, &w);
	return w.found && out->at_us != 0;
}

static struct sf_str text_of(const char *text) { /* shown as null where there is none */
	return *text ? sf_str(text) : SF_STR_NULL;
}

static void held_json(struct sf_json *j, const struct sf_telemetry_held *h) {
	sf_json_obj(j);
	sf_json_add(j, SF_KV("holder", (const char *)h->label), SF_KV("transaction", h->transaction),
				SF_KV("ms", h->ms), SF_KV("query", text_of(h->query)),
				SF_KV("request_id", text_of(h->request)));
	sf_json_key(j, "job_id");
	sf_json_int_or_null(j, h->job);
	sf_json_obj_end(j);
}

static void pool_json(struct sf_json *j, const struct sf_telemetry_conns *c, uint32_t i) {
	const struct sf_telemetry_pool *p = &c->pool[i];
	sf_json_obj(j);
	sf_json_add(j, SF_KV("services", (const char *)p->services), SF_KV("server", (const char *)p->server),
				SF_KV("engine", p->lite ? "sqlite" : "postgresql"),
				SF_KV("role", p->replica ? "replica" : "primary"), SF_KV("open", (int64_t)p->open),
				SF_KV("in_use", (int64_t)p->busy), SF_KV("idle", (int64_t)p->idle),
				SF_KV("waiting", (int64_t)p->waiting), SF_KV("max", (int64_t)p->max));
	sf_json_key(j, "held");
	sf_json_arr(j);
	for (uint32_t k = 0; k < c->nheld; k++)
		if (c->held[k].pool == i) held_json(j, &c->held[k]);
	sf_json_arr_end(j);
	sf_json_obj_end(j);
}

static void process_json(struct sf_json *j, const struct sf_proc *p, struct sf_telemetry_conns *c) {
	char name[32];
	sf_proc_name(p, name);
	if (!sf_telemetry_conns(p->pid, c)) c->at_us = c->npools = c->nheld = c->held_all = 0;
	sf_json_obj(j);
	sf_json_add(j, SF_KV("name", (const char *)name), SF_KV("pid", p->pid));
	sf_json_key(j, "as_of");
	sf_json_time_or_null(j, c->at_us);
	sf_json_key(j, "databases");
	sf_json_arr(j);
	for (uint32_t i = 0; i < c->npools; i++) pool_json(j, c, i);
	sf_json_arr_end(j);
	sf_json_add(j, SF_KV("not_shown", (int64_t)(c->held_all - c->nheld)));
	sf_json_obj_end(j);
}

void sf_telemetry_conns_json(struct sf_json *j) {
	struct sf_proc *procs = sf_malloc(PROCS_MOST * sizeof *procs);
	struct sf_telemetry_conns *c = sf_malloc(sizeof *c);
	size_t n = sf_super_processes(procs, PROCS_MOST);
	sf_json_key(j, "processes");
	sf_json_arr(j);
	for (size_t i = 0; i < n; i++)
		if (procs[i].slot >= 0 && procs[i].pid > 0) process_json(j, &procs[i], c);
	sf_json_arr_end(j);
	free(c), free(procs);
}
