/* clocks: the time zone that a date-time without offset is in: the one of the header Time-Zone, else the caller's, else
 * SF_ZONE_DEFAULT.
 *
 * Input is read without suspending, and most requests carry no such time. So a wall time is kept aside with its place, and only when
 * there is one the caller's zone is asked for, once a request. */
#include "app/internal.h"

struct sf_app__wall {
	struct sf_app__wall *next;
	const char *field;
	int64_t *at; /* holds the wall time, then the instant */
};

bool sf_app__needs_zone(const struct sf_field *f) {
	for (; f && f->name; f++)
		if (f->type == SF_F_TIME || f->type == SF_F_WHEN) return true;
	return false;
}

void sf_app__zone_header(struct sf_req *r) {
	if (!r->in.time_zone.p) return;
	if (sf_zone_get(r->in.time_zone, &r->zone)) sf_fail_field(r, "Time-Zone", SF_APP_BAD_ZONE);
}

int sf_req_zone(struct sf_req *r, const struct sf_zone **out) {
	const struct sf_identity *who = r->app->opts.identity;
	struct sf_str name = SF_STR_NULL;
	if (!r->zone && r->caller.user && who && who->time_zone) {
		int err = who->time_zone(r, r->caller.user, &name);
		if (err) return err;
	}
	if (!r->zone) r->zone = sf_zone_of(name);
	*out = r->zone;
	return 0;
}

void sf_app__wall_add(struct sf_req *r, const struct sf_field *f, int64_t *at) {
	struct sf_app__wall *w = sf_arena_alloc(r->http->arena, sizeof *w);
	*w = (struct sf_app__wall) { r->walls, f->name, at };
	r->walls = w;
}

int sf_app__walls_place(struct sf_req *r) {
	const struct sf_zone *zone;
	if (!r->walls || r->problems) return 0;
	int err = sf_req_zone(r, &zone);
	if (err) return err;
	for (struct sf_app__wall *w = r->walls; w; w = w->next) {
		*w->at = sf_zone_instant(zone, *w->at);
		if (*w->at < SF_TIME_MIN || *w->at > SF_TIME_MAX)
			sf_fail_field(r, w->field, "must be in the years 1 to 9999");
	}
	return 0;
}
