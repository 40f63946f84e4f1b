/* The database layer alone: coroutines of one loop run a statement over and over, as pgbench's clients do.
 * Usage: dbloop URL SCENARIO COROUTINES SECONDS     scenarios: point list insert transfer
 * Prints one JSON object: statements (or transactions) a second, mean and p99 in µs, CPU of this process per statement.
 * The tables are made by bench/dbloop.mjs. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "core/core.h"
#include "core/log.h"
#include "core/time.h"
#include "db/db.h"
#include "loop/loop.h"

struct chef {
	int64_t id;
	struct sf_str name, bio, cuisine, city;
	int64_t price;
	double rating;
	int64_t votes, total;
};
struct in {
	int64_t a, b;
};
#define COL(s, m, t, n)                                                                                      \
	{ #m, t, n, offsetof(struct s, m) }
static const struct sf_dbcol chef_cols[] = {
	COL(chef, id, SF_T_INT, false),       COL(chef, name, SF_T_TEXT, false),
	COL(chef, bio, SF_T_TEXT, true),      COL(chef, cuisine, SF_T_TEXT, false),
	COL(chef, city, SF_T_TEXT, false),    COL(chef, price, SF_T_INT, false),
	COL(chef, rating, SF_T_FLOAT, false), COL(chef, votes, SF_T_INT, false),
	COL(chef, total, SF_T_INT, false),
};
static const struct sf_dbcol in_cols[] = { COL(in, a, SF_T_INT, false), COL(in, b, SF_T_INT, false) };
#define FIELDS "id, name, bio, cuisine, city, price, rating, votes, "
#define READ(kind_, sql, n)                                                                                  \
	{                                                                                                        \
		.name = "bench", .kind = kind_, .pg = sql, .in = in_cols, .nin = n, .out = chef_cols,                \
		.nout = SF_COUNT(chef_cols), .row_size = sizeof(struct chef)                                         \
	}
#define WRITE(sql)                                                                                           \
	{ .name = "bench", .kind = SF_Q_EXEC, .write = true, .pg = sql, .in = in_cols, .nin = 2 }
static const struct sf_query point =
	READ(SF_Q_ONE, "SELECT " FIELDS "0::int8 AS total FROM chefs WHERE id = $1", 1);
static const struct sf_query list =
	READ(SF_Q_MANY,
		 "SELECT " FIELDS "(SELECT n FROM counts WHERE kind = 'all') AS total FROM chefs WHERE active "
		 "ORDER BY rating DESC, votes DESC, id LIMIT 12 OFFSET $1",
		 1);
static const struct sf_query insert = WRITE("INSERT INTO entries (chef, hours) VALUES ($1, $2)");
static const struct sf_query vote = WRITE("UPDATE chefs SET price = price + $2 WHERE id = $1");

static struct {
	struct sf_loop *loop;
	struct sf_db *db;
	const char *scenario;
	int coroutines, live;
	bool stop, measures;
	int64_t until_ns, from_ns;
	uint64_t done, us_sum, errors;
	uint32_t hist[20001]; /* 10 µs steps up to 200 ms */
	double cpu_from, cpu;
	uint64_t seed;
} B;

static int64_t dice(int64_t n) { /* xorshift: the same for every run */
	B.seed ^= B.seed << 13, B.seed ^= B.seed >> 7, B.seed ^= B.seed << 17;
	return (int64_t)(B.seed % (uint64_t)n) + 1;
}

static double cpu_now(void) {
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
		   (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int transfer(struct sf_arena *a) {
	struct sf_dbh *tx = NULL;
	int err = sf_tx_begin(B.db, a, "bench", &tx);
	if (!err) err = sf_db_exec(tx, &vote, &(struct in) { dice(10000), 1 }, NULL);
	if (!err) err = sf_db_exec(tx, &insert, &(struct in) { dice(10000), 2 }, NULL);
	if (!err) err = sf_tx_commit(tx);
	sf_tx_end(tx);
	return err;
}

static int once(struct sf_arena *a) {
	struct sf_dbh *h = sf_db_auto(B.db, a, SF_READ_PRIMARY, "bench");
	struct chef c;
	struct sf_rows rows;
	switch (B.scenario[0]) {
	case 'p': return sf_db_one(h, &point, &(struct in) { dice(10000), 0 }, &c);
	case 'l': return sf_db_all(h, &list, &(struct in) { 0, 0 }, &rows);
	case 'i': return sf_db_exec(h, &insert, &(struct in) { dice(10000), 2 }, NULL);
	default: return transfer(a);
	}
}

static void tell(void) {
	uint64_t seen = 0;
	size_t p99 = 0;
	for (; p99 + 1 < SF_COUNT(B.hist) && (seen += B.hist[p99]) * 100 < B.done * 99; p99++) {
	}
	struct sf_db_stats s;
	sf_db_stats(B.db, &s);
	double secs = (double)(sf_clock_ns() - B.from_ns) / 1e9;
	printf("{\"tps\":%.0f,\"mean_us\":%.0f,\"p99_us\":%zu,\"cpu_us\":%.2f,\"connections\":%zu,\"errors\":%"
		   "llu}\n",
		   (double)B.done / secs, (double)B.us_sum / (double)B.done, (p99 + 1) * 10,
		   B.cpu / (double)B.done * 1e6, s.open, (unsigned long long)B.errors);
}

static void client(void *arg) {
	(void)arg;
	struct sf_arena *a = sf_arena_new(0);
	while (!B.stop) {
		int64_t t0 = sf_clock_ns();
		int err = once(a);
		int64_t t1 = sf_clock_ns(), us = (t1 - t0) / 1000;
		sf_arena_reset(a);
		if (!B.measures) continue;
		B.done++, B.us_sum += (uint64_t)us, B.errors += err != 0;
		B.hist[us / 10 < (int64_t)SF_COUNT(B.hist) ? us / 10 : (int64_t)SF_COUNT(B.hist) - 1]++;
		if (t1 >= B.until_ns) B.stop = true;
	}
	sf_arena_free(a);
	if (--B.live > 0) return;
	B.cpu = cpu_now() - B.cpu_from;
	tell();
	sf_db_close(B.db, NULL, NULL);
}

static void start(void *arg) {
	(void)arg;
	for (int i = 0; i < B.coroutines; i++) {
		B.live++;
		SF_BUG_ON(sf_co_start(B.loop, client, NULL, NULL) != 0);
	}
}

static void run(void *arg) {
	int64_t seconds = *(int64_t *)arg;
	while (sf_db_ping(B.db) != 0)
		if (sf_sleep(20)) return;
	sf_loop_later(B.loop, start, NULL);
	if (sf_sleep(1000)) return; /* warm */
	B.from_ns = sf_clock_ns(), B.until_ns = B.from_ns + seconds * INT64_C(1000000000);
	B.cpu_from = cpu_now();
	B.measures = true;
}

int main(int argc, char **argv) {
	if (argc != 5) {
		fprintf(stderr, "usage: dbloop URL point|list|insert|transfer COROUTINES SECONDS\n");
		return 2;
	}
	struct sf_db_opts o = { .url = argv[1], .wait_ms = 5000 };
	struct sf_str why = SF_STR_NULL;
	int64_t seconds = atoi(argv[4]);
	B.scenario = argv[2], B.coroutines = atoi(argv[3]), B.seed = 88172645463325252u;
	sf_log_setup(SF_WARN, 2);
	B.loop = sf_loop_new(NULL);
	if (sf_db_open(B.loop, &o, &B.db, &why)) {
		fprintf(stderr, "%.*s\n", SF_ARG(why));
		return 2;
	}
	if (sf_co_start(B.loop, run, &seconds, NULL)) return 1;
	sf_loop_run(B.loop);
	return sf_loop_free(B.loop) != 0;
}
