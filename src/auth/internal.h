/* What the files of auth/ share. */
#ifndef SF_AUTH_INTERNAL_H
#define SF_AUTH_INTERNAL_H

#include "auth/auth.h"

/* secrets.c: an accepted secret. kid names it in tokens; it is derived from the secret and says nothing about it. */
struct sf_auth__secret {
	unsigned char *text;
	int n;
	char kid[17];
};
const struct sf_auth__secret *sf_auth__secret_present(void); /* there must be one */
const struct sf_auth__secret *
sf_auth__secret_of(const char *kid); /* NULL: none is accepted under that name */

/* token.c: drops the tokens that were verified so far. */
void sf_auth__tokens_forget(void);

/* revoke.c: whether the token is revoked, by its jti or its user. Never suspends, takes no lock. */
bool sf_auth__revoked(int64_t user, int64_t iat, const char *jti);

/* limit.c: sf_limit_take at a given time, ms of the wall clock. */
void sf_auth__limit_at(const char *cls, struct sf_str key, int64_t limit, int64_t window_ms, int64_t now_ms,
					   struct sf_limit_result *out);

/* fair.c: a queue that is fair by client and name. */
struct sf_auth__fair {
	struct sf_node clients; /* next NULL: not initialised yet */
	size_t n;               /* places */
};
struct sf_auth__name;
struct sf_auth__place { /* of one who waits; its owner's memory */
	struct sf_node node;
	struct sf_auth__name *name;
};
void sf_auth__fair_init(struct sf_auth__fair *q);
void sf_auth__fair_push(struct sf_auth__fair *q, uint64_t client, uint64_t name, struct sf_auth__place *p);
struct sf_auth__place *
sf_auth__fair_pop(struct sf_auth__fair *q); /* who is next, no longer in it; NULL: empty */
void sf_auth__fair_drop(struct sf_auth__fair *q, struct sf_auth__place *p);
/* How many of those who wait are served before a newcomer of that client and name, if nobody else comes. */
size_t sf_auth__fair_ahead(const struct sf_auth__fair *q, uint64_t client, uint64_t name);
/* Who gives way to a newcomer of that client when there is no room: the last of the client that has the most places, if it
 * will still have no fewer than the newcomer's. NULL: nobody. It stays in the queue. */
struct sf_auth__place *sf_auth__fair_give_way(const struct sf_auth__fair *q, uint64_t client);

/* line.c: ~ waits for a turn at hashing. SF_EOVERLOAD: the wait is too long, t->retry_s says for how long. */
SF_MUSTCHECK
int sf_auth__line_take(struct sf_turn *t);
void sf_auth__line_give(int64_t took_usec); /* ends the turn, which took that long */

/* werkzeug.c: checks a hash of the Flask platform, on the calling thread. 0 right, SF_EAUTH wrong or unreadable;
 * *derived is set when the work was done. */
int sf_auth__werkzeug_check(struct sf_str password, struct sf_str hash, bool *derived);

#endif
