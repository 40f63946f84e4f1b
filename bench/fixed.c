/* http/ alone: one worker that answers every request with the same few bytes, through the whole request path
 * (parser, coroutine, stages, answer) but nothing above it. Compare with floor.
 *
 * Usage: fixed PORT [BODY-BYTES] */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/log.h"
#include "http/http.h"
#include "loop/loop.h"

static char body[1 << 20];
static size_t body_n = 15;

static int answer(struct sf_http_req *req) {
	req->status = 200;
	req->type = SF_STR("application/json");
	sf_buf_add(&req->out, body, body_n);
	return 0;
}

static void finish(struct sf_http_req *req, int err) {
	if (err < 0) req->status = sf_err_status(err);
}

static int listener(int port) {
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
	struct sockaddr_in in = { .sin_family = AF_INET,
							  .sin_port = htons((unsigned short)port),
							  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&in, sizeof(in)) || listen(fd, 4096)) {
		perror("listen");
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv) {
	static const struct sf_http_stage stages[] = { { "answer", answer }, { 0 } };
	const struct sf_http_opts opts = { .stages = stages, .finish = finish };
	struct sf_http_server *s;
	if (argc < 2) {
		fprintf(stderr, "usage: fixed PORT [BODY-BYTES]\n");
		return 2;
	}
	if (argc > 2) body_n = (size_t)atoi(argv[2]) < sizeof(body) ? (size_t)atoi(argv[2]) : sizeof(body);
	memset(body, 'x', sizeof(body));
	memcpy(body, "{\"status\":\"ok\"}", 15);
	struct sf_loop *l = sf_loop_new(NULL);
	if (sf_http_server_new(l, &opts, &s) || sf_http_listen(s, listener(atoi(argv[1])))) return 1;
	sf_loop_run(l);
	return 0;
}
