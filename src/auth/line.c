/* line: the wait before Argon2, fair by client and name (fair.c), bounded in length and in time.
 *
 * Hashing takes 64 MiB and some 50 ms of a processor on purpose, so a few run at once and the others wait. Whoever would wait
 * longer than the bound, by the turns before it and by how long turns take lately, is refused at once with the time after
 * which it is worth trying again; whoever does wait is never kept longer than the bound. A full line makes room for a
 * client that has less in it than another: the last of that other client is refused instead.
 *
 * The line is a worker's own. Connections are spread over the workers, and each gives an equal share of its turns to each
 * client that waits there: a client on k workers has at most k shares, and a turn of a client costs another one
 * turn in one worker. All workers together hash on as many processors as there are, because each has its part of them
 * (sf_password_setup). */
#include "auth/internal.h"
#include "core/hash.h"
#include "loop/loop.h"

#define PLACES_MAX 256
#define TURN_USEC  INT64_C(100000) /* how long a turn takes, until one has been measured */

static struct {
	struct sf_auth__fair queue;
	size_t running, at_once;
	int64_t wait_ms, turn_usec; /* the longest wait; how long a turn takes lately */
} line = { .at_once = 2, .wait_ms = 5000, .turn_usec = TURN_USEC };

struct waiter {
	struct sf_wait wait;
	struct sf_auth__place place;
};

void sf_password_setup(size_t at_once, int64_t wait_ms) {
	line.at_once = at_once ? at_once : 1;
	line.wait_ms = wait_ms;
}

static void leave(struct sf_wait *w) {
	sf_auth__fair_drop(&line.queue, &SF_CONTAINER(w, struct waiter, wait)->place);
}

static int refuse(struct sf_turn *t, int64_t wait_ms) {
	t->retry_s = wait_ms / 1000 + 1;
	return SF_EOVERLOAD;
}

/* Makes room in a full line; false: the newcomer is the one to go. */
static bool make_room(uint64_t client) {
	struct sf_auth__place *p = sf_auth__fair_give_way(&line.queue, client);
	if (!p) return false;
	struct waiter *w = SF_CONTAINER(p, struct waiter, place);
	leave(&w->wait);
	sf_wake(&w->wait, SF_EOVERLOAD);
	return true;
}

int sf_auth__line_take(struct sf_turn *t) {
	struct waiter w;
	uint64_t client = sf_hash64(t->client.p, t->client.n), name = sf_hash64(t->name.p, t->name.n);
	if (line.running < line.at_once) {
		line.running++;
		return 0;
	}
	if (!line.queue.clients.next) sf_auth__fair_init(&line.queue);
	size_t ahead = sf_auth__fair_ahead(&line.queue, client, name);
	int64_t wait_ms = line.turn_usec * (int64_t)(ahead + 1) / (int64_t)line.at_once / 1000;
	if (wait_ms > line.wait_ms) return refuse(t, wait_ms);
	if (line.queue.n >= PLACES_MAX && !make_room(client)) return refuse(t, wait_ms);
	sf_wait_init(&w.wait, leave, NULL);
	sf_auth__fair_push(&line.queue, client, name, &w.place);
	int err = sf_await(&w.wait, line.wait_ms); /* 0: woken with the turn already ours */
	return err == SF_EDEADLINE || err == SF_EOVERLOAD ? refuse(t, line.wait_ms) : err;
}

void sf_auth__line_give(int64_t took_usec) {
	line.turn_usec += (took_usec - line.turn_usec) / 8;
	struct sf_auth__place *p = sf_auth__fair_pop(&line.queue);
	if (p)
		sf_wake(&SF_CONTAINER(p, struct waiter, place)->wait, 0);
	else
		line.running--;
}
