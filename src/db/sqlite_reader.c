/* The reading threads of the SQLite engine: each takes a SELECT from the common line and runs it on its connection. */
#include "db/sqlite.h"

static struct sf_lite__job *next(struct sf_lite__line *line, struct sf_lite__conn *conn) {
	struct sf_lite__job *job = NULL;
	uv_mutex_lock(&line->lock);
	line->busy--;
	while (!line->n && !line->stop) {
		int64_t rest = sf_lite__conn_rest_in(conn);
		if (rest < 0) {
			uv_cond_wait(&line->more, &line->lock);
		} else if (rest > 0) {
			uv_cond_timedwait(&line->more, &line->lock, (uint64_t)rest);
		} else {
			uv_mutex_unlock(&line->lock);
			sf_lite__conn_rest(conn);
			uv_mutex_lock(&line->lock);
		}
	}
	if (line->n) {
		job = SF_CONTAINER(line->jobs.next, struct sf_lite__job, node);
		sf_list_del(&job->node);
		job->taken = true;
		line->n--, line->busy++;
	}
	uv_mutex_unlock(&line->lock);
	return job;
}

void sf_lite__reader_main(void *arg) {
	struct sf_lite *db = arg;
	struct sf_lite__conn conn = { 0 };
	struct sf_lite__job *job;
	/* the writer makes the file, so that a first reader finds one */
	uv_mutex_lock(&db->reads.lock);
	while (!db->opened) uv_cond_wait(&db->reads.more, &db->reads.lock);
	db->reads.busy++;
	uv_mutex_unlock(&db->reads.lock);
	while ((job = next(&db->reads, &conn))) {
		if (!conn.db && sf_lite__conn_open(&conn, db->path, false, job->why, sizeof job->why) != 0)
			job->err = SF_EUNAVAILABLE;
		else
			sf_lite__conn_run(&conn, job);
		struct sf_node one;
		sf_list_init(&one);
		sf_list_push(&one, &job->node);
		sf_lite__deliver(db, &one);
	}
	sf_lite__conn_close(&conn);
	sf_lite__exited(db);
}
