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

#endif
