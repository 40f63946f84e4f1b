/* Mail's pure parts: addresses, the message as RFC 5322 and MIME want it, templates, and what a server's answer means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <curl/curl.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>

#include "auth/auth.h"
#include "core/config.h"
#include "core/time.h"
#include "services/mail/internal.h"

#define CSTR(s) sf_arena_cstr(a, s)

static int setup(void **state) {
	*state = sf_arena_new(0);
	return 0;
}
static int teardown(void **state) {
	sf_arena_free(*state);
	return 0;
}

/* ---- addresses --------------------------------------------------------------------------------- */

static void addresses(void **state) {
	(void)state;
	static const char *const good[] = { "a@b", "kim.cheolsu+tag@mail.example.com", "o'neil@x-y.kr",
										"{weird}!#$%&*/=?^_`|~-@1.example" };
	static const char *const bad[] = {
		"",       "a",     "@b",           "a@",   "a b@c",   "a@b c", "a@b\r\nRCPT TO:<c@d>",
		"a@b>",   "<a@b",  ".a@b",         "a.@b", "a..b@c",  "a@.b",  "a@b.",
		"a@b..c", "a@-b",  "\"a b\"@c",    "김@b", "a@김.kr", "a@b@c", "a,b@c",
		"a;b@c",  "a@b\n", "a@[127.0.0.1]"
	};
	for (size_t i = 0; i < SF_COUNT(good); i++)
		if (!mail__address(sf_str(good[i]))) fail_msg("refused: %s", good[i]);
	for (size_t i = 0; i < SF_COUNT(bad); i++)
		if (mail__address(sf_str(bad[i]))) fail_msg("taken: %s", bad[i]);
	char text[300];
	memset(text, 'a', sizeof text);
	memcpy(text + 64, "@b", 3);
	assert_true(mail__address(sf_str(text)));
	memcpy(text, "aaaa", 4), memset(text + 64, 'a', 2), memcpy(text + 65, "@b", 3);
	assert_false(mail__address(sf_str(text))); /* RFC 5321 §4.5.3.1.1 */
	assert_false(mail__address((struct sf_str) { "a\0b@c", 5 }));
}

static void mailboxes(void **state) {
	struct sf_arena *a = *state;
	struct sf_str name, address;
	assert_int_equal(mail__mailbox(a, SF_STR(" SoftFactory  <no-reply@x.kr> "), &name, &address), 0);
	assert_string_equal(name.p, "SoftFactory");
	assert_string_equal(address.p, "no-reply@x.kr");
	assert_int_equal(mail__mailbox(a, SF_STR("\"소프트, 팩토리\" <a@b>"), &name, &address), 0);
	assert_string_equal(name.p, "소프트, 팩토리");
	assert_int_equal(mail__mailbox(a, SF_STR("a@b"), &name, &address), 0);
	assert_null(name.p);
	assert_int_equal(mail__mailbox(a, SF_STR("nobody"), &name, &address), SF_EINVAL);
	assert_int_equal(mail__mailbox(a, SF_STR("a@b>"), &name, &address), SF_EINVAL);
	assert_int_equal(mail__mailbox(a, SF_STR(""), &name, &address), SF_EINVAL);
}

/* ---- the message ------------------------------------------------------------------------------- */

static struct mail__message message(void) {
	return (struct mail__message) {
		.from_name = SF_STR("SoftFactory"),
		.from = SF_STR("no-reply@x.kr"),
		.to_name = SF_STR("김철수"),
		.to = SF_STR("kim@example.com"),
		.id = SF_STR("job-7.0123456789abcdef@x.kr"),
		.date = INT64_C(1763827200) * SF_USEC,
		.text = { SF_STR("예약이 확정되었습니다 · The booking is confirmed"), SF_STR("안녕\nHi"),
				  SF_STR("<p>안녕</p>") },
	};
}
static const char *written(struct sf_arena *a, const struct mail__message *m) {
	struct sf_buf b;
	sf_buf_init(&b, a);
	mail__mime(m, &b);
	assert_false(b.failed);
	sf_buf_char(&b, 0);
	return b.p;
}
/* The value of a header, unfolded. */
static const char *header(struct sf_arena *a, const char *mime, const char *name) {
	const char *at = strstr(mime, sf_arena_printf(a, "\r\n%s: ", name).p), *end;
	if (!at && strncmp(mime, name, strlen(name)) == 0) at = mime - 2;
	if (!at) return NULL;
	at += 2 + strlen(name) + 2;
	struct sf_buf b;
	sf_buf_init(&b, a);
	for (end = at; !(end[0] == '\r' && end[2] != ' '); end++)
		if (*end != '\r' && *end != '\n') sf_buf_char(&b, *end);
	sf_buf_char(&b, 0);
	return b.p;
}
static const char *decoded(struct sf_arena *a, const char *base64, size_t n) {
	char *out = sf_arena_zalloc(a, n + 1);
	size_t got = 0;
	assert_int_equal(sodium_base642bin((unsigned char *)out, n, base64, n, "\r\n", &got, NULL,
									   sodium_base64_VARIANT_ORIGINAL),
					 0);
	return out;
}
/* Encoded words of a header as text (RFC 2047 §6.2: the space between two of them is not shown). */
static const char *unworded(struct sf_arena *a, const char *value) {
	struct sf_buf b;
	sf_buf_init(&b, a);
	for (const char *at = value, *end; (at = strstr(at, "=?UTF-8?B?")); at = end + 2) {
		at += 10;
		end = strstr(at, "?=");
		assert_non_null(end);
		assert_true(end - at + 12 <= 75);
		const char *one = decoded(a, at, (size_t)(end - at));
		assert_true(sf_utf8_valid(sf_str(one))); /* whole characters */
		sf_buf_cstr(&b, one);
	}
	sf_buf_char(&b, 0);
	return b.p;
}
static void well_formed(const char *mime) { /* every line ends with CRLF, is ASCII, and is short */
	size_t line = 0;
	for (const char *p = mime; *p; p++) {
		assert_true((unsigned char)*p < 0x80);
		if (*p == '.') assert_int_not_equal(line, 0); /* a line of it could end the message */
		if (*p == '\n') assert_int_equal(p[-1], '\r');
		if (*p == '\r') {
			assert_int_equal(p[1], '\n');
			assert_true(line <= 78);
			line = 0;
		} else if (*p != '\n') {
			line++;
		}
	}
	assert_int_equal(line, 0);
}

static void mime(void **state) {
	struct sf_arena *a = *state;
	struct mail__message m = message();
	const char *s = written(a, &m);
	well_formed(s);
	assert_string_equal(header(a, s, "Date"), "Sat, 22 Nov 2025 16:00:00 +0000");
	assert_string_equal(header(a, s, "From"), "\"SoftFactory\" <no-reply@x.kr>");
	assert_string_equal(header(a, s, "Message-ID"), "<job-7.0123456789abcdef@x.kr>");
	assert_string_equal(header(a, s, "MIME-Version"), "1.0");
	assert_string_equal(unworded(a, header(a, s, "To")), "김철수");
	assert_non_null(strstr(header(a, s, "To"), " <kim@example.com>"));
	assert_string_equal(unworded(a, header(a, s, "Subject")),
						"예약이 확정되었습니다 · The booking is confirmed");
	const char *boundary = strstr(header(a, s, "Content-Type"), "boundary=\"");
	assert_non_null(boundary);
	char line[64];
	int n = snprintf(line, sizeof line, "\r\n--%.*s", 18, boundary + 10);
	const char *text = strstr(s, line);
	assert_non_null(text);
	const char *html = strstr(text + n, line), *last = html ? strstr(html + n, line) : NULL;
	assert_non_null(last);
	assert_string_equal(last + n, "--\r\n");
	const char *body = strstr(text, "\r\n\r\n") + 4;
	assert_string_equal(decoded(a, body, (size_t)(html - body)), "안녕\r\nHi");
	assert_non_null(strstr(text, "text/plain; charset=utf-8"));
	assert_non_null(strstr(html, "text/html; charset=utf-8"));
	body = strstr(html, "\r\n\r\n") + 4;
	assert_string_equal(decoded(a, body, (size_t)(last - body)), "<p>안녕</p>");
	assert_string_equal(written(a, &m), s); /* the same at every attempt */
}

static void mime_hostile(void **state) {
	struct sf_arena *a = *state;
	static const char *const evil[] = { "x\r\nBcc: all@x.kr",
										"x\nBcc: all@x.kr",
										"x\r\n\r\nbody",
										"=?UTF-8?B?QmNj?=",
										"\"quoted\\\" <a@b>",
										"a\x01\x7f",
										"김\xe2\x80\xa8철\xe2\x80\xae수\xc2\x85\n" };
	for (size_t i = 0; i < SF_COUNT(evil); i++) {
		struct mail__message m = message();
		m.to_name = m.from_name = m.text.subject = sf_str(evil[i]);
		const char *s = written(a, &m);
		well_formed(s);
		assert_null(header(a, s, "Bcc"));
		assert_non_null(header(a, s, "MIME-Version"));
		assert_true(strstr(s, "\r\n\r\n") > strstr(s, "boundary="));
		const char *to = unworded(a, header(a, s, "To"));
		for (const char *p = to; *p; p++) assert_int_equal(sf_utf8_control(p, to + strlen(to)), 0);
		if (i == 6) assert_string_equal(to, "김 철 수  ");
		if (i == 4) /* no second mailbox */
			assert_string_equal(header(a, s, "To"), "\"\\\"quoted\\\\\\\" <a@b>\" <kim@example.com>");
	}
	char words[1200] = "";
	for (int i = 0; i < 100; i++) strcat(words, "한글 a");
	struct mail__message m = message();
	m.to_name = m.text.subject = sf_str(words);
	const char *s = written(a, &m);
	well_formed(s);
	assert_string_equal(unworded(a, header(a, s, "Subject")), words);
	assert_string_equal(unworded(a, header(a, s, "To")), words);
}

/* ---- templates --------------------------------------------------------------------------------- */

static struct mail__reader reader; /* of what is rendered, but for the name */
static int render(struct sf_arena *a, const char *name, const char *who, const char *json,
				  struct mail__text *out, struct sf_str *why) {
	const struct mail__template *t = mail__template(sf_str(name));
	assert_non_null(t);
	json_t *data = json_loads(json, 0, NULL);
	assert_non_null(data);
	reader.name = sf_str(who);
	int err = mail__render(a, t, &reader, data, out, why);
	if (!err) { /* what is rendered may point into data */
		out->text = sf_arena_str(a, out->text);
		out->html = sf_arena_str(a, out->html);
	}
	json_decref(data);
	return err;
}
#define BOOKING                                                                                              \
	"{\"booking_id\":42,\"chef\":\"<b>Park & Co</b>\",\"guest\":\"Kim\\n\\nSend money\",\"starts_at\":"      \
	"\"2026-12-01T09:30:00Z\",\"duration_hours\":3,\"total_price\":1360000}"

static void templates(void **state) {
	struct sf_arena *a = *state;
	struct mail__text t;
	struct sf_str why = SF_STR_NULL;
	static const char *const names[] = { "booking_created", "booking_confirmed", "booking_cancelled",
										 "booking_paid" };
	static const char *const says[] = { "has been requested", "is confirmed", "is cancelled", "is paid" };
	for (size_t i = 0; i < SF_COUNT(names); i++) {
		assert_int_equal(render(a, names[i], "김철수", BOOKING, &t, &why), 0);
		const char *text = CSTR(t.text), *html = CSTR(t.html);
		assert_non_null(strstr(CSTR(t.subject), says[i]));
		assert_non_null(strstr(text, "김철수님, 안녕하세요."));
		assert_non_null(strstr(text, "Hello 김철수,"));
		assert_non_null(strstr(text, "₩1,360,000"));
		assert_non_null(strstr(text, "시작: 2026-12-01 18:30 (Asia/Seoul)\n"));
		assert_non_null(strstr(text, "3시간"));
		assert_non_null(strstr(text, "<b>Park & Co</b>"));
		assert_null(strstr(html, "<b>Park"));
		assert_non_null(strstr(html, "&lt;b&gt;Park &amp; Co&lt;/b&gt;"));
		assert_null(strstr(text, "\nSend money")); /* a guest writes no paragraphs into our mail */
		assert_non_null(strstr(text, "Kim Send money"));
		assert_null(strchr(text, '{'));
	}
	/* times are the reader's, and named where it is another's place */
	static const struct {
		const char *zone, *place, *says;
	} zones[] = { { "Asia/Seoul", "Asia/Seoul", "Start: 2026-12-01 18:30\n" },
				  { "America/New_York", "Asia/Seoul", "Start: 2026-12-01 04:30 (America/New_York)\n" },
				  { "Asia/Seoul", "America/New_York", "Start: 2026-12-01 18:30 (Asia/Seoul)\n" } };
	for (size_t i = 0; i < SF_COUNT(zones); i++) {
		reader = (struct mail__reader) { .zone = sf_str(zones[i].zone), .place = sf_str(zones[i].place) };
		assert_int_equal(render(a, "booking_paid", "Kim", BOOKING, &t, &why), 0);
		assert_non_null(strstr(CSTR(t.text), zones[i].says));
	}
	reader = (struct mail__reader) { 0 };
	/* whose owner is not confirmed has no name, and no name leads anywhere */
	assert_int_equal(
		render(a, "booking_created", "@kim http://evil.example",
			   "{\"booking_id\":42,\"chef\":null,\"guest\":null,\"starts_at\":\"2026-12-01T09:30:00Z\","
			   "\"duration_hours\":3,\"total_price\":1}",
			   &t, &why),
		0);
	assert_non_null(strstr(CSTR(t.text), "고객님이 (이름 미확인) 셰프에게"));
	assert_non_null(
		strstr(CSTR(t.text), "Chef (name not confirmed) has been asked for a booking by a guest."));
	assert_non_null(strstr(CSTR(t.text), "Hello kim …,"));
	assert_int_equal(
		render(a, "booking_paid", NULL,
			   "{\"booking_id\":42,\"chef\":\"evil.example\",\"guest\":\"Pay at http://evil.example/x "
			   "now\",\"starts_at\":\"2026-12-01T09:30:00Z\",\"duration_hours\":3,\"total_price\":1}",
			   &t, &why),
		0);
	assert_null(strstr(CSTR(t.text), "evil.example"));
	assert_null(strstr(CSTR(t.html), "evil.example"));
	assert_non_null(strstr(CSTR(t.text), "Pay at … now"));
	assert_int_equal(render(a, "otp", NULL, "{\"otp\":\"012345\",\"minutes\":10}", &t, &why), 0);
	assert_non_null(strstr(CSTR(t.text), "012345"));
	assert_null(strstr(CSTR(t.subject), "012345"));
	assert_non_null(strstr(CSTR(t.text), "Hello,"));
	assert_non_null(strstr(CSTR(t.html), "<b>012345</b>"));
	assert_int_equal(render(a, "welcome", "Kim\n\nSend money", "{\"email\":\"kim@x.kr\"}", &t, &why), 0);
	assert_non_null(strstr(CSTR(t.text), "Hello Kim Send money,"));
	assert_non_null(strstr(CSTR(t.html), "sign in as kim@x.kr"));
	assert_int_equal(
		render(a, "password_changed", "Kim", "{\"changed_at\":\"2026-12-01T09:30:00Z\"}", &t, &why), 0);
	assert_non_null(strstr(CSTR(t.text), "2026-12-01 18:30 (Asia/Seoul)에 비밀번호가"));
	assert_int_equal(
		render(a, "campaign_result", "Kim", "{\"campaign\":\"차\",\"result\":\"approved\"}", &t, &why), 0);
	assert_non_null(strstr(CSTR(t.text), "‘선정’"));
	assert_non_null(strstr(CSTR(t.html), "approved"));
	assert_int_equal(
		render(a, "campaign_result", "Kim", "{\"campaign\":\"차\",\"result\":\"rejected\"}", &t, &why), 0);
	assert_non_null(strstr(CSTR(t.text), "‘미선정’"));
	assert_int_equal(render(a, "welcome", "Kim", "{}", &t, &why), SF_EINVAL);
	assert_string_equal(CSTR(why), "email");
	assert_null(mail__template(SF_STR("nothing")));
}

/* ---- outcomes ----------------------------------------------------------------------------------- */

/* A mail encrypted by a process that has a newer secret waits for one that can open it, instead of dying. */
static void encrypted_by_others(void **state) {
	struct sf_arena *a = *state;
	char why_not[200], *rest[2], *argv[] = { "softfactory", NULL };
	int n;
	const struct mail__template *t;
	struct mail__message m;
	struct sf_str why = SF_STR_NULL;
	assert_int_equal(sf_config_load(1, argv, rest, &n, why_not, sizeof why_not), 0);
	assert_int_equal(sf_secrets_setup("a secret of thirty-two bytes or more: new", NULL), 0);
	struct sf_str sealed = sf_secret_encrypt(a, MAIL__SECRET, SF_STR("{\"otp\":\"012345\",\"minutes\":10}"));
	json_t *payload = json_pack("{s:s,s:s,s:i,s:s%}", "template", "otp", "to", "kim@example.com", "at", 1,
								"sealed", sealed.p, sealed.n);
	assert_int_equal(mail__compose(a, payload, SF_STR("1"), &m, &t, &why), 0);
	assert_non_null(strstr(CSTR(m.text.text), "012345"));
	assert_int_equal(sf_secrets_setup("a secret of thirty-two bytes or more: old", NULL), 0);
	assert_int_equal(mail__compose(a, payload, SF_STR("1"), &m, &t, &why), SF_EUNAVAILABLE);
	assert_non_null(strstr(CSTR(why), "JWT_SECRET"));
	json_decref(payload);
	assert_int_equal(sf_secrets_setup(NULL, NULL), 0);
}

static void outcomes(void **state) {
	(void)state;
	assert_int_equal(mail__outcome(CURLE_OK, 250, true), MAIL__SENT);
	assert_int_equal(mail__outcome(CURLE_COULDNT_CONNECT, 0, true), MAIL__AGAIN);
	assert_int_equal(mail__outcome(CURLE_OPERATION_TIMEDOUT, 220, true), MAIL__AGAIN);
	assert_int_equal(mail__outcome(CURLE_SEND_ERROR, 451, true), MAIL__AGAIN);
	assert_int_equal(mail__outcome(CURLE_RECV_ERROR, 354, true), MAIL__AGAIN); /* after DATA: nobody knows */
	assert_int_equal(mail__outcome(CURLE_SEND_ERROR, 550, true), MAIL__NEVER);
	assert_int_equal(mail__outcome(CURLE_WEIRD_SERVER_REPLY, 554, true), MAIL__NEVER);
	assert_int_equal(mail__outcome(CURLE_LOGIN_DENIED, 535, true),
					 MAIL__AGAIN); /* our setting, not the mail */
	assert_int_equal(mail__outcome(CURLE_SEND_ERROR, 530, true), MAIL__AGAIN);
	assert_int_equal(mail__outcome(CURLE_SEND_ERROR, 535, true), MAIL__AGAIN);
	assert_int_equal(mail__outcome(CURLE_SEND_ERROR, 538, true), MAIL__AGAIN);
	assert_int_equal(mail__outcome(CURLE_PEER_FAILED_VERIFICATION, 220, true), MAIL__AGAIN);
	assert_int_equal(mail__outcome(CURLE_ABORTED_BY_CALLBACK, 354, true), MAIL__AGAIN);
	assert_int_equal(mail__outcome(CURLE_USE_SSL_FAILED, 502, true), MAIL__AGAIN);
	/* before the sender was named: of us, not of the mail */
	assert_int_equal(mail__outcome(CURLE_WEIRD_SERVER_REPLY, 554, false), MAIL__AGAIN);
	assert_int_equal(mail__outcome(CURLE_REMOTE_ACCESS_DENIED, 550, false), MAIL__AGAIN);
}

static void tls_settings(void **state) {
	(void)state;
	static const struct {
		const char *url, *choice, *ca_file;
		int want; /* 1: TLS, 0: none, -1: refused */
	} rows[] = {
		{ "smtp://mail.example.com:587", NULL, NULL, 1 },
		{ "smtp://mail.example.com:25", "auto", NULL, 1 },
		{ "smtp://mail.example.com:25", "required", NULL, 1 },
		{ "smtp://mail.example.com:25", "off", NULL, 0 },
		{ "smtp://10.0.0.5", NULL, NULL, 1 },
		{ "smtp://localhost.example.com", NULL, NULL, 1 },
		{ "smtp://127.0.0.1.example.com", NULL, NULL, 1 },
		{ "smtp://[::2]", NULL, NULL, 1 },
		{ "smtp://127.0.0.1:25", NULL, NULL, 0 },
		{ "SMTP://127.9.9.9", "auto", NULL, 0 },
		{ "smtp://LocalHost/me.example", NULL, NULL, 0 },
		{ "smtp://[::1]:2525", NULL, NULL, 0 },
		{ "smtp://127.0.0.1:25", "required", NULL, 1 },
		{ "smtp://127.0.0.1:25", "off", NULL, 0 },
		{ "smtp://me:pw@127.0.0.1:25", NULL, NULL, 1 },
		{ "smtp://127.0.0.1:25", NULL, "/ca.pem", 1 },
		{ "smtps://127.0.0.1", NULL, NULL, 1 },
		{ "smtp://me@127.0.0.1:25", "off", NULL, -1 },
		{ "smtps://127.0.0.1", "off", NULL, -1 },
		{ "smtp://127.0.0.1:25", "off", "/ca.pem", -1 },
		{ "127.0.0.1:25", NULL, NULL, -1 },
		{ "http://127.0.0.1:25", NULL, NULL, -1 },
		{ "smtp://", NULL, NULL, -1 },
		{ "smtp://a b", NULL, NULL, -1 },
	};
	for (size_t i = 0; i < SF_COUNT(rows); i++) {
		const char *why = NULL;
		bool tls = false;
		int err = mail__tls(rows[i].url, rows[i].choice, rows[i].ca_file, &tls, &why);
		if ((err ? -1 : tls) != rows[i].want) fail_msg("%s %s", rows[i].url, rows[i].choice);
		if (err) assert_non_null(strstr(why, "SMTP_"));
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(mailboxes, setup, teardown),
		cmocka_unit_test_setup_teardown(mime, setup, teardown),
		cmocka_unit_test_setup_teardown(mime_hostile, setup, teardown),
		cmocka_unit_test_setup_teardown(templates, setup, teardown),
		cmocka_unit_test_setup_teardown(encrypted_by_others, setup, teardown),
		cmocka_unit_test_setup_teardown(outcomes, setup, teardown),
		cmocka_unit_test_setup_teardown(tls_settings, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
