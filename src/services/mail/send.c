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

/* The template's data, decrypted where it is secret. */
static int data_of(struct sf_arena *a, const struct mail__template *t, const json_t *payload,
				   const json_t **out) {
	struct sf_str text, why;
	json_t *opened = NULL;
	if (!t->secret) return *out = json_object_get(payload, "data"), 0;
	int err = sf_secret_decrypt(a, MAIL__SECRET, text_of(payload, "sealed"), &text);
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

int mail__compose(struct sf_arena *a, const json_t *payload, struct sf_str key, struct mail__message *m,
				  const struct mail__template **t, struct sf_str *why) {
	const json_t *data = NULL;
	int err = 0;
	struct sf_str field = SF_STR_NULL, name = text_of(payload, "template");
	const struct mail__reader reader = { text_of(payload, "name"), text_of(payload, "zone"),
										 text_of(payload, "place") };
	const char *sender = sf_config_text("MAIL_FROM");
	const struct mail__template *known = mail__template(name);
	*m = (struct mail__message) { .to = text_of(payload, "to"),
								  .to_name = reader.name.n ? sf_arena_name(a, reader.name) : SF_STR_NULL,
								  .date = json_integer_value(json_object_get(payload, "at")) };
	*t = known;
	if (!known)
		*why = sf_arena_printf(a, "there is no template \"" SF_PRI "\"", SF_ARG(name));
	else if (!mail__address(m->to))
		*why = sf_arena_printf(a, "\"" SF_PRI "\" is not an address that mail can be sent to", SF_ARG(m->to));
	else if ((err = data_of(a, known, payload, &data)) != 0)
		*why = SF_STR("the mail was encrypted under a JWT_SECRET that this worker does not have");
	else if (mail__render(a, known, &reader, data, &m->text, &field))
		*why = sf_arena_printf(a, "the template \"%s\" needs the field \"" SF_PRI "\"", known->name,
							   SF_ARG(field));
	if (err) return SF_EUNAVAILABLE; /* during a rotation another worker may have it, or this one soon */
	if (why->p) return SF_EINVAL;
	if (mail__mailbox(a, sf_str(sender), &m->from_name, &m->from)) {
		*why = SF_STR("MAIL_FROM must be an address, or a name and <an address>");
		return SF_EUNAVAILABLE;
	}
	m->id = message_id(a, key, payload, m->from);
	if (mail__address(m->id)) return 0;
	*why = SF_STR("the domain of MAIL_FROM is too long");
	return SF_EUNAVAILABLE;
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
	int err = mail__compose(sf_job_arena(j), sf_job_payload(j), sf_job_key(j), &m, &t, &why);
	if (err == SF_EINVAL) return sf_job_give_up(j, SF_PRI, SF_ARG(why));
	if (err) return sf_job_fail(j, SF_EINVAL, SF_PRI, SF_ARG(why));
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
