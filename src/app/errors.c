/* errors: what a handler says about a failure, and the error body a client gets. Nothing of the inside shows in it: the
 * sentence is the handler's own or the default of its code. */
#include "app/internal.h"
#include "core/json.h"

#include <stdio.h>

int sf_fail(struct sf_req *r, int err, const char *field, const char *fmt, ...) {
	char few[256], *text = few;
	va_list args, again;
	va_start(args, fmt);
	va_copy(again, args);
	int n = vsnprintf(few, sizeof few, fmt, args);
	if (n >= (int)sizeof few) {
		text = sf_arena_alloc(r->http->arena, (size_t)n + 1);
		vsnprintf(text, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	va_end(args);
	if (field)
		sf_fail_field(r, field, text);
	else
		r->sentence = sf_arena_str(r->http->arena, (struct sf_str) { text, n > 0 ? (size_t)n : 0 });
	return err;
}

/* The first reason of a field stays: later rules look at a value that is already known to be wrong. */
void sf_fail_field(struct sf_req *r, const char *field, const char *why) {
	for (const struct sf_app__problem *p = r->problems; p; p = p->next)
		if (strcmp(p->field, field) == 0) return;
	struct sf_app__problem *p = sf_arena_alloc(r->http->arena, sizeof *p);
	*p = (struct sf_app__problem) { .field = field, .why = sf_arena_str(r->http->arena, sf_str(why)) };
	if (!r->problems_end) r->problems_end = &r->problems;
	*r->problems_end = p;
	r->problems_end = &p->next;
}

void sf_fail_more(struct sf_req *r, const char *name, struct sf_str json) {
	struct sf_app__problem **end = &r->more;
	while (*end) end = &(*end)->next;
	*end = sf_arena_alloc(r->http->arena, sizeof **end);
	**end = (struct sf_app__problem) { .field = name, .why = json };
}

/* "duration_hours" → "Duration hours" */
static void human_name(struct sf_buf *b, const char *name, bool first) {
	for (; *name; name++, first = false) {
		char c = *name;
		if (c == '_') c = ' ';
		if (first && c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
		sf_buf_char(b, c);
	}
}

/* One sentence about the fields: the reason of a single one, the names of several. */
static struct sf_str fields_sentence(struct sf_arena *a, const struct sf_req *r) {
	struct sf_buf b;
	sf_buf_init(&b, a);
	const struct sf_app__problem *p = r->problems;
	if (!p->next) {
		human_name(&b, p->field, true);
		sf_buf_char(&b, ' ');
		sf_buf_str(&b, p->why);
	} else {
		sf_buf_cstr(&b, "Some fields are not valid: ");
		for (; p; p = p->next) {
			human_name(&b, p->field, false);
			if (p->next) sf_buf_cstr(&b, ", ");
		}
	}
	sf_buf_char(&b, '.');
	return b.failed ? SF_STR_NULL : sf_buf_view(&b);
}

void sf_fail_retry(struct sf_req *r, int64_t seconds) {
	r->retry_s = seconds;
}

static void add_headers(const struct sf_req *r, int err, int status) {
	struct sf_http_req *http = r->http;
	if (status == 401)
		sf_http_add(http, "WWW-Authenticate",
					r->bad_token ? SF_STR("Bearer error=\"invalid_token\"") : SF_STR("Bearer"));
	if (err == SF_EMETHOD) sf_http_add(http, "Allow", sf_app__allow(http->arena, r->allowed));
	/* RFC 9110 §12.5.3: for no other 415 */
	if (err == SF_EMEDIA && r->coding == SF_BODY_OTHER) sf_http_add(http, "Accept-Encoding", SF_STR("gzip"));
	int64_t wait = r->retry_s ? r->retry_s : status == 429 || status == 503 ? 1 : 0;
	if (wait == 0) return;
	struct sf_buf text;
	sf_buf_init(&text, http->arena);
	sf_buf_int(&text, wait);
	sf_http_add(http, "Retry-After", sf_buf_view(&text));
}

/* What only some errors have: "fields" those of a request that is not valid, members of its own a conflict whose row documents them. */
static void write_members(struct sf_json *j, const struct sf_req *r, int status) {
	if (r->problems && status == 400) {
		sf_json_key(j, "fields");
		sf_json_obj(j);
		for (const struct sf_app__problem *p = r->problems; p; p = p->next) {
			sf_json_key(j, p->field);
			sf_json_str(j, p->why);
		}
		sf_json_obj_end(j);
	}
	bool own = status == 409 && r->row && r->row->route->conflict;
	for (const struct sf_app__problem *p = own ? r->more : NULL; p; p = p->next) {
		sf_json_key(j, p->field);
		sf_json_raw(j, p->why);
	}
}

void sf_app__error_write(struct sf_req *r, int err) {
	struct sf_http_req *http = r->http;
	int status = sf_err_status(err);
	sf_http_answer_reset(http);
	http->status = status;
	if (err == SF_ECANCELED) { /* nobody reads it */
		http->close = true;
		return;
	}
	struct sf_str sentence = r->sentence;
	if (!sentence.p && r->problems && status == 400) sentence = fields_sentence(http->arena, r);
	if (!sentence.p || status == 500) sentence = sf_str(sf_err_text(err));
	add_headers(r, err, status);
	http->type = SF_STR("application/json");
	struct sf_json j = sf_json(&http->out);
	sf_json_obj(&j);
	sf_json_add(&j, SF_KV("error", sentence), SF_KV("code", sf_err_code(err)), SF_KV("request_id", r->id));
	write_members(&j, r, status);
	sf_json_obj_end(&j);
}
