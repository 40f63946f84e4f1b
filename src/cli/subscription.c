/* subscription: the command that gives and takes subscriptions without a payment. */
#include "cli/internal.h"

#include <stdio.h>

#include "core/json.h"
#include "core/time.h"
#include "services/platform/client.h"

#define LIST_MAX 1000

struct asked {
	const char *what, *who, *product, *plan;
	int64_t until, after, limit;
	bool json;
};

/* ---- printing ------------------------------------------------------------------------------------------------ */

void cli_grants_json(struct sf_json *j, const struct platform_grant *g, size_t n) {
	sf_json_arr(j);
	for (size_t i = 0; i < n; i++) {
		sf_json_obj(j);
		sf_json_add(j, SF_KV("id", g[i].id));
		if (g[i].email.p) sf_json_add(j, SF_KV("email", g[i].email));
		sf_json_add(j, SF_KV("product", g[i].product), SF_KV("plan_type", g[i].plan),
					SF_KV("status", g[i].status));
		sf_json_key(j, "current_period_end");
		sf_json_time_or_null(j, g[i].until);
		sf_json_obj_end(j);
	}
	sf_json_arr_end(j);
}

void cli_grants_print(struct sf_buf *b, const struct platform_grant *g, size_t n, bool emails) {
	for (size_t i = 0; i < n; i++) {
		char until[32] = "without end";
		if (g[i].until) sf_time_format(g[i].until, until);
		if (emails) sf_buf_printf(b, "%-8lld %-36.*s ", (long long)g[i].id, SF_ARG(g[i].email));
		sf_buf_printf(b, "%-15.*s %-8.*s %-9.*s until %s\n", SF_ARG(g[i].product), SF_ARG(g[i].plan),
					  SF_ARG(g[i].status), until);
	}
}

/* ---- what is done, all ~ ------------------------------------------------------------------------------------- */

static int grant(const struct asked *q, struct sf_db *db, struct sf_arena *a, int64_t user) {
	struct sf_str why = SF_STR_NULL;
	int64_t ends;
	char until[32];
	int err = platform_grant(db, a, user, sf_str(q->product), sf_str(q->plan), q->until, &ends, &why);
	if (err) return cli_platform_failed(err, q->who, why);
	sf_time_format(ends, until);
	printf("%s has %s (%s) until %s.\n", q->who, q->product, q->plan, until);
	return 0;
}

static int cancel(const struct asked *q, struct sf_db *db, struct sf_arena *a, int64_t user) {
	struct sf_str why = SF_STR_NULL;
	int err = platform_grant_end(db, a, user, sf_str(q->product), &why);
	if (err == SF_ENOTFOUND) {
		cli_wrong("%s has no active subscription to %s", q->who, q->product);
		return 1;
	}
	if (err) return cli_platform_failed(err, q->who, why);
	printf("The subscription of %s to %s has ended.\n", q->who, q->product);
	return 0;
}

static int list(const struct asked *q, struct sf_db *db, struct sf_arena *a, int64_t user) {
	struct platform_grant *all;
	size_t n;
	int err = platform_grants(db, a, user, q->after, q->limit, &all, &n);
	if (err) return cli_platform_failed(err, "", SF_STR_NULL);
	struct sf_buf b = { 0 };
	if (q->json) {
		struct sf_json j = sf_json(&b);
		cli_grants_json(&j, all, n);
		sf_buf_char(&b, '\n');
	} else {
		cli_grants_print(&b, all, n, user == 0);
	}
	cli_print(&b);
	if (!q->json && n == 0) fputs("There are no subscriptions.\n", stderr);
	return 0;
}

static int body(void *arg) {
	const struct asked *q = arg;
	struct sf_arena *a = sf_arena_new(0);
	struct platform_account u = { 0 };
	struct sf_db *db = cli_platform(a);
	int code = 1;
	if (!db) goto out;
	int err = q->who ? platform_account_find(db, a, sf_str(q->who), &u) : 0;
	if (err)
		code = cli_platform_failed(err, q->who, SF_STR_NULL);
	else if (strcmp(q->what, "grant") == 0)
		code = grant(q, db, a, u.id);
	else if (strcmp(q->what, "cancel") == 0)
		code = cancel(q, db, a, u.id);
	else
		code = list(q, db, a, u.id);
out:
	sf_arena_free(a);
	return code;
}

/* ---- the command --------------------------------------------------------------------------------------------- */

/* A day is its last moment's: through it the subscription is good. */
static int take_until(int *argc, char **argv, int64_t *out) {
	const char *v = NULL;
	int64_t day;
	int code = cli_take_text(argc, argv, "--until", &v);
	if (code || !v) return code;
	if (sf_date_parse(sf_str(v), &day) == 0)
		*out = (day + 1) * SF_DAY_USEC;
	else if (sf_time_parse(sf_str(v), out) != 0)
		return cli_wrong("--until takes a day such as 2026-11-22, or a time, not \"%s\"", v);
	return *out > sf_time_now() ? 0 : cli_wrong("--until %s is over already", v);
}

static int flags(int *argc, char **argv, struct asked *q) {
	const char *after = NULL, *limit = NULL;
	q->json = cli_take_flag(argc, argv, "--json");
	int code = cli_take_text(argc, argv, "--plan", &q->plan);
	if (!code) code = take_until(argc, argv, &q->until);
	if (!code) code = cli_take_text(argc, argv, "--after", &after);
	if (!code) code = cli_take_text(argc, argv, "--limit", &limit);
	if (code) return code;
	if (after && (sf_str_int(sf_str(after), &q->after) != 0 || q->after < 0))
		return cli_wrong("--after takes a number, not \"%s\"", after);
	if (limit && (sf_str_int(sf_str(limit), &q->limit) != 0 || q->limit < 1 || q->limit > LIST_MAX))
		return cli_wrong("--limit takes a number from 1 to %d, not \"%s\"", LIST_MAX, limit);
	if (strcmp(q->plan, "monthly") != 0 && strcmp(q->plan, "annual") != 0)
		return cli_wrong("--plan is monthly or annual, not \"%s\"", q->plan);
	return cli_settings(argc, argv);
}

int cli_subscription(int argc, char **argv) {
	struct asked q = { .plan = "monthly", .limit = 50 };
	int code = flags(&argc, argv, &q);
	if (code) return code;
	q.what = argc > 1 ? argv[1] : "";
	bool is_list = strcmp(q.what, "list") == 0;
	if (!is_list && strcmp(q.what, "grant") != 0 && strcmp(q.what, "cancel") != 0)
		return cli_wrong(
			"subscription takes one of grant, list, cancel; `softfactory subscription --help` says more");
	if (is_list ? argc > 3 : argc != 4)
		return cli_wrong("subscription %s takes %s", q.what,
						 is_list ? "an account, or nothing" : "an account and a product");
	q.who = argc > 2 ? argv[2] : NULL, q.product = argc > 3 ? argv[3] : NULL;
	return cli_task(body, &q);
}
