/* templates: what is written. A template is a row; a field is a row too and says how its value is shown. Each mail holds both
 * languages, Korean first, for the platform does not ask its users which one they read. */
#include <jansson.h>
#include <stdio.h>

#include "core/zone.h"
#include "services/mail/internal.h"

enum { KO, EN, LANGUAGES };

/* ---- rows -------------------------------------------------------------------------------------- */

#define BOOKING_FACTS "booking_id,chef,guest,starts_at,duration_hours,total_price"

static const struct mail__template templates[] = {
	{ .name = "booking_created",
	  .subject = { "예약 요청이 접수되었습니다", "A booking has been requested" },
	  .body = { "{guest}님이 {chef} 셰프에게 예약을 요청했습니다.\n\n셰프가 확정하면 다시 알려 드리겠습니다.",
				"Chef {chef} has been asked for a booking by {guest}.\n\nWe will write again when the chef "
				"has answered." },
	  .facts = BOOKING_FACTS },
	{ .name = "booking_confirmed",
	  .subject = { "예약이 확정되었습니다", "The booking is confirmed" },
	  .body = { "{chef} 셰프와 {guest}님의 예약이 확정되었습니다. 즐거운 시간 되시길 바랍니다.",
				"The booking of {guest} with chef {chef} is confirmed. Enjoy your time together." },
	  .facts = BOOKING_FACTS },
	{ .name = "booking_cancelled",
	  .subject = { "예약이 취소되었습니다", "The booking is cancelled" },
	  .body = { "{chef} 셰프와 {guest}님의 예약이 취소되었습니다.\n\n이미 결제한 금액이 있다면 모두 "
				"환불됩니다.",
				"The booking of {guest} with chef {chef} is cancelled.\n\nWhatever was paid is given back in "
				"full." },
	  .facts = BOOKING_FACTS },
	{ .name = "booking_expired",
	  .subject = { "예약 요청이 만료되었습니다", "The request has expired" },
	  .body = { "{guest}님이 {chef} 셰프에게 보낸 예약 요청이 제때 확정되지 않아 자동으로 취소되었습니다."
				"\n\n이미 결제한 금액이 있다면 모두 환불됩니다.",
				"The request of {guest} to chef {chef} was not answered in time and has been cancelled."
				"\n\nWhatever was paid is given back in full." },
	  .facts = BOOKING_FACTS },
	{ .name = "booking_closed",
	  .subject = { "예약이 취소되었습니다", "The booking is cancelled" },
	  .body = { "계정이 비활성화되어 {chef} 셰프와 {guest}님의 예약이 취소되었습니다.\n\n이미 결제한 금액이 "
				"있다면 모두 환불됩니다.",
				"The booking of {guest} with chef {chef} is cancelled, because one of the accounts was "
				"closed.\n\nWhatever was paid is given back in full." },
	  .facts = BOOKING_FACTS },
	{ .name = "booking_paid",
	  .subject = { "결제가 완료되었습니다", "The booking is paid" },
	  .body = { "{guest}님이 {chef} 셰프와의 예약을 결제했습니다. 감사합니다.",
				"The booking with chef {chef} has been paid for by {guest}. Thank you." },
	  .facts = BOOKING_FACTS },
	{ .name = "otp",
	  .subject = { "인증번호 안내", "Your one-time code" },
	  .body = { "아래 인증번호를 입력해 주세요. {minutes}분 동안 사용할 수 있습니다.\n\n직접 요청하지 "
				"않으셨다면 이 "
				"메일을 무시하셔도 됩니다. 인증번호는 누구에게도 알려 주지 마세요.",
				"Please enter the code below. It is good for {minutes} minutes.\n\nIf you did not ask for "
				"it, "
				"just leave this mail alone. Give the code to nobody." },
	  .facts = "otp",
	  .priority = 1,
	  .secret = true },
	{ .name = "confirm",
	  .subject = { "이메일 주소를 확인해 주세요", "Please confirm your email" },
	  .body = { "이 이메일로 SoftFactory 계정이 만들어졌습니다. 로그인하신 뒤 계정 페이지에서 아래 코드를 "
				"입력해 "
				"주세요. 24시간 동안 사용할 수 있습니다.\n\n직접 가입하지 않으셨다면 이 메일을 무시하셔도 "
				"됩니다. "
				"비밀번호를 재설정하시면 그 계정은 직접 관리하실 수 있습니다.",
				"An account of SoftFactory was made with this address. Please sign in and enter the code "
				"below on "
				"the account page. It is good for 24 hours.\n\nIf it was not you, just leave this mail "
				"alone. "
				"Resetting the password makes the account yours." },
	  .facts = "code",
	  .priority = 1,
	  .secret = true },
	{ .name = "has_account",
	  .subject = { "이미 가입된 이메일입니다", "You have an account already" },
	  .body = { "이 이메일로 새 계정을 만들려는 요청이 있었지만, 이미 계정이 있습니다. 로그인하시거나 "
				"비밀번호를 "
				"재설정해 주세요.",
				"Somebody asked to make an account with this address, but it has one already. Sign in, or "
				"reset the "
				"password." },
	  .priority = 1,
	  .secret = true },
	{ .name = "no_account",
	  .subject = { "가입되지 않은 이메일입니다", "There is no account with this address" },
	  .body = { "이 이메일의 비밀번호를 재설정하려는 요청이 있었지만, 가입된 계정이 없습니다. 직접 요청하지 "
				"않으셨다면 "
				"이 메일을 무시하셔도 됩니다.",
				"Somebody asked to reset the password of this address, but there is no account with it. If "
				"it was not "
				"you, just leave this mail alone." },
	  .priority = 1,
	  .secret = true },
	{ .name = "welcome",
	  .subject = { "SoftFactory에 오신 것을 환영합니다", "Welcome to SoftFactory" },
	  .body = { "가입해 주셔서 감사합니다. 이제 {email}(으)로 로그인하실 수 있습니다.",
				"Thank you for joining. From now on you can sign in as {email}." } },
	{ .name = "password_changed",
	  .subject = { "비밀번호가 변경되었습니다", "Your password was changed" },
	  .body = { "{changed_at}에 비밀번호가 변경되어 모든 기기에서 로그아웃되었습니다.\n\n직접 변경하지 "
				"않으셨다면 "
				"바로 비밀번호를 재설정해 주세요.",
				"Your password was changed at {changed_at}, and every device was signed out.\n\nIf it was "
				"not you, "
				"reset the password at once." },
	  .priority = 2 },
	{ .name = "campaign_result",
	  .subject = { "체험단 선정 결과 안내", "The result of your application" },
	  .body = { "‘{campaign}’ 체험단 신청 결과는 ‘{result}’입니다. 신청해 주셔서 감사합니다.",
				"Your application for “{campaign}” was {result}. Thank you for taking part." } },
	{ 0 },
};

static const struct field {
	const char *name;
	enum { TEXT, NAME /* given by its owner */, MONEY, TIME, HOURS, RESULT } shown;
	const char *label[LANGUAGES];
	const char *neutral[LANGUAGES]; /* stands for null: a name whose owner is not proven */
} fields[] = {
	{ "booking_id", TEXT, { "예약 번호", "Booking" } },
	{ "campaign", NAME, { "체험단", "Campaign" } },
	{ "changed_at", TIME, { "변경 시각", "Changed at" } },
	{ "chef", NAME, { "셰프", "Chef" }, { "(이름 미확인)", "(name not confirmed)" } },
	{ "code", TEXT, { "코드", "Code" } },
	{ "duration_hours", HOURS, { "이용 시간", "Duration" } },
	{ "email", TEXT, { "이메일", "Email" } },
	{ "guest", NAME, { "고객", "Guest" }, { "고객", "a guest" } },
	{ "minutes", TEXT, { "분", "Minutes" } },
	{ "otp", TEXT, { "인증번호", "Code" } },
	{ "result", RESULT, { "결과", "Result" } },
	{ "starts_at", TIME, { "시작", "Start" } },
	{ "total_price", MONEY, { "금액", "Price" } },
};

const struct mail__template *mail__template(struct sf_str name) {
	for (const struct mail__template *t = templates; t->name; t++)
		if (sf_str_eq(sf_str(t->name), name)) return t;
	return NULL;
}

/* ---- values ------------------------------------------------------------------------------------ */

struct page { /* one mail being written */
	struct sf_arena *a;
	const struct mail__reader *reader;
	const json_t *data;
	struct sf_str missing; /* p NULL: none */
};

static struct sf_str money(struct sf_arena *a, int64_t v) { /* won, with a comma every three digits */
	char digits[24];
	struct sf_buf b;
	sf_buf_init(&b, a);
	int n = snprintf(digits, sizeof digits, "%lld", (long long)(v < 0 ? -v : v));
	sf_buf_cstr(&b, v < 0 ? "-₩" : "₩");
	for (int i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0) sf_buf_char(&b, ',');
		sf_buf_char(&b, digits[i]);
	}
	return sf_buf_view(&b);
}

static struct sf_str instant(const struct page *p, struct sf_str s) {
	int64_t t;
	return sf_time_parse(s, &t) ? s : sf_zone_text(p->a, p->reader->zone, p->reader->place, t);
}

/* The field's value as the language writes it; p NULL when the mail lacks it. */
static struct sf_str value(struct page *p, struct sf_str name, int lang) {
	const struct field *f = NULL;
	for (size_t i = 0; i < SF_COUNT(fields); i++)
		if (sf_str_eq(sf_str(fields[i].name), name)) f = &fields[i];
	SF_BUG_ON(!f); /* a template names a field without a row */
	const json_t *v = json_object_get(p->data, f->name);
	if (json_is_null(v) && f->neutral[lang]) return sf_str(f->neutral[lang]);
	if (!json_is_string(v) && !json_is_integer(v)) {
		p->missing = sf_str(f->name);
		return SF_STR_NULL;
	}
	int64_t n = json_integer_value(v);
	struct sf_str s = json_is_string(v) ? (struct sf_str) { json_string_value(v), json_string_length(v) }
										: sf_arena_printf(p->a, "%lld", (long long)n);
	switch (f->shown) {
	case MONEY: return json_is_integer(v) ? money(p->a, n) : s;
	case TIME: return instant(p, s);
	case HOURS: return sf_arena_printf(p->a, lang == KO ? SF_PRI "시간" : SF_PRI " h", SF_ARG(s));
	case RESULT:
		if (lang == EN || !json_is_string(v)) return s;
		return sf_str_eq(s, SF_STR("approved")) ? SF_STR("선정") : SF_STR("미선정");
	case NAME: return sf_arena_name(p->a, s);
	case TEXT: break;
	}
	return sf_arena_line(p->a, s);
}

/* ---- writing ----------------------------------------------------------------------------------- */

static void escape(struct sf_buf *b, struct sf_str s) {
	for (size_t i = 0; i < s.n; i++) switch (s.p[i]) {
		case '&': sf_buf_cstr(b, "&amp;"); break;
		case '<': sf_buf_cstr(b, "&lt;"); break;
		case '>': sf_buf_cstr(b, "&gt;"); break;
		case '"': sf_buf_cstr(b, "&quot;"); break;
		case '\'': sf_buf_cstr(b, "&#39;"); break;
		default: sf_buf_char(b, s.p[i]);
		}
}

/* Text with its {fields} replaced. */
static struct sf_str fill(struct page *p, const char *text, int lang) {
	struct sf_buf b;
	struct sf_str rest = sf_str(text), head;
	sf_buf_init(&b, p->a);
	while (sf_str_cut(rest, '{', &head, &rest)) {
		struct sf_str name;
		sf_buf_str(&b, head);
		sf_str_cut(rest, '}', &name, &rest);
		sf_buf_str(&b, value(p, name, lang));
	}
	sf_buf_str(&b, head);
	return sf_buf_view(&b);
}

static void paragraph(struct sf_buf *text, struct sf_buf *html, struct sf_str s) {
	sf_buf_str(text, s);
	sf_buf_cstr(text, "\n\n");
	sf_buf_cstr(html, "<p style=\"margin:0 0 14px\">");
	escape(html, s);
	sf_buf_cstr(html, "</p>\n");
}

static void facts(struct page *p, const struct mail__template *t, int lang, struct sf_buf *text,
				  struct sf_buf *html) {
	struct sf_str rest = sf_str(t->facts), name;
	sf_buf_cstr(html, "<table style=\"border-collapse:collapse;margin:0 0 14px\">\n");
	while (rest.n) {
		sf_str_cut(rest, ',', &name, &rest);
		const char *label = "";
		for (size_t i = 0; i < SF_COUNT(fields); i++)
			if (sf_str_eq(sf_str(fields[i].name), name)) label = fields[i].label[lang];
		struct sf_str v = fill(p, sf_arena_printf(p->a, "{" SF_PRI "}", SF_ARG(name)).p, lang);
		sf_buf_printf(text, "  %s: " SF_PRI "\n", label, SF_ARG(v));
		sf_buf_printf(html, "<tr><td style=\"padding:2px 16px 2px 0;color:#666\">%s</td><td><b>", label);
		escape(html, v);
		sf_buf_cstr(html, "</b></td></tr>\n");
	}
	sf_buf_cstr(text, "\n");
	sf_buf_cstr(html, "</table>\n");
}

static void greeting(struct page *p, struct sf_str name, int lang, struct sf_buf *text, struct sf_buf *html) {
	static const char *const hello[LANGUAGES] = { "안녕하세요.", "Hello," };
	static const char *const by_name[LANGUAGES] = { "님, 안녕하세요.", "Hello " };
	struct sf_buf line, *b = &line;
	sf_buf_init(b, p->a);
	if (name.n == 0) {
		sf_buf_cstr(b, hello[lang]);
	} else {
		if (lang == EN) sf_buf_cstr(b, by_name[lang]);
		sf_buf_str(b, sf_arena_name(p->a, name));
		sf_buf_cstr(b, lang == EN ? "," : by_name[lang]);
	}
	paragraph(text, html, sf_buf_view(b));
}

static void language(struct page *p, const struct mail__template *t, int lang, struct sf_buf *text,
					 struct sf_buf *html) {
	const char *at = t->body[lang];
	sf_buf_printf(html, "<div lang=\"%s\">\n", lang == KO ? "ko" : "en");
	greeting(p, p->reader->name, lang, text, html);
	while (at) {
		const char *end = strstr(at, "\n\n");
		struct sf_str one = { at, end ? (size_t)(end - at) : strlen(at) };
		paragraph(text, html, fill(p, sf_arena_cstr(p->a, one), lang));
		at = end ? end + 2 : NULL;
	}
	if (t->facts) facts(p, t, lang, text, html);
	sf_buf_cstr(html, "</div>\n");
}

int mail__render(struct sf_arena *a, const struct mail__template *t, const struct mail__reader *reader,
				 const json_t *data, struct mail__text *out, struct sf_str *why) {
	struct page p = { .a = a, .reader = reader, .data = data };
	struct sf_buf text, html;
	sf_buf_init(&text, a);
	sf_buf_init(&html, a);
	sf_buf_cstr(&html,
				"<!doctype html>\n<html><body style=\"margin:0;padding:24px;background:#f6f6f4;color:#222;"
				"font:15px/1.6 sans-serif\">\n<div style=\"max-width:560px;margin:0 auto;padding:24px;"
				"background:#fff;border-radius:8px\">\n");
	language(&p, t, KO, &text, &html);
	sf_buf_cstr(&text, "----\n\n");
	sf_buf_cstr(&html, "<hr style=\"border:0;border-top:1px solid #ddd;margin:20px 0\">\n");
	language(&p, t, EN, &text, &html);
	sf_buf_cstr(&text, "SoftFactory\n");
	sf_buf_cstr(
		&html,
		"<p style=\"margin:20px 0 0;color:#888;font-size:13px\">SoftFactory</p>\n</div>\n</body></html>\n");
	if (p.missing.p) return *why = p.missing, SF_EINVAL;
	if (text.failed || html.failed) return SF_ENOMEM;
	*out = (struct mail__text) { .subject = sf_arena_printf(a, "%s · %s", t->subject[KO], t->subject[EN]),
								 .text = sf_buf_view(&text),
								 .html = sf_buf_view(&html) };
	return 0;
}
