/* task: runs one piece of straight-line work on a loop of its own, for commands that are no server. */
#include "cli/internal.h"

#include "core/log.h"
#include "loop/loop.h"

struct task {
	int (*fn)(void *arg);
	void *arg;
	int code;
};

static void closed(void *arg) {
	(void)arg;
}

static void body(void *arg) {
	struct task *t = arg;
	t->code = t->fn(t->arg);
	cli_databases_close(closed, NULL);
}

int cli_task(int (*fn)(void *arg), void *arg) {
	struct sf_loop *l = sf_loop_new(NULL);
	struct task t = { fn, arg, 1 };
	if (cli_databases_open(l) == 0 && sf_co_start(l, body, &t, NULL) == 0) sf_loop_run(l);
	if (sf_loop_free(l) != 0) sf_log(SF_WARN, "something was left open");
	return t.code;
}
