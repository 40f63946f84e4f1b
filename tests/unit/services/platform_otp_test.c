/* One-time codes: registering with one, a forgotten password, what is refused, and the mails that result. */
#include "services/mail/internal.h"
#include "platform.h"

#include "jobs/jobs.h"

/* ~ A text out of the database; "" when there is no row. */
static const char *sql_text(struct world *w, const char *sql) {
	struct row {
		struct sf_str s;
	} row;
	static const struct sf_dbcol out[] = { { "s", SF_T_TEXT, false, offsetof(struct row, s) } };
	struct sf_query q = { .name = "test.text",
						  .kind = SF_Q_ONE,
						  .pg = sql,
						  .lite = sql,
						  .out = out,
						  .nout = 1,
						  .row_size = sizeof(row),
						  .id = UINT32_MAX };
	int err = sf_db_one(sf_db_auto(w->db, w->a, SF_READ_PRIMARY, "test"), &q, NULL, &row);
	if (err == SF_ENOTFOUND) return "";
	must(err, sql, __LINE__);
	return sf_arena_cstr(w->a, row.s);
}
static void must_sql(struct world *w, const char *sql) {
	struct sf_query q = {
		.name = "test.run", .kind = SF_Q_EXEC, .write = true, .pg = sql, .lite = sql, .id = UINT32_MAX
	};
	must(sf_db_exec(sf_db_auto(w->db, w->a, SF_READ_PRIMARY, "test"), &q, NULL, NULL), sql, __LINE__);
}
/* ~ Template and sealed data of the newest mail in the queue. */
static const char *last_mail(struct world *w, const char **otp) {
	const char *payload =
		sql_text(w, "SELECT payload FROM jobs WHERE kind = 'email.send' ORDER BY id DESC LIMIT 1");
	json_t *o = json_loads(payload, 0, NULL), *data;
	struct sf_str text;
	if (!o) return "";
	sf_arena_defer(w->a, drop_json, o);
	const char *sealed = json_string_value(json_object_get(o, "sealed"));
	if (otp && sealed) {
		OK(sf_secret_decrypt(w->a, MAIL__SECRET, sf_str(sealed), &text));
		data = json_loadb(text.p, text.n, 0, NULL);
		sf_arena_defer(w->a, drop_json, data);
		*otp = json_string_value(json_object_get(data, "otp"));
		assert_null(strstr(payload, *otp)); /* not to be read in the queue */
	}
	return json_string_value(json_object_get(o, "template"));
}
static const char *wrong(struct world *w, const char *otp) {
	char *s = sf_arena_cstr(w->a, sf_str(otp));
	s[0] = s[0] == '9' ? '0' : (char)(s[0] + 1);
	return s;
}
#define AGO_A_MINUTE "UPDATE otp_clients SET sent_at = '2020-01-01 00:00:00.000000'"
#define OVER(table)  "UPDATE " table " SET expires_at = '2020-01-01 00:00:00.000000'"
#define USE(w, path, email, otp, password)                                                                   \
	POST(w, NULL, path, "{\"email\":\"%s\",\"otp\":\"%s\",\"password\":\"%s\",\"password_confirm\":\"%s\"}", \
		 email, otp, password, password)
#define ASK(w, path, email) POST(w, NULL, path, "{\"email\":\"%s\"}", email)

static void registers(struct world *w) {
	const char *otp = NULL, *again = NULL;
	IS(ASK(w, "/auth/register", "New@Example.com"), 202);
	assert_string_equal(last_mail(w, &otp), "otp");
	assert_int_equal(strlen(otp), 6);
	assert_string_equal(sql_text(w, "SELECT count(*) || '' FROM otps WHERE otp_hash LIKE '______'"), "0");
	IS(ASK(w, "/auth/register", "new@example.com"), 202); /* within the minute: the same answer, no mail */
	assert_string_equal(sql_text(w, "SELECT count(*) || '' FROM jobs"), "1");
	IS(POST(w, NULL, "/auth/verify-otp",
			"{\"email\":\"new@example.com\",\"otp\":\"%s\",\"password\":\"longenough\",\"password_confirm\":"
			"\"another1\"}",
			otp),
	   400);
	IS(USE(w, "/auth/verify-otp", "new@example.com", wrong(w, otp), "longenough"), 400);
	IS(USE(w, "/auth/verify-otp", "other@example.com", otp, "longenough"), 400);
	IS(USE(w, "/auth/reset-password", "new@example.com", otp, "longenough"), 400); /* of another purpose */
	struct answer made = USE(w, "/auth/verify-otp", "NEW@example.com", otp, "longenough");
	IS(made, 201);
	assert_string_equal(text_of(made, "email"), "new@example.com");
	assert_string_equal(text_of(made, "name"), "new");
	assert_string_equal(last_mail(w, NULL), "welcome");
	IS(USE(w, "/auth/verify-otp", "new@example.com", otp, "longenough"), 400); /* used */
	IS(login(w, "new@example.com", "longenough"), 200);
	must_sql(w, AGO_A_MINUTE);
	IS(ASK(w, "/auth/register", "new@example.com"), 202); /* has an account: only the mail says so */
	assert_string_equal(last_mail(w, &again), "has_account");
}
static void test_registers(void **state) {
	(void)state;
	world_run(registers);
}

static void forgotten(struct world *w) {
	const char *otp = NULL, *token;
	struct answer in = login(w, "demo@softfactory.com", "demo123");
	IS(in, 200);
	token = sf_arena_cstr(w->a, sf_str(text_of(in, "access_token")));
	IS(GET(w, bearer(w, token), "/api/auth/me"), 200);
	IS(ASK(w, "/auth/forgot-password", "nobody@example.com"), 202);
	assert_string_equal(last_mail(w, &otp), "no_account");
	IS(USE(w, "/auth/reset-password", "nobody@example.com", otp, "longenough"), 400);
	IS(ASK(w, "/auth/forgot-password", "demo@softfactory.com"), 202);
	assert_string_equal(last_mail(w, &otp), "otp");
	IS(USE(w, "/auth/reset-password", "demo@softfactory.com", otp, "longenough"), 200);
	assert_string_equal(last_mail(w, NULL), "password_changed");
	IS(GET(w, bearer(w, token), "/api/auth/me"), 401);
	assert_string_equal(sql_text(w, "SELECT count(*) || '' FROM sessions"), "0");
	IS(login(w, "demo@softfactory.com", "demo123"), 401);
	IS(login(w, "demo@softfactory.com", "longenough"), 200);
}
static void test_forgotten(void **state) {
	(void)state;
	world_run(forgotten);
}

static void limits(struct world *w) {
	const char *otp = NULL;
	IS(ASK(w, "/auth/register", "a@example.com"), 202);
	last_mail(w, &otp);
	for (int i = 0; i < 5; i++)
		IS(USE(w, "/auth/verify-otp", "a@example.com", wrong(w, otp), "longenough"), 400);
	IS(USE(w, "/auth/verify-otp", "a@example.com", otp, "longenough"), 400); /* tried five times */
	must_sql(w, AGO_A_MINUTE);
	IS(ASK(w, "/auth/register", "a@example.com"), 202);
	last_mail(w, &otp);
	must_sql(w, OVER("otps"));
	must_sql(w, OVER("otp_clients"));
	IS(USE(w, "/auth/verify-otp", "a@example.com", otp, "longenough"), 400); /* over */
	IS(ASK(w, "/auth/register", "not an address"), 400);
	IS(USE(w, "/auth/verify-otp", "a@example.com", "12345", "longenough"), 400);
	IS(USE(w, "/auth/verify-otp", "a@example.com", "123456", "short"), 400);
}
static void test_limits(void **state) {
	(void)state;
	world_run(limits);
}

/* ---- the job, where no server is set ------------------------------------------------------------- */

static void drained(void *arg) {
	sf_wake(arg, 0);
}
static void keeps(struct world *w) {
	static const struct sf_job_kind *kinds[2];
	struct sf_db *dbs[] = { w->db, NULL };
	struct sf_jobs *js = NULL;
	struct sf_wait done;
	kinds[0] = mail_service.jobs;
	IS(ASK(w, "/auth/register", "kept@example.com"), 202);
	const char *otp = NULL;
	last_mail(w, &otp);
	OK(sf_jobs_start(
		w->l, &(struct sf_jobs_opts) { .dbs = dbs, .kinds = kinds, .crash_dir = w->dir, .context = w->app },
		&js));
	for (int i = 0; i < 500 && !*sql_text(w, "SELECT subject FROM mail_outbox"); i++) OK(sf_sleep(10));
	assert_string_equal(sql_text(w, "SELECT recipient FROM mail_outbox"), "kept@example.com");
	assert_non_null(strstr(sql_text(w, "SELECT body_text FROM mail_outbox"), otp));
	assert_string_equal(sql_text(w, "SELECT state FROM job_history"), "done");
	sf_wait_init(&done, NULL, NULL);
	sf_jobs_drain(js, 1000, drained, &done);
	OK(sf_await(&done, -1));
	sf_jobs_free(js);
}
static void test_keeps(void **state) {
	(void)state;
	world_run(keeps);
}

int main(void) {
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_registers), cmocka_unit_test(test_forgotten),
										cmocka_unit_test(test_limits), cmocka_unit_test(test_keeps) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
