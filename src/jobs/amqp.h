/* Shared by the files of the broker: the connection's thread (amqp_link.c), what it carries (amqp_letter.c), and, on the loop,
 * the consumer (amqp.c) and the relay (amqp_relay.c). */
#ifndef SF_JOBS_AMQP_H
#define SF_JOBS_AMQP_H

#include "jobs/internal.h"

#define SF_JOBS__AMQP_DEAD   "softfactory-dead" /* exchange and queue; no job queue can be called so */
#define SF_JOBS__AMQP_PREFIX "softfactory."

enum sf_jobs__letter_what {
	SF_JOBS__JOB,
	SF_JOBS__NOTICE, /* of a dead job */
	SF_JOBS__PROBE,  /* of a connection, to see that its queue confirms */
	SF_JOBS__ACK,
	SF_JOBS__REJECT
};

enum { SF_JOBS__LETTER_JOBS = 8 };

struct sf_jobs__letter { /* heap; owned by the list it is in, then by the runs that it brought */
	struct sf_node node;
	enum sf_jobs__letter_what what;
	uint32_t generation; /* of the connection that brought it, or that it answers */
	uint64_t tag;        /* of the delivery; of the publication while it waits for its confirmation */
	int64_t at_ms;
	size_t n;    /* jobs that it names */
	size_t left; /* delivered: of these, how many are claimed and not over */
	struct sf_jobs__named {
		int64_t id, fence;
	} job[SF_JOBS__LETTER_JOBS];
	bool ok;    /* settled: confirmed */
	bool valid; /* delivered: it names jobs */
	char database[40], queue[104], kind[104] /* of a notice */;
};
/* As JSON, and back (pure). Writes fail with SF_ETOOLARGE; reading says SF_EINVAL for what is no message of ours. */
SF_MUSTCHECK
int sf_jobs__letter_write(const struct sf_jobs__letter *l, char *out, size_t size);
SF_MUSTCHECK
int sf_jobs__letter_read(struct sf_str text, struct sf_jobs__letter *out);
void sf_jobs__letters_move(struct sf_node *from, struct sf_node *to); /* to the end */
void sf_jobs__letters_free(struct sf_node *list);

struct sf_jobs__link; /* one connection with its thread; lifetime: the runner */
struct sf_jobs__link_opts {
	const char *url;
	const char *ca_file; /* amqps: PEM that the broker's certificate is checked against; NULL: the system's */
	const char *const
		*queues; /* names of job queues to consume; NULL-terminated; copied, unlike the texts above */
	int prefetch, heartbeat_s;
	struct sf_loop *loop;
	void (*event)(void *arg); /* on the loop: letters have come or settled, or the state has changed */
	void (*ended)(void *arg); /* on the loop, once, after stop: the thread is over */
	void *arg;
};
/* The URL is usable. */
struct sf_jobs__link *sf_jobs__link_start(const struct sf_jobs__link_opts *o);
/* Whether it can be understood: amqp:// or amqps:// (pure). */
bool sf_jobs__amqp_url_usable(const char *url);
/* Hands letters over; the list is empty afterwards. */
void sf_jobs__link_send(struct sf_jobs__link *k, struct sf_node *letters);
/* Moves what was delivered and what has settled to the ends of the lists; *error is why the connection was lost, "" if it stands. */
void sf_jobs__link_take(struct sf_jobs__link *k, struct sf_node *delivered, struct sf_node *settled,
						char error[200]);
/* Jobs may be left to it: it is connected and heard, and confirms what it is given. */
bool sf_jobs__link_up(const struct sf_jobs__link *k);
/* Messages that lie ready in our queues, about: as they were a second ago, what was handed over and delivered here since. */
int64_t sf_jobs__link_ahead(const struct sf_jobs__link *k);
int sf_jobs__link_dropped(
	const struct sf_jobs__link *k);               /* queues without a leader that were deleted, so far */
void sf_jobs__link_stop(struct sf_jobs__link *k); /* at once; o.ended follows within a few seconds */
void sf_jobs__link_free(struct sf_jobs__link *k); /* after o.ended */

struct sf_jobs__post { /* a source's letters; lifetime: the runner */
	char database[40];
	struct sf_node inbox;  /* delivered, not claimed yet */
	struct sf_node failed; /* published, not confirmed */
	struct sf_node told;   /* notices that were confirmed */
	struct sf_jobs__signal relay;
	int64_t tidied_ms, swept_ms;
	int64_t brought_ms; /* when a message last brought a job, or the table was looked at instead */
};

struct sf_jobs__amqp { /* of a runner */
	struct sf_jobs *js;
	char *url, *ca_file;        /* ca_file: may be NULL */
	struct sf_jobs__link *link; /* NULL until every database's name is known */
	struct sf_jobs__post *post; /* by source */
	size_t named;
	bool stopped, said;
	int dropped; /* said of it */
	bool held;   /* the relay stopped because enough is under way */
};
struct sf_jobs__post *sf_jobs__post(const struct sf_jobs__src *s);
/* Connects; the relay does so when it knows the names of all databases. */
void sf_jobs__amqp_connect(struct sf_jobs__amqp *q);

enum { SF_JOBS__WINDOW = 256 }; /* messages that lie ready; see amqp.c, 2 */

#endif
