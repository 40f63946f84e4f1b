/* amqp_letter: what a message says: that these jobs of database D are ready, each at its fence, in that queue; a notice, that
 * a job is dead, and of what kind it was. */
#include "jobs/amqp.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* kinds, queues and names hold nothing that JSON would have to escape: see declare.c */

static int write_notice(const struct sf_jobs__letter *l, char *out, size_t size) {
	int n = snprintf(out, size, "{\"database\":\"%s\",\"id\":%lld,\"kind\":\"%s\",\"queue\":\"%s\"}",
					 l->database, (long long)l->job[0].id, l->kind, l->queue);
	return n > 0 && (size_t)n < size ? 0 : SF_ETOOLARGE;
}

int sf_jobs__letter_write(const struct sf_jobs__letter *l, char *out, size_t size) {
	if (l->what == SF_JOBS__NOTICE) return write_notice(l, out, size);
	int n = snprintf(out, size, "{\"database\":\"%s\",\"queue\":\"%s\",\"jobs\":[", l->database, l->queue);
	size_t at = (size_t)n;
	for (size_t i = 0; i < l->n && at < size; i++) {
		n = snprintf(out + at, size - at, "%s[%lld,%lld]", i ? "," : "", (long long)l->job[i].id,
					 (long long)l->job[i].fence);
		at += (size_t)n;
	}
	if (at + sizeof "]}" > size) return SF_ETOOLARGE;
	memcpy(out + at, "]}", sizeof "]}");
	return 0;
}

static bool text_of(const json_t *o, const char *key, char *out, size_t size) {
	const char *s = json_string_value(json_object_get(o, key));
	if (!s || !*s || strlen(s) >= size) return false;
	memcpy(out, s, strlen(s) + 1);
	return true;
}

static bool jobs_of(const json_t *o, struct sf_jobs__letter *l) {
	const json_t *jobs = json_object_get(o, "jobs");
	l->n = json_array_size(jobs);
	if (!l->n || l->n > SF_JOBS__LETTER_JOBS) return false;
	for (size_t i = 0; i < l->n; i++) {
		const json_t *job = json_array_get(jobs, i), *id = json_array_get(job, 0),
					 *fence = json_array_get(job, 1);
		if (!json_is_integer(id) || !json_is_integer(fence)) return false;
		l->job[i] = (struct sf_jobs__named) { json_integer_value(id), json_integer_value(fence) };
		if (l->job[i].id <= 0 || l->job[i].fence < 0) return false;
	}
	return true;
}

int sf_jobs__letter_read(struct sf_str text, struct sf_jobs__letter *out) {
	struct sf_jobs__letter l = *out;
	json_t *o = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
	bool ok = text_of(o, "database", l.database, sizeof l.database) &&
			  text_of(o, "queue", l.queue, sizeof l.queue) && jobs_of(o, &l);
	json_decref(o);
	if (ok) *out = l;
	return ok ? 0 : SF_EINVAL;
}

void sf_jobs__letters_move(struct sf_node *from, struct sf_node *to) {
	while (!sf_list_empty(from)) {
		struct sf_node *n = from->next;
		sf_list_del(n);
		sf_list_push(to, n);
	}
}

void sf_jobs__letters_free(struct sf_node *list) {
	for (struct sf_node *at = list->next, *next; at != list; at = next) {
		next = at->next;
		free(SF_CONTAINER(at, struct sf_jobs__letter, node));
	}
	sf_list_init(list);
}
