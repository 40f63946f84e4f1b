/* app: the application over all modules of this program, with what the settings say. */
#include "cli/internal.h"

#include "app/app.h"
#include "core/config.h"
#include "core/log.h"
#include "jobs/jobs.h"
#include "services/services.h"
#include "telemetry/telemetry.h"

#define SERVICES_MAX 64

const struct sf_service *const *cli_services(void) {
	static struct { const struct sf_service *all[SERVICES_MAX + 2]; } list;
	if (list.all[0]) return list.all;
	size_t n = 0;
	for (; sf_services[n]; n++) {
		SF_BUG_ON(n == SERVICES_MAX);
		list.all[n] = sf_services[n];
	}
	list.all[n] = &telemetry_service; /* stands below services/, so it is not in their list */
	return list.all;
}

int cli_jobs_declare(void) {
	static const struct sf_job_kind
		*kinds[SERVICES_MAX + 2]; /* what is declared lives as long as the process */
	static const struct sf_cron *crons[SERVICES_MAX + 2];
	size_t nkinds = 0, ncrons = 0;
	for (const struct sf_service *const *s = cli_services(); *s; s++) {
		if ((*s)->jobs) kinds[nkinds++] = (*s)->jobs;
		if ((*s)->crons) crons[ncrons++] = (*s)->crons;
	}
	kinds[nkinds] = NULL, crons[ncrons] = NULL;
	struct sf_str why = SF_STR_NULL;
	int err = sf_jobs_declare(kinds, crons, &why);
	if (err) sf_log(SF_ERROR, "the kinds of jobs cannot be declared", SF_KV("why", why));
	return err;
}

int cli_app_new(const struct sf_static *files, struct sf_client *client, struct sf_app **out) {
	const struct sf_app_opts opts = {
		.services = cli_services(),
		.db_of = cli_database_of,
		.identity = &platform_identity,
		.files = files,
		.client = client,
		.demo = sf_config_bool("DEMO_MODE"),
		.tls = sf_config_bool("TLS_PROXY"),
		.cors = sf_config_text("CORS_ALLOWED_ORIGINS"),
		.rate_auth = sf_config_int("RATE_LIMIT_AUTH"),
		.rate_api = sf_config_int("RATE_LIMIT_API"),
		.rate_write = sf_config_int("RATE_LIMIT_WRITES"),
		.rate_hook = sf_config_int("RATE_LIMIT_WEBHOOKS"),
	};
	struct sf_str why = SF_STR_NULL;
	int err = cli_jobs_declare();
	if (err) return err;
	err = sf_app_new(&opts, out, &why);
	if (err)
		sf_log(SF_ERROR, "the application cannot be made", SF_KV("why", why),
			   SF_KV("error", sf_err_symbol(err)));
	return err;
}
