/* What the tests of platform's handlers share: its own identity, the demo's users, a secret for tokens. */
#ifndef SERVICES_PLATFORM_H
#define SERVICES_PLATFORM_H

/* Header lines, or NULL. */
#define WHO(w, lines) lines
#include "service.h"

#include "auth/auth.h"
#include "core/config.h"

#define SECRET "a secret of thirty-two bytes or more, for tests only"

static void prepare(struct world *w) {
	OK(platform_service.demo(w->db, w->a));
	OK(platform_start(w->db, w->a));
}
static const struct setup setup = {
	.service = &platform_service, .identity = &platform_identity, .demo = true, .prepare = prepare
};

static inline void world_run(void (*body)(struct world *w)) {
	char text[256], *rest[4], *argv[] = { "softfactory", "--jwt-secret=" SECRET, NULL };
	int nrest;
	OK(sf_config_load(2, argv, rest, &nrest, text, sizeof(text)));
	OK(sf_secrets_setup(SECRET, NULL));
	sf_password_setup(2, 600000); /* on a busy machine nobody is refused for the wait */
	world_run_in(&setup, body);
	OK(sf_secrets_setup(NULL, NULL));
}

static inline const char *bearer(struct world *w, const char *token) {
	return sf_arena_printf(w->a, "Authorization: Bearer %s\n", token).p;
}

/* ---- accounts ---------------------------------------------------------------------------------- */

#define LOGIN   "/api/auth/login"
#define REFRESH "/api/auth/refresh"
#define ME      "/api/auth/me"

struct account {
	int64_t id;
	const char *access, *refresh, *auth; /* auth: the header line */
};

static inline struct account account_of(struct world *w, struct answer a) {
	assert_in_range(a.status, 200, 201);
	struct account c = { .access = text_of(a, "access_token"), .refresh = text_of(a, "refresh_token") };
	c.id = json_integer_value(json_object_get(json_object_get(a.body, "user"), "id"));
	c.auth = bearer(w, c.access);
	return c;
}
static inline struct account join(struct world *w, const char *email) {
	struct answer a = POST(w, NULL, "/api/auth/register",
						   "{\"email\":\"%s\",\"password\":\"eight888\",\"name\":\"Kim\"}", email);
	IS(a, 201);
	return account_of(w, a);
}
static inline struct answer login(struct world *w, const char *email, const char *password) {
	return POST(w, NULL, LOGIN, "{\"email\":\"%s\",\"password\":\"%s\"}", email, password);
}
static inline struct answer refresh(struct world *w, const char *token) {
	return POST(w, NULL, REFRESH, "{\"refresh_token\":\"%s\"}", token);
}

static inline const char *cookie_of(struct world *w, struct answer a, const char *name) {
	const char *head = sf_arena_cstr(w->a, a.head),
			   *at = strstr(head, sf_arena_printf(w->a, "Set-Cookie: %s=", name).p);
	assert_non_null(at);
	at = strchr(at, '=') + 1;
	return sf_arena_cstr(w->a, (struct sf_str) { at, strcspn(at, ";\r\n") });
}

#define WORLD_TEST(fn)                                                                                       \
	static void fn##_test(void **state) {                                                                    \
		(void)state;                                                                                         \
		world_run(fn);                                                                                       \
	}

#endif
