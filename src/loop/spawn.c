/* spawn: finding the program's file and running it as a child that keeps chosen descriptors. */
#include "loop/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/log.h"

/* The path, not the file behind it: after an upgrade /proc/self/exe is the old, deleted file, and what is wanted is
 * the new one at the same place. Symbolic links stay, so that switching one is an upgrade too. */
char *sf_loop__resolve(const char *argv0) {
	char path[PATH_MAX];
	if (strchr(argv0, '/')) {
		if (argv0[0] == '/') return sf_strdup(argv0);
		char cwd[PATH_MAX / 2];
		if (!getcwd(cwd, sizeof cwd)) return sf_strdup(argv0);
		snprintf(path, sizeof path, "%s/%.*s", cwd, (int)(sizeof path - sizeof cwd - 2), argv0);
		return sf_strdup(path);
	}
	struct sf_str dir, rest = sf_str(getenv("PATH"));
	while (rest.n) {
		sf_str_cut(rest, ':', &dir, &rest);
		snprintf(path, sizeof path, SF_PRI "/%s", SF_ARG(dir), argv0);
		if (dir.n && access(path, X_OK) == 0) return sf_strdup(path);
	}
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	if (n <= 0) return sf_strdup(argv0);
	path[n] = '\0';
	return sf_strdup(path);
}

void sf_loop__cloexec(int fd, bool on) {
	int flags = fcntl(fd, F_GETFD);
	if (flags >= 0) (void)fcntl(fd, F_SETFD, on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC);
}

/* In the child: no handler of ours may run here, for it would speak to the parent's loop. */
__attribute__((noreturn)) static void child(const char *path, char **argv, const struct sf_loop__var *vars,
											const int *fds, int nicer) {
	for (int sig = 1; sig < NSIG; sig++)
		if (sig != SIGKILL && sig != SIGSTOP) signal(sig, SIG_DFL);
	signal(SIGINT, SIG_IGN); /* a terminal's Ctrl-C goes to the whole group; the supervisor decides */
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	for (; vars->name; vars++) {
		char text[24];
		snprintf(text, sizeof text, "%lld", (long long)vars->value);
		if (setenv(vars->name, text, 1) != 0) _exit(127);
	}
	for (; *fds >= 0; fds++) sf_loop__cloexec(*fds, false);
	if (nicer) (void)!nice(nicer); /* nobody is refused to ask for less */
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(path, argv);
	_exit(127);
}

int sf_loop__spawn(const char *path, char **argv, const struct sf_loop__var *vars, const int *fds,
				   int nicer) {
	sigset_t all, before;
	sigfillset(&all);
	sf_log_flush(); /* or the child would hold a copy of the lines */
	sigprocmask(SIG_SETMASK, &all, &before);
	pid_t pid = fork();
	if (pid == 0) child(path, argv, vars, fds, nicer);
	int err = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid > 0) return pid;
	sf_log(SF_ERROR, "cannot start a process", SF_KV("error", (const char *)strerror(err)));
	return SF_EOVERLOAD;
}
