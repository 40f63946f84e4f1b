/* The queue's statements go by an index on PostgreSQL whenever their plan was made: connections keep it for as long as they live. */
#include "jobs/queue.h"

#include <libpq-fe.h>

#include "jobs.q.h"

static const struct sf_query *const often[] = {
	&jobs_keyed_desc,          &jobs_claim_desc,          &jobs_due_desc,
	&jobs_next_desc,           &jobs_limit_running_desc,  &jobs_lanes_desc,
	&jobs_done_desc,           &jobs_over_desc,           &jobs_back_desc,
	&jobs_give_back_desc,      &jobs_progress_desc,       &jobs_worker_beat_desc,
	&jobs_mine_desc,           &jobs_rescue_bury_desc,    &jobs_rescue_blamed_desc,
	&jobs_rescue_desc,         &jobs_rescue_orphans_desc, &jobs_live_get_desc,
	&jobs_cancel_waiting_desc, &jobs_cancel_running_desc, &jobs_hasten_desc,
	&jobs_relane_ids_desc,
};

static void do_sql(PGconn *c, const char *text) {
	PGresult *r = PQexec(c, text);
	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", text, PQerrorMessage(c));
	PQclear(r);
}

/* How many of the statements read the table of jobs from end to end, or sort what the index has in order. */
static int read_all(PGconn *c) {
	int wrong = 0;
	for (size_t i = 0; i < SF_COUNT(often); i++) {
		char text[200] = "EXPLAIN EXECUTE p";
		PGresult *r = PQprepare(c, "p", often[i]->pg, 0, NULL);
		if (PQresultStatus(r) != PGRES_COMMAND_OK) fail_msg("%s: %s", often[i]->name, PQerrorMessage(c));
		PQclear(r);
		for (unsigned k = 0; k < often[i]->nin; k++) strcat(text, k ? ", NULL" : "(NULL");
		if (often[i]->nin) strcat(text, ")");
		r = PQexec(c, text);
		if (PQresultStatus(r) != PGRES_TUPLES_OK) fail_msg("%s: %s", often[i]->name, PQerrorMessage(c));
		for (int k = 0; k < PQntuples(r); k++) {
			const char *line = PQgetvalue(r, k, 0);
			if (!strstr(line, "Seq Scan on jobs") && !strstr(line, "Sort Key: j.")) continue;
			print_error("%s:%s\n", often[i]->name, line);
			wrong++;
		}
		PQclear(r);
		do_sql(c, "DEALLOCATE p");
	}
	return wrong;
}

static void by_index(void **state) {
	struct rig r;
	(void)state;
	if (!server.dir[0]) skip();
	rig_up(&r, true);
	PGconn *c = PQconnectdb(r.url);
	assert_int_equal(PQstatus(c), CONNECTION_OK);
	do_sql(c, "SET plan_cache_mode = force_generic_plan");
	assert_int_equal(read_all(c), 0); /* never used */
	do_sql(c, "VACUUM ANALYZE jobs");
	assert_int_equal(read_all(c), 0); /* empty, and known to be */
	do_sql(c, "INSERT INTO jobs (kind, queue, lane, priority, run_at, max_attempts, payload, created_at, "
			  "state, worker) "
			  "SELECT 'k', 'q', 'q', 5, i, 20, '{}', i, CASE WHEN i % 3 = 0 THEN 'running' ELSE 'ready' END, "
			  "CASE WHEN i % 3 = 0 THEN 1 END FROM generate_series(1, 20000) i");
	do_sql(c, "VACUUM ANALYZE jobs");
	assert_int_equal(read_all(c), 0); /* full, of jobs that are all alike */
	do_sql(c, "DELETE FROM jobs");
	do_sql(c, "VACUUM ANALYZE jobs");
	assert_int_equal(read_all(c), 0);
	PQfinish(c);
	rig_down(&r);
}

/* The plan inside of jobs_claim, made by a connection while the queue was empty: what a claim reads does not grow with what is due. */
static void claims_read_little(void **state) {
	struct rig r;
	long hit = -1;
	(void)state;
	if (!server.dir[0]) skip();
	rig_up(&r, true);
	PGconn *c = PQconnectdb(r.url);
	assert_int_equal(PQstatus(c), CONNECTION_OK);
	do_sql(c, "SET plan_cache_mode = force_generic_plan");
	do_sql(c, "VACUUM ANALYZE jobs");
	do_sql(c, "ALTER TABLE jobs SET (autovacuum_enabled = off)"); /* none comes to the rescue */
	const char *claim = "EXPLAIN (ANALYZE, BUFFERS) SELECT * FROM jobs_claim(1, 1000000, "
						"'[{\"lane\":\"q\",\"priority\":5,\"floor\":0}]', 10)";
	do_sql(c, claim);
	do_sql(c, "INSERT INTO jobs (kind, queue, lane, priority, run_at, max_attempts, payload, created_at) "
			  "SELECT 'k', 'q', 'q', 5, i, 20, '{}', i FROM generate_series(1, 50000) i");
	PGresult *res = PQexec(c, claim);
	assert_int_equal(PQresultStatus(res), PGRES_TUPLES_OK);
	assert_non_null(strstr(PQgetvalue(res, 0, 0), "rows=10 "));
	for (int k = 0; k < PQntuples(res) && hit < 0; k++) {
		const char *at = strstr(PQgetvalue(res, k, 0), "shared hit=");
		if (at) hit = strtol(at + 11, NULL, 10);
	}
	print_message("a claim of 10 of 50,000 looks at %ld pages\n", hit);
	assert_in_range(hit, 1, 400);
	PQclear(res);
	PQfinish(c);
	rig_down(&r);
}

int main(void) {
	const struct CMUnitTest tests[] = { cmocka_unit_test(by_index), cmocka_unit_test(claims_read_little) };
	return cmocka_run_group_tests(tests, server_up, server_gone);
}
