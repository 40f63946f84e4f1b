/* Text, memory and files. */
#include "sqlgen.h"

#include <dirent.h>
#include <stdarg.h>

void fail(const char *file, int line, const char *fmt, ...) {
	va_list ap;
	va_start(ap, fmt);
	fprintf(stderr, line ? "%s:%d: " : "%s: ", file, line);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

void *grow(void *p, size_t n) {
	p = realloc(p, n ? n : 1);
	if (!p) fail("sqlgen", 0, "out of memory");
	return p;
}

void add(struct buf *b, const char *p, size_t n) {
	if (b->n + n + 1 > b->cap) b->p = grow(b->p, b->cap = (b->cap + n) * 2 + 64);
	if (n) memcpy(b->p + b->n, p, n);
	b->p[b->n += n] = 0;
}

void put(struct buf *b, const char *fmt, ...) {
	va_list ap;
	char *s = NULL;
	va_start(ap, fmt);
	int n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0) fail("sqlgen", 0, "out of memory");
	add(b, s, (size_t)n);
	free(s);
}

struct str trim(struct str s) {
	while (s.n && isspace((unsigned char)*s.p)) s.p++, s.n--;
	while (s.n && isspace((unsigned char)s.p[s.n - 1])) s.n--;
	return s;
}
bool word_is(struct str s, const char *w) { /* ASCII case ignored */
	return s.n == strlen(w) && strncasecmp(s.p, w, s.n) == 0;
}
struct str word(struct str *s) { /* cuts the first word off */
	*s = trim(*s);
	struct str w = { s->p, 0 };
	while (w.n < s->n && !isspace((unsigned char)w.p[w.n])) w.n++;
	s->p += w.n, s->n -= w.n;
	return w;
}
char *dup(struct str s) {
	char *p = grow(NULL, s.n + 1);
	memcpy(p, s.p, s.n);
	p[s.n] = 0;
	return p;
}
bool name_ok(struct str s) {
	if (!s.n || !islower((unsigned char)s.p[0])) return false;
	for (size_t i = 0; i < s.n; i++)
		if (!islower((unsigned char)s.p[i]) && !isdigit((unsigned char)s.p[i]) && s.p[i] != '_') return false;
	return true;
}

bool directive(struct str line, const char *name, struct str *rest) {
	size_t n = strlen(name);
	if (line.n < n || strncmp(line.p, name, n) != 0) return false;
	*rest = trim((struct str) { line.p + n, line.n - n });
	return true;
}

bool slurp(const char *path, struct buf *out) {
	FILE *f = fopen(path, "rb");
	char chunk[8192];
	size_t n;
	if (!f) {
		if (errno == ENOENT) return false;
		fail(path, 0, "%s", strerror(errno));
	}
	while ((n = fread(chunk, 1, sizeof chunk, f)) > 0) add(out, chunk, n);
	if (ferror(f)) fail(path, 0, "%s", strerror(errno));
	fclose(f);
	if (out->n && memchr(out->p, 0, out->n)) fail(path, 0, "holds a NUL byte");
	return true;
}

static int by_name(const void *a, const void *b) {
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **list_sql(const char *dir, size_t *n) {
	char **names = NULL;
	DIR *d = opendir(dir);
	const struct dirent *e;
	*n = 0;
	while (d && (e = readdir(d))) {
		size_t len = strlen(e->d_name);
		if (e->d_name[0] == '.' || len < 5 || strcmp(e->d_name + len - 4, ".sql") != 0) continue;
		names = grow(names, (*n + 1) * sizeof *names);
		names[(*n)++] = dup((struct str) { e->d_name, len });
	}
	if (d) closedir(d);
	if (*n) qsort(names, *n, sizeof *names, by_name);
	return names;
}

void save(const char *dir, const char *name, const struct buf *b) {
	struct buf path = { 0 }, old = { 0 };
	put(&path, "%s/%s", dir, name);
	if (slurp(path.p, &old) && old.n == b->n && memcmp(old.p, b->p, b->n) == 0) return;
	FILE *f = fopen(path.p, "wb");
	if (!f || fwrite(b->p, 1, b->n, f) != b->n || fclose(f) != 0) fail(path.p, 0, "%s", strerror(errno));
}
