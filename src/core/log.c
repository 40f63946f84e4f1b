/* log: lines gathered in a buffer and written by few system calls.
 *
 * Threads of the pool log too, so that a mutex guards the buffer; it is recursive because a broken invariant
 * below it is logged as well. Lines gather until the loop flushes them, the buffer is full, or one is an
 * error. All processes of a server write to the same pipe: pieces of whole lines, at most PIPE_BUF bytes, are taken whole
 * or not at all, so that lines never mix. When the reader does not read, we wait for it a second, once, and then drop, and the
 * next line that gets through says how much was lost: a log must not stop a server. */
#include "core/log.h"
#include "core/internal.h"
#include "core/json.h"
#include "core/time.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER   ((size_t)64 << 10) /* flushed when it holds that much */
#define TEXT_MAX ((size_t)2 << 10)  /* longer values are cut, so that a line fits a piece */
#define PATIENCE 1000               /* ms for a reader that does not read */

enum sf_level sf_log_level_now = SF_INFO;

static struct {
	pthread_mutex_t lock;
	int fd;
	struct sf_buf lines, context, text_context; /* what every line carries, in each form */
	uint64_t lost;                              /* bytes */
	enum sf_log_format format;
	bool is_file, stuck, text, colour;
} state = { .lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP, .fd = STDERR_FILENO };

static const char *const names[] = {
	[SF_DEBUG] = "debug", [SF_INFO] = "info", [SF_WARN] = "warn", [SF_ERROR] = "error"
};

static bool may_colour(int fd) {
	const char *none = getenv("NO_COLOR"), *term = getenv("TERM");
	return isatty(fd) && !(none && *none) && !(term && strcmp(term, "dumb") == 0);
}

static void apply_format(void) {
	state.text = state.format == SF_LOG_TEXT || (state.format == SF_LOG_AUTO && isatty(state.fd));
	state.colour = state.text && may_colour(state.fd);
}

void sf_log_setup(enum sf_level level, int fd) {
	pthread_mutex_lock(&state.lock);
	sf_log_flush();
	sf_log_level_now = level;
	state.fd = fd;
	state.stuck = false;
	apply_format();
	struct stat st;
	state.is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	pthread_mutex_unlock(&state.lock);
}

int sf_log_parse_level(struct sf_str s, enum sf_level *out) {
	for (size_t i = 0; i < SF_COUNT(names); i++)
		if (sf_str_eq(s, sf_str(names[i]))) {
			*out = (enum sf_level)i;
			return 0;
		}
	return SF_EINVAL;
}

void sf_log_set_format(enum sf_log_format format) {
	pthread_mutex_lock(&state.lock);
	state.format = format;
	apply_format();
	pthread_mutex_unlock(&state.lock);
}

bool sf_log_is_text(void) {
	return state.text;
}

int sf_log_parse_format(struct sf_str s, enum sf_log_format *out) {
	static const char *const formats[] = {
		[SF_LOG_AUTO] = "auto", [SF_LOG_JSON] = "json", [SF_LOG_TEXT] = "text"
	};
	for (size_t i = 0; i < SF_COUNT(formats); i++)
		if (sf_str_eq(s, sf_str(formats[i]))) {
			*out = (enum sf_log_format)i;
			return 0;
		}
	return SF_EINVAL;
}

/* Long values are cut, at a character's start, so that one line stays one readable line. */
static void write_pairs(struct sf_json *j, const struct sf_kv *kv) {
	for (; kv->key; kv++) {
		struct sf_kv one[2] = { *kv, { 0 } };
		if (kv->type == SF_KV_STR && kv->s.n > TEXT_MAX) {
			one[0].s.n = TEXT_MAX;
			while (one[0].s.n && ((unsigned char)kv->s.p[one[0].s.n] & 0xC0) == 0x80) one[0].s.n--;
		}
		sf_json_kv(j, one);
	}
}

void sf_log_context(const struct sf_kv *kv) {
	pthread_mutex_lock(&state.lock);
	sf_buf_clear(&state.context);
	struct sf_json j = sf_json(&state.context);
	write_pairs(&j, kv);
	sf_buf_clear(&state.text_context);
	sf_log__text_pairs(&state.text_context, kv);
	pthread_mutex_unlock(&state.lock);
}

static void write_line(enum sf_level level, const char *msg, const struct sf_kv *kv) {
	if (state.text) {
		sf_log__text_line(&state.lines, state.colour, level, msg, kv, sf_buf_view(&state.text_context));
		return;
	}
	struct sf_json j = sf_json(&state.lines);
	sf_json_obj(&j);
	sf_json_key(&j, "time");
	sf_json_time(&j, sf_time_now());
	sf_json_key(&j, "level");
	sf_json_str(&j, sf_str(names[level]));
	sf_json_key(&j, "msg");
	sf_json_str(&j, sf_str(msg));
	if (state.context.n) {
		sf_buf_char(&state.lines, ',');
		sf_buf_str(&state.lines, sf_buf_view(&state.context));
	}
	write_pairs(&j, kv);
	sf_json_obj_end(&j);
	sf_buf_char(&state.lines, '\n');
}

void sf_log_write(enum sf_level level, const char *msg, const struct sf_kv *kv) {
	pthread_mutex_lock(&state.lock);
	if (state.lost && !state.lines.n) {
		uint64_t lost = state.lost;
		state.lost = 0;
		write_line(SF_WARN, "log lines were lost", (const struct sf_kv[]) { SF_KV("bytes", lost), { 0 } });
	}
	write_line(level, msg, kv);
	if (level >= SF_ERROR || state.lines.n >= BUFFER || state.lines.failed) sf_log_flush();
	pthread_mutex_unlock(&state.lock);
}

/* Whole lines up to `most` bytes; the first line alone where it is longer. */
static size_t whole_lines(struct sf_str s, size_t most) {
	if (s.n <= most) return s.n;
	const char *end = memrchr(s.p, '\n', most);
	if (!end) end = memchr(s.p, '\n', s.n);
	return end ? (size_t)(end - s.p) + 1 : s.n;
}

/* Whether the reader takes more; waits for it once, and not again until it does. */
static bool reader_takes(void) {
	struct pollfd ready = { .fd = state.fd, .events = POLLOUT };
	int n;
	do {
		n = poll(&ready, 1, state.stuck ? 0 : PATIENCE);
	} while (n < 0 && errno == EINTR);
	state.stuck = n <= 0;
	return !state.stuck;
}

static void write_out(struct sf_str s) {
	while (s.n) {
		size_t n = state.is_file ? s.n : whole_lines(s, PIPE_BUF);
		ssize_t done = state.is_file || reader_takes() ? write(state.fd, s.p, n) : -1;
		if (done < 0 && errno == EINTR && !state.stuck) continue;
		if (done <= 0) {
			state.lost += s.n;
			return;
		}
		s.p += done, s.n -= (size_t)done;
	}
}

void sf_log_flush(void) {
	pthread_mutex_lock(&state.lock);
	if (state.lines.n) write_out(sf_buf_view(&state.lines));
	sf_buf_clear(&state.lines);
	pthread_mutex_unlock(&state.lock);
}

struct sf_kv sf_kv_time(const char *k, int64_t t, char buf[32]) {
	size_t n = sf_time_format(t, buf);
	return sf_kv_str(k, (struct sf_str) { buf, n });
}
