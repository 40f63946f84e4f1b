/* fair: a queue that is fair by client and, within a client, by name: round robin over the clients that wait, round robin
 * over the names of each, first come first served within a name (deficit round robin with equal costs: Shreedhar and
 * Varghese, 1995).
 *
 *     clients ─▶ 192.0.2.1 ─▶ 198.51.100.7 ─▶ …          a ring; the first is served next, then goes to the end
 *                  │ names ─▶ kim@ ─▶ lee@                the same within a client
 *                              │ places ─▶ …
 *
 * So whoever comes new waits for one turn of each other client at most, however many places one client holds. Clients and
 * names are known by a hash, and only while they wait. Pure: nothing here suspends. */
#include "auth/internal.h"

#include <stdlib.h>

struct group { /* a client, or a name of one: with places or names in `members` */
	struct sf_node node;
	uint64_t hash;
	struct sf_node members;
	size_t n; /* places */
};
struct sf_auth__name {
	struct group g;
	struct group *client;
};
#define GROUP(n) SF_CONTAINER(n, struct group, node)

void sf_auth__fair_init(struct sf_auth__fair *q) {
	sf_list_init(&q->clients);
	q->n = 0;
}

static struct group *find(const struct sf_node *ring, uint64_t hash) {
	for (struct sf_node *n = ring->next; n != ring; n = n->next)
		if (GROUP(n)->hash == hash) return GROUP(n);
	return NULL;
}

static void add(struct sf_node *ring, struct group *g, uint64_t hash) {
	g->hash = hash, g->n = 0;
	sf_list_init(&g->members);
	sf_list_push(ring, &g->node);
}

void sf_auth__fair_push(struct sf_auth__fair *q, uint64_t client, uint64_t name, struct sf_auth__place *p) {
	struct group *c = find(&q->clients, client);
	if (!c) add(&q->clients, c = sf_malloc(sizeof *c), client);
	struct group *g = find(&c->members, name);
	if (!g) {
		struct sf_auth__name *fresh = sf_malloc(sizeof *fresh);
		fresh->client = c;
		add(&c->members, g = &fresh->g, name);
	}
	p->name = SF_CONTAINER(g, struct sf_auth__name, g);
	sf_list_push(&g->members, &p->node);
	g->n++, c->n++, q->n++;
}

void sf_auth__fair_drop(struct sf_auth__fair *q, struct sf_auth__place *p) {
	struct sf_auth__name *name = p->name;
	struct group *c = name->client;
	sf_list_del(&p->node);
	q->n--, c->n--, name->g.n--;
	if (name->g.n == 0) {
		sf_list_del(&name->g.node);
		free(name);
	}
	if (c->n == 0) {
		sf_list_del(&c->node);
		free(c);
	}
}

static void to_the_end(struct sf_node *ring, struct group *g) {
	sf_list_del(&g->node);
	sf_list_push(ring, &g->node);
}

struct sf_auth__place *sf_auth__fair_pop(struct sf_auth__fair *q) {
	if (q->n == 0) return NULL; /* also before sf_auth__fair_init */
	struct group *c = GROUP(q->clients.next), *name = GROUP(c->members.next);
	struct sf_auth__place *p = SF_CONTAINER(name->members.next, struct sf_auth__place, node);
	to_the_end(&c->members, name);
	to_the_end(&q->clients, c);
	sf_auth__fair_drop(q, p);
	return p;
}

/* Turns that the groups of a ring take before the (own + 1)th of `self` (NULL: a newcomer at the end): those that stand before
 * it have one more than those behind. */
static size_t turns_before(const struct sf_node *ring, const struct group *self, size_t own) {
	size_t turns = own;
	bool before = true;
	for (const struct sf_node *n = ring->next; n != ring; n = n->next) {
		const struct group *g = SF_CONTAINER(n, const struct group, node);
		size_t most = before ? own + 1 : own;
		if (g == self)
			before = false;
		else
			turns += g->n < most ? g->n : most;
	}
	return turns;
}

size_t sf_auth__fair_ahead(const struct sf_auth__fair *q, uint64_t client, uint64_t name) {
	const struct group *c = find(&q->clients, client), *g = c ? find(&c->members, name) : NULL;
	size_t own = c ? turns_before(&c->members, g, g ? g->n : 0) : 0;
	return turns_before(&q->clients, c, own);
}

struct sf_auth__place *sf_auth__fair_give_way(const struct sf_auth__fair *q, uint64_t client) {
	const struct group *mine = find(&q->clients, client), *most = NULL, *name = NULL;
	for (const struct sf_node *n = q->clients.next; n != &q->clients; n = n->next)
		if (!most || GROUP(n)->n > most->n) most = GROUP(n);
	if (!most || most->n < (mine ? mine->n : 0) + 2) return NULL;
	for (const struct sf_node *n = most->members.next; n != &most->members; n = n->next)
		if (!name || GROUP(n)->n >= name->n) name = GROUP(n);
	return SF_CONTAINER(name->members.prev, struct sf_auth__place, node);
}
