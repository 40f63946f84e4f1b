/* The hosts that are asked: what is known of each, and whose turn it is to ask.
 *
 * libcurl could queue requests past its connection limits itself, but counts the time in its queue as time to connect, and a queue of
 * its own has one head for all hosts. Ours has a line for each host, and the hosts with somebody waiting and room take turns. */
#include "http/client.h"

#include <stdlib.h>

#include "core/hash.h"

void sf_client__hosts_init(struct sf_client__hosts *hs) {
	*hs = (struct sf_client__hosts) { 0 };
	sf_list_init(&hs->age);
	sf_list_init(&hs->hungry);
}

static struct sf_client__host **place_of(struct sf_client__hosts *hs, struct sf_str key) {
	struct sf_client__host **at = &hs->bucket[sf_hash64(key.p, key.n) % SF_COUNT(hs->bucket)];
	while (*at && !sf_str_eq(sf_str((*at)->key), key)) at = &(*at)->next;
	return at;
}

struct sf_client__host *sf_client__host_find(const struct sf_client__hosts *hs, struct sf_str key) {
	struct sf_client__host *h = hs->bucket[sf_hash64(key.p, key.n) % SF_COUNT(hs->bucket)];
	while (h && !sf_str_eq(sf_str(h->key), key)) h = h->next;
	return h;
}

static void forget(struct sf_client__hosts *hs, struct sf_client__host *h) {
	*place_of(hs, sf_str(h->key)) = h->next;
	sf_list_del(&h->age);
	sf_list_del(&h->hungry);
	hs->n--;
	free(h);
}

/* Makes room: the one that was not asked for longest goes, whatever is held against it, or names that a user
 * makes up would fill the memory. */
static void forget_oldest(struct sf_client__hosts *hs) {
	for (struct sf_node *n = hs->age.next; n != &hs->age; n = n->next) {
		struct sf_client__host *h = SF_CONTAINER(n, struct sf_client__host, age);
		if (h->users) continue;
		forget(hs, h);
		return;
	}
}

void sf_client__hosts_fini(struct sf_client__hosts *hs) {
	while (!sf_list_empty(&hs->age)) forget(hs, SF_CONTAINER(hs->age.next, struct sf_client__host, age));
}

struct sf_client__host *sf_client__host_use(struct sf_client__hosts *hs, struct sf_str key) {
	struct sf_client__host *h = *place_of(hs, key);
	if (!h) {
		if (hs->n >= SF_CLIENT__HOSTS) forget_oldest(hs);
		h = sf_calloc(1, sizeof(*h) + key.n + 1);
		memcpy(h->key, key.p, key.n);
		sf_list_init(&h->age);
		sf_list_init(&h->hungry);
		sf_list_init(&h->line);
		*place_of(hs, key) = h;
		hs->n++;
	}
	sf_list_del(&h->age);
	sf_list_push(&hs->age, &h->age);
	h->users++;
	return h;
}

void sf_client__host_unuse(struct sf_client__host *h) {
	h->users--;
}

/* ---- turns ----------------------------------------------------------------------------------- */

static bool has_room(const struct sf_client__host *h) {
	return h->active < (h->h2 ? SF_CLIENT__STREAMS : SF_CLIENT__PER_HOST);
}

static void take(struct sf_client__hosts *hs, struct sf_client__host *h) {
	h->active++;
	hs->active++;
}

/* Hands out turns: to each hungry host one, round and round. */
static void feed(struct sf_client__hosts *hs) {
	while (hs->active < SF_CLIENT__TOTAL && !sf_list_empty(&hs->hungry)) {
		struct sf_client__host *h = SF_CONTAINER(hs->hungry.next, struct sf_client__host, hungry);
		sf_list_del(&h->hungry);
		if (sf_list_empty(&h->line) || !has_room(h)) continue;
		struct sf_wait *w = SF_CONTAINER(h->line.next, struct sf_wait, node);
		sf_list_del(&w->node);
		hs->waiting--;
		take(hs, h);
		if (!sf_list_empty(&h->line) && has_room(h)) sf_list_push(&hs->hungry, &h->hungry);
		sf_wake(w, 0); /* from the loop it runs here, and may give its turn back and feed others */
	}
}

static void stand_up(struct sf_wait *w) {
	struct sf_client__hosts *hs = w->arg;
	sf_list_del(&w->node);
	hs->waiting--;
}

int sf_client__turn_take(struct sf_client__hosts *hs, struct sf_client__host *h, int64_t max_ms) {
	if (sf_list_empty(&h->line) && has_room(h) && hs->active < SF_CLIENT__TOTAL) {
		take(hs, h);
		return 0;
	}
	struct sf_wait w;
	sf_wait_init(&w, stand_up, hs);
	sf_list_push(&h->line, &w.node);
	hs->waiting++;
	if (has_room(h) && sf_list_empty(&h->hungry)) sf_list_push(&hs->hungry, &h->hungry);
	return sf_await(&w, max_ms);
}

void sf_client__turn_give(struct sf_client__hosts *hs, struct sf_client__host *h) {
	h->active--;
	hs->active--;
	if (!sf_list_empty(&h->line) && has_room(h) && sf_list_empty(&h->hungry))
		sf_list_push(&hs->hungry, &h->hungry);
	feed(hs);
}
