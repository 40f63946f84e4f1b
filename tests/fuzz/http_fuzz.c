/* Bytes from a hostile client through the whole request path: socket, parser, stages in a coroutine, static files,
 * compression both ways, answer. The byte 0xFE in the input is not sent: it ends a write, so that the fuzzer chooses
 * where reads are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/log.h"
#include "http/http.h"
#include "http/internal.h"
#include "loop/loop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct sf_loop *loop;
static struct sf_http_server *server;
static struct sf_static *files;
static volatile unsigned touched;

/* Every byte a stage may look at must be there. */
static void touch(struct sf_str s) {
	for (size_t i = 0; i < s.n; i++) touched += (unsigned char)s.p[i];
}

static int on_head(struct sf_http_req *req, size_t *body_max) {
	touch(req->path);
	*body_max = 2048;
	return sf_str_starts(req->path, SF_STR("/deny")) ? SF_EAUTH : 0;
}

static int answer(struct sf_http_req *req) {
	for (size_t i = 0; i < req->nheaders; i++) touch(req->headers[i].name), touch(req->headers[i].value);
	touch(req->target), touch(req->query), touch(req->body);
	touch(sf_http_cookie(req, "a"));
	SF_BUG_ON(memchr(req->path.p, '\0', req->path.n) != NULL);
	if (sf_http_body_coding(req) == SF_BODY_GZIP) {
		int err = sf_http_inflate(req, 4096);
		if (err) return err;
		SF_BUG_ON(req->body.n > 4096);
		touch(req->body);
	}
	if (sf_str_starts(req->path, SF_STR("/f")))
		return sf_static_serve(files, req, (req->path.p += 2, req->path.n -= 2, req->path));
	if (sf_str_starts(req->path, SF_STR("/s"))) {
		int err = sf_sleep(0);
		if (err) return err;
	}
	sf_http_add(req, "X-Query", req->query);
	sf_http_add(req, "ETag", SF_STR("\"abc\""));
	req->status = sf_http_not_modified(req, SF_STR("\"abc\"")) ? 304 : 200;
	req->type = SF_STR("application/json");
	for (int i = 0; i < 20 && req->status == 200; i++)
		sf_buf_str(&req->out, req->target), sf_buf_str(&req->out, req->body);
	return 0;
}

static void finish(struct sf_http_req *req, int err) {
	if (err >= 0) return;
	sf_http_answer_reset(req);
	req->status = sf_err_status(err);
	sf_buf_cstr(&req->out, sf_err_code(err));
}

static void make_files(void) {
	char dir[] = "/tmp/sf-fuzz-XXXXXX", path[64];
	static const char *const names[] = { "index.html", "a.js", "a.js.br", "b.txt" };
	SF_BUG_ON(!mkdtemp(dir));
	for (size_t i = 0; i < SF_COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		FILE *f = fopen(path, "w");
		SF_BUG_ON(!f);
		fprintf(f, "%.*s", i == 2 ? 2 : 10, "0123456789");
		fclose(f);
	}
	SF_BUG_ON(sf_static_load(dir, &files) != 0);
	for (size_t i = 0; i < SF_COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

static void set_up(void) {
	static const struct sf_http_stage stages[] = { { "answer", answer }, { 0 } };
	const struct sf_http_opts opts = {
		.stages = stages, .on_head = on_head, .finish = finish, .head_max = 1024, .headers_max = 12
	};
	sf_log_setup(SF_ERROR, 2);
	make_files();
	loop = sf_loop_new(NULL);
	SF_BUG_ON(sf_http_server_new(loop, &opts, &server) != 0);
}

static void turn(void) {
	uv_run(sf_loop_uv(loop), UV_RUN_NOWAIT);
}

/* Whatever is answered is an answer of HTTP/1.1. */
static void read_answers(int fd, bool *first) {
	static char buf[1 << 16];
	ssize_t got;
	while ((got = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		SF_BUG_ON(*first && (got < 9 || memcmp(buf, "HTTP/1.1 ", 9)));
		*first = false;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
	struct sf_http_stats st;
	bool first = true;
	int fds[2];
	if (!loop) set_up();
	SF_BUG_ON(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0);
	SF_BUG_ON(!sf_http__adopt(server, fds[0]));
	while (n) {
		const uint8_t *cut = memchr(data, 0xfe, n);
		size_t piece = cut ? (size_t)(cut - data) : n;
		if (piece && send(fds[1], data, piece, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) break;
		turn();
		read_answers(fds[1], &first);
		data += piece + (cut != NULL), n -= piece + (cut != NULL);
	}
	turn();
	read_answers(fds[1], &first);
	close(fds[1]);
	for (int i = 0; i < 1000; i++) {
		turn();
		sf_http_stats(server, &st);
		if (st.conns == 0) break;
	}
	SF_BUG_ON(st.conns != 0 || st.inflight != 0 || st.idle != 0); /* it died with its socket */
	return 0;
}
