/* One exchange with a host: the options of an easy handle, what comes back, and what a failure means. */
#include "http/client.h"

#include <arpa/inet.h>
#include <stdio.h>

/* ---- libcurl calls us -------------------------------------------------------------------------- */

static size_t on_body(char *p, size_t one, size_t n, void *arg) {
	struct sf_client__try *t = arg;
	(void)one;
	t->too_large |= n > t->body_max - t->answer.n;
	if (t->too_large) return 0;
	sf_buf_add(&t->answer, p, n);
	t->no_memory |= t->answer.failed;
	return t->no_memory ? 0 : n;
}

/* One line at a time; those of an interim answer (100, 103) are dropped when the next status line comes. */
static size_t on_header(char *p, size_t one, size_t n, void *arg) {
	struct sf_client__try *t = arg;
	(void)one;
	if (n >= 5 && memcmp(p, "HTTP/", 5) == 0) sf_buf_clear(&t->head);
	t->too_large |= n > SF_CLIENT__HEAD - t->head.n;
	if (t->too_large) return 0;
	sf_buf_add(&t->head, p, n);
	t->no_memory |= t->head.failed;
	return t->no_memory ? 0 : n;
}

static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *to) {
	struct sf_client__try *t = arg;
	(void)purpose;
	if (t->guarded && !sf_client__public(&to->addr)) {
		t->refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, to->protocol);
}

static bool is_public_text(const char *ip) {
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	if (inet_pton(AF_INET, ip, &v4.sin_addr) == 1) return sf_client__public((struct sockaddr *)&v4);
	return inet_pton(AF_INET6, ip, &v6.sin6_addr) == 1 && sf_client__public((struct sockaddr *)&v6);
}

/* Before each writing of the request, also to a connection that is used again: it may have been made for
 * an address of our own. And libcurl writes a request a second time when a connection used again was closed without an
 * answer, which may be after it was acted upon. */
static int on_issue(void *arg, char *ip, char *own_ip, int port, int own_port) {
	struct sf_client__try *t = arg;
	(void)own_ip, (void)port, (void)own_port;
	if (t->guarded && !is_public_text(ip)) {
		t->refused = true;
		return CURL_PREREQFUNC_ABORT;
	}
	t->lost = t->issued && !t->repeatable;
	if (t->lost) return CURL_PREREQFUNC_ABORT;
	t->issued = true;
	sf_buf_clear(&t->head);
	sf_buf_clear(&t->answer);
	return CURL_PREREQFUNC_OK;
}

/* ---- what is sent --------------------------------------------------------------------------------- */

static bool is_credential(struct sf_str name) {
	return sf_str_ieq(name, SF_STR("authorization")) || sf_str_ieq(name, SF_STR("cookie")) ||
		   sf_str_ieq(name, SF_STR("proxy-authorization"));
}

static bool is_about_body(struct sf_str name) {
	return name.n > 8 && sf_str_ieq((struct sf_str) { name.p, 8 }, SF_STR("content-"));
}

static bool add_line(struct curl_slist **list, struct sf_arena *a, const char *name, struct sf_str value) {
	/* libcurl writes "Name;" as a header without a value */
	struct sf_str line =
		value.n ? sf_arena_printf(a, "%s: " SF_PRI, name, SF_ARG(value)) : sf_arena_printf(a, "%s;", name);
	struct curl_slist *longer = curl_slist_append(*list, line.p);
	if (longer) *list = longer;
	return longer != NULL;
}

static bool set_headers(struct sf_client__try *t, CURL *easy, struct sf_arena *a, struct curl_slist **list) {
	bool ok = true, typed = false;
	for (size_t i = 0; i < t->in->nheaders && ok; i++) {
		const struct sf_http_header *h = &t->in->headers[i];
		if (is_credential(h->name) && !t->same_origin) continue;
		if (is_about_body(h->name) && !t->with_body) continue;
		typed |= sf_str_ieq(h->name, SF_STR("content-type"));
		ok = add_line(list, a, sf_arena_cstr(a, h->name), h->value);
	}
	if (t->in->trace.n) ok = ok && add_line(list, a, "traceparent", t->in->trace);
	/* what libcurl would add by itself */
	struct curl_slist *longer = ok ? curl_slist_append(*list, "Expect:") : NULL;
	if (longer) *list = longer;
	ok = longer != NULL;
	if (ok && !typed && (longer = curl_slist_append(*list, "Content-Type:"))) *list = longer;
	return ok && longer && curl_easy_setopt(easy, CURLOPT_HTTPHEADER, *list) == CURLE_OK;
}

static void set_method(struct sf_client__try *t, CURL *easy) {
	bool takes_body = t->method == SF_POST || t->method == SF_PUT || t->method == SF_PATCH;
	if (t->method == SF_HEAD) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	} else if (takes_body || (t->with_body && t->in->body.n)) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(t->with_body ? t->in->body.n : 0));
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, t->with_body && t->in->body.p ? t->in->body.p : "");
	}
	if (t->method != SF_GET && t->method != SF_HEAD)
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, sf_method_name(t->method));
}

static void set_options(struct sf_client__try *t, CURL *easy, bool h2) {
	curl_easy_setopt(easy, CURLOPT_URL, t->url->text);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "SoftFactory");
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
					 (long)(t->in->connect_ms > 0 ? t->in->connect_ms : 3000));
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_PIPEWAIT, h2 ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, t);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_issue);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, t);
	if (t->method != SF_HEAD) curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)t->body_max);
}

/* ---- what it came to -------------------------------------------------------------------------------- */

static int say_failure(struct sf_client__try *t, CURLcode code, const char *detail, struct sf_arena *a,
					   struct sf_str *why) {
	if (t->too_large || code == CURLE_FILESIZE_EXCEEDED) {
		*why = SF_STR("The answer is larger than allowed.");
		return SF_ETOOLARGE;
	}
	if (t->refused) {
		*why = SF_STR("The address is not one of the public Internet.");
		return SF_EFORBIDDEN;
	}
	if (t->no_memory || code == CURLE_OUT_OF_MEMORY) return SF_ENOMEM;
	if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
		*why = SF_STR("The address could not be read.");
		return SF_EINVAL;
	}
	t->lasting = t->lost || code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE;
	if (t->lost) detail = "the connection was lost after the request was sent";
	if (!*detail) detail = curl_easy_strerror(code);
	*why = sf_arena_printf(a, SF_PRI " could not be reached: %s", SF_ARG(t->url->key), detail);
	return SF_EUNAVAILABLE;
}

int sf_client__try(struct sf_client__try *t, struct sf_client__host *h, int64_t max_ms, struct sf_arena *a,
				   struct sf_str *why) {
	char detail[CURL_ERROR_SIZE] = "";
	struct curl_slist *list = NULL;
	long status = 0, connects = 0, version = 0;
	CURL *easy = sf_client__easy_take(t->c);
	if (!easy) return SF_ENOMEM;
	t->issued = t->lost = t->refused = t->too_large = t->no_memory = t->lasting = false;
	t->status = 0;
	sf_buf_clear(&t->head);
	sf_buf_clear(&t->answer);
	set_options(t, easy, h->h2);
	set_method(t, easy);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
	t->c->stats.requests++;
	int result =
		set_headers(t, easy, a, &list) ? sf_client__perform(t->c, easy, max_ms) : CURLE_OUT_OF_MEMORY;
	curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
	t->c->stats.connects += (uint64_t)connects;
	if (result > 0) {
		result = say_failure(t, (CURLcode)result, detail, a, why);
	} else if (result == 0) {
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
		curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
		t->status = (int)status;
		h->h2 = version == CURL_HTTP_VERSION_2_0;
	}
	sf_client__easy_give(t->c, easy);
	curl_slist_free_all(list);
	return result;
}
