/* listen: the listening sockets of a server, one a worker slot on the same port.
 *
 * With SO_REUSEPORT the kernel spreads connections over the sockets, so workers need not compete for one
 * queue. It would also let a second server of the same user share the port unnoticed, so a plain bind is tried
 * first: it fails while anybody listens there. */
#include "loop/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/log.h"

#define BACKLOG    4096 /* the kernel lowers it to net.core.somaxconn */
#define BUSY_TRIES 20   /* × 100 ms: workers of a killed supervisor may still be closing their sockets */

static int address(const char *host, int port, struct sockaddr_storage *out, socklen_t *len) {
	memset(out, 0, sizeof *out);
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	if (!host || !*host) host = "0.0.0.0";
	if (strcmp(host, "localhost") == 0) host = "127.0.0.1";
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET, v4->sin_port = htons((uint16_t)port), *len = sizeof *v4;
		return 0;
	}
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6, v6->sin6_port = htons((uint16_t)port), *len = sizeof *v6;
		return 0;
	}
	return SF_EINVAL;
}

static int bound_port(int fd) {
	struct sockaddr_storage a = { 0 };
	socklen_t len = sizeof a;
	if (getsockname(fd, (struct sockaddr *)&a, &len) != 0) return 0;
	return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port
										 : ((struct sockaddr_in *)&a)->sin_port);
}

/* A bound socket, or -1 with errno. */
static int bind_one(const struct sockaddr_storage *a, socklen_t len, bool reuse) {
	int one = 1, zero = 0;
	int fd = socket(a->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (reuse) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
	if (a->ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
	if (bind(fd, (const struct sockaddr *)a, len) == 0) return fd;
	int err = errno;
	close(fd);
	errno = err;
	return -1;
}

/* Nobody else listens there. Waits a little for one that is about to leave. */
static int port_is_free(const struct sockaddr_storage *a, socklen_t len) {
	for (int i = 0;; i++) {
		int fd = bind_one(a, len, false);
		if (fd >= 0) {
			close(fd);
			return 0;
		}
		if (errno != EADDRINUSE || i == BUSY_TRIES) return -1;
		usleep(100 * 1000);
	}
}

int sf_loop__listen(const char *host, int *port, int n, int *fds, bool shared) {
	struct sockaddr_storage a = { 0 };
	socklen_t len = 0;
	int made = 0, found = *port;
	if (address(host, found, &a, &len) != 0) {
		sf_log(SF_ERROR, "not an address to listen on", SF_KV("listen", host),
			   SF_KV("hint", "an IPv4 or IPv6 address, such as 0.0.0.0, 127.0.0.1 or ::"));
		return SF_EINVAL;
	}
	if (!shared && found != 0 && port_is_free(&a, len) != 0) goto fail;
	for (; made < n; made++) {
		if (address(host, found, &a, &len) != 0) goto fail;
		fds[made] = bind_one(&a, len, true);
		if (fds[made] < 0) goto fail;
		if (found == 0) found = bound_port(fds[made]);
		if (listen(fds[made], BACKLOG) != 0) {
			made++;
			goto fail;
		}
	}
	*port = found;
	return 0;
fail:
	sf_log(SF_ERROR,
		   errno == EADDRINUSE ? "the port is in use by another program" : "cannot listen on the address",
		   SF_KV("listen", host), SF_KV("port", found), SF_KV("error", (const char *)strerror(errno)));
	while (made > 0) close(fds[--made]);
	return SF_EIO;
}

void sf_loop__relisten(int fd) {
	if (listen(fd, BACKLOG) != 0)
		sf_log(SF_ERROR, "a socket takes no connections any more",
			   SF_KV("error", (const char *)strerror(errno)));
}
