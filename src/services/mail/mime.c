/* mime: a message as RFC 5322 and MIME (RFC 2045, 2046, 2047) want it: text and HTML as alternatives, both base64, names and
 * subjects as encoded words where they are more than ASCII. Whatever comes in, no line of the header can be made by it. */
#include <sodium.h>

#include "core/hash.h"
#include "core/time.h"
#include "services/mail/internal.h"

#define LINE_MAX_ENCODED 76 /* RFC 2045 §6.8 */
#define WORD_BYTES                                                                                           \
	39 /* of text in an encoded word: 52 characters, so that a header's name fits before the first */
#define PLAIN_MAX 60 /* a header's text up to here needs no folding */

/* ---- addresses --------------------------------------------------------------------------------- */

/* atext of RFC 5322 §3.2.3 */
static bool atext(char c) {
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		   (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}
static bool dot_atom(struct sf_str s) {
	if (s.n == 0 || s.p[0] == '.' || s.p[s.n - 1] == '.') return false;
	for (size_t i = 0; i < s.n; i++)
		if (!(atext(s.p[i]) || (s.p[i] == '.' && s.p[i - 1] != '.'))) return false;
	return true;
}
static bool domain(struct sf_str s) {
	if (s.n == 0 || s.p[0] == '.' || s.p[0] == '-' || s.p[s.n - 1] == '.') return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!(letter || c == '-' || (c == '.' && s.p[i - 1] != '.'))) return false;
	}
	return true;
}

bool mail__address(struct sf_str s) {
	const char *at = s.n && s.n <= 254 ? memchr(s.p, '@', s.n) : NULL;
	if (!at) return false;
	size_t n = (size_t)(at - s.p);
	return n <= 64 && dot_atom((struct sf_str) { s.p, n }) && domain((struct sf_str) { at + 1, s.n - n - 1 });
}

int mail__mailbox(struct sf_arena *a, struct sf_str s, struct sf_str *name, struct sf_str *address) {
	struct sf_str label = SF_STR_NULL, box = sf_str_trim(s);
	if (box.n && box.p[box.n - 1] == '>') {
		const char *open = memrchr(box.p, '<', box.n);
		if (!open) return SF_EINVAL;
		label = sf_str_trim((struct sf_str) { box.p, (size_t)(open - box.p) });
		box = (struct sf_str) { open + 1, (size_t)(box.p + box.n - 1 - (open + 1)) };
		if (label.n >= 2 && label.p[0] == '"' && label.p[label.n - 1] == '"')
			label = (struct sf_str) { label.p + 1, label.n - 2 };
	}
	if (!mail__address(box)) return SF_EINVAL;
	*name = label.n ? sf_arena_str(a, label) : SF_STR_NULL;
	*address = sf_arena_str(a, box);
	return 0;
}

/* ---- header text ------------------------------------------------------------------------------- */

static bool plain(struct sf_str s) {
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~' || (s.p[i] == '=' && i + 1 < s.n && s.p[i + 1] == '?')) return false;
	return s.n <= PLAIN_MAX;
}

static void base64(struct sf_buf *b, const void *p, size_t n) {
	size_t room = sodium_base64_ENCODED_LEN(n, sodium_base64_VARIANT_ORIGINAL);
	char *to = sf_buf_reserve(b, room);
	if (!to) return;
	sodium_bin2base64(to, room, p, n, sodium_base64_VARIANT_ORIGINAL);
	b->n += room - 1; /* without its NUL */
}

/* Encoded words, folded; each holds whole characters (RFC 2047 §5). A control character is written as a space. */
static void words(struct sf_buf *b, struct sf_str s) {
	char clean[WORD_BYTES];
	for (size_t i = 0; i < s.n;) {
		size_t n = s.n - i < WORD_BYTES ? s.n - i : WORD_BYTES;
		while (n > 1 && i + n < s.n && ((unsigned char)s.p[i + n] & 0xc0) == 0x80) n--;
		size_t left = 0;
		for (size_t k = 0, control; k < n; k += control ? control : 1) {
			control = sf_utf8_control(s.p + i + k, s.p + i + n);
			clean[left++] = control ? ' ' : s.p[i + k];
		}
		if (i) sf_buf_cstr(b, "\r\n ");
		sf_buf_cstr(b, "=?UTF-8?B?");
		base64(b, clean, left);
		sf_buf_cstr(b, "?=");
		i += n;
	}
}

static void header_text(struct sf_buf *b, const char *name, struct sf_str s) {
	sf_buf_printf(b, "%s: ", name);
	if (plain(s))
		sf_buf_str(b, s);
	else
		words(b, s);
	sf_buf_cstr(b, "\r\n");
}

static void header_mailbox(struct sf_buf *b, const char *header, struct sf_str name, struct sf_str address) {
	sf_buf_printf(b, "%s: ", header);
	if (name.n && plain(name)) {
		sf_buf_char(b, '"');
		for (size_t i = 0; i < name.n; i++) {
			if (name.p[i] == '"' || name.p[i] == '\\') sf_buf_char(b, '\\');
			sf_buf_char(b, name.p[i]);
		}
		sf_buf_char(b, '"');
	} else {
		words(b, name);
	}
	if (name.n) sf_buf_cstr(b, name.n > PLAIN_MAX / 2 ? "\r\n " : " ");
	sf_buf_printf(b, "<" SF_PRI ">\r\n", SF_ARG(address));
}

/* ---- parts ------------------------------------------------------------------------------------- */

/* Lines of text end with CRLF also inside of base64 (RFC 2045 §6.8). 57 bytes make a line. */
static void part(struct sf_buf *b, const char *boundary, const char *type, struct sf_str text) {
	enum { BYTES = LINE_MAX_ENCODED / 4 * 3 };
	struct sf_buf crlf = { 0 };
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\n' && !(i && text.p[i - 1] == '\r')) sf_buf_char(&crlf, '\r');
		sf_buf_char(&crlf, text.p[i]);
	}
	sf_buf_printf(b,
				  "--%s\r\nContent-Type: %s; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n"
				  "Content-Language: ko, en\r\n\r\n",
				  boundary, type);
	for (size_t i = 0; i < crlf.n; i += BYTES) {
		base64(b, crlf.p + i, crlf.n - i < BYTES ? crlf.n - i : BYTES);
		sf_buf_cstr(b, "\r\n");
	}
	b->failed |= crlf.failed;
	sf_buf_fini(&crlf);
}

void mail__mime(const struct mail__message *m, struct sf_buf *out) {
	char date[32], boundary[40];
	SF_BUG_ON(!mail__address(m->from) || !mail__address(m->to) || !mail__address(m->id));
	size_t n = sf_time_format_http(m->date, date);
	static const char hexits[] = "0123456789abcdef";
	uint64_t h = sf_hash64_fixed(m->id.p, m->id.n);
	memcpy(boundary, "=_", 2); /* base64 has no "_" */
	for (int i = 0; i < 16; i++) boundary[2 + i] = hexits[(h >> (4 * i)) & 15];
	boundary[18] = 0;
	sf_buf_printf(out, "Date: %.*s+0000\r\n", (int)n - 3 /* "GMT" */, date);
	header_mailbox(out, "From", m->from_name, m->from);
	header_mailbox(out, "To", m->to_name, m->to);
	header_text(out, "Subject", m->text.subject);
	sf_buf_printf(out,
				  "Message-ID: <" SF_PRI ">\r\nMIME-Version: 1.0\r\nAuto-Submitted: auto-generated\r\n"
				  "Content-Type: multipart/alternative;\r\n boundary=\"%s\"\r\n\r\n",
				  SF_ARG(m->id), boundary);
	part(out, boundary, "text/plain", m->text.text);
	part(out, boundary, "text/html", m->text.html);
	sf_buf_printf(out, "--%s--\r\n", boundary);
}
