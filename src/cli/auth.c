/* auth: what passwords, tokens and client addresses need of the settings, in every kind of worker. */
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

int cli_auth_setup(void) {
	const char *list = sf_config_text("JWT_PREVIOUS_SECRETS"), *previous[17] = { NULL };
	char *copy = list ? sf_strdup(list) : NULL, *save = NULL;
	size_t n = 0;
	for (char *at = copy ? strtok_r(copy, ",", &save) : NULL; at && n < 16; at = strtok_r(NULL, ",", &save))
		previous[n++] = at;
	int err = sf_tokens_setup(sf_config_text("JWT_SECRET"), n ? previous : NULL);
	free(copy);
	password_setup();
	if (err) {
		sf_log(SF_ERROR, "JWT_SECRET or JWT_PREVIOUS_SECRETS cannot be used: each needs 32 bytes or more");
		return err;
	}
	err = sf_proxies_setup(sf_config_text("TRUSTED_PROXIES"));
	if (err)
		sf_log(SF_ERROR,
			   "TRUSTED_PROXIES must be addresses and networks such as 10.0.0.0/8, separated by commas");
	return err;
}
