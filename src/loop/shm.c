/* shm: named areas in memory that all workers of a host share.
 *
 * One memfd, mapped by the supervisor and inherited by every worker, also over a re-exec of the supervisor, so that
 * counters, limits and revocations outlive any process. It starts with a header and a directory; areas are cut off the
 * end and never given back. An area is found by name and size: a new binary whose struct has grown gets an area
 * of its own while old workers still use theirs.
 *
 * The directory is guarded by a robust process-shared mutex: a worker killed inside leaves it
 * consistent, because an entry counts only once it is complete. */
#include "loop/internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"

#define SHM_MAGIC    UINT64_C(0x53464d454d303031) /* "SFMEM001": raise with the layout below */
#define SHM_AREAS    512
#define SHM_PRIVATE  ((size_t)64 * 1024 * 1024)
#define SHM_NAME_MAX 48
#define SHM_ALIGN    64

struct area {
	char name[SHM_NAME_MAX];
	uint64_t at, size;
};
struct header {
	uint64_t magic, size, used;
	pthread_mutex_t lock;
	_Atomic uint32_t n;
	struct area areas[SHM_AREAS];
};

static struct {
	struct header *h; /* NULL until the first use */
	pthread_mutex_t making;
} shm = { .making = PTHREAD_MUTEX_INITIALIZER };

static size_t align_up(size_t n) {
	return (n + SHM_ALIGN - 1) & ~(size_t)(SHM_ALIGN - 1);
}

static void header_init(struct header *h, size_t size) {
	pthread_mutexattr_t attr;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&h->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	h->size = size;
	h->used = align_up(sizeof *h);
	h->magic = SHM_MAGIC;
}

static void lock(struct header *h) {
	int err = pthread_mutex_lock(&h->lock);
	if (err == EOWNERDEAD) err = pthread_mutex_consistent(&h->lock);
	SF_BUG_ON(err != 0);
}

int sf_shm_open(int fd, size_t size, int *fd_out) {
	bool fresh = fd < 0;
	if (fresh) {
		fd = memfd_create("softfactory", 0); /* no close-on-exec: workers inherit it */
		if (fd < 0 || ftruncate(fd, (off_t)size) != 0) goto fail;
	} else {
		struct stat st;
		if (fstat(fd, &st) != 0 || (size_t)st.st_size < sizeof(struct header)) return SF_EINVAL;
		size = (size_t)st.st_size;
	}
	SF_BUG_ON(size < align_up(sizeof(struct header)) + SHM_ALIGN);
	struct header *h = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (h == MAP_FAILED) goto fail;
	if (fresh) {
		header_init(h, size);
	} else if (h->magic != SHM_MAGIC || h->size != size) {
		munmap(h, size);
		return SF_EINVAL;
	}
	pthread_mutex_lock(&shm.making);
	SF_BUG_ON(shm.h != NULL); /* areas handed out before would be another memory */
	shm.h = h;
	pthread_mutex_unlock(&shm.making);
	if (fd_out) *fd_out = fd;
	return 0;
fail:
	sf_log(SF_ERROR, "shared memory cannot be made", SF_KV("error", (const char *)strerror(errno)));
	if (fresh && fd >= 0) close(fd);
	return SF_ENOMEM;
}

static struct header *header(void) {
	pthread_mutex_lock(&shm.making);
	if (!shm.h) {
		void *p = mmap(NULL, SHM_PRIVATE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
					   -1, 0);
		SF_BUG_ON(p == MAP_FAILED);
		header_init(p, SHM_PRIVATE);
		shm.h = p;
	}
	struct header *h = shm.h;
	pthread_mutex_unlock(&shm.making);
	return h;
}

void *sf_shm_area(const char *name, size_t size) {
	SF_BUG_ON(strlen(name) >= SHM_NAME_MAX || size == 0);
	struct header *h = header();
	struct area *found = NULL;
	lock(h);
	uint32_t n = atomic_load(&h->n);
	for (uint32_t i = 0; i < n && !found; i++)
		if (h->areas[i].size == size && strcmp(h->areas[i].name, name) == 0) found = &h->areas[i];
	if (!found) {
		if (n == SHM_AREAS || h->size - h->used < align_up(size)) {
			sf_log(SF_ERROR, "shared memory is full", SF_KV("area", name), SF_KV("size", size));
			SF_BUG_ON("shared memory is full");
		}
		found = &h->areas[n];
		memset(found, 0, sizeof *found);
		memcpy(found->name, name, strlen(name));
		found->at = h->used, found->size = size;
		h->used += align_up(size);
		atomic_store(&h->n, n + 1);
	}
	void *p = (char *)h + found->at;
	pthread_mutex_unlock(&h->lock);
	return p;
}

void sf_shm_each(const char *prefix, void (*fn)(const char *name, void *p, size_t n, void *arg), void *arg) {
	struct header *h = header();
	uint32_t n = atomic_load(&h->n); /* entries below n never change */
	size_t len = strlen(prefix);
	for (uint32_t i = 0; i < n; i++)
		if (strncmp(h->areas[i].name, prefix, len) == 0)
			fn(h->areas[i].name, (char *)h + h->areas[i].at, h->areas[i].size, arg);
}
