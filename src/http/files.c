/* Static files: a folder read into memory once, and found by path.
 *
 * Only what was read can be served: a request's path is looked up as a key and never touches the file system, so
 * there is no path to climb out by, and no file that appears later, nor a link, nor a dotfile, is reachable. */
#include "http/http.h"
#include "http/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/hash.h"
#include "core/log.h"

enum { DEPTH_MAX = 16 };

/* ---- reading -------------------------------------------------------------------------------- */

/* The whole of an open regular file. */
static int read_whole(int fd, size_t size, struct sf_str *out) {
	char *p = sf_try_realloc(NULL, size ? size : 1);
	size_t n = 0;
	if (!p) return SF_ENOMEM;
	while (n < size) {
		ssize_t got = read(fd, p + n, size - n);
		if (got < 0 && errno == EINTR) continue;
		if (got <= 0) break;
		n += (size_t)got;
	}
	if (n < size) {
		free(p);
		return SF_EIO;
	}
	*out = (struct sf_str) { p, n };
	return 0;
}

static struct sf_static__file *file_more(struct sf_static *s) {
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 64;
		s->files = sf_realloc(s->files, s->cap * sizeof(*s->files));
	}
	struct sf_static__file *f = &s->files[s->n++];
	*f = (struct sf_static__file) { 0 };
	return f;
}

static int load_folder(struct sf_static *s, int fd, const char *prefix, int depth);

static int load_entry(struct sf_static *s, int dir, const char *prefix, const char *name, int depth) {
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK), err = 0;
	struct stat st;
	char *path = NULL;
	if (fd < 0) return errno == ELOOP ? 0 : SF_EIO; /* links are not followed */
	if (fstat(fd, &st) < 0 || asprintf(&path, "%s/%s", prefix, name) < 0) {
		err = SF_EIO;
	} else if (S_ISDIR(st.st_mode)) {
		err = load_folder(s, fd, path, depth + 1);
		fd = -1;
	} else if (S_ISREG(st.st_mode)) {
		struct sf_str body;
		err = read_whole(fd, (size_t)st.st_size, &body);
		if (!err) {
			struct sf_static__file *f = file_more(s);
			f->path = sf_str(path), f->forms[SF_CODING_IDENTITY].body = body;
			path = NULL;
		}
	}
	if (err) sf_log(SF_ERROR, "cannot read a static file", SF_KV("prefix", prefix), SF_KV("name", name));
	free(path);
	if (fd >= 0) close(fd);
	return err;
}

/* Takes fd over. */
static int load_folder(struct sf_static *s, int fd, const char *prefix, int depth) {
	DIR *dir = depth <= DEPTH_MAX ? fdopendir(fd) : NULL;
	int err = 0;
	if (!dir) {
		close(fd);
		return SF_EIO;
	}
	for (struct dirent *e; !err && (e = readdir(dir));)
		if (e->d_name[0] != '.') err = load_entry(s, dirfd(dir), prefix, e->d_name, depth);
	closedir(dir);
	return err;
}

/* ---- what is known of a file ---------------------------------------------------------------- */

static struct sf_str type_of(struct sf_str path) {
	static const struct {
		const char *extension;
		struct sf_str type;
	} types[] = {
		{ "html", SF_STR("text/html; charset=utf-8") },
		{ "css", SF_STR("text/css; charset=utf-8") },
		{ "js", SF_STR("text/javascript; charset=utf-8") },
		{ "mjs", SF_STR("text/javascript; charset=utf-8") },
		{ "json", SF_STR("application/json") },
		{ "map", SF_STR("application/json") },
		{ "webmanifest", SF_STR("application/manifest+json") },
		{ "txt", SF_STR("text/plain; charset=utf-8") },
		{ "md", SF_STR("text/markdown; charset=utf-8") },
		{ "csv", SF_STR("text/csv; charset=utf-8") },
		{ "xml", SF_STR("application/xml") },
		{ "svg", SF_STR("image/svg+xml") },
		{ "png", SF_STR("image/png") },
		{ "jpg", SF_STR("image/jpeg") },
		{ "jpeg", SF_STR("image/jpeg") },
		{ "gif", SF_STR("image/gif") },
		{ "webp", SF_STR("image/webp") },
		{ "avif", SF_STR("image/avif") },
		{ "ico", SF_STR("image/x-icon") },
		{ "woff", SF_STR("font/woff") },
		{ "woff2", SF_STR("font/woff2") },
		{ "ttf", SF_STR("font/ttf") },
		{ "otf", SF_STR("font/otf") },
		{ "wasm", SF_STR("application/wasm") },
		{ "pdf", SF_STR("application/pdf") },
		{ "mp4", SF_STR("video/mp4") },
		{ "webm", SF_STR("video/webm") },
		{ "mp3", SF_STR("audio/mpeg") },
	};
	const char *dot = memrchr(path.p, '.', path.n);
	for (size_t i = 0; dot && i < SF_COUNT(types); i++)
		if (!strcasecmp(dot + 1, types[i].extension)) return types[i].type;
	return SF_STR("application/octet-stream");
}

/* app.3f9c0d21.js: some part of the name between dots is a hash of at least 8 hex digits. */
static bool hashed_name(struct sf_str path) {
	const char *slash = memrchr(path.p, '/', path.n);
	struct sf_str rest = { slash + 1, (size_t)(path.p + path.n - slash - 1) }, part;
	bool first = true;
	while (sf_str_cut(rest, '.', &part, &rest)) {
		size_t hex = 0;
		while (hex < part.n && strchr("0123456789abcdef", part.p[hex] | 32)) hex++;
		if (!first && part.n >= 8 && hex == part.n) return true;
		first = false;
	}
	return false;
}

static void describe(struct sf_static__file *f) {
	f->type = type_of(f->path);
	f->cache = hashed_name(f->path) ? SF_STR("public, max-age=31536000, immutable") : SF_STR("no-cache");
}

/* Each form's own bytes: two builds may compress the same text differently. */
static void make_etags(struct sf_static__file *f) {
	static const char *const ends[] = {
		[SF_CODING_IDENTITY] = "", [SF_CODING_GZIP] = "-gz", [SF_CODING_BR] = "-br"
	};
	for (size_t i = 0; i < SF_COUNT(ends); i++) {
		struct sf_static__form *form = &f->forms[i];
		if (!form->body.p) continue;
		uint64_t hash = sf_hash64_fixed(form->body.p, form->body.n);
		snprintf(form->etag, sizeof(form->etag), "\"%016llx%s\"", (unsigned long long)hash, ends[i]);
	}
}

/* ---- the table ------------------------------------------------------------------------------ */

static void table_build(struct sf_static *s) {
	s->nslots = 16;
	while (s->nslots < s->n * 2) s->nslots *= 2;
	s->slots = sf_calloc(s->nslots, sizeof(*s->slots));
	for (size_t i = 0; i < s->n; i++) {
		size_t at = sf_hash64(s->files[i].path.p, s->files[i].path.n) & (s->nslots - 1);
		while (s->slots[at]) at = (at + 1) & (s->nslots - 1);
		s->slots[at] = (uint32_t)i + 1;
	}
}

struct sf_static__file *sf_static__find(const struct sf_static *s, struct sf_str path) {
	size_t at = sf_hash64(path.p, path.n) & (s->nslots - 1);
	for (; s->slots[at]; at = (at + 1) & (s->nslots - 1)) {
		struct sf_static__file *f = &s->files[s->slots[at] - 1];
		if (sf_str_eq(f->path, path)) return f;
	}
	return NULL;
}

static bool ends_in(struct sf_str s, const char *end) {
	return s.n > 3 && memcmp(s.p + s.n - 3, end, 3) == 0;
}

/* x.js.br and x.js.gz become forms of x.js and are not served by their own names. */
static void neighbours(struct sf_static *s) {
	for (size_t i = 0; i < s->n; i++) {
		struct sf_static__file *f = &s->files[i];
		struct sf_str stem = f->path;
		if (!ends_in(stem, ".br") && !ends_in(stem, ".gz")) continue;
		stem.n -= 3;
		struct sf_static__file *of = sf_static__find(s, stem);
		if (!of) continue;
		f->form_only = true;
		struct sf_str body = f->forms[SF_CODING_IDENTITY].body;
		if (body.n >= of->forms[SF_CODING_IDENTITY].body.n) continue;
		of->forms[f->path.p[stem.n + 1] == 'b' ? SF_CODING_BR : SF_CODING_GZIP].body = body;
	}
}

/* Of a text that brings no form in gzip, it is made here, once, so that its ETag can be strong. */
static void make_gzip(struct sf_static__file *f) {
	enum { LEAST = 1024, MOST = 4 << 20 };
	struct sf_str plain = f->forms[SF_CODING_IDENTITY].body;
	if (f->form_only || f->forms[SF_CODING_GZIP].body.p || plain.n <= LEAST || plain.n > MOST) return;
	if (sf_http__compressible(f->type)) f->own_gz = sf_http__gzip_well(plain, &f->forms[SF_CODING_GZIP].body);
}

int sf_static_load(const char *folder, struct sf_static **out) {
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) return SF_ENOTFOUND;
	struct sf_static *s = sf_calloc(1, sizeof(*s));
	int err = load_folder(s, fd, "", 0);
	if (err) {
		sf_static_free(s);
		return err;
	}
	for (size_t i = 0; i < s->n; i++) describe(&s->files[i]);
	table_build(s);
	neighbours(s);
	for (size_t i = 0; i < s->n; i++) make_gzip(&s->files[i]), make_etags(&s->files[i]);
	*out = s;
	return 0;
}

void sf_static_free(struct sf_static *s) {
	if (!s) return;
	for (size_t i = 0; i < s->n; i++) {
		free((char *)s->files[i].path.p);
		free((char *)s->files[i].forms[SF_CODING_IDENTITY].body.p);
		if (s->files[i].own_gz) free((char *)s->files[i].forms[SF_CODING_GZIP].body.p);
	}
	free(s->files);
	free(s->slots);
	free(s);
}
