/* The floor: what a request costs the kernel. One process, one epoll loop, no parsing: for every empty line that comes
 * in, the bytes of a file go out. No HTTP server that reads a request and writes these bytes with epoll, read and
 * write can use less CPU, so servers are measured as a multiple of it.
 *
 * Usage: floor PORT ANSWER-FILE     (127.0.0.1; SO_REUSEPORT, so that several may share the port) */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 1024, FDS = 65536, PIPELINED = 512 };

static char request[65536], *answer;
static size_t answer_n;
static unsigned char matched[FDS]; /* bytes of "\r\n\r\n" seen at the end of a connection's input */

static void die(const char *what) {
	perror(what);
	exit(1);
}

static void load(const char *path) {
	FILE *f = fopen(path, "rb");
	if (!f) die(path);
	size_t n;
	char one[65536];
	while ((n = fread(one, 1, sizeof(one), f)) > 0) {
		answer = realloc(answer, answer_n + n);
		if (!answer) die("realloc");
		memcpy(answer + answer_n, one, n);
		answer_n += n;
	}
	fclose(f);
	if (!answer_n) die("empty answer");
	answer = realloc(answer, answer_n * PIPELINED); /* copies, so that pipelined requests need one write */
	if (!answer) die("realloc");
	for (int i = 1; i < PIPELINED; i++) memcpy(answer + (size_t)i * answer_n, answer, answer_n);
}

static int listener(int port) {
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
	struct sockaddr_in in = { .sin_family = AF_INET,
							  .sin_port = htons((unsigned short)port),
							  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (fd < 0) die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&in, sizeof(in)) || listen(fd, 4096)) die("listen");
	return fd;
}

static void watch(int ep, int fd) {
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e)) die("epoll_ctl");
}

static void accept_all(int ep, int lfd) {
	for (int fd; (fd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
		if (fd >= FDS) {
			close(fd);
			continue;
		}
		matched[fd] = 0;
		watch(ep, fd);
	}
}

/* How many empty lines end in these bytes. */
static int requests_in(int fd, size_t n) {
	static const char end[] = "\r\n\r\n";
	unsigned m = matched[fd];
	int count = 0;
	for (size_t i = 0; i < n; i++) {
		m = request[i] == end[m] ? m + 1 : request[i] == '\r';
		if (m == 4) count++, m = 0;
	}
	matched[fd] = (unsigned char)m;
	return count;
}

static void serve(int fd) {
	ssize_t n = read(fd, request, sizeof(request));
	if (n <= 0) {
		if (n == 0 || errno != EAGAIN) close(fd);
		return;
	}
	size_t out = (size_t)requests_in(fd, (size_t)n) * answer_n;
	if (out > answer_n * PIPELINED) out = answer_n * PIPELINED;
	if (out && write(fd, answer, out) != (ssize_t)out)
		close(fd); /* a client that does not read is not measured */
}

int main(int argc, char **argv) {
	if (argc != 3) {
		fprintf(stderr, "usage: floor PORT ANSWER-FILE\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	load(argv[2]);
	int lfd = listener(atoi(argv[1])), ep = epoll_create1(0);
	if (ep < 0) die("epoll_create1");
	watch(ep, lfd);
	for (;;) {
		static struct epoll_event events[EVENTS];
		int n = epoll_wait(ep, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == lfd)
				accept_all(ep, lfd);
			else
				serve(events[i].data.fd);
		}
	}
}
