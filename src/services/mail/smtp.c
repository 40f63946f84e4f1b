/* smtp: handing a message to a mail server (RFC 5321) with libcurl, on a thread of its own.
 *
 * libcurl's SMTP waits for the server by blocking where the message ends and where the connection does (QUIT), also behind its
 * multi interface, and a handle taken out of that amid a message ends the message there, so that a half would be delivered. On the
 * loop a slow mail server would hold up every job of the worker until their leases lapse. So a mail has a thread, as many at once
 * as a worker runs jobs; the coroutine waits for its end, and when it is cancelled it asks the thread to stop, which looks
 * at least once a second.
 *
 * The connection becomes TLS (STARTTLS) before anything else is said, but to a server on this machine or with SMTP_TLS=off. TLS is never
 * merely taken where it is offered, for whoever stands between could take the offer away. A server says 4xx for "later" and
 * 5xx for "never"; only of a mail, not of us or our password, is never believed. When the connection breaks after the message was
 * sent and before the answer came, nobody can know whether it was taken: it is sent again, under the same Message-ID. */
#include <curl/curl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

#include "core/config.h"
#include "loop/loop.h"
#include "services/mail/internal.h"

#define CONNECT_MS 30000L /* until a message may be given: some servers greet late on purpose */
#define SEND_MS    45000L /* everything up to the answer to the message */
#define REPLY_S    30L    /* one answer */
#define QUIT_S     2L     /* the answer to QUIT, which changes nothing any more */
#define STACK      (1 << 20)
#define WORDS_MAX  300

enum mail__outcome mail__outcome(int curl_code, long reply, bool offered) {
	if (curl_code == CURLE_OK) return MAIL__SENT;
	if (curl_code == CURLE_LOGIN_DENIED || curl_code == CURLE_USE_SSL_FAILED) return MAIL__AGAIN;
	if (reply == 530 || reply == 534 || reply == 535 || reply == 538) return MAIL__AGAIN; /* RFC 4954 §6 */
	return offered && reply >= 500 && reply <= 599 ? MAIL__NEVER : MAIL__AGAIN;
}

/* Lifetime: mail__smtp, which does not return before the thread has ended. */
struct sending {
	CURL *easy;
	struct sf_str data;
	size_t at;
	bool offered;          /* MAIL was said */
	char words[WORDS_MAX]; /* the server's last complaint */
	char errors[CURL_ERROR_SIZE];
	CURLcode code;
	atomic_bool stop;
	uv_thread_t thread;
	uv_async_t *done; /* holds the loop until the thread has ended */
	struct sf_wait sent, stopped, *awaited;
};

/* ---- libcurl calls us, on the thread ----------------------------------------------------------- */

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
	if (line.n == 0 || (line.p[0] != '4' && line.p[0] != '5')) return size * n;
	if (line.n >= WORDS_MAX) line.n = WORDS_MAX - 1;
	memcpy(s->words, line.p, line.n);
	for (size_t i = 0; i < line.n; i++)
		if (s->words[i] < ' ' || s->words[i] > '~') s->words[i] = ' ';
	s->words[line.n] = 0;
	return size * n;
}

/* Sees the commands as they are sent. */
static int on_debug(CURL *easy, curl_infotype type, char *p, size_t n, void *arg) {
	struct sending *s = arg;
	if (type != CURLINFO_HEADER_OUT) return 0;
	struct sf_str command = { p, n };
	if (sf_str_starts(command, SF_STR("MAIL FROM"))) s->offered = true;
	if (sf_str_starts(command, SF_STR("QUIT\r\n")))
		curl_easy_setopt(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, QUIT_S);
	return 0;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
	struct sending *s = arg;
	(void)a, (void)b, (void)c, (void)d;
	return atomic_load(&s->stop);
}

/* ---- the thread, and who waits for it ----------------------------------------------------------- */

static void ended(uv_handle_t *done) {
	struct sending *s = done->data;
	free(done);
	uv_thread_join(&s->thread);
	sf_wake(s->awaited, 0);
}

static void on_done(uv_async_t *done) {
	uv_close((uv_handle_t *)done, ended);
}

static void on_thread(void *arg) {
	struct sending *s = arg;
	s->code = curl_easy_perform(s->easy);
	uv_async_send(s->done);
}

static void stop(struct sf_wait *w) {
	struct sending *s = w->arg;
	s->awaited = &s->stopped;
	atomic_store(&s->stop, true);
}

static void unused(uv_handle_t *done) {
	free(done);
}

/* ~ Performs s->easy: 0 with s->code, or why the await was cut short and nothing is known. */
static int perform(struct sending *s) {
	const uv_thread_options_t options = { .flags = UV_THREAD_HAS_STACK_SIZE, .stack_size = STACK };
	s->done = sf_malloc(sizeof(*s->done));
	SF_BUG_ON(uv_async_init(sf_loop_uv(sf_loop_self()), s->done, on_done) != 0);
	s->done->data = s;
	sf_wait_init(&s->sent, stop, s);
	sf_wait_init(&s->stopped, NULL, NULL);
	s->awaited = &s->sent;
	if (uv_thread_create_ex(&s->thread, &options, on_thread, s)) {
		uv_close((uv_handle_t *)s->done, unused);
		return SF_ENOMEM;
	}
	int err = sf_await(&s->sent, -1), late = 0;
	if (err) late = sf_await(&s->stopped, -1);
	SF_BUG_ON(late);
	return s->code == CURLE_OK ? 0 : err; /* what came through while we were cancelled is not sent again */
}

/* ---- one message --------------------------------------------------------------------------------- */

static struct curl_slist *prepare(struct sending *s, struct sf_arena *a, const char *url, bool tls,
								  const struct mail__message *m) {
	struct curl_slist *to = curl_slist_append(NULL, sf_arena_printf(a, "<" SF_PRI ">", SF_ARG(m->to)).p);
	const char *ca = sf_config_text("SMTP_CA_FILE");
	CURL *easy = s->easy;
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)(tls ? CURLUSESSL_ALL : CURLUSESSL_NONE));
	if (ca) curl_easy_setopt(easy, CURLOPT_CAINFO, ca);
	curl_easy_setopt(easy, CURLOPT_MAIL_FROM, sf_arena_printf(a, "<" SF_PRI ">", SF_ARG(m->from)).p);
	curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, to);
	curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(easy, CURLOPT_READDATA, s);
	curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
	curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_debug);
	curl_easy_setopt(easy, CURLOPT_DEBUGDATA, s);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_line);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, s);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(easy, CURLOPT_XFERINFODATA, s);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, SEND_MS);
	curl_easy_setopt(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, REPLY_S);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE,
					 1L); /* or QUIT waits for two minutes, when the handle goes */
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* whatever the environment says */
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, s->errors);
	return to;
}

int mail__smtp(struct sf_arena *a, const char *url, const struct mail__message *m, enum mail__outcome *out,
			   struct sf_str *why) {
	struct sf_buf data;
	const char *wrong = NULL;
	bool tls = true;
	int err = mail__tls(url, sf_config_text("SMTP_TLS"), sf_config_text("SMTP_CA_FILE"), &tls, &wrong);
	if (err) return err;
	sf_buf_init(&data, a);
	mail__mime(m, &data);
	struct sending *s = data.failed ? NULL : sf_arena_zalloc(a, sizeof *s);
	if (!s || !(s->easy = curl_easy_init())) return SF_ENOMEM;
	s->data = sf_buf_view(&data);
	struct curl_slist *to = prepare(s, a, url, tls, m);
	err = to ? perform(s) : SF_ENOMEM;
	if (!err) {
		long reply = 0;
		curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &reply);
		*out = mail__outcome((int)s->code, reply, s->offered);
		bool said = reply >= 400 && s->words[0];
		*why = said ? sf_str(s->words) : sf_str(s->errors[0] ? s->errors : curl_easy_strerror(s->code));
		if (s->code == CURLE_USE_SSL_FAILED)
			*why = sf_arena_printf(a, SF_PRI " (SMTP_TLS asks for STARTTLS)", SF_ARG(*why));
	}
	curl_easy_cleanup(s->easy);
	curl_slist_free_all(to);
	return err;
}
