/* config: one table of settings, read from environment and flags, printed by `softfactory config`.
 *
 * A setting is a row: name (environment variable), flag, type, range, default, help. Flags win over
 * the environment, which wins over the default. A wrong value stops the start with one clear line. */
#ifndef SF_CORE_CONFIG_H
#define SF_CORE_CONFIG_H

#include "core/core.h"

enum sf_config_type { SF_CFG_INT, SF_CFG_BOOL, SF_CFG_TEXT, SF_CFG_CHOICE, SF_CFG_BYTES, SF_CFG_MSEC };

/* in the order in which rows are read, not of their sizes: NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct sf_config_row {
	const char *name; /* "PORT": the environment variable; the rows are in alphabetical order */
	const char *flag; /* "--port" */
	enum sf_config_type type;
	const char *fallback; /* default as text, NULL: none */
	int64_t min, max;     /* of INT, BYTES ("4MiB") and MSEC ("250ms", "30s", "5m") */
	const char *choices;  /* of CHOICE: "debug|info|warn|error" */
	bool secret;          /* printed as ******** */
	bool reloadable;      /* takes effect on SIGHUP without new workers; else new workers read it */
	const char *help;     /* one sentence */
};

extern const struct sf_config_row sf_config_rows[]; /* ends with name NULL */

/* Reads environment and argv (flags "--port 80" and "--port=80"). What is no flag of the table goes to
 * rest[] (argc entries, caller's), *nrest. On a wrong value or an unknown flag: SF_EINVAL, and `why` holds the one line. */
SF_MUSTCHECK
int sf_config_load(int argc, char **argv, char **rest, int *nrest, char *why, size_t why_n);

/* The value in force. The name must be a row of that type (else it is a bug and aborts). Text: NULL
 * when unset; lives as long as the process. "<SERVICE>_DATABASE_URL" and "<SERVICE>_URL" are asked with sf_config_service. */
int64_t sf_config_int(const char *name); /* INT, BYTES in bytes, MSEC in milliseconds */
bool sf_config_bool(const char *name);
const char *sf_config_text(const char *name); /* TEXT and CHOICE */
const char *sf_config_service(const char *service,
							  const char *suffix);   /* ("coocook","_DATABASE_URL") or NULL */
const char *sf_config_source(const char *name);      /* "flag", "environment" or "default" */
void sf_config_print(struct sf_buf *out, bool json); /* the table with values and sources, secrets hidden */
void sf_config_help(struct sf_buf *out);             /* the flags, for --help */

#endif
