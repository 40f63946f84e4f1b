/* Forked processes of unit tests. */
#ifndef TESTS_UNIT_CHILD_H
#define TESTS_UNIT_CHILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* fork() for a child that runs assertions: one that does not hold ends it by SIGABRT. By itself cmocka would return to its list of
 * tests, and the child would run the rest of them a second time: its parent kills it in the midst of one, whose folder stays behind.
 * The child dies with its parent. */
static inline pid_t fork_child(void) {
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setrlimit(RLIMIT_CORE, &(struct rlimit) { 0, 0 });
		setenv("CMOCKA_TEST_ABORT", "1", 1);
	}
	return pid;
}

#endif
