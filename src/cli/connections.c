/* connections: the command that shows who uses which database connection of the instance that runs on this machine.
 *
 * It reads the memory that the workers share (telemetry/connections.c) and asks neither the server nor the database: both may be what
 * does not answer. */
#include "cli/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"
#include "core/time.h"
#include "loop/loop.h"
#include "telemetry/telemetry.h"

enum { INSTANCES_MOST = 32, PROCS_MOST = 512, STILL_MS = 5000 };

static int several(const struct sf_instance *all, size_t n, size_t known) {
	struct sf_buf b = { 0 };
	for (size_t i = 0; i < known; i++) sf_buf_printf(&b, "%s%d", i ? ", " : "", all[i].pid);
	int code = cli_wrong("%zu instances run here; name one with --pid: %.*s", n, (int)b.n, b.p);
	sf_buf_fini(&b);
	return code;
}

/* Lets the rest of the program see the memory of the instance; 0, or the exit code after saying what is wrong. */
static int join(const char *pid) {
	struct sf_instance all[INSTANCES_MOST], *at = all;
	size_t n = sf_instances(all, INSTANCES_MOST), known = n < INSTANCES_MOST ? n : INSTANCES_MOST;
	if (pid) {
		while (at < all + known && at->pid != atoi(pid)) at++;
		if (at == all + known) {
			cli_wrong("no instance with the pid %s runs here under this user", pid);
			return 1;
		}
	} else if (n > 1) {
		return several(all, n, known);
	} else if (n == 0) {
		cli_wrong("no instance runs on this machine under this user; `softfactory serve` starts one");
		return 1;
	}
	struct sf_proc first;
	int err = sf_instance_join(at);
	if (!err && sf_super_processes(&first, 1) == 0) err = SF_EINVAL;
	if (err == SF_EUNAVAILABLE)
		cli_wrong("the instance with the pid %d has just ended", at->pid);
	else if (err)
		cli_wrong("the instance with the pid %d is of another version", at->pid);
	return err ? 1 : 0;
}

static void print_held(struct sf_buf *b, const struct sf_telemetry_held *h) {
	char id[72] = "";
	if (h->job)
		snprintf(id, sizeof id, "job %lld", (long long)h->job);
	else
		snprintf(id, sizeof id, "%s", h->request);
	sf_buf_printf(b, "    %9lld ms  %-11s  %-44s  %-28s  %s\n", (long long)h->ms,
				  h->transaction ? "transaction" : "statement", h->label, *h->query ? h->query : "-",
				  *id ? id : "-");
}

static void print_process(struct sf_buf *b, const struct sf_proc *p, struct sf_telemetry_conns *c) {
	char name[32];
	sf_proc_name(p, name);
	sf_buf_printf(b, "%s (pid %d, %s)", name, p->pid, p->state);
	if (!sf_telemetry_conns(p->pid, c)) {
		sf_buf_cstr(b, ": has told nothing yet\n");
		return;
	}
	int64_t silent = (sf_time_now() - c->at_us) / 1000;
	if (silent > STILL_MS) sf_buf_printf(b, ", as of %lld s ago", (long long)(silent / 1000));
	sf_buf_char(b, '\n');
	for (uint32_t i = 0; i < c->npools; i++) {
		const struct sf_telemetry_pool *d = &c->pool[i];
		sf_buf_printf(b, "  %s %s (%s): %u in use, %u idle, %u open of %u, %u waiting\n",
					  d->replica ? "replica" : "primary", d->server, d->services, d->busy, d->idle, d->open,
					  d->max, d->waiting);
		for (uint32_t k = 0; k < c->nheld; k++)
			if (c->held[k].pool == i) print_held(b, &c->held[k]);
	}
	if (c->held_all > c->nheld) sf_buf_printf(b, "  and %u more\n", c->held_all - c->nheld);
}

static void print_all(struct sf_buf *b) {
	struct sf_proc *procs = sf_malloc(PROCS_MOST * sizeof *procs);
	struct sf_telemetry_conns *c = sf_malloc(sizeof *c);
	size_t n = sf_super_processes(procs, PROCS_MOST);
	for (size_t i = 0; i < n; i++)
		if (procs[i].slot >= 0 && procs[i].pid > 0) print_process(b, &procs[i], c);
	free(c), free(procs);
}

int cli_db_connections(int argc, char **argv) {
	bool json = cli_take_flag(&argc, argv, "--json");
	const char *pid = NULL;
	int code = cli_take_text(&argc, argv, "--pid", &pid);
	if (!code) code = cli_settings(&argc, argv);
	if (code) return code;
	if (argc > 1) return cli_wrong("db connections takes --json and --pid, not \"%s\"", argv[1]);
	code = join(pid);
	if (code) return code;
	struct sf_buf b = { 0 };
	if (json) {
		struct sf_json j = sf_json(&b);
		sf_json_obj(&j);
		sf_telemetry_conns_json(&j);
		sf_json_obj_end(&j);
		sf_buf_char(&b, '\n');
	} else {
		print_all(&b);
	}
	cli_print(&b);
	return 0;
}
