/* metrics: the table of what is measured, and the upper bounds of the histograms. */
#include "telemetry/internal.h"

#include "http/http.h"
#include "jobs/jobs.h"
#include "loop/loop.h"

#define HTTP(member)    SF_TM_HTTP, offsetof(struct sf_http_stats, member)
#define DB(member)      SF_TM_DB, offsetof(struct sf_db_stats, member)
#define LOOP(member)    SF_TM_LOOP, offsetof(struct sf_loop_stats, member)
#define JOBS(member)    SF_TM_JOBS, offsetof(struct sf_jobs_stats, member)
#define PROCESS(member) SF_TM_PROCESS, offsetof(struct sf_telemetry__process, member)

/* clang-format off */
const struct sf_telemetry__metric sf_telemetry__metrics[] = {
	{ "http_connections_accepted_total", "Connections accepted.", SF_TM_COUNTER, HTTP(accepted), 1 },
	{ "http_connections_closed_total", "Connections closed.", SF_TM_COUNTER, HTTP(closed), 1 },
	{ "http_requests_received_total", "Requests whose headers arrived.", SF_TM_COUNTER, HTTP(requests), 1 },
	{ "http_requests_canceled_total", "Requests whose client went away.", SF_TM_COUNTER, HTTP(canceled), 1 },
	{ "http_requests_overloaded_total", "Requests and connections refused because too much was in flight.", SF_TM_COUNTER, HTTP(overloaded), 1 },
	{ "http_connections_evicted_total", "Connections without a request that gave way to new ones.", SF_TM_COUNTER, HTTP(evicted), 1 },
	{ "http_connections_crowded_total", "Connections refused because their address held too many.", SF_TM_COUNTER, HTTP(crowded), 1 },
	{ "http_parse_errors_total", "Requests that broke the protocol.", SF_TM_COUNTER, HTTP(parse_errors), 1 },
	{ "http_timeouts_total", "Connections closed because a client was too slow.", SF_TM_COUNTER, HTTP(timeouts), 1 },
	{ "http_received_bytes_total", "Bytes read from clients.", SF_TM_COUNTER, HTTP(bytes_in), 1 },
	{ "http_sent_bytes_total", "Bytes written to clients.", SF_TM_COUNTER, HTTP(bytes_out), 1 },
	{ "http_connections_open", "Connections open.", SF_TM_SUM, HTTP(conns), 1 },
	{ "http_connections_idle", "Connections without a request.", SF_TM_SUM, HTTP(idle), 1 },
	{ "http_requests_in_flight", "Requests being worked on.", SF_TM_SUM, HTTP(inflight), 1 },
	{ "db_connections_open", "Database connections (SQLite: readers and the writer).", SF_TM_SUM, DB(open), 1 },
	{ "db_connections_busy", "Database connections in use.", SF_TM_SUM, DB(busy), 1 },
	{ "db_connections_max", "Database connections there may be.", SF_TM_SUM, DB(max), 1 },
	{ "request_queue_length", "Requests that wait for a database connection or the writer.", SF_TM_SUM, DB(waiting), 1 },
	{ "db_queries_total", "Statements run.", SF_TM_COUNTER, DB(queries), 1 },
	{ "db_errors_total", "Statements that failed.", SF_TM_COUNTER, DB(errors), 1 },
	{ "slow_queries_total", "Statements that took more than 100 ms.", SF_TM_COUNTER, DB(slow), 1 },
	{ "db_timeouts_total", "Statements ended by their time limit.", SF_TM_COUNTER, DB(timeouts), 1 },
	{ "db_refused_total", "Statements refused because the line was full or the wait too long.", SF_TM_COUNTER, DB(refused), 1 },
	{ "db_reconnects_total", "Database connections made anew.", SF_TM_COUNTER, DB(reconnects), 1 },
	{ "db_commits_total", "Transactions committed.", SF_TM_COUNTER, DB(commits), 1 },
	{ "db_rollbacks_total", "Transactions rolled back.", SF_TM_COUNTER, DB(rollbacks), 1 },
	{ "db_commit_groups_total", "Commits that several SQLite transactions shared.", SF_TM_COUNTER, DB(groups), 1 },
	{ "coroutines_live", "Coroutines that run or wait.", SF_TM_SUM, LOOP(co_live), 1 },
	{ "coroutines_started_total", "Coroutines started.", SF_TM_COUNTER, LOOP(co_started), 1 },
	{ "coroutines_refused_total", "Coroutines refused at the limit.", SF_TM_COUNTER, LOOP(co_refused), 1 },
	{ "coroutine_stack_high_water_bytes", "Deepest use of a coroutine's stack, in whole pages.", SF_TM_MAX, LOOP(stack_high_water), 1 },
	{ "loop_lag_seconds", "Longest time an iteration of an event loop took, in the last second.", SF_TM_MAX, LOOP(lag_ms_max), 1e-3 },
	{ "jobs_claimed_total", "Jobs that workers took.", SF_TM_COUNTER, JOBS(claimed), 1 },
	{ "jobs_brought_total", "Jobs taken because a message of RabbitMQ named them.", SF_TM_COUNTER, JOBS(brought), 1 },
	{ "jobs_done_total", "Runs that ended well.", SF_TM_COUNTER, JOBS(done), 1 },
	{ "jobs_failed_total", "Runs that failed; the job is tried again or dead.", SF_TM_COUNTER, JOBS(failed), 1 },
	{ "jobs_dead_total", "Jobs given up.", SF_TM_COUNTER, JOBS(dead), 1 },
	{ "jobs_rescued_total", "Jobs taken over from a worker whose lease lapsed.", SF_TM_COUNTER, JOBS(rescued), 1 },
	{ "jobs_refused_total", "Ends refused because the worker had lost its lease.", SF_TM_COUNTER, JOBS(refused), 1 },
	{ "jobs_broker_connected", "Job workers connected to RabbitMQ.", SF_TM_SUM, JOBS(broker), 1 },
	{ "jobs_running", "Jobs being run, by worker.", SF_TM_EACH, JOBS(running), 1 },
	{ "jobs_idle_seconds", "Time since a job worker last took, ended or asked in vain for a job.", SF_TM_SINCE, JOBS(progress_ms), 1e-3 },
	{ "jobs_start_lag_seconds", "Longest time from due to start, in the last second.", SF_TM_MAX, JOBS(lag_ms_max), 1e-3 },
	{ "process_cpu_seconds_total", "Processor time used by the workers.", SF_TM_COUNTER, PROCESS(cpu_us), 1e-6 },
	{ "process_resident_memory_bytes", "Resident memory of a worker.", SF_TM_EACH, PROCESS(rss_bytes), 1 },
	{ "process_open_fds", "Descriptors a worker has open.", SF_TM_EACH, PROCESS(open_fds), 1 },
};
/* clang-format on */
const size_t sf_telemetry__nmetrics = SF_COUNT(sf_telemetry__metrics);
_Static_assert(SF_COUNT(sf_telemetry__metrics) <= SF_TM_MAX_METRICS, "raise SF_TM_MAX_METRICS");
_Static_assert(sizeof(size_t) == sizeof(uint64_t), "the members read are 64 bits wide");
