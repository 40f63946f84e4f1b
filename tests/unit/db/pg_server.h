/* A private PostgreSQL for unit tests: in a temporary folder, on a free port, owned by `postgres` when the tests run as
 * root. Also what the tests of the engine share: a database on a loop with a coroutine running the test in it. */
#ifndef TESTS_UNIT_DB_PG_SERVER_H
#define TESTS_UNIT_DB_PG_SERVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/hash.h"
#include "core/log.h"
#include "core/time.h"
#include "db/db.h"
#include "loop/loop.h"
#include "scratch.h"

#define PG_BIN "/usr/lib/postgresql/15/bin"

struct pg_server {
	char dir[64];
	int port;
	char extra[256]; /* more options of the server: "-c max_connections=10" */
};

/* Runs a shell command as the server's owner; returns its exit status. */
__attribute__((format(printf, 1, 2))) static inline int pg_shell(const char *fmt, ...) {
	char cmd[1500], line[1800];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	/* LD_PRELOAD and sanitizer options are ours, not the server's */
	snprintf(line, sizeof(line), "cd / && %s env -u LD_PRELOAD sh -c '%s' >/dev/null 2>&1",
			 geteuid() == 0 ? "runuser -u postgres --" : "", cmd);
	return system(line);
}

/* Below the range that the system gives to outgoing connections: those of another test would take it away before it is listened on. */
static inline int pg_free_port(void) {
	for (;;) {
		uint16_t pick = 0;
		sf_random(&pick, sizeof pick);
		struct sockaddr_in a = { .sin_family = AF_INET,
								 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
								 .sin_port = htons((uint16_t)(20000 + pick % 12000)) };
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		assert_true(fd >= 0);
		bool is_free = bind(fd, (struct sockaddr *)&a, sizeof a) == 0;
		close(fd);
		if (is_free) return ntohs(a.sin_port);
	}
}

static inline int pg_server_up(struct pg_server *s) {
	return pg_shell(
		PG_BIN "/pg_ctl -D %s/data -l %s/log -w -t 30 start -o \"-p %d -k %s -c listen_addresses=127.0.0.1 "
			   "-c fsync=off -c shared_buffers=16MB %s\"",
		s->dir, s->dir, s->port, s->dir, s->extra);
}
static inline void pg_server_down(struct pg_server *s, const char *mode) { /* "fast", "immediate" */
	pg_shell(PG_BIN "/pg_ctl -D %s/data -w -m %s stop", s->dir, mode);
}

/* False, with a word: the server's programs are not installed. */
static inline bool pg_server_start(struct pg_server *s) {
	if (access(PG_BIN "/initdb", X_OK) != 0) {
		print_message("SKIPPED: no PostgreSQL 15 server programs in " PG_BIN "\n");
		return false;
	}
	assert_true(scratch_folder(s->dir, sizeof s->dir, "sf-pg"));
	if (geteuid() == 0) {
		char cmd[128];
		snprintf(cmd, sizeof(cmd), "chown postgres %s", s->dir);
		assert_int_equal(system(cmd), 0);
	}
	s->port = pg_free_port();
	assert_int_equal(pg_shell(PG_BIN "/initdb -D %s/data -U test -A trust -E UTF8 --no-locale -N", s->dir),
					 0);
	assert_int_equal(pg_server_up(s), 0);
	return true;
}
static inline void pg_server_stop(struct pg_server *s) {
	if (!s->dir[0]) return;
	pg_server_down(s, "immediate");
	char cmd[128];
	snprintf(cmd, sizeof(cmd), "rm -rf %s", s->dir);
	assert_int_equal(system(cmd), 0);
	s->dir[0] = 0;
}
static inline int pg_psql(struct pg_server *s, const char *sql) {
	return pg_shell("psql -h %s -p %d -U test -d postgres -v ON_ERROR_STOP=1 -c \"%s\"", s->dir, s->port,
					sql);
}

/* Starting and stopping a server takes long: for the thread pool, so that the loop goes on. */
static inline int up_job(void *arg) {
	return pg_server_up(arg);
}
static inline int crash_job(void *arg) {
	pg_server_down(arg, "immediate");
	return 0;
}

/* ---- a database on a loop --------------------------------------------------------------------------- */

enum { PG_PATIENCE_MS = 60000 }; /* past this a condition never comes; how fast it comes is not asserted */

struct pg_env {
	struct pg_server server;
	struct sf_db_opts opts;
	char url[256];
	struct sf_loop *loop;
	struct sf_db *db;
	struct sf_arena *arena;
	void (*test)(struct pg_env *e);
	bool done;
};

static inline void pg_env_ended(void *arg) {
	*(bool *)arg = true;
}

static inline void pg_env_main(void *arg) {
	struct pg_env *e = arg;
	e->test(e);
	sf_db_close(e->db, pg_env_ended, &e->done);
}

/* Runs test(e) in a coroutine with e->db open, closes all, and proves that nothing is left. */
static inline void pg_env_run(struct pg_env *e, void (*test)(struct pg_env *e)) {
	struct sf_str why;
	if (!e->server.dir[0]) skip();
	e->loop = sf_loop_new(NULL);
	e->arena = sf_arena_new(0);
	snprintf(e->url, sizeof(e->url), "postgresql://test@127.0.0.1:%d/postgres", e->server.port);
	if (!e->opts.url) e->opts.url = e->url;
	if (!e->opts.wait_ms)
		e->opts.wait_ms = PG_PATIENCE_MS; /* connecting takes as long as the machine is busy */
	assert_int_equal(sf_db_open(e->loop, &e->opts, &e->db, &why), 0);
	e->test = test, e->done = false;
	assert_int_equal(sf_co_start(e->loop, pg_env_main, e, NULL), 0);
	sf_loop_run(e->loop);
	assert_true(e->done);
	assert_int_equal(sf_loop_free(e->loop), 0);
	sf_arena_free(e->arena);
	e->opts = (struct sf_db_opts) { 0 };
}

static inline struct sf_db_stats stats(struct pg_env *e) {
	struct sf_db_stats s;
	sf_db_stats(e->db, &s);
	return s;
}

/* Waits until cond holds. */
#define PG_WAIT_FOR(cond)                                                                                    \
	do {                                                                                                     \
		int64_t until_ = sf_clock_ns() + PG_PATIENCE_MS * INT64_C(1000000);                                  \
		while (!(cond)) {                                                                                    \
			assert_true(sf_clock_ns() < until_);                                                             \
			assert_int_equal(sf_sleep(5), 0);                                                                \
		}                                                                                                    \
	} while (0)

#endif
