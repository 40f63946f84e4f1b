/* shm: named areas, private to a process at first and shared with forked ones once opened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop/loop.h"

static void same_name_same_memory(void **state) {
	(void)state;
	int fd = -1;
	assert_int_equal(sf_shm_open(-1, 8 * 1024 * 1024, &fd), 0);
	assert_true(fd >= 0);
	unsigned char *a = sf_shm_area("test.a", 100), *b = sf_shm_area("test.b", 100);
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(a, sf_shm_area("test.a", 100));
	assert_ptr_not_equal(a, sf_shm_area("test.a", 200)); /* another layout is another area */
	assert_int_equal((uintptr_t)a % 64, 0);
	assert_int_equal((uintptr_t)b % 64, 0);
	for (int i = 0; i < 100; i++) assert_int_equal(a[i], 0);
}

struct seen {
	int n;
	size_t bytes;
};
static void see(const char *name, void *p, size_t n, void *arg) {
	struct seen *s = arg;
	assert_non_null(p);
	assert_int_equal(strncmp(name, "walk.", 5), 0);
	s->n++, s->bytes += n;
}

static void walks_by_prefix(void **state) {
	(void)state;
	sf_shm_area("walk.0", 10);
	sf_shm_area("walk.1", 20);
	sf_shm_area("talk.1", 20);
	struct seen s = { 0 };
	sf_shm_each("walk.", see, &s);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.bytes, 30);
}

static void shared_between_processes(void **state) {
	(void)state;
	enum { CHILDREN = 4, AREAS = 20, ADDS = 500 };
	pid_t pid[CHILDREN];
	for (int c = 0; c < CHILDREN; c++) {
		pid[c] = fork();
		assert_true(pid[c] >= 0);
		if (pid[c]) continue;
		for (int k = 0; k < AREAS; k++) { /* all make the same areas at once */
			char name[32];
			snprintf(name, sizeof name, "race.%d", k);
			_Atomic int *n = sf_shm_area(name, 64);
			for (int i = 0; i < ADDS; i++) (*n)++;
		}
		_exit(0);
	}
	for (int c = 0; c < CHILDREN; c++) {
		int status = 1;
		assert_int_equal(waitpid(pid[c], &status, 0), pid[c]);
		assert_int_equal(status, 0);
	}
	for (int k = 0; k < AREAS; k++) {
		char name[32];
		snprintf(name, sizeof name, "race.%d", k);
		assert_int_equal(*(_Atomic int *)sf_shm_area(name, 64), CHILDREN * ADDS);
	}
}

static void wrong_descriptor(void **state) {
	(void)state;
	char path[] = "/tmp/sf-shm-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	unlink(path);
	int out = -7;
	assert_int_equal(sf_shm_open(fd, 0, &out), SF_EINVAL);
	assert_int_equal(out, -7);
	close(fd);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_name_same_memory),
		cmocka_unit_test(walks_by_prefix),
		cmocka_unit_test(shared_between_processes),
		cmocka_unit_test(wrong_descriptor),
	};
	return cmocka_run_group_tests_name("loop/shm", tests, NULL, NULL);
}
