/* amqp_letter: what a message says: job N of database D at fence F is ready, of that kind, in that queue. */
#include "jobs/amqp.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

int sf_jobs__letter_write(const struct sf_jobs__letter *l, char *out, size_t size) {
	/* kinds, queues and names hold nothing that JSON would have to escape: see declare.c */
	int n = snprintf(out, size,
					 "{\"database\":\"%s\",\"id\":%lld,\"fence\":%lld,\"kind\":\"%s\",\"queue\":\"%s\"}",
					 l->database, (long long)l->id, (long long)l->fence, l->kind, l->queue);
	return n > 0 && (size_t)n < size ? 0 : SF_ETOOLARGE;
}

static bool text_of(const json_t *o, const char *key, char *out, size_t size) {
	const char *s = json_string_value(json_object_get(o, key));
	if (!s || !*s || strlen(s) >= size) return false;
	memcpy(out, s, strlen(s) + 1);
	return true;
}

int sf_jobs__letter_read(struct sf_str text, struct sf_jobs__letter *out) {
	struct sf_jobs__letter l = *out;
	json_t *o = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
	const json_t *id = json_object_get(o, "id"), *fence = json_object_get(o, "fence");
	int err = SF_EINVAL;
	if (json_is_integer(id) && json_is_integer(fence) &&
		text_of(o, "database", l.database, sizeof l.database) && text_of(o, "kind", l.kind, sizeof l.kind) &&
		text_of(o, "queue", l.queue, sizeof l.queue)) {
		l.id = json_integer_value(id), l.fence = json_integer_value(fence);
		if (l.id > 0 && l.fence >= 0) err = 0;
	}
	json_decref(o);
	if (!err) *out = l;
	return err;
}

void sf_jobs__letters_free(struct sf_node *list) {
	while (!sf_list_empty(list)) {
		struct sf_jobs__letter *l = SF_CONTAINER(list->next, struct sf_jobs__letter, node);
		sf_list_del(&l->node);
		free(l);
	}
}
