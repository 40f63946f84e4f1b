/* Handing a mail to servers that stall where libcurl would block: the loop goes on meanwhile, and whoever waits can be cut short. The
 * server is a thread that follows a script; what real servers say is tested in tests/fault/smtp.test.mjs. */
#include "core/test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/log.h"
#include "core/time.h"
#include "loop/loop.h"
#include "services/mail/internal.h"

/* ---- the server ---------------------------------------------------------------------------------- */

enum stall { NOWHERE, GREETING, MESSAGE, QUIT };
static struct server {
	int fd, port;
	pthread_t thread;
	enum stall at;  /* where it says nothing until let_go, or the client is gone */
	bool refuse;    /* the receiver */
	bool turn_away; /* with its greeting */
	bool old; /* knows no EHLO, and takes longer over the message than anybody waits for the answer to QUIT */
	atomic_int stalled, let_go;
	char heard[16384];
	size_t n;
} server;

static void say(int fd, const char *line) {
	(void)!send(fd, line, strlen(line), MSG_NOSIGNAL);
}
/* False: the client went away first. */
static bool stall(int fd, enum stall at) {
	if (server.at != at) return true;
	atomic_store(&server.stalled, 1);
	while (!atomic_load(&server.let_go)) {
		struct pollfd p = { .fd = fd, .events = POLLRDHUP };
		if (poll(&p, 1, 5) > 0) return false;
	}
	return true;
}
/* What was heard from `from` on, once it ends with that. */
static bool hear(int fd, const char *end) {
	size_t from = server.n, n = strlen(end);
	while (server.n - from < n || memcmp(server.heard + server.n - n, end, n) != 0) {
		SF_BUG_ON(server.n >= sizeof server.heard - 1);
		if (recv(fd, server.heard + server.n, 1, 0) <= 0) return false;
		server.heard[++server.n] = 0;
	}
	return true;
}
static void converse(int fd) {
	if (!stall(fd, GREETING)) return;
	say(fd, server.turn_away ? "554 not for you\r\n" : "220 here\r\n");
	if (!hear(fd, "\r\n") || server.turn_away) return;
	if (server.old) {
		say(fd, "502 what\r\n");
		if (!hear(fd, "\r\n")) return;
	}
	say(fd, "250-here\r\n250 STARTTLS\r\n");
	if (!hear(fd, "\r\n")) return;
	say(fd, "250 sender\r\n");
	if (!hear(fd, "\r\n")) return;
	if (server.refuse) {
		say(fd, "550 5.1.1 nobody\r\n");
	} else {
		say(fd, "250 receiver\r\n");
		if (!hear(fd, "\r\n")) return;
		say(fd, "354 go on\r\n");
		if (!hear(fd, "\r\n.\r\n") || !stall(fd, MESSAGE)) return;
		struct pollfd p = { .fd = fd, .events = POLLIN };
		if (server.old && poll(&p, 1, 3000) != 0) return;
		say(fd, "250 taken\r\n");
	}
	if (!hear(fd, "\r\n") || !stall(fd, QUIT)) return;
	say(fd, "221 bye\r\n");
}
static void *serve(void *arg) {
	(void)arg;
	int fd = accept(server.fd, NULL, NULL);
	if (fd >= 0) converse(fd), close(fd);
	return NULL;
}
static void server_listen(struct server how) {
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof in;
	server = how;
	server.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server.fd, (struct sockaddr *)&in, n), 0);
	assert_int_equal(listen(server.fd, 4), 0);
	assert_int_equal(getsockname(server.fd, (struct sockaddr *)&in, &n), 0);
	server.port = ntohs(in.sin_port);
	assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
}
static void server_start(enum stall at, bool refuse) {
	server_listen((struct server) { .at = at, .refuse = refuse });
}
static void server_stop(void) {
	pthread_join(server.thread, NULL);
	close(server.fd);
}

/* ---- a coroutine that sends, and one that looks on -------------------------------------------------- */

static struct rig {
	struct sf_loop *loop;
	struct sf_co *sender;
	int err;
	bool over;
	enum mail__outcome outcome;
	char why[400];
	int64_t took_ms;
} rig;

static void sends(void *arg) {
	(void)arg;
	struct sf_arena *a = sf_arena_new(0);
	struct mail__message m = { .from = SF_STR("no-reply@x.kr"),
							   .to = SF_STR("kim@example.com"),
							   .id = SF_STR("job-7.0123456789abcdef@x.kr"),
							   .text = { SF_STR("제목"), SF_STR(".\n..\n.\r\nQUIT\r\n"), SF_STR(".") } };
	struct sf_str why = SF_STR_NULL;
	int64_t from = sf_clock_ns();
	char url[64];
	snprintf(url, sizeof url, "smtp://127.0.0.1:%d", server.port);
	rig.err = mail__smtp(a, url, &m, &rig.outcome, &why);
	rig.took_ms = (sf_clock_ns() - from) / 1000000;
	if (!rig.err) snprintf(rig.why, sizeof rig.why, SF_PRI, SF_ARG(why));
	rig.over = true;
	sf_arena_free(a);
}
static void run(void (*beside)(void *arg)) {
	rig = (struct rig) { .loop = sf_loop_new(NULL) };
	sf_log_setup(SF_ERROR, 2);
	assert_int_equal(sf_co_start(rig.loop, sends, NULL, &rig.sender), 0);
	if (beside) assert_int_equal(sf_co_start(rig.loop, beside, NULL, NULL), 0);
	sf_loop_run(rig.loop);
	server_stop();
	assert_true(rig.over);
	assert_int_equal(sf_loop_free(rig.loop), 0);
}
static void until_stalled(void) {
	for (int i = 0; i < 6000 && !atomic_load(&server.stalled); i++) assert_int_equal(sf_sleep(5), 0);
	assert_int_equal(atomic_load(&server.stalled), 1);
}

/* ---- tests --------------------------------------------------------------------------------------------- */

static void a_mail_is_handed_over(void **state) {
	(void)state;
	server_start(NOWHERE, false);
	run(NULL);
	assert_int_equal(rig.err, 0);
	assert_int_equal(rig.outcome, MAIL__SENT);
	assert_non_null(
		strstr(server.heard, "MAIL FROM:<no-reply@x.kr>\r\nRCPT TO:<kim@example.com>\r\nDATA\r\n"));
	const char *end = strstr(server.heard, "\r\n.\r\n"); /* and no other: the text's dots are encoded */
	assert_non_null(end);
	assert_string_equal(end, "\r\n.\r\nQUIT\r\n");
}

static void looks_on(void *arg) {
	(void)arg;
	until_stalled();
	for (int i = 0; i < 50; i++) { /* libcurl waits for the answer, we do not */
		assert_int_equal(sf_sleep(2), 0);
		assert_false(rig.over);
	}
	atomic_store(&server.let_go, 1);
}
static void the_loop_goes_on_while_the_server_thinks(void **state) {
	(void)state;
	static const enum stall where[] = { GREETING, MESSAGE };
	for (size_t i = 0; i < SF_COUNT(where); i++) {
		server_start(where[i], false);
		run(looks_on);
		assert_int_equal(rig.err, 0);
		assert_int_equal(rig.outcome, MAIL__SENT);
	}
}

static void nobody_waits_long_for_the_answer_to_quit(void **state) {
	(void)state;
	for (int refuse = 0; refuse < 2; refuse++) {
		server_start(QUIT, refuse);
		run(NULL);
		assert_int_equal(rig.err, 0);
		assert_int_equal(rig.outcome, refuse ? MAIL__NEVER : MAIL__SENT);
		if (refuse) assert_string_equal(rig.why, "550 5.1.1 nobody");
		assert_true(rig.took_ms < 20000);
	}
}

/* A complaint is not the end, nor a reason to wait less for what follows it: a mail that was taken slowly would be sent again. */
static void an_early_complaint_hastens_nothing(void **state) {
	(void)state;
	server_listen((struct server) { .old = true });
	run(NULL);
	assert_int_equal(rig.err, 0);
	assert_int_equal(rig.outcome, MAIL__SENT);
}

static void who_is_turned_away_comes_again(void **state) {
	(void)state;
	server_listen((struct server) { .turn_away = true });
	run(NULL);
	assert_int_equal(rig.err, 0);
	assert_int_equal(rig.outcome, MAIL__AGAIN);
	assert_string_equal(rig.why, "554 not for you");
}

static void cuts(void *arg) {
	(void)arg;
	until_stalled();
	sf_co_cancel(rig.sender, SF_EDRAINING);
}
static void who_waits_can_be_cut_short(void **state) {
	(void)state;
	static const enum stall where[] = { GREETING, MESSAGE };
	for (size_t i = 0; i < SF_COUNT(where); i++) {
		server_start(where[i], false);
		run(cuts);
		assert_int_equal(rig.err, SF_EDRAINING);
		assert_true(rig.took_ms < 20000);
	}
}

static void what_was_taken_before_is_known(void **state) {
	(void)state;
	server_start(QUIT, false);
	run(cuts);
	assert_int_equal(rig.err, 0); /* else it would be sent again */
	assert_int_equal(rig.outcome, MAIL__SENT);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mail_is_handed_over),
		cmocka_unit_test(the_loop_goes_on_while_the_server_thinks),
		cmocka_unit_test(nobody_waits_long_for_the_answer_to_quit),
		cmocka_unit_test(an_early_complaint_hastens_nothing),
		cmocka_unit_test(who_is_turned_away_comes_again),
		cmocka_unit_test(who_waits_can_be_cut_short),
		cmocka_unit_test(what_was_taken_before_is_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
