/* auth: what passwords, tokens and client addresses need of the settings, in every kind of process. */
#include "cli/internal.h"

#include <stdlib.h>
#include <uv.h>

#include "auth/auth.h"
#include "core/config.h"
#include "core/log.h"

/* The processors that hash passwords, shared out to the workers. */
static void password_setup(void) {
	size_t processors = uv_available_parallelism(), workers = (size_t)sf_config_int("WORKERS");
	sf_password_setup(workers ? processors / workers : 1, sf_config_int("SIGN_IN_WAIT"));
}

const char *cli_secrets_setup(void) {
	const char *secret = sf_config_text("JWT_SECRET"), *list = sf_config_text("JWT_PREVIOUS_SECRETS");
	const char *previous[SF_SECRETS_MAX + 1] = { NULL };
	if (secret && strlen(secret) < SF_SECRET_MIN) return "JWT_SECRET must be at least 32 bytes long";
	char *copy = list ? sf_strdup(list) : NULL, *save = NULL;
	size_t n = 0;
	for (char *at = copy ? strtok_r(copy, ",", &save) : NULL; at && n < SF_SECRETS_MAX;
		 at = strtok_r(NULL, ",", &save))
		previous[n++] = at;
	int err = sf_secrets_setup(secret, previous);
	free(copy);
	return err ? "JWT_PREVIOUS_SECRETS must be at most 7 secrets of at least 32 bytes, separated by commas"
			   : NULL;
}

int cli_auth_setup(void) {
	const char *why = cli_secrets_setup();
	password_setup();
	if (why) {
		sf_log(SF_ERROR, "the settings cannot be used", SF_KV("why", why));
		return SF_EINVAL;
	}
	int err = sf_proxies_setup(sf_config_text("TRUSTED_PROXIES"));
	if (err)
		sf_log(SF_ERROR,
			   "TRUSTED_PROXIES must be addresses and networks such as 10.0.0.0/8, separated by commas");
	return err;
}
