/* Shared by the two files of the broker's connection: what it says (amqp_wire.c), and the thread that holds it (amqp_link.c). */
#ifndef SF_JOBS_AMQP_WIRE_H
#define SF_JOBS_AMQP_WIRE_H

#include "jobs/amqp.h"
#include <amqp.h>

struct
	sf_jobs__wire { /* one connection, or none; of one thread, which may wait in each of these calls for some seconds */
	const char *url, *ca_file; /* borrowed */
	char *const *queue;        /* borrowed; NULL-terminated */
	int prefetch, heartbeat_s;
	amqp_connection_state_t conn; /* NULL: none */
	uint64_t published;           /* on this connection: the tag of the last publication */
	char error[200];              /* why the last call failed */
	const char *stuck; /* the queue that could not be consumed because it has no leader; NULL: none */
};
struct sf_jobs__wire_event {
	enum {
		SF_JOBS__WIRE_DELIVERED,
		SF_JOBS__WIRE_PROBED, /* delivered, and means nothing */
		SF_JOBS__WIRE_CONFIRMED,
		SF_JOBS__WIRE_REFUSED
	} what;
	uint64_t tag;
	bool multiple; /* confirmed, refused: and all before it */
	bool valid;    /* delivered: letter names a job */
	struct sf_jobs__letter letter;
};
/* Connects, declares what must be there, and consumes. All of these say SF_EUNAVAILABLE, with w->error, and are good for
 * nothing but to be closed then. */
SF_MUSTCHECK
int sf_jobs__wire_open(struct sf_jobs__wire *w);
/* Connects, and deletes a queue with what is in it. To be closed afterwards. */
SF_MUSTCHECK
int sf_jobs__wire_drop(struct sf_jobs__wire *w, const char *queue);
void sf_jobs__wire_close(struct sf_jobs__wire *w); /* at once; fine when there is none */
/* Its tag is w->published afterwards. SF_ETOOLARGE: it cannot be written down; nothing was sent. */
SF_MUSTCHECK
int sf_jobs__wire_publish(struct sf_jobs__wire *w, const struct sf_jobs__letter *l);
SF_MUSTCHECK
int sf_jobs__wire_answer(struct sf_jobs__wire *w, uint64_t tag, bool acknowledge);
/* 1: *e is what was read; 0: there is nothing now. */
SF_MUSTCHECK
int sf_jobs__wire_read(struct sf_jobs__wire *w, struct sf_jobs__wire_event *e);
/* How many messages lie ready in the queues. */
SF_MUSTCHECK
int sf_jobs__wire_depth(struct sf_jobs__wire *w, int64_t *n);
/* Something was read from the socket and not looked at yet: poll() would not tell. */
bool sf_jobs__wire_has(const struct sf_jobs__wire *w);

#endif
