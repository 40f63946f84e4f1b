/* client: a mail as the payload of its job; many at once as the payload of one that hands them out. */
#include "services/mail/client.h"

#include "core/config.h"
#include "core/json.h"
#include "core/time.h"
#include "db/db.h"
#include "jobs/jobs.h"
#include "services/mail/internal.h"

enum {
	TOGETHER_FROM = 16, /* mails that are added at once: fewer are jobs of their own from the start */
	TOGETHER_MAX = 200,
	TOGETHER_BYTES = 256 << 10, /* a job's payload may be 1 MiB */
};

static struct sf_str data_of(struct sf_arena *a, const struct sf_kv *data) {
	struct sf_buf b;
	sf_buf_init(&b, a);
	struct sf_json j = sf_json(&b);
	sf_json_obj(&j);
	if (data) sf_json_kv(&j, data);
	sf_json_obj_end(&j);
	return sf_buf_view(&b);
}

/* {template, to, name, zone, place, at, data}: `at` makes the Date of every attempt the same. */
static struct sf_str payload(struct sf_arena *a, const struct mail__template *t, const struct mail *m,
							 const struct mail_to *to, struct sf_str data, int64_t now) {
	struct sf_buf b;
	sf_buf_init(&b, a);
	struct sf_json j = sf_json(&b);
	sf_json_obj(&j);
	sf_json_add(&j, SF_KV("template", t->name), SF_KV("to", to->email), SF_KV("at", now));
	if (to->name.p) sf_json_add(&j, SF_KV("name", to->name));
	if (to->time_zone.p) sf_json_add(&j, SF_KV("zone", to->time_zone));
	if (m->place.p) sf_json_add(&j, SF_KV("place", m->place));
	if (t->secret) {
		sf_json_add(&j, SF_KV("sealed", sf_secret_encrypt(a, MAIL__SECRET, data)));
	} else {
		sf_json_key(&j, "data");
		sf_json_raw(&j, data);
	}
	sf_json_obj_end(&j);
	return sf_buf_view(&b);
}

/* Writes a job for each receiver into `jobs`; returns how many. */
static size_t jobs_of(struct sf_arena *a, const struct mail *m, int64_t now, struct sf_job_new *jobs) {
	const struct mail__template *t = mail__template(sf_str(m->template));
	SF_BUG_ON(!t);
	if (m->nto == 0) return 0;
	struct sf_str data = data_of(a, m->data);
	for (size_t i = 0; i < m->nto; i++)
		jobs[i] = (struct sf_job_new) { .kind = "email.send",
										.payload = payload(a, t, m, &m->to[i], data, now),
										.priority = t->priority,
										.owner = m->to[i].user,
										.trace = m->trace };
	return m->nto;
}

/* Adds n mails' jobs as one, or as few as their bytes need: {mails: [{user, trace, mail}]}. */
static int send_together(struct sf_dbh *tx, const struct sf_job_new *mails, size_t n) {
	struct sf_arena *a = sf_dbh_arena(tx);
	size_t njobs = 0;
	struct sf_job_new *jobs = sf_arena_zalloc(a, n * sizeof *jobs);
	for (size_t i = 0; i < n;) {
		struct sf_buf b;
		sf_buf_init(&b, a);
		struct sf_json j = sf_json(&b);
		sf_json_obj(&j);
		sf_json_key(&j, "mails");
		sf_json_arr(&j);
		for (size_t k = 0; k < TOGETHER_MAX && i < n && b.n < TOGETHER_BYTES; k++, i++) {
			sf_json_obj(&j);
			sf_json_add(&j, SF_KV("user", mails[i].owner));
			if (mails[i].trace.p) sf_json_add(&j, SF_KV("trace", mails[i].trace));
			sf_json_key(&j, "mail");
			sf_json_raw(&j, mails[i].payload);
			sf_json_obj_end(&j);
		}
		sf_json_arr_end(&j);
		sf_json_obj_end(&j);
		jobs[njobs++] = (struct sf_job_new) { .kind = "email.batch", .payload = sf_buf_view(&b) };
	}
	return sf_job_add_many(tx, jobs, njobs, NULL);
}

int mail_send_all(struct sf_dbh *tx, const struct mail *m, size_t n) {
	struct sf_arena *a = sf_dbh_arena(tx);
	int64_t now = sf_time_now();
	size_t most = 0, njobs = 0;
	for (size_t i = 0; i < n; i++) most += m[i].nto;
	if (most == 0) return 0;
	struct sf_job_new *jobs = sf_arena_zalloc(a, most * sizeof *jobs);
	for (size_t i = 0; i < n; i++) njobs += jobs_of(a, &m[i], now, jobs + njobs);
	if (njobs == 1) return sf_job_add(tx, jobs, NULL);
	return njobs < TOGETHER_FROM ? sf_job_add_many(tx, jobs, njobs, NULL) : send_together(tx, jobs, njobs);
}

int mail_send(struct sf_dbh *tx, const struct mail *m) {
	return mail_send_all(tx, m, 1);
}

bool mail_reaches(struct sf_str email) {
	return mail__address(email);
}

bool mail_kept(void) {
	const char *url = sf_config_text("SMTP_URL");
	return !url || !*url;
}
