/* log: lines are JSON, levels hold back, long values are cut, nothing is lost on errors. */
#include "core/test.h"
#include "core/json.h"
#include "core/log.h"
#include "core/time.h"

#include <jansson.h>
#include <fcntl.h>
#include <pthread.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int fds[2];
static char text[1 << 20];

static void begin(enum sf_level level) {
	assert_int_equal(pipe(fds), 0);
	sf_log_setup(level, fds[1]);
}

/* All that was logged; the pipe is closed. */
static const char *end(void) {
	sf_log_setup(SF_INFO, 2);
	close(fds[1]);
	size_t n = 0;
	for (ssize_t got; (got = read(fds[0], text + n, sizeof(text) - 1 - n)) > 0;) n += (size_t)got;
	text[n] = 0;
	close(fds[0]);
	return text;
}

static void a_line_is_an_object(void **state) {
	(void)state;
	begin(SF_INFO);
	sf_log_context((const struct sf_kv[]) { SF_KV("slot", 3), { 0 } });
	char when[32];
	sf_log(SF_INFO, "started \"x\"", SF_KV("pid", 41), SF_KV("ratio", 0.5), SF_KV("on", (bool)true),
		   SF_KV("name", "a\nb"), SF_KV("none", (const char *)NULL), SF_KV("bad", SF_STR("\xff")),
		   sf_kv_time("at", 0, when));
	sf_log(SF_WARN, "bare");
	sf_log_context((const struct sf_kv[]) { { 0 } });
	sf_log(SF_INFO, "without");
	char *line = strtok((char *)(uintptr_t)end(), "\n");
	json_t *v = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(v);
	assert_string_equal(json_string_value(json_object_get(v, "level")), "info");
	assert_string_equal(json_string_value(json_object_get(v, "msg")), "started \"x\"");
	assert_int_equal(json_integer_value(json_object_get(v, "slot")), 3);
	assert_int_equal(json_integer_value(json_object_get(v, "pid")), 41);
	assert_true(json_is_true(json_object_get(v, "on")));
	assert_true(json_is_null(json_object_get(v, "none")));
	assert_string_equal(json_string_value(json_object_get(v, "name")), "a\nb");
	assert_string_equal(json_string_value(json_object_get(v, "at")), "1970-01-01T00:00:00Z");
	json_decref(v);
	line = strtok(NULL, "\n");
	assert_non_null(strstr(line, "\"level\":\"warn\",\"msg\":\"bare\",\"slot\":3}"));
	line = strtok(NULL, "\n");
	assert_non_null(strstr(line, "\"msg\":\"without\"}"));
	assert_null(strtok(NULL, "\n"));
}

/* What is written to a terminal when `format` is asked for. */
static const char *on_a_terminal(enum sf_log_format format) {
	int terminal = -1, ours = -1;
	assert_int_equal(openpty(&ours, &terminal, NULL, NULL, NULL), 0);
	sf_log_set_format(format);
	sf_log_setup(SF_INFO, terminal);
	assert_int_equal(sf_log_is_text(), format != SF_LOG_JSON);
	sf_log(SF_INFO, "request", SF_KV("method", "GET"), SF_KV("route", "/a/{id}"),
		   SF_KV("path", "/a/\x1b[2J\n가"), SF_KV("status", 200), SF_KV("us", 1260), SF_KV("bytes", 17),
		   SF_KV("user", 0));
	sf_log(SF_INFO, "request", SF_KV("method", "POST"), SF_KV("route", "/hook/{secret}"),
		   SF_KV("path", SF_STR_NULL), SF_KV("status", 500), SF_KV("us", 99), SF_KV("user", 7),
		   SF_KV("request_id", SF_STR("r1")));
	sf_log(SF_WARN, "database cannot be reached", SF_KV("error", "refused by x"), SF_KV("host", "db\xc2\x9b"),
		   SF_KV("none", SF_STR_NULL));
	sf_log_flush();
	size_t n = 0;
	ssize_t got;
	while (!strstr((text[n] = 0, text), "db") && (got = read(ours, text + n, sizeof text - 1 - n)) > 0)
		n += (size_t)got;
	sf_log_set_format(SF_LOG_JSON);
	sf_log_setup(SF_INFO, 2);
	close(terminal);
	close(ours);
	return text;
}

static void a_person_reads_it_on_a_terminal(void **state) {
	(void)state;
	unsetenv("NO_COLOR");
	setenv("TERM", "xterm", 1);
	const char *seen = on_a_terminal(SF_LOG_AUTO);
	assert_non_null(strstr(seen, " GET    /a/\\x1b[2J\\n가\x1b[32m 200\x1b[0m 1.3 ms"));
	assert_non_null(strstr(seen, " POST   /hook/{secret}\x1b[31m 500\x1b[0m 0.1 ms"));
	setenv("NO_COLOR", "1", 1);
	seen = on_a_terminal(SF_LOG_AUTO);
	assert_null(strchr(seen, '\x1b'));
	assert_int_equal(strspn(seen, "0123456789:"), 8); /* 14:03:07 */
	assert_non_null(strstr(seen, " POST   /hook/{secret} 500 0.1 ms user=7 request_id=r1\r\n"));
	assert_non_null(
		strstr(seen, " warn   database cannot be reached error=\"refused by x\" host=db\\x9b\r\n"));
	assert_non_null(strstr(on_a_terminal(SF_LOG_JSON), "\"status\":200"));
	begin(SF_INFO); /* a pipe */
	sf_log_set_format(SF_LOG_AUTO);
	assert_false(sf_log_is_text());
	sf_log_context((const struct sf_kv[]) { SF_KV("slot", 3), { 0 } });
	sf_log(SF_INFO, "to a program");
	assert_non_null(strstr(end(), "\"msg\":\"to a program\",\"slot\":3}"));
	begin(SF_INFO);
	sf_log_set_format(SF_LOG_TEXT);
	sf_log(SF_INFO, "to a file");
	assert_non_null(strstr(end(), " info   to a file slot=3\n"));
	sf_log_context((const struct sf_kv[]) { { 0 } });
	sf_log_set_format(SF_LOG_JSON);
	enum sf_log_format format = SF_LOG_JSON;
	assert_int_equal(sf_log_parse_format(SF_STR("auto"), &format), 0);
	assert_int_equal(format, SF_LOG_AUTO);
	assert_int_equal(sf_log_parse_format(SF_STR("xml"), &format), SF_EINVAL);
}

static int evaluated;
static int64_t evaluate(void) {
	return ++evaluated;
}

static void levels_hold_back(void **state) {
	(void)state;
	begin(SF_WARN);
	sf_log(SF_INFO, "no", SF_KV("n", evaluate()));
	sf_log(SF_DEBUG, "no", SF_KV("n", evaluate()));
	assert_int_equal(evaluated, 0);
	sf_log(SF_WARN, "yes", SF_KV("n", evaluate()));
	assert_int_equal(evaluated, 1);
	assert_null(strstr(end(), "no"));
	enum sf_level level = SF_ERROR;
	assert_int_equal(sf_log_parse_level(SF_STR("debug"), &level), 0);
	assert_int_equal(level, SF_DEBUG);
	assert_int_equal(sf_log_parse_level(SF_STR("loud"), &level), SF_EINVAL);
	assert_int_equal(level, SF_DEBUG);
}

static void errors_are_written_at_once(void **state) {
	(void)state;
	begin(SF_INFO);
	char one[4096];
	sf_log(SF_ERROR, "now");
	ssize_t n = read(fds[0], one, sizeof(one)); /* would wait for ever if nothing was written */
	assert_true(n > 0);
	end();
}

static void long_values_are_cut_between_characters(void **state) {
	(void)state;
	char *big = malloc(90001);
	for (size_t i = 0; i < 90000; i += 3) memcpy(big + i, "한", 3);
	begin(SF_INFO);
	sf_log(SF_INFO, "big", SF_KV("text", ((struct sf_str) { big, 90000 })), SF_KV("after", 1));
	const char *line = end();
	assert_true(strlen(line) < 3000);
	json_t *v = json_loads(line, 0, NULL);
	assert_non_null(v);
	assert_int_equal(json_string_length(json_object_get(v, "text")), 2046);
	assert_null(strstr(line, "\xEF\xBF\xBD"));
	json_decref(v);
	free(big);
}

static void *log_some(void *arg) {
	for (int i = 0; i < 200; i++) sf_log(SF_INFO, "from a thread", SF_KV("i", i));
	return arg;
}

static void threads_do_not_mix_lines(void **state) {
	(void)state;
	begin(SF_INFO);
	sf_log_setup(SF_INFO, fds[1]);
	pthread_t t[2];
	for (size_t i = 0; i < 2; i++) assert_int_equal(pthread_create(&t[i], NULL, log_some, NULL), 0);
	for (size_t i = 0; i < 2; i++) assert_int_equal(pthread_join(t[i], NULL), 0);
	char *line = strtok((char *)(uintptr_t)end(), "\n");
	int n = 0;
	for (; line; line = strtok(NULL, "\n"), n++) {
		json_t *v = json_loads(line, 0, NULL);
		assert_non_null(v);
		json_decref(v);
	}
	assert_int_equal(n, 400);
}

/* Nobody reads, whether or not the pipe would block: one wait of a second in all, and then a word about it. */
static void a_reader_that_stands_still_stops_nobody(void **state) {
	(void)state;
	for (int flags = 0; flags <= O_NONBLOCK; flags += O_NONBLOCK) {
		begin(SF_INFO);
		assert_int_equal(fcntl(fds[1], F_SETFL, flags), 0);
		int64_t start = sf_clock_ns();
		for (int i = 0; i < 20000; i++)
			sf_log(SF_INFO, "a line that fills the pipe, and then the buffer, until lines are dropped");
		assert_true(sf_clock_ns() - start < INT64_C(5000000000));
		static char drain[1 << 20];
		assert_true(read(fds[0], drain, sizeof(drain)) > 60000);
		sf_log_flush();
		sf_log(SF_INFO, "again");
		const char *rest = end();
		assert_non_null(strstr(rest, "log lines were lost"));
		assert_non_null(strstr(rest, "again"));
	}
}

#define WRITERS 4
#define LINES   2000

/* Four processes on one pipe: every line arrives whole. */
static void processes_do_not_mix_lines(void **state) {
	(void)state;
	begin(SF_INFO);
	pid_t pids[WRITERS];
	for (int p = 0; p < WRITERS; p++) {
		pids[p] = fork();
		assert_true(pids[p] >= 0);
		if (pids[p] == 0) {
			for (int i = 0; i < LINES; i++)
				sf_log(SF_INFO, "from a process", SF_KV("p", p),
					   SF_KV("fill", sf_str("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" + i % 30)));
			sf_log_flush();
			_exit(0);
		}
	}
	sf_log_setup(SF_INFO, 2);
	close(fds[1]);
	FILE *f = fdopen(fds[0], "r");
	char line[512];
	int n = 0;
	while (fgets(line, sizeof(line), f)) {
		json_t *v = json_loads(line, 0, NULL);
		if (!v) fail_msg("a line came mixed: %s", line);
		json_decref(v);
		n++;
	}
	for (int p = 0; p < WRITERS; p++) assert_int_equal(waitpid(pids[p], NULL, 0), pids[p]);
	assert_int_equal(n, WRITERS * LINES);
	fclose(f);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_an_object),
		cmocka_unit_test(a_person_reads_it_on_a_terminal),
		cmocka_unit_test(levels_hold_back),
		cmocka_unit_test(errors_are_written_at_once),
		cmocka_unit_test(long_values_are_cut_between_characters),
		cmocka_unit_test(threads_do_not_mix_lines),
		cmocka_unit_test(processes_do_not_mix_lines),
		cmocka_unit_test(a_reader_that_stands_still_stops_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
