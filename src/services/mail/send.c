/* send: the job email.send. What is written is the same at every attempt: the payload holds all of it, Date and Message-ID
 * too. Without SMTP_URL the mail is kept in the outbox, in the transaction that ends the job. */
#include <jansson.h>

#include "core/config.h"
#include "core/hash.h"
#include "core/json.h"
#include "jobs/jobs.h"
#include "services/mail/client.h"
#include "services/mail/internal.h"

static struct sf_str text_of(const json_t *o, const char *name) {
	const json_t *v = json_object_get(o, name);
	return json_is_string(v) ? (struct sf_str) { json_string_value(v), json_string_length(v) } : SF_STR_NULL;
}

/* The template's data, opened where it was sealed. */
static int data_of(struct sf_arena *a, const struct mail__template *t, const json_t *payload,
				   const json_t **out) {
	struct sf_str text, why;
	json_t *opened = NULL;
	if (!t->secret) return *out = json_object_get(payload, "data"), 0;
	int err = mail__unseal(a, text_of(payload, "sealed"), &text);
	if (!err) err = sf_json_parse(a, text, &opened, &why);
	if (!err) *out = opened;
	return err;
}

/* A name for Message-ID that no other mail of this sender has: job numbers are a database's own. */
static struct sf_str message_id(struct sf_arena *a, struct sf_str key, const json_t *payload,
								struct sf_str from) {
	struct sf_str whole = sf_json_dump(a, payload), local, domain;
	sf_str_cut(from, '@', &local, &domain);
	return sf_arena_printf(a, SF_PRI ".%016llx@" SF_PRI, SF_ARG(key),
						   (unsigned long long)sf_hash64_fixed(whole.p, whole.n), SF_ARG(domain));
}

/* The message of a job; 0, or what the job ends with. */
static int compose(struct sf_job *j, struct mail__message *m, const struct mail__template **t) {
	struct sf_arena *a = sf_job_arena(j);
	const json_t *payload = sf_job_payload(j), *data = NULL;
	struct sf_str why = SF_STR_NULL, name = text_of(payload, "template");
	const char *sender = sf_config_text("MAIL_FROM");
	*t = mail__template(name);
	if (!*t) return sf_job_give_up(j, "there is no template \"" SF_PRI "\"", SF_ARG(name));
	*m = (struct mail__message) { .to = text_of(payload, "to"),
								  .to_name = text_of(payload, "name"),
								  .date = json_integer_value(json_object_get(payload, "at")) };
	if (!mail__address(m->to))
		return sf_job_give_up(j, "\"" SF_PRI "\" is not an address that mail can be sent to", SF_ARG(m->to));
	if (mail__mailbox(a, sf_str(sender), &m->from_name, &m->from))
		return sf_job_fail(j, SF_EINVAL, "MAIL_FROM must be an address, or a name and <an address>");
	if (data_of(a, *t, payload, &data))
		return sf_job_give_up(j, "the mail was sealed under another JWT_SECRET");
	if (mail__render(a, *t, m->to_name, data, &m->text, &why))
		return sf_job_give_up(j, "the template \"%s\" needs the field \"" SF_PRI "\"", (*t)->name,
							  SF_ARG(why));
	m->id = message_id(a, sf_job_key(j), payload, m->from);
	if (!mail__address(m->id)) return sf_job_fail(j, SF_EINVAL, "the domain of MAIL_FROM is too long");
	return 0;
}

static int keep(struct sf_job *j, const struct mail__template *t, const struct mail__message *m) {
	struct sf_dbh *tx = NULL;
	int err = sf_job_begin(j, &tx);
	if (!err) err = mail__keep(tx, t->name, m);
	if (!err) err = sf_job_commit(j, tx);
	sf_tx_end(tx);
	return err;
}

int mail__run(struct sf_job *j) {
	const struct mail__template *t = NULL;
	enum mail__outcome outcome = MAIL__AGAIN;
	struct mail__message m;
	struct sf_str why = SF_STR_NULL;
	int err = compose(j, &m, &t);
	if (err) return err;
	if (mail_kept()) return keep(j, t, &m);
	err = mail__smtp(sf_job_arena(j), sf_config_text("SMTP_URL"), &m, &outcome, &why);
	if (err == SF_EDEADLINE) return sf_job_fail(j, err, "the mail server took too long");
	if (err) return err;
	switch (outcome) {
	case MAIL__SENT: return 0;
	case MAIL__NEVER: return sf_job_give_up(j, "refused by the mail server: " SF_PRI, SF_ARG(why));
	case MAIL__AGAIN: break;
	}
	return sf_job_fail(j, SF_EUNAVAILABLE, "not sent yet: " SF_PRI, SF_ARG(why));
}
