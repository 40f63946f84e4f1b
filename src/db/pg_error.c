/* PostgreSQL's SQLSTATE to sf_err, and what of it the log says. */
#include "db/db.h"

#include <stdio.h>

#include "db/pg.h"

int sf_pg__sqlstate(const char *state) {
	static const struct {
		const char *prefix; /* the first that matches counts */
		int err;
	} map[] = {
		{ "23505", SF_EDUP },         /* unique_violation */
		{ "23P01", SF_EDUP },         /* exclusion_violation */
		{ "23514", SF_ECONFLICT },    /* check_violation */
		{ "23503", SF_ECONFLICT },    /* foreign_key_violation */
		{ "40001", SF_ESERIAL },      /* serialization_failure */
		{ "40P01", SF_ESERIAL },      /* deadlock_detected */
		{ "57014", SF_EDEADLINE },    /* query_canceled, also by statement_timeout */
		{ "55P03", SF_EDEADLINE },    /* lock_not_available */
		{ "25006", SF_EUNAVAILABLE }, /* read_only_sql_transaction: a demoted primary */
		{ "25P03", SF_EUNAVAILABLE }, /* idle_in_transaction_session_timeout */
		{ "53", SF_EUNAVAILABLE },    /* insufficient_resources: too many connections, disk full */
		{ "08", SF_EUNAVAILABLE },    /* connection_exception */
		{ "57P", SF_EUNAVAILABLE },   /* shut down, crashed, starting up */
	};
	if (!state || !*state) return SF_EUNAVAILABLE;
	for (size_t i = 0; i < SF_COUNT(map); i++)
		if (strncmp(state, map[i].prefix, strlen(map[i].prefix)) == 0) return map[i].err;
	return SF_EDB;
}

bool sf_pg__state_is(const PGresult *res, const char *state) {
	const char *s = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	return s && strcmp(s, state) == 0;
}

const char *sf_pg__line(char *buf, size_t n, const char *msg) {
	snprintf(buf, n, "%s", msg ? msg : "");
	buf[strcspn(buf, "\r\n")] = 0;
	return buf;
}

int sf_pg__error(const PGresult *res, const struct sf_query *q) {
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *msg = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	int err = sf_pg__sqlstate(state);
	/* The detail stays out of the log: it quotes rows, and with them people's data. */
	enum sf_level level = err == SF_EDB || (state && strncmp(state, "53", 2) == 0) ? SF_ERROR : SF_DEBUG;
	sf_log(level, "query failed", SF_KV("query", q ? q->name : ""), SF_KV("sqlstate", state ? state : ""),
		   SF_KV("error", msg ? msg : PQresultErrorMessage(res)));
	return err;
}
