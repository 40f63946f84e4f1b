/* instances: which supervisors run on this machine, found by the shared memory that they and their workers have open.
 *
 * That memory has no name in any folder (shm.c); but /proc shows to the same user, and to root, what a process has open, and opens
 * it again. So a tool can look on while no server needs to answer it. */
#include "loop/internal.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char link_text[] = "/memfd:softfactory (deleted)";

struct seen { /* a process that has one open */
	int pid, parent;
	ino_t memory;
	char path[64];
};
struct list {
	struct seen *at;
	size_t n, cap;
};

static int parent_of(int pid) {
	char path[32], text[512];
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC), parent = 0;
	if (fd < 0) return 0;
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0) return 0;
	text[n] = '\0';
	const char *after = strrchr(text, ')'); /* the name before it may hold anything */
	return after && sscanf(after, ") %*c %d", &parent) == 1 ? parent : 0;
}

static void look_into(struct list *l, int pid) {
	char dir[32], path[64], text[sizeof link_text + 1];
	struct dirent *e;
	struct stat st;
	snprintf(dir, sizeof dir, "/proc/%d/fd", pid);
	DIR *d = opendir(dir);
	if (!d) return; /* another user's, or over */
	while ((e = readdir(d))) {
		if (!isdigit((unsigned char)e->d_name[0])) continue;
		snprintf(path, sizeof path, "%s/%.20s", dir, e->d_name);
		ssize_t n = readlink(path, text, sizeof text);
		if (n != sizeof link_text - 1 || memcmp(text, link_text, (size_t)n) != 0 || stat(path, &st) != 0)
			continue;
		if (l->n == l->cap) l->at = sf_realloc(l->at, (l->cap = l->cap * 2 + 16) * sizeof *l->at);
		struct seen *s = &l->at[l->n++];
		s->pid = pid, s->parent = parent_of(pid), s->memory = st.st_ino;
		snprintf(s->path, sizeof s->path, "%s", path);
		break;
	}
	closedir(d);
}

/* The workers of a supervisor, and their threads' children, have a parent with the same memory. */
static bool is_child(const struct list *l, const struct seen *s) {
	for (size_t i = 0; i < l->n; i++)
		if (l->at[i].pid == s->parent && l->at[i].memory == s->memory) return true;
	return false;
}

static int by_pid(const void *a, const void *b) {
	return ((const struct seen *)a)->pid - ((const struct seen *)b)->pid;
}

size_t sf_instances(struct sf_instance *out, size_t n) {
	struct list l = { 0 };
	size_t found = 0;
	struct dirent *e;
	DIR *d = opendir("/proc");
	if (!d) return 0;
	while ((e = readdir(d)))
		if (isdigit((unsigned char)e->d_name[0])) look_into(&l, atoi(e->d_name));
	closedir(d);
	if (l.n) qsort(l.at, l.n, sizeof *l.at, by_pid);
	for (size_t i = 0; i < l.n; i++) {
		if (is_child(&l, &l.at[i])) continue;
		if (found < n) {
			out[found].pid = l.at[i].pid;
			snprintf(out[found].memory, sizeof out[found].memory, "%s", l.at[i].path);
		}
		found++;
	}
	free(l.at);
	return found;
}

int sf_instance_join(const struct sf_instance *i) {
	int fd = open(i->memory, O_RDWR | O_CLOEXEC);
	if (fd < 0) return SF_EUNAVAILABLE;
	int err = sf_shm_open(fd, 0, NULL);
	close(fd); /* the mapping stays */
	return err;
}
