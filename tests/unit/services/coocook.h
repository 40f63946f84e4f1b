/* What the tests of CooCook's handlers share. The user of a request is its session cookie: "u7" is user 7. Users from 1000 on
 * have no subscription. */
#ifndef SERVICES_COOCOOK_H
#define SERVICES_COOCOOK_H

/* The header lines of a user's number. */
#define WHO(w, user) as(w, user, NULL)
#include "service.h"

#include "auth/auth.h"
#include "core/config.h"
#include "core/hash.h"

/* ---- identity ---------------------------------------------------------------------------------- */

static int session(struct sf_req *r, struct sf_str cookie, struct sf_caller *out) {
	(void)r;
	int64_t user = 0;
	if (cookie.n < 2 || sf_str_int((struct sf_str) { cookie.p + 1, cookie.n - 1 }, &user)) return SF_EAUTH;
	*out = (struct sf_caller) { .user = user };
	return 0;
}
static int subscribed(struct sf_req *r, int64_t user, const char *product, bool *out) {
	(void)r;
	assert_string_equal(product, "coocook");
	*out = user < 1000;
	return 0;
}
static const struct sf_identity identity = { .session = session,
											 .session_s = 3600,
											 .subscribed = subscribed };
static const struct setup setup = { .service = &coocook_service,
									.beside = &platform_service,
									.identity = &identity };

static inline void world_run(void (*body)(struct world *w)) {
	char why[256], *rest[4],
		*argv[] = { "softfactory", "--booking-open-max=1000", "--booking-open-hours=1000", NULL };
	int nrest;
	OK(sf_config_load(3, argv, rest, &nrest, why, sizeof why));
	OK(sf_secrets_setup("a secret of thirty-two bytes or more, for tests only", NULL));
	world_run_in(&setup, body);
	OK(sf_secrets_setup(NULL, NULL));
}
/* user 0: nobody. key: an Idempotency-Key, or NULL. */
static inline const char *as(struct world *w, int64_t user, const char *key) {
	const char *who = "", *once = "";
	if (user) {
		struct sf_str cookie = sf_arena_printf(w->a, "u%lld", (long long)user);
		unsigned char d[32];
		char proof[64];
		sf_secret_digest(w->a, "csrf", cookie, d);
		sf_base64url(d, sizeof d, proof);
		who = sf_arena_printf(w->a, "Cookie: sf_session=%s\nX-CSRF-Token: %s\n", cookie.p, proof).p;
	}
	if (key) once = sf_arena_printf(w->a, "Idempotency-Key: %s\n", key).p;
	return sf_arena_printf(w->a, "%s%s", who, once).p;
}

/* ---- answers ----------------------------------------------------------------------------------- */

static inline json_t *list_of(struct answer a, const char *name) {
	return name ? json_object_get(a.body, name) : a.body;
}
/* Formats a path; the text lives in the world's arena. */
__attribute__((format(printf, 2, 3))) static inline const char *path(struct world *w, const char *fmt, ...) {
	char text[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return sf_arena_cstr(w->a, sf_str(text));
}
/* A day from today in Seoul, as YYYY-MM-DD. */
static inline const char *day(struct world *w, int from_today) {
	char text[16];
	sf_date_format(sf_zone_day(sf_zone_of(SF_STR("Asia/Seoul")), sf_time_now()) + from_today, text);
	return sf_arena_cstr(w->a, sf_str(text));
}
/* ---- many at once -------------------------------------------------------------------------------- */

struct crowd {
	struct world *w;
	int (*one)(struct world *w, int i); /* ~ returns a status */
	int *status;
	size_t left;
	struct sf_wait *wait;
};
struct member {
	struct crowd *crowd;
	int i;
};
static void member_main(void *arg) {
	struct member *m = arg;
	struct crowd *c = m->crowd;
	c->status[m->i] = c->one(c->w, m->i);
	if (--c->left == 0 && c->wait) sf_wake(c->wait, 0);
}
static void member_start(void *arg) {
	struct member *m = arg;
	OK(sf_co_start(m->crowd->w->l, member_main, m, NULL));
}
/* ~ Runs one(w, 0..n-1), all in coroutines of their own; their statuses. */
static inline int *at_once(struct world *w, int n, int (*one)(struct world *w, int i)) {
	struct crowd c = { .w = w, .one = one, .left = (size_t)n };
	c.status = sf_arena_zalloc(w->a, (size_t)n * sizeof(int));
	struct member *m = sf_arena_zalloc(w->a, (size_t)n * sizeof(*m));
	struct sf_wait wait;
	sf_wait_init(&wait, NULL, NULL);
	c.wait = &wait;
	for (int i = 0; i < n; i++) {
		m[i] = (struct member) { &c, i };
		sf_loop_later(w->l, member_start, &m[i]);
	}
	OK(sf_await(&wait, -1));
	return c.status;
}
static inline int count(const int *status, int n, int want) {
	int found = 0;
	for (int i = 0; i < n; i++) found += status[i] == want;
	return found;
}

#endif
