/* blackbox: what a worker process writes down as it goes, for whoever finds it dead.
 *
 * A worker takes other jobs down with it when it dies, up to hundreds that it holds and a few that it runs. Which of them
 * was it? The database cannot know, short of a write for each job that begins. So the process notes it in a page of memory that
 * outlives it, a file in JOB_CRASH_DIR (/dev/shm): the jobs whose handlers have begun, the one whose code the loop is executing at this
 * moment, and the fatal signal if there was one. That costs a few stores a job. From it follows what is to blame:
 *
 *  1. It died in the midst of a job's code, by whatever means (a fault, exit, the kernel for want of memory), or its lease
 *     has lapsed while it is there and does not move: that job.
 *  2. It died of a fault elsewhere (a library's callback, a thread of the pool): the job that had begun, if it was only one.
 *     Of several nobody knows, so each is suspected, once.
 *  3. It died without either: it was killed from outside while it waited for something. No job.
 *
 * What is to blame or suspected runs alone from then on, so that 2. becomes certain the next time. Jobs that had not begun are
 * never to blame. An outside kill that strikes in the very moment in which a job's code is executed is counted against it;
 * three times for one job is left to those who retry dead jobs.
 *
 * The page can be read by the same user on the same host only. Without it (the host is gone, or the whole container) every
 * job that the worker held may have been it.
 *
 * Whoever takes the last row of a dead process away removes its page. A page to which no row leads any more (the database was
 * dropped, or the rescuer was on another host) is removed by a worker that starts a day after one has first found it so:
 * its owner holds a lock on the file for as long as it lives, in whatever container. */
#include "jobs/internal.h"

#include "core/hash.h"
#include "core/log.h"
#include "core/time.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX    "softfactory-jobs-"
#define MAGIC     0x6a626232u /* another layout has another number */
#define TOKEN     32          /* hexadecimal digits */
#define ALT_STACK 65536       /* for faults of a stack that is full */
#define KEEP_MS   86400000    /* pages of the dead, for those who rescue their jobs */

struct slot {
	volatile int64_t worker, job; /* worker 0: free */
	volatile uint32_t src;
};
struct page {
	uint32_t magic, nslot;
	char name[192];       /* the process, as sf_jobs__process_name has it */
	_Atomic int32_t rows; /* in job_workers, of all databases */
	volatile uint32_t current;
	volatile int32_t signal;
	volatile uint32_t
		elsewhere; /* the signal came in a thread that is not the loop's, which goes on meanwhile */
	volatile int64_t dead_us; /* since when nobody is known to live in it; 0: somebody does */
	struct slot slot[];
};
struct sf_jobs__box { /* lifetime: the runner */
	struct sf_jobs__box *next;
	struct page *page;
	const char *dir;
	size_t bytes;
	int fd;                /* locked */
	char token[TOKEN + 1]; /* empty: the page is private memory, nobody will find it */
	uint32_t nfree, *free;
};

/* ---- the process, seen from outside --------------------------------------------------------------------------- */

static void read_word(const char *path, char *out, size_t n) {
	FILE *f = fopen(path, "re");
	if (!f || !fgets(out, (int)n, f)) snprintf(out, n, "?");
	if (f) fclose(f);
	out[strcspn(out, "\n")] = 0;
}

/* When the process started, in ticks since boot; 0: there is none (or it is a zombie). */
static unsigned long long started(long pid) {
	char path[64], text[1024];
	unsigned long long at = 0;
	char state = 0;
	snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	FILE *f = fopen(path, "re");
	if (!f) return 0;
	size_t n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[n] = 0;
	const char *p = strrchr(text, ')'); /* the name may hold anything */
	if (!p ||
		sscanf(p + 1, " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
			   &state, &at) != 2)
		return 0;
	return state == 'Z' || state == 'X' ? 0 : at;
}

/* The part of a name that processes who can see each other share. */
static void host_name(char out[128]) {
	char boot[64], ns[64] = "?";
	read_word("/proc/sys/kernel/random/boot_id", boot, sizeof boot);
	ssize_t n = readlink("/proc/self/ns/pid", ns, sizeof ns - 1);
	if (n > 0) ns[n] = 0;
	snprintf(out, 128, "%.48s %.48s ", boot, ns);
}

static void process_name(char out[192]) {
	char host[128];
	host_name(host);
	snprintf(out, 192, "%s%ld %llu", host, (long)getpid(), started((long)getpid()));
}

bool sf_jobs__process_gone(struct sf_str name) {
	char host[128], text[256];
	long pid;
	unsigned long long at;
	host_name(host);
	size_t n = strlen(host);
	if (name.n <= n || name.n >= sizeof text || memcmp(name.p, host, n) != 0 || strchr(host, '?'))
		return false;
	memcpy(text, name.p + n, name.n - n);
	text[name.n - n] = 0;
	return sscanf(text, "%ld %llu", &pid, &at) == 2 && at && started(pid) != at;
}

/* ---- fatal signals ---------------------------------------------------------------------------------------------- */

static const int fatal[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP };

static struct {
	struct sf_jobs__box *boxes;
	struct sigaction old[SF_COUNT(fatal)];
	bool caught;
	pid_t pid; /* whose these are: a forked child has none */
} process;

/* Notes the signal and lets it do what it would have done: a fault happens again on return, one that was raised is raised. */
static void on_fatal(int number, siginfo_t *info, void *context) {
	bool outside = info->si_code == SI_USER && info->si_pid != getpid();
	(void)context;
	if (process.pid == getpid() && !outside)
		for (struct sf_jobs__box *b = process.boxes; b; b = b->next)
			b->page->elsewhere = sf_loop_self() == NULL, b->page->signal = number;
	for (size_t i = 0; i < SF_COUNT(fatal); i++)
		if (fatal[i] == number) sigaction(number, &process.old[i], NULL);
	if (info->si_code <= 0) raise(number);
}

static void catch_fatal(void) {
	stack_t alt = { 0 };
	struct sigaction a = { .sa_sigaction = on_fatal, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	if (process.caught) return;
	process.caught = true;
	sigemptyset(&a.sa_mask);
	if (sigaltstack(NULL, &alt) == 0 && (alt.ss_flags & SS_DISABLE)) {
		static char stack[ALT_STACK];
		sigaltstack(&(stack_t) { .ss_sp = stack, .ss_size = sizeof stack }, NULL);
	}
	for (size_t i = 0; i < SF_COUNT(fatal); i++) sigaction(fatal[i], &a, &process.old[i]);
}

/* ---- our own ------------------------------------------------------------------------------------------------------ */

static void path_of(char out[PATH_MAX], const char *dir, const char *token) {
	snprintf(out, PATH_MAX, "%s/" PREFIX "%.*s", dir, TOKEN, token);
}

/* Memory that others can find by its token, or none. */
static struct page *page_new(struct sf_jobs__box *b) {
	unsigned char random[TOKEN / 2];
	char path[PATH_MAX];
	sf_random(random, sizeof random);
	sf_hex(random, sizeof random, b->token);
	path_of(path, b->dir, b->token);
	b->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	void *p = MAP_FAILED;
	if (b->fd >= 0 && flock(b->fd, LOCK_EX | LOCK_NB) == 0 &&
		posix_fallocate(b->fd, 0, (off_t)b->bytes) == 0) /* a full /dev/shm shows here, not as SIGBUS */
		p = mmap(NULL, b->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, 0);
	if (p != MAP_FAILED) return p;
	if (b->fd >= 0) unlink(path), close(b->fd);
	return NULL;
}

struct sf_jobs__box *sf_jobs__box_new(struct sf_loop *l, const char *dir, int concurrency) {
	struct sf_jobs__box *b = sf_calloc(1, sizeof *b);
	uint32_t n = (uint32_t)concurrency;
	b->bytes = sizeof *b->page + n * sizeof *b->page->slot;
	b->dir = dir;
	sf_jobs__box_sweep(dir, KEEP_MS);
	b->page = page_new(b);
	if (!b->page) {
		sf_log(SF_WARN, "nothing will tell of a crash: all jobs of a dead worker are suspected",
			   SF_KV("folder", dir), SF_KV("error", (const char *)strerror(errno)));
		b->token[0] = 0;
		b->page = sf_calloc(1, b->bytes);
	}
	b->page->magic = MAGIC, b->page->nslot = n;
	process_name(b->page->name);
	b->free = sf_calloc(n, sizeof *b->free);
	while (b->nfree < n) b->free[b->nfree] = n - 1 - b->nfree, b->nfree++;
	catch_fatal();
	if (process.pid != getpid()) process.pid = getpid(), process.boxes = NULL;
	b->next = process.boxes, process.boxes = b;
	sf_loop_watch(l, &b->page->current);
	return b;
}

void sf_jobs__box_free(struct sf_loop *l, struct sf_jobs__box *b) {
	char path[PATH_MAX];
	if (!b) return;
	sf_loop_watch(l, NULL);
	for (struct sf_jobs__box **at = &process.boxes; *at; at = &(*at)->next)
		if (*at == b) {
			*at = b->next;
			break;
		}
	path_of(path, b->dir, b->token);
	if (b->token[0]) {
		munmap(b->page, b->bytes);
		unlink(path);
		close(b->fd);
	} else {
		free(b->page);
	}
	free(b->free);
	free(b);
}

void sf_jobs__box_name(const struct sf_jobs__box *b, size_t src, char out[256]) {
	snprintf(out, 256, "%s %s.%zu", b->page->name, b->token, src);
}

void sf_jobs__box_row(struct sf_jobs__box *b) {
	atomic_fetch_add(&b->page->rows, 1);
}

uint32_t sf_jobs__box_begin(struct sf_jobs__box *b, size_t src, int64_t worker, int64_t job) {
	SF_BUG_ON(!b->nfree);
	uint32_t i = b->free[--b->nfree];
	struct slot *s = &b->page->slot[i];
	s->src = (uint32_t)src, s->job = job, s->worker = worker;
	return i + 1;
}

void sf_jobs__box_end(struct sf_jobs__box *b, uint32_t mark) {
	b->page->slot[mark - 1].worker = 0;
	b->free[b->nfree++] = mark - 1;
}

/* ---- others' -------------------------------------------------------------------------------------------------------- */

/* The page in an open file, NULL: there is none that could be trusted. *bytes to unmap. */
static struct page *page_map(int fd, size_t *bytes) {
	struct stat st;
	struct page *p = MAP_FAILED;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
		(size_t)st.st_size >= sizeof *p) {
		*bytes = (size_t)st.st_size;
		p = mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	}
	if (p == MAP_FAILED) return NULL;
	if (p->magic == MAGIC && p->nslot <= (*bytes - sizeof *p) / sizeof *p->slot &&
		memchr(p->name, 0, sizeof p->name))
		return p;
	munmap(p, *bytes);
	return NULL;
}

/* The page that a row's name leads to. path and *src are set if there is one. */
static struct page *page_find(const struct sf_jobs__box *b, struct sf_str name, char path[PATH_MAX],
							  unsigned *src, size_t *bytes) {
	char text[256], host[128], token[TOKEN + 1];
	host_name(host);
	if (name.n >= sizeof text || strchr(host, '?')) return NULL;
	memcpy(text, name.p, name.n), text[name.n] = 0;
	const char *at = strrchr(text, ' ');
	if (strncmp(text, host, strlen(host)) != 0 || !at || sscanf(at, " %32[0-9a-f].%u", token, src) != 2 ||
		strlen(token) != TOKEN)
		return NULL;
	path_of(path, b->dir, token);
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct page *p = fd < 0 ? NULL : page_map(fd, bytes);
	if (fd >= 0) close(fd);
	return p;
}

void sf_jobs__box_look(const struct sf_jobs__box *b, struct sf_str name, int64_t worker, struct sf_arena *a,
					   struct sf_jobs__death *out) {
	char path[PATH_MAX];
	unsigned src;
	size_t bytes, blamed = 0;
	const struct page *p = page_find(b, name, path, &src, &bytes);
	*out = (struct sf_jobs__death) { .known = p != NULL };
	if (!p) return;
	uint32_t current = p->signal && p->elsewhere ? 0 : p->current;
	out->signal = p->signal;
	out->ids = sf_arena_alloc(a, (p->nslot + 1) * sizeof *out->ids);
	for (uint32_t i = 0; i < p->nslot; i++) {
		const struct slot *s = &p->slot[i];
		bool to_blame = current ? i + 1 == current : p->signal != 0;
		if (!to_blame || !s->worker) continue;
		blamed++;
		if (s->worker == worker && s->src == src) out->ids[out->n++] = s->job;
	}
	out->certain = blamed == 1;
	munmap((void *)p, bytes);
}

void sf_jobs__box_done(const struct sf_jobs__box *b, struct sf_str name, bool gone) {
	char path[PATH_MAX];
	unsigned src;
	size_t bytes;
	struct page *p = page_find(b, name, path, &src, &bytes);
	if (!p) return;
	if (atomic_fetch_sub(&p->rows, 1) <= 1 && gone) unlink(path);
	munmap(p, bytes);
}

/* One page of the folder at fd: nothing, or since when its process is dead, or its end. */
static void sweep_one(int dir, const char *name, int64_t keep_ms) {
	size_t bytes;
	int fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct page *p = fd < 0 ? NULL : page_map(fd, &bytes);
	int64_t now = sf_time_now();
	if (p && flock(fd, LOCK_EX | LOCK_NB) != 0)
		p->dead_us = 0;
	else if (p && !p->dead_us)
		p->dead_us = now;
	if (p && p->dead_us && now - p->dead_us >= keep_ms * 1000) unlinkat(dir, name, 0);
	if (p) munmap(p, bytes);
	if (fd >= 0) close(fd);
}

void sf_jobs__box_sweep(const char *path, int64_t keep_ms) {
	DIR *d = opendir(path);
	if (!d) return;
	for (struct dirent *e; (e = readdir(d));)
		if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) == 0) sweep_one(dirfd(d), e->d_name, keep_ms);
	closedir(d);
}
