/* smtp: handing a message to a mail server (RFC 5321) with libcurl, on the loop.
 *
 * With a user name in the URL the connection must become TLS (STARTTLS) before the password is sent; without one TLS is
 * taken where it is offered. A server says 4xx for "later" and 5xx for "never"; only of a mail, not of our own password, is
 * never believed. When the connection breaks after the message was sent and before the answer came, nobody can know whether
 * it was taken: it is sent again, under the same Message-ID. */
#include <curl/curl.h>

#include "core/config.h"
#include "http/http.h"
#include "services/mail/internal.h"

#define CONNECT_MS 10000
#define SEND_MS    45000
#define WORDS_MAX  300

enum mail__outcome mail__outcome(int curl_code, long reply) {
	if (curl_code == CURLE_OK) return MAIL__SENT;
	if (curl_code == CURLE_LOGIN_DENIED || curl_code == CURLE_USE_SSL_FAILED) return MAIL__AGAIN;
	return reply >= 500 && reply <= 599 ? MAIL__NEVER : MAIL__AGAIN;
}

struct sending {
	struct sf_str data;
	size_t at;
	char words[WORDS_MAX]; /* the server's last line */
};

static size_t on_read(char *to, size_t size, size_t n, void *arg) {
	struct sending *s = arg;
	size_t room = size * n, left = s->data.n - s->at, take = left < room ? left : room;
	memcpy(to, s->data.p + s->at, take);
	s->at += take;
	return take;
}

static size_t on_line(char *p, size_t size, size_t n, void *arg) {
	struct sending *s = arg;
	struct sf_str line = sf_str_trim((struct sf_str) { p, size * n });
	if (line.n >= WORDS_MAX) line.n = WORDS_MAX - 1;
	for (size_t i = 0; i < line.n; i++) s->words[i] = line.p[i] < ' ' || line.p[i] > '~' ? ' ' : line.p[i];
	s->words[line.n] = 0;
	return size * n;
}

static struct curl_slist *prepare(CURL *easy, struct sf_arena *a, const char *url,
								  const struct mail__message *m, struct sending *s, char *errors) {
	struct curl_slist *to = curl_slist_append(NULL, sf_arena_printf(a, "<" SF_PRI ">", SF_ARG(m->to)).p);
	const char *ca = sf_config_text("SMTP_CA_FILE");
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)(strchr(url, '@') ? CURLUSESSL_ALL : CURLUSESSL_TRY));
	if (ca) curl_easy_setopt(easy, CURLOPT_CAINFO, ca);
	curl_easy_setopt(easy, CURLOPT_MAIL_FROM, sf_arena_printf(a, "<" SF_PRI ">", SF_ARG(m->from)).p);
	curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, to);
	curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(easy, CURLOPT_READDATA, s);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_line);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, s);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, 20L); /* an idle connection older than this is not trusted */
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, errors);
	return to;
}

int mail__smtp(struct sf_client *c, struct sf_arena *a, const char *url, const struct mail__message *m,
			   enum mail__outcome *out, struct sf_str *why) {
	struct sf_buf data;
	sf_buf_init(&data, a);
	mail__mime(m, &data);
	CURL *easy = data.failed ? NULL : curl_easy_init();
	if (!easy) return SF_ENOMEM;
	struct sending *s = sf_arena_zalloc(a, sizeof *s);
	char *errors = sf_arena_zalloc(a, CURL_ERROR_SIZE);
	s->data = sf_buf_view(&data);
	struct curl_slist *to = prepare(easy, a, url, m, s, errors);
	int code = to ? sf_client_perform(c, easy, SEND_MS) : SF_ENOMEM;
	if (code >= 0) {
		long reply = 0;
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &reply);
		*out = mail__outcome(code, reply);
		bool said = reply >= 400 && s->words[0];
		*why = said ? sf_str(s->words) : sf_str(errors[0] ? errors : curl_easy_strerror((CURLcode)code));
	}
	curl_easy_cleanup(easy);
	curl_slist_free_all(to);
	return code < 0 ? code : 0;
}
