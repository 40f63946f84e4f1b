/* reply: the answers of handlers, written straight into the request's output. */
#include "app/internal.h"
#include "core/json.h"

struct sf_json *sf_reply_json(struct sf_req *r, int status) {
	struct sf_http_req *http = r->http;
	http->status = status ? status : r->row && r->row->route->status ? r->row->route->status : 200;
	http->type = SF_STR("application/json");
	http->body_ref = http->coding = SF_STR_NULL;
	http->varies = false;
	sf_buf_clear(&http->out);
	r->json = sf_json(&http->out);
	return &r->json;
}

int sf_reply_kv(struct sf_req *r, int status, const struct sf_kv *kv) {
	struct sf_json *j = sf_reply_json(r, status);
	sf_json_obj(j);
	sf_json_kv(j, kv);
	sf_json_obj_end(j);
	return 0;
}

int sf_reply_rows(struct sf_req *r, int status, const struct sf_rows *rows) {
	sf_rows_json(sf_reply_json(r, status), rows);
	return 0;
}

int sf_reply_row(struct sf_req *r, int status, const struct sf_query *q, const void *row) {
	sf_row_json(sf_reply_json(r, status), q, row);
	return 0;
}

int sf_reply_page(struct sf_req *r, const struct sf_rows *rows, int64_t total) {
	const struct sf_route *route = r->row->route;
	SF_BUG_ON(!route->page_of);
	struct sf_json *j = sf_reply_json(r, 0);
	if (route->reply_list) { /* a bare array keeps the total in a header */
		struct sf_buf text;
		sf_buf_init(&text, r->http->arena);
		sf_buf_int(&text, total);
		sf_http_add(r->http, "X-Total-Count", sf_buf_view(&text));
		sf_rows_json(j, rows);
		return 0;
	}
	sf_json_obj(j);
	sf_json_key(j, route->page_of);
	sf_rows_json(j, rows);
	sf_json_add(j, SF_KV("total", total), SF_KV("pages", (total + r->page.per_page - 1) / r->page.per_page),
				SF_KV("current_page", r->page.page));
	sf_json_obj_end(j);
	return 0;
}

int sf_reply_text(struct sf_req *r, int status, const char *type, struct sf_str body) {
	sf_reply_json(r, status);
	r->http->type = sf_str(type);
	sf_buf_str(&r->http->out, body);
	return 0;
}

void sf_reply_header(struct sf_req *r, const char *name, struct sf_str value) {
	struct sf_str n = sf_str(name);
	if (sf_str_ieq(n, SF_STR("cache-control"))) r->own_cache = true;
	if (sf_str_ieq(n, SF_STR("etag"))) r->own_etag = true;
	if (sf_str_ieq(n, SF_STR("content-security-policy"))) r->own_policy = true;
	sf_http_add(r->http, name, value);
}

void sf_reply_cookie(struct sf_req *r, const char *name, struct sf_str value, int64_t max_age_s,
					 bool readable) {
	for (size_t i = 0; i < value.n; i++) /* RFC 6265 §4.1.1 cookie-octet; callers write tokens */
		SF_BUG_ON(value.p[i] <= 0x20 || value.p[i] > 0x7e || strchr("\",;\\", value.p[i]));
	struct sf_buf b;
	sf_buf_init(&b, r->http->arena);
	sf_buf_cstr(&b, name);
	sf_buf_char(&b, '=');
	sf_buf_str(&b, value);
	sf_buf_str(&b, SF_STR("; Path=/; SameSite=Lax; Max-Age="));
	sf_buf_int(&b, max_age_s);
	if (!readable) sf_buf_str(&b, SF_STR("; HttpOnly"));
	if (r->app->opts.tls) sf_buf_str(&b, SF_STR("; Secure"));
	sf_http_add(r->http, "Set-Cookie", sf_buf_view(&b));
}
