/* batch: the job email.batch: many mails that were asked for together, handed out in the transaction that ends it.
 *
 * Where a server takes them, each becomes a job email.send: it is tried and fails by itself. Where they are kept, all
 * are kept by one statement, and only what cannot be written becomes such a job, whose error says why. */
#include <jansson.h>

#include "core/json.h"
#include "core/time.h"
#include "jobs/jobs.h"
#include "services/mail/client.h"
#include "services/mail/internal.h"

static struct sf_str text_of(const json_t *o, const char *name) {
	const json_t *v = json_object_get(o, name);
	return json_is_string(v) ? (struct sf_str) { json_string_value(v), json_string_length(v) } : SF_STR_NULL;
}

static struct sf_job_new job_of(struct sf_arena *a, const json_t *item) {
	const json_t *mail = json_object_get(item, "mail");
	const struct mail__template *t = mail__template(text_of(mail, "template"));
	return (struct sf_job_new) { .kind = "email.send",
								 .payload = sf_json_dump(a, mail),
								 .priority = t ? t->priority : 0,
								 .owner = json_integer_value(json_object_get(item, "user")),
								 .trace = text_of(item, "trace") };
}

/* Adds the i-th to those that are kept; false: it cannot be written. */
static bool add_kept(struct sf_job *j, const json_t *item, size_t i, struct sf_json *w) {
	struct sf_arena *a = sf_job_arena(j);
	const struct mail__template *t = NULL;
	struct mail__message m;
	struct sf_str why = SF_STR_NULL;
	struct sf_str key = sf_arena_printf(a, SF_PRI "-%zu", SF_ARG(sf_job_key(j)), i);
	if (mail__compose(a, json_object_get(item, "mail"), key, &m, &t, &why)) return false;
	mail__kept_json(w, t->name, &m);
	return true;
}

int mail__batch(struct sf_job *j) {
	const json_t *mails = json_object_get(sf_job_payload(j), "mails");
	size_t n = json_array_size(mails), njobs = 0;
	struct sf_arena *a = sf_job_arena(j);
	struct sf_job_new *jobs = sf_arena_alloc(a, (n + 1) * sizeof *jobs);
	struct sf_buf kept;
	sf_buf_init(&kept, a);
	struct sf_json w = sf_json(&kept);
	sf_json_arr(&w);
	for (size_t i = 0; i < n; i++) {
		const json_t *item = json_array_get(mails, i);
		if (!mail_kept() || !add_kept(j, item, i, &w)) jobs[njobs++] = job_of(a, item);
	}
	sf_json_arr_end(&w);
	struct sf_dbh *tx = NULL;
	int err = kept.failed ? SF_ENOMEM : sf_job_begin(j, &tx);
	if (!err && njobs < n) err = mail__keep_many(tx, sf_buf_view(&kept));
	if (!err && njobs) err = sf_job_add_many(tx, jobs, njobs, NULL);
	if (!err) err = sf_job_commit(j, tx);
	sf_tx_end(tx);
	return err;
}
