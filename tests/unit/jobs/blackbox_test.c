/* The pages that job workers keep for who finds them dead: theirs while they live, swept some time after they died. */
#include "jobs/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "scratch.h"
#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DAY_MS = 86400000 };
static char dir[64];

static int pages(void) {
	int n = 0;
	DIR *d = opendir(dir);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

/* A process with a page, which waits; -1 without. Its page is there when this returns. */
static pid_t worker(void) {
	int said[2];
	char c;
	assert_int_equal(pipe(said), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct sf_loop *l = sf_loop_new(NULL);
		if (!sf_jobs__box_new(l, dir, 4)) _exit(1);
		if (write(said[1], "x", 1) != 1) _exit(1);
		for (;;) pause();
	}
	assert_int_equal(read(said[0], &c, 1), 1);
	close(said[0]), close(said[1]);
	return pid;
}
static void killed(pid_t pid) {
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void goes_with_its_runner(void **state) {
	(void)state;
	struct sf_loop *l = sf_loop_new(NULL);
	struct sf_jobs__box *b = sf_jobs__box_new(l, dir, 4);
	assert_int_equal(pages(), 1);
	sf_jobs__box_sweep(dir, 0);
	assert_int_equal(pages(), 1); /* it lives */
	sf_jobs__box_free(l, b);
	assert_int_equal(pages(), 0);
	assert_int_equal(sf_loop_free(l), 0);
}

static void of_the_dead_is_swept(void **state) {
	(void)state;
	pid_t a = worker(), b = worker();
	assert_int_equal(pages(), 2);
	sf_jobs__box_sweep(dir, 0);
	assert_int_equal(pages(), 2); /* both live */
	killed(a);
	sf_jobs__box_sweep(dir, DAY_MS);
	assert_int_equal(pages(), 2); /* found dead now: somebody may still ask for it */
	sf_jobs__box_sweep(dir, DAY_MS);
	assert_int_equal(pages(), 2);
	sf_jobs__box_sweep(dir, 0);
	assert_int_equal(pages(), 1);
	killed(b);
	sf_jobs__box_sweep(dir, 0);
	assert_int_equal(pages(), 0);
}

static void others_files_stay(void **state) {
	(void)state;
	char path[128];
	snprintf(path, sizeof path, "%s/softfactory-jobs-short", dir);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs("not a page", f);
	fclose(f);
	sf_jobs__box_sweep(dir, 0);
	assert_int_equal(pages(), 1);
	assert_int_equal(unlink(path), 0);
	sf_jobs__box_sweep("/nowhere", 0);
}

static int set_up(void **state) {
	(void)state;
	return scratch_folder(dir, sizeof dir, "sf-pages") ? 0 : -1;
}
static int tear_down(void **state) {
	(void)state;
	return rmdir(dir);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_with_its_runner),
		cmocka_unit_test(of_the_dead_is_swept),
		cmocka_unit_test(others_files_stay),
	};
	return cmocka_run_group_tests_name("jobs/blackbox", tests, set_up, tear_down);
}
