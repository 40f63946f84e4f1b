/* dispatch: the stages of every request, in order.
 *
 *   on_head       route, its gate, media type and coding, body limit: before the body is read, so that a wrong request costs no memory
 *   begin         OPTIONS, files of the web app, and what has no row end here
 *   limit_ip      before anything that costs: a flood of bad tokens must not reach the session store
 *   identify      token, cookie, CSRF
 *   limit_user    writes
 *   authorise     level of the row
 *   decode        a compressed body
 *   validate      query and body; every problem at once
 *   limit_field   a body that holds a password
 *   run           the handler, within its idempotency key
 *   conditional   ETag, 304
 *   finish        whatever happened becomes an answer with its headers; what ended before limit_ip is counted here
 *   after         counters, log line */
#include "app/internal.h"
#include "core/log.h"

/* ---- before the body ------------------------------------------------------------------------------ */

/* "application/json" in a Content-Type, with or without parameters; a charset other than UTF-8 is another type. */
static bool media_is(struct sf_str header, struct sf_str want) {
	struct sf_str type, params, one, key, value;
	bool more = sf_str_cut(header, ';', &type, &params);
	if (!sf_str_ieq(sf_str_trim(type), want)) return false;
	while (more) {
		more = sf_str_cut(params, ';', &one, &params);
		if (!sf_str_cut(sf_str_trim(one), '=', &key, &value) || !sf_str_ieq(key, SF_STR("charset"))) continue;
		if (value.n >= 2 && value.p[0] == '"') value.p++, value.n -= 2;
		if (!sf_str_ieq(value, SF_STR("utf-8")) && !sf_str_ieq(value, SF_STR("utf8"))) return false;
	}
	return true;
}

static int check_media(struct sf_req *r) {
	const struct sf_route *route = r->row->route;
	bool sent = r->in.transfer_encoding.p ||
				(r->in.content_length.p && !sf_str_eq(r->in.content_length, SF_STR("0")));
	if (!sent || (!route->body && !route->text_body)) return 0;
	r->coding = sf_http_body_coding(r->http);
	if (r->coding == SF_BODY_OTHER)
		return sf_fail(r, SF_EMEDIA, NULL, "Send the body as it is, or with Content-Encoding: gzip.");
	struct sf_str rest = sf_str(route->consumes ? route->consumes : "application/json"), one;
	for (bool more = true; more;) {
		more = sf_str_cut(rest, ',', &one, &rest);
		if (media_is(r->in.content_type, sf_str_trim(one))) return 0;
	}
	return route->consumes ? sf_fail(r, SF_EMEDIA, NULL, "Send the body as %s.", route->consumes) : SF_EMEDIA;
}

static bool is_api(struct sf_str path) {
	return sf_str_starts(path, SF_STR("/api/")) || sf_str_starts(path, SF_STR("/auth/"));
}

int sf_app__on_head(struct sf_http_req *http, size_t *body_max) {
	struct sf_req *r = sf_arena_zalloc(http->arena, sizeof *r);
	r->http = http;
	r->app = sf_app__serving();
	http->app = r;
	sf_app__headers_read(r);
	sf_app__ids_take(r);
	struct sf_app__match match;
	int err = sf_app__router_find(r->app->root, http->method, http->path, http->arena, &match);
	r->allowed = match.allowed;
	r->secret_path = match.secret;
	if (err == 0) {
		r->row = match.row;
		for (size_t i = 0; i < r->row->nparams; i++)
			r->params[i] = match.params[i], r->param_ints[i] = match.param_ints[i];
		const struct sf_route *route = r->row->route;
		if (route->body_max || (r->row->body_max && r->row->body_max < *body_max))
			*body_max = r->row->body_max;
		r->body_max = *body_max;
		err = route->gate ? route->gate(r) : 0;
		r->gated = route->gate && !err;
		return err ? err : check_media(r);
	}
	if (*body_max > SF_APP_BODY_MORE) *body_max = SF_APP_BODY_MORE; /* nobody reads it */
	if (http->method == SF_OPTIONS && err == SF_EMETHOD) return 0;
	if (err != SF_ENOTFOUND || !r->app->opts.files || is_api(http->path)) return err;
	r->of_files = sf_app__is_read(http->method);
	if (r->of_files) return 0;
	r->allowed = 1u << SF_GET | 1u << SF_HEAD;
	err = sf_static_serve(r->app->opts.files, http, http->path); /* SF_EMETHOD where there is such a file */
	return http->method == SF_OPTIONS && err == SF_EMETHOD ? 0 : err;
}

/* ---- stages ---------------------------------------------------------------------------------------------- */

/* The page for an address that has none, if the web app brings one. Of the request's headers only Accept-Encoding counts, for
 * neither a range nor an ETag may turn it into another answer. */
static int lost_page(struct sf_http_req *http) {
	struct sf_http_header *all = http->headers, one = { SF_STR("Accept-Encoding"), SF_STR_NULL };
	size_t n = http->nheaders;
	one.value = sf_http_header(http, "accept-encoding");
	http->headers = &one, http->nheaders = one.value.p != NULL;
	int err = sf_static_serve(sf_app__req(http)->app->opts.files, http, SF_STR("/404.html"));
	http->headers = all, http->nheaders = n;
	if (err) return SF_ENOTFOUND;
	http->status = 404;
	return SF_HTTP_DONE;
}

static int begin(struct sf_http_req *http) {
	struct sf_req *r = sf_app__req(http);
	if (r->row) return r->app->starting && !r->row->route->quiet ? SF_EUNAVAILABLE : 0;
	if (http->method == SF_OPTIONS) return sf_app__options(r);
	int err = sf_static_serve(r->app->opts.files, http, http->path);
	if (err == SF_ENOTFOUND) return lost_page(http);
	return err ? err : SF_HTTP_DONE;
}

static int decode(struct sf_http_req *http) {
	struct sf_req *r = sf_app__req(http);
	if (r->coding != SF_BODY_GZIP) return 0;
	int err = sf_http_inflate(http, r->body_max);
	return err == SF_EMALFORMED
			   ? sf_fail(r, err, NULL, "The body could not be read: it is not gzip, or it ends too early.")
			   : err;
}

static int validate(struct sf_http_req *http) {
	return sf_app__validate(sf_app__req(http));
}

static int run(struct sf_http_req *http) {
	struct sf_req *r = sf_app__req(http);
	if (r->row->route->idempotent && r->in.idempotency_key.p) {
		int err = sf_app__idem_claim(r);
		if (err) return err;
	}
	int err = r->row->route->run(r);
	if (err >= 0 && http->status == 0) {
		sf_log(SF_ERROR, "handler left no answer", SF_KV("route", r->row->label));
		err = SF_EINTERNAL;
	}
	if (r->idem.claimed) sf_app__idem_settle(r, err);
	return err < 0 ? err : 0;
}

const struct sf_http_stage sf_app__stages[] = {
	{ "begin", begin },
	{ "limit_ip", sf_app__limit_ip },
	{ "identify", sf_app__identify },
	{ "limit_user", sf_app__limit_user },
	{ "authorise", sf_app__authorise },
	{ "decode", decode },
	{ "validate", validate },
	{ "limit_field", sf_app__limit_field },
	{ "run", run },
	{ "conditional", sf_app__conditional },
	{ NULL, NULL },
};

/* ---- the answer ------------------------------------------------------------------------------------------ */

/* A request that http/ refused before on_head: an error with all that errors carry is still owed. What of its path could be read
 * tells whether the log may hold it. */
static struct sf_req *early(struct sf_http_req *http) {
	struct sf_req *r = sf_arena_zalloc(http->arena, sizeof *r);
	struct sf_app__match match = { 0 };
	struct sf_str path = http->path, query;
	r->http = http;
	r->app = sf_app__serving();
	http->app = r;
	sf_app__headers_read(r);
	sf_app__ids_take(r);
	sf_str_cut(path, '?', &path, &query);
	bool found = sf_app__router_find(r->app->root, http->method, path, http->arena, &match) == 0;
	r->secret_path = match.secret;
	r->allowed = found || match.allowed ? match.allowed : (1u << SF_METHODS) - 1;
	return r;
}

/* A webhook's sender would send it again for a day, and hold back what follows: better to take note and go on. */
static int tolerate(struct sf_req *r, int err) {
	bool unusable = err == SF_EMALFORMED || err == SF_EINVAL || err == SF_ETOOLARGE || err == SF_EMEDIA;
	if (!unusable || !r->row || !r->row->route->tolerant || !r->gated) return err;
	sf_log(SF_WARN, "a webhook sent what cannot be used", SF_KV("route", r->row->route->path),
		   SF_KV("error", sf_err_code(err)), SF_KV("why", r->sentence), SF_KV("bytes", r->http->body.n),
		   SF_KV("request_id", r->id));
	sf_http_answer_reset(r->http);
	return sf_reply(r, 200, sf_kv_bool("ok", true));
}

void sf_app__finish(struct sf_http_req *http, int err) {
	struct sf_req *r = http->app ? sf_app__req(http) : early(http);
	if (err >= 0 && http->out.failed) err = SF_ENOMEM;
	if (err >= 0 && http->status == 0) err = SF_EINTERNAL;
	if (err < 0) err = sf_app__limit_refused(r, err);
	if (err < 0) err = tolerate(r, err);
	if (err < 0) sf_app__error_write(r, err);
	if (err < 0 && sf_err_status(err) == 500)
		sf_log(SF_ERROR, "request failed", SF_KV("error", sf_err_symbol(err)),
			   SF_KV("route", r->row ? r->row->label : http->path), SF_KV("request_id", r->id));
	sf_app__cors_write(r);
	sf_app__headers_write(r, err);
}
