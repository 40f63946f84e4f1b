/* log: JSON lines gathered in a buffer and written by few system calls.
 *
 * Threads of the pool log too, so that a mutex guards the buffer; it is recursive because a broken invariant
 * below it is logged as well. Lines gather until the loop flushes them, the buffer is full, or one is an
 * error. When the reader of the log does not read, we wait for it a second at most and then drop, and the
 * next line that gets through says how many were lost: a log must not stop a server. */
#include "core/log.h"
#include "core/internal.h"
#include "core/json.h"
#include "core/time.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#define BUFFER   ((size_t)64 << 10) /* flushed when it holds that much */
#define TEXT_MAX ((size_t)8 << 10)  /* longer values are cut */
#define PATIENCE 1000               /* ms for a reader that does not read */

enum sf_level sf_log_level_now = SF_INFO;

static struct {
	pthread_mutex_t lock;
	int fd;
	struct sf_buf lines, context; /* context: the members every line carries */
	uint64_t lost;
} state = { .lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP, .fd = STDERR_FILENO };

static const char *const names[] = {
	[SF_DEBUG] = "debug", [SF_INFO] = "info", [SF_WARN] = "warn", [SF_ERROR] = "error"
};

void sf_log_setup(enum sf_level level, int fd) {
	pthread_mutex_lock(&state.lock);
	sf_log_flush();
	sf_log_level_now = level;
	state.fd = fd;
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
	pthread_mutex_unlock(&state.lock);
}

static void write_line(enum sf_level level, const char *msg, const struct sf_kv *kv) {
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

static void write_out(struct sf_str s) {
	while (s.n) {
		ssize_t n = write(state.fd, s.p, s.n);
		if (n > 0) {
			s.p += n, s.n -= (size_t)n;
			continue;
		}
		if (n < 0 && errno == EINTR) continue;
		struct pollfd ready = { .fd = state.fd, .events = POLLOUT };
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && poll(&ready, 1, PATIENCE) > 0) continue;
		state.lost += s.n;
		return;
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
