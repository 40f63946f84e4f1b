/* headers: the request headers this folder reads, and the header lines of every answer.
 *
 * What is the same for every answer of a row (security, caching) is one block of text made at start. */
#include "app/internal.h"
#include "core/hash.h"

static void take(struct sf_str *to, struct sf_str value) {
	if (!to->p) *to = value;
}

/* Several X-Forwarded-For lines are one list (RFC 9110 §5.3). */
static void take_forwarded(struct sf_req *r, struct sf_str value) {
	struct sf_str *to = &r->in.forwarded_for;
	*to = to->p ? sf_arena_printf(r->http->arena, SF_PRI ", " SF_PRI, SF_ARG(*to), SF_ARG(value)) : value;
}

void sf_app__headers_read(struct sf_req *r) {
	struct sf_app__headers *in = &r->in;
	for (size_t i = 0; i < r->http->nheaders; i++) {
		struct sf_str name = r->http->headers[i].name, value = r->http->headers[i].value;
#define IS(literal) sf_str_ieq(name, SF_STR(literal))
		switch (name.n) {
		case 6:
			if (IS("cookie")) take(&in->cookie, value);
			if (IS("origin")) take(&in->origin, value);
			break;
		case 9:
			if (IS("time-zone")) take(&in->time_zone, value);
			break;
		case 11:
			if (IS("traceparent")) take(&in->traceparent, value);
			break;
		case 12:
			if (IS("content-type")) take(&in->content_type, value);
			if (IS("x-request-id")) take(&in->request_id, value);
			if (IS("x-csrf-token")) take(&in->csrf, value);
			break;
		case 13:
			if (IS("authorization")) take(&in->authorization, value);
			if (IS("if-none-match")) take(&in->if_none_match, value);
			break;
		case 14:
			if (IS("content-length")) take(&in->content_length, value);
			break;
		case 15:
			if (IS("idempotency-key")) take(&in->idempotency_key, value);
			if (IS("x-forwarded-for")) take_forwarded(r, value);
			break;
		case 17:
			if (IS("transfer-encoding")) take(&in->transfer_encoding, value);
			break;
		case 29:
			if (IS("access-control-request-method")) take(&in->preflight, value);
			break;
		default: break;
		}
#undef IS
	}
}

/* ---- answers --------------------------------------------------------------------------------------- */

static struct sf_str cache_control(struct sf_app *app, const struct sf_app__row *row) {
	const struct sf_route *r = row->route;
	if (r->auth.kind != SF_ACCESS_PUBLIC) return SF_STR("Cache-Control: private, no-store\r\n");
	if (!row->shared) return SF_STR("Cache-Control: no-store\r\n");
	if (r->max_age == 0) return SF_STR("Cache-Control: no-cache\r\n");
	return sf_arena_printf(app->arena, "Cache-Control: public, max-age=%d, stale-while-revalidate=%d\r\n",
						   r->max_age, r->stale);
}

void sf_app__headers_prepare(struct sf_app *app) {
	app->security = app->opts.tls ? SF_STR("X-Content-Type-Options: nosniff\r\n"
										   "Referrer-Policy: strict-origin-when-cross-origin\r\n"
										   "Strict-Transport-Security: max-age=31536000\r\n")
								  : SF_STR("X-Content-Type-Options: nosniff\r\n"
										   "Referrer-Policy: strict-origin-when-cross-origin\r\n");
	app->security_html = SF_STR("Content-Security-Policy: default-src 'self'; img-src 'self' data:; "
								"object-src 'none'; base-uri 'none'; "
								"frame-ancestors 'none'; form-action 'self'\r\n"
								"Cross-Origin-Opener-Policy: same-origin\r\n");
	for (size_t i = 0; i < app->nrows; i++)
		app->rows[i].headers = sf_arena_printf(app->arena, SF_PRI SF_PRI, SF_ARG(app->security),
											   SF_ARG(cache_control(app, &app->rows[i])));
}

static void limit_headers(struct sf_buf *head, const struct sf_limit_result *l) {
	sf_buf_str(head, SF_STR("RateLimit-Limit: "));
	sf_buf_int(head, l->limit);
	sf_buf_str(head, SF_STR("\r\nRateLimit-Remaining: "));
	sf_buf_int(head, l->remaining);
	sf_buf_str(head, SF_STR("\r\nRateLimit-Reset: "));
	sf_buf_int(head, l->reset_s);
	sf_buf_str(head, SF_STR("\r\n"));
}

void sf_app__headers_write(struct sf_req *r, int err) {
	struct sf_http_req *http = r->http;
	struct sf_buf *head = &http->head;
	if (r->row && err >= 0 && !r->own_cache) {
		sf_buf_str(head, r->row->headers);
	} else {
		sf_buf_str(head, r->app->security);
		if (err < 0) sf_buf_str(head, SF_STR("Cache-Control: no-store\r\n"));
	}
	if (sf_str_starts(http->type, SF_STR("text/html")) && !r->own_policy)
		sf_buf_str(head, r->app->security_html);
	if (r->limited) limit_headers(head, &r->limit);
	sf_buf_str(head, SF_STR("X-Request-Id: "));
	sf_buf_str(head, r->id);
	sf_buf_str(head, SF_STR("\r\ntraceparent: "));
	sf_buf_add(head, r->trace, SF_APP_TRACE_LEN);
	sf_buf_str(head, SF_STR("\r\n"));
}

void sf_app__etag(struct sf_req *r, struct sf_str etag) {
	struct sf_http_req *http = r->http;
	r->own_etag = true;
	sf_buf_str(&http->head, SF_STR("ETag: "));
	sf_buf_str(&http->head, etag);
	sf_buf_str(&http->head, SF_STR("\r\n"));
	if (r->in.if_none_match.p && sf_http_not_modified(http, etag)) http->status = 304;
}

int sf_app__conditional(struct sf_http_req *http) {
	struct sf_req *r = sf_app__req(http);
	if (!r->row->shared || r->own_etag || http->status != 200 || http->out.failed) return 0;
	struct sf_str body = http->body_ref.p ? http->body_ref : sf_buf_view(&http->out);
	uint64_t hash = sf_hash64_fixed(body.p, body.n);
	char etag[20] = "\"";
	sf_hex(&hash, 8, etag + 1);
	etag[17] = '"';
	sf_app__etag(r, (struct sf_str) { etag, 18 });
	return 0;
}
