/* memory: what a busy time has left in the loop's pools and the heap goes back to the kernel once little happens.
 *
 * The pools are what makes a busy loop cheap, so they stay as they are while it is busy. Quiet is few coroutines, not none: a worker
 * without work still wakes for its timers. It costs a comparison an iteration, reading one small file every TEND_MS of quiet, and
 * trimming, some milliseconds at most, only when memory has grown since the last time; what does not shrink is not tried again. */
#include "loop/internal.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#define TEND_MS      5000
#define QUIET_STARTS 500 /* coroutines in that time */
#define QUIET_STACKS 16  /* kept then */
#define GROWN        ((uint64_t)1 << 20)

uint64_t sf_memory_resident(void) {
	char text[128];
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	if (fd < 0) return 0;
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0) return 0;
	text[n] = '\0';
	char *second = strchr(text, ' ');
	return second ? strtoull(second, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

void sf_loop__tend(struct sf_loop *l) {
	bool quiet = l->tend_ms && l->started - l->tend_started < QUIET_STARTS; /* 0: the loop has just begun */
	l->tend_ms = sf_loop_now(l) + TEND_MS, l->tend_started = l->started;
	if (!quiet || sf_memory_resident() < l->tend_rss + GROWN) return;
	sf_loop__stacks_trim(l, QUIET_STACKS);
	sf_arena_trim();
	malloc_trim(0);
	l->tend_rss = sf_memory_resident();
}
