/* sf_fetch: one request from the caller's view, which is one exchange after the other until there is an answer to hand back.
 *
 *     redirects: each hop is checked anew ─▶ repeats: back-off within the deadline ─▶ turn at the host, its breaker ─▶ exchange */
#include "http/client.h"

#include <stdlib.h>

#include "core/time.h"

struct fetch { /* lifetime: sf_fetch */
	struct sf_client__try t;
	struct sf_client__url url;
	struct sf_client__host *host;
	struct sf_arena *a;
	struct sf_str *why;
	int64_t until_ms;
};

static int64_t left_ms(const struct fetch *f) {
	return f->until_ms - sf_loop_now(f->t.c->loop);
}

/* ---- what the caller gave --------------------------------------------------------------------------- */

static bool is_token(struct sf_str s) { /* RFC 9110 §5.6.2 */
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f ||
			strchr("()<>@,;:\\\"/[]?={}", s.p[i]))
			return false;
	return s.n > 0;
}

static bool is_one_line(struct sf_str s) {
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == 0) return false;
	return true;
}

static int check_input(const struct sf_fetch *in, struct sf_str *why) {
	static const char *const ours[] = {
		"host", "content-length", "transfer-encoding", "connection", "user-agent", "traceparent", "expect",
		"te"
	};
	bool ok = is_one_line(in->trace);
	for (size_t i = 0; i < in->nheaders && ok; i++) {
		ok = is_token(in->headers[i].name) && is_one_line(in->headers[i].value);
		for (size_t k = 0; k < SF_COUNT(ours) && ok; k++)
			ok = !sf_str_ieq(in->headers[i].name, sf_str(ours[k]));
	}
	if (ok && (in->method == SF_GET || in->method == SF_HEAD)) ok = in->body.n == 0;
	if (ok) return 0;
	*why = SF_STR("A header of the request is not one that may be sent, or it has a body that its method "
				  "does not allow.");
	return SF_EINVAL;
}

/* ---- one host --------------------------------------------------------------------------------------- */

static int leave_alone(struct fetch *f) {
	f->t.lasting = true;
	f->t.c->stats.left_alone++;
	*f->why =
		sf_arena_printf(f->a, SF_PRI " failed repeatedly and is left alone for a while.", SF_ARG(f->url.key));
	return SF_EUNAVAILABLE;
}

static void note(struct fetch *f, int err, bool probe) {
	int64_t now = sf_loop_now(f->t.c->loop);
	int status = f->t.status;
	bool bad = err == SF_EUNAVAILABLE || err == SF_EDEADLINE ||
			   (!err && (status == 502 || status == 503 || status == 504));
	if (bad) f->t.c->stats.failures++;
	if (err == SF_EFORBIDDEN) f->t.c->stats.forbidden++;
	if (bad || !err || err == SF_ETOOLARGE)
		sf_client__breaker_note(&f->host->breaker, now, probe, !bad);
	else
		sf_client__breaker_forget(&f->host->breaker, probe);
}

static int exchange(struct fetch *f) {
	struct sf_client *c = f->t.c;
	struct sf_client__breaker *b = &f->host->breaker;
	bool probe = false;
	if (!sf_client__breaker_lets(b, sf_loop_now(c->loop))) return leave_alone(f);
	if (left_ms(f) <= 0) return SF_EDEADLINE;
	int err = sf_client__turn_take(&c->hosts, f->host, left_ms(f));
	if (err) return err;
	if (left_ms(f) <= 0)
		err = SF_EDEADLINE;
	else if (!sf_client__breaker_take(b, sf_loop_now(c->loop),
									  &probe)) /* it may have opened while we waited */
		err = leave_alone(f);
	else
		note(f, err = sf_client__try(&f->t, f->host, left_ms(f), f->a, f->why), probe);
	sf_client__turn_give(&c->hosts, f->host);
	return err;
}

/* ---- repeats ------------------------------------------------------------------------------------------ */

static struct sf_str header_of(const struct sf_buf *head, const char *name) {
	struct sf_str rest = sf_buf_view(head), line, key, value;
	for (bool more = rest.n > 0; more;) {
		more = sf_str_cut(rest, '\n', &line, &rest);
		if (sf_str_cut(line, ':', &key, &value) && sf_str_ieq(key, sf_str(name))) return sf_str_trim(value);
	}
	return SF_STR_NULL;
}

static int ask(struct fetch *f) {
	f->host = sf_client__host_use(&f->t.c->hosts, f->url.key);
	sf_client__budget_request(&f->host->budget, sf_loop_now(f->t.c->loop));
	int err = 0;
	for (int repeat = 0;; repeat++) {
		err = exchange(f);
		bool again = err == SF_EUNAVAILABLE ? !f->t.lasting : !err && sf_client__repeat_status(f->t.status);
		if (!again || !f->t.repeatable || repeat >= f->t.in->retries) break;
		int64_t wait = sf_client__backoff(repeat), least = 0;
		if (!err) least = sf_client__retry_after(header_of(&f->t.head, "retry-after"), sf_time_now());
		if (wait < least) wait = least;
		if (wait >= left_ms(f)) break; /* what there is now is better than nothing then */
		if (!sf_client__budget_repeat(&f->host->budget, sf_loop_now(f->t.c->loop))) break;
		f->t.c->stats.repeats++;
		if ((err = sf_sleep(wait))) break;
	}
	sf_client__host_unuse(f->host);
	return err;
}

/* ---- redirects ------------------------------------------------------------------------------------------ */

static bool is_redirect(int status) {
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* RFC 9110 §15.4: 303 asks for the answer elsewhere; 301 and 302 turn POST into GET, as everybody does. */
static void change_method(struct sf_client__try *t) {
	bool to_get = t->status == 303 ? t->method != SF_HEAD : t->status <= 302 && t->method == SF_POST;
	if (!to_get) return;
	t->method = SF_GET;
	t->with_body = false;
	t->repeatable = true;
}

static int guard(struct fetch *f) {
	f->t.guarded = f->t.in->foreign && !sf_client__listed(f->t.c->allow, f->url.key);
	int err = f->t.guarded ? sf_client__url_foreign(&f->url, f->why) : 0;
	if (err) f->t.c->stats.forbidden++;
	return err;
}

static int follow(struct fetch *f) {
	for (int hop = 0;; hop++) {
		struct sf_client__url next;
		int err = guard(f);
		if (!err) err = ask(f);
		if (err || hop >= f->t.in->redirects || !is_redirect(f->t.status)) return err;
		struct sf_str location = header_of(&f->t.head, "location");
		if (!location.n) return 0;
		if ((err = sf_client__location(f->a, &f->url, location, &next, f->why))) return err;
		if (!sf_client__same_origin(&f->url, &next)) f->t.same_origin = false;
		change_method(&f->t);
		f->url = next;
		f->t.c->stats.redirects++;
	}
}

/* ---- what comes back -------------------------------------------------------------------------------------- */

static int read_headers(struct fetch *f, struct sf_fetched *out) {
	size_t n = 0;
	char *text = sf_arena_try(f->a, f->t.head.n + 1);
	if (!text) return SF_ENOMEM;
	if (f->t.head.n) memcpy(text, f->t.head.p, f->t.head.n);
	for (size_t i = 0; i < f->t.head.n; i++) n += text[i] == '\n';
	out->headers = sf_arena_try(f->a, (n + 1) * sizeof(*out->headers));
	if (!out->headers) return SF_ENOMEM;
	struct sf_str rest = { text, f->t.head.n }, line, name, value;
	for (bool more = rest.n > 0; more;) {
		more = sf_str_cut(rest, '\n', &line, &rest);
		if (!sf_str_cut(line, ':', &name, &value) || !is_token(name)) continue; /* status line, end */
		out->headers[out->nheaders++] = (struct sf_http_header) { name, sf_str_trim(value) };
	}
	return 0;
}

static int hand_back(struct fetch *f, struct sf_fetched *out) {
	struct sf_fetched got = { .status = f->t.status, .url = f->url.shown, .body = SF_STR("") };
	int err = read_headers(f, &got);
	if (err) return err;
	got.retry_after_ms = sf_client__retry_after(sf_fetched_header(&got, "retry-after"), sf_time_now());
	if (f->t.answer.n) { /* not copied: the arena takes it over */
		got.body = sf_buf_view(&f->t.answer);
		sf_arena_defer(f->a, free, f->t.answer.p);
		f->t.answer = (struct sf_buf) { 0 };
	}
	*out = got;
	return 0;
}

struct sf_str sf_fetched_header(const struct sf_fetched *f, const char *name) {
	for (size_t i = 0; i < f->nheaders; i++)
		if (sf_str_ieq(f->headers[i].name, sf_str(name))) return f->headers[i].value;
	return SF_STR_NULL;
}

int sf_fetch(struct sf_client *c, const struct sf_fetch *in, struct sf_arena *a, struct sf_fetched *out,
			 struct sf_str *why) {
	struct sf_str ignored;
	struct fetch f = { .a = a, .why = why ? why : &ignored };
	f.t = (struct sf_client__try) {
		.c = c,
		.method = in->method,
		.url = &f.url,
		.in = in,
		.with_body = true,
		.same_origin = true,
		.repeatable = sf_client__repeatable(in->method, in->headers, in->nheaders),
		.body_max = in->body_max ? in->body_max : 4 << 20,
	};
	*f.why = SF_STR_NULL;
	f.until_ms = sf_loop_now(c->loop) + (in->timeout_ms > 0 ? in->timeout_ms : 10000);
	int err = check_input(in, f.why);
	if (!err) err = sf_client__url(a, in->url, &f.url, f.why);
	if (!err) err = follow(&f);
	if (!err) err = hand_back(&f, out);
	if (err && !f.why->p) *f.why = sf_str(sf_err_text(err));
	sf_buf_fini(&f.t.head);
	sf_buf_fini(&f.t.answer);
	return err;
}
