/* Shared by the files of the broker: the connection's thread (amqp_link.c), what it carries (amqp_letter.c), and the relay
 * and consumer on the loop (amqp.c). */
#ifndef SF_JOBS_AMQP_H
#define SF_JOBS_AMQP_H

#include "core/core.h"

struct sf_loop;

#define SF_JOBS__AMQP_DEAD   "softfactory-dead" /* exchange and queue; no job queue can be called so */
#define SF_JOBS__AMQP_PREFIX "softfactory."

enum sf_jobs__letter_what {
	SF_JOBS__JOB,
	SF_JOBS__NOTICE /* of a dead job */,
	SF_JOBS__ACK,
	SF_JOBS__REJECT
};

struct sf_jobs__letter { /* heap; its one owner is the list it is in */
	struct sf_node node;
	enum sf_jobs__letter_what what;
	uint32_t generation; /* of the connection that brought it, or that it answers */
	uint64_t tag;        /* of the delivery; of the publication while it waits for its confirmation */
	int64_t id, fence, at_ms;
	bool ok;    /* settled: confirmed */
	bool valid; /* delivered: it could be read */
	char database[40], kind[104], queue[104];
};
/* As JSON, and back (pure). Writes fail with SF_ETOOLARGE; reading says SF_EINVAL for what is no message of ours. */
SF_MUSTCHECK
int sf_jobs__letter_write(const struct sf_jobs__letter *l, char *out, size_t size);
SF_MUSTCHECK
int sf_jobs__letter_read(struct sf_str text, struct sf_jobs__letter *out);
void sf_jobs__letters_free(struct sf_node *list);

struct sf_jobs__link; /* one connection with its thread; lifetime: the runner */
struct sf_jobs__link_opts {
	const char *url;
	const char *const *queues; /* names of job queues to consume; NULL-terminated; copied */
	int prefetch;
	struct sf_loop *loop;
	void (*event)(void *arg); /* on the loop: letters have come or settled, or the state has changed */
	void (*ended)(void *arg); /* on the loop, once, after stop: the thread is over */
	void *arg;
};
/* SF_EINVAL: no amqp:// URL. */
SF_MUSTCHECK
int sf_jobs__link_start(const struct sf_jobs__link_opts *o, struct sf_jobs__link **out);
/* Hands letters over; the list is empty afterwards. */
void sf_jobs__link_send(struct sf_jobs__link *k, struct sf_node *letters);
/* Moves what was delivered and what has settled to the ends of the lists; *error is why the connection was lost, "" if it stands. */
void sf_jobs__link_take(struct sf_jobs__link *k, struct sf_node *delivered, struct sf_node *settled,
						char error[200]);
/* ms since the broker was last heard, by CLOCK_MONOTONIC; INT64_MAX: never. It beats every second while it lives. */
int64_t sf_jobs__link_silence(struct sf_jobs__link *k);
int64_t
sf_jobs__link_depth(struct sf_jobs__link *k);     /* messages that lie ready in our queues, a second ago */
void sf_jobs__link_stop(struct sf_jobs__link *k); /* at once; o.ended follows within a few seconds */
void sf_jobs__link_free(struct sf_jobs__link *k); /* after o.ended */

#endif
