/* outbox: where mails are kept when there is no server to send them through, for an administrator to read. */
#include "core/json.h"
#include "core/time.h"
#include "mail.q.h"
#include "services/mail/internal.h"

#define KEPT 10000 /* the newest */

int mail__keep(struct sf_dbh *tx, const char *template, const struct mail__message *m) {
	struct mail_q_keep_in in = { .message_id = m->id,
								 .template = sf_str(template),
								 .sender = m->from,
								 .recipient = m->to,
								 .subject = m->text.subject,
								 .body_text = m->text.text,
								 .body_html = m->text.html,
								 .created_at = m->date };
	int err = mail_q_keep(tx, &in, NULL);
	return err ? err : mail_q_prune(tx, &(struct mail_q_prune_in) { .keep = KEPT }, NULL);
}

void mail__kept_json(struct sf_json *w, const char *template, const struct mail__message *m) {
	char at[32];
	sf_time_format_sql(m->date, at);
	sf_json_obj(w);
	sf_json_add(w, SF_KV("message_id", m->id), SF_KV("template", template), SF_KV("sender", m->from),
				SF_KV("recipient", m->to), SF_KV("subject", m->text.subject),
				SF_KV("body_text", m->text.text), SF_KV("body_html", m->text.html),
				SF_KV("created_at", (const char *)at));
	sf_json_obj_end(w);
}

int mail__keep_many(struct sf_dbh *tx, struct sf_str mails) {
	int err = mail_q_keep_many(tx, &(struct mail_q_keep_many_in) { .mails = mails }, NULL);
	return err ? err : mail_q_prune(tx, &(struct mail_q_prune_in) { .keep = KEPT }, NULL);
}

int mail__outbox(struct sf_req *r) {
	const struct mail_outbox_query *q = sf_req_query(r);
	struct sf_page page = sf_req_page(r);
	struct sf_dbh *h = sf_req_db(r);
	struct sf_rows rows;
	int64_t total = 0;
	int err;
	if (q->to.p) {
		struct mail_q_page_to_in in = { .to = q->to, .limit = page.limit, .offset = page.offset };
		struct mail_q_count_to_row count;
		err = mail_q_page_to(h, &in, &rows);
		if (!err) err = mail_q_count_to(h, &(struct mail_q_count_to_in) { .to = q->to }, &count);
		if (!err) total = count.n;
	} else {
		struct mail_q_page_in in = { .limit = page.limit, .offset = page.offset };
		struct mail_q_count_row count;
		err = mail_q_page(h, &in, &rows);
		if (!err) err = mail_q_count(h, &count);
		if (!err) total = count.n;
	}
	return err ? err : sf_reply_page(r, &rows, total);
}

int mail__outbox_one(struct sf_req *r) {
	struct mail_q_one_row row;
	int err = mail_q_one(sf_req_db(r), &(struct mail_q_one_in) { .id = sf_path_int(r, "id") }, &row);
	return err ? err : sf_reply_row(r, 200, &mail_one_desc, &row);
}

/* A mail has styles of its own and words of users: it may be drawn, in a frame of ours, and nothing else. */
int mail__outbox_html(struct sf_req *r) {
	struct mail_q_one_row row;
	int err = mail_q_one(sf_req_db(r), &(struct mail_q_one_in) { .id = sf_path_int(r, "id") }, &row);
	if (err) return err;
	sf_reply_header(r, "Content-Security-Policy",
					SF_STR("sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
						   "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"));
	return sf_reply_text(r, 200, "text/html; charset=utf-8", row.html);
}
