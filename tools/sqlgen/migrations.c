/* Migrations: the files of a folder by number, in sections for each engine. */
#include "sqlgen.h"

static void parse_migration(struct migration *m) {
	struct buf text = { 0 };
	if (!slurp(m->file, &text)) fail(m->file, 0, "%s", strerror(errno));
	const char *end = text.p + text.n, *start = text.p;
	int line = 0, start_line = 1, section = 0; /* section: 0 all, 1 pg, 2 sqlite */
	for (const char *p = text.p, *nl; p <= end && text.n; p = nl) {
		struct str rest;
		nl = p < end ? memchr(p, '\n', (size_t)(end - p)) : end;
		nl = p == end ? end + 1 : nl ? nl + 1 : end;
		struct str l = { p, p < end ? (size_t)(nl - p) : 0 };
		int next = directive(l, "-- all:", &rest)      ? 0
				   : directive(l, "-- pg:", &rest)     ? 1
				   : directive(l, "-- sqlite:", &rest) ? 2
													   : -1;
		line++;
		if (next < 0 && p < end) continue;
		if (next >= 0 && rest.n) fail(m->file, line, "the SQL of a section starts on the next line");
		struct toks t = tokenize(m->file, (struct str) { start, (size_t)(p - start) }, start_line);
		for (enum dialect d = PG; d <= LITE; d++) {
			if (section && section != (int)d + 1) continue;
			if (m->sql[d].n) add(&m->sql[d], " ", 1);
			emit(m->file, &t, d, !section, NULL, &m->sql[d]);
		}
		start = nl, start_line = line + 1, section = next;
	}
	if (!m->sql[PG].n && !m->sql[LITE].n) fail(m->file, 0, "holds no SQL");
}

struct migration *read_migrations(const char *dir, size_t *n) {
	char **names = list_sql(dir, n);
	struct migration *all = grow(NULL, *n * sizeof *all);
	for (size_t i = 0; i < *n; i++) {
		size_t len = strlen(names[i]);
		struct buf path = { 0 };
		put(&path, "%s/%s", dir, names[i]);
		if (len < 10 || strspn(names[i], "0123456789") != 4 || names[i][4] != '_' ||
			!name_ok((struct str) { names[i] + 5, len - 9 }))
			fail(path.p, 0, "a migration is called NNNN_name.sql");
		all[i] =
			(struct migration) { atoi(names[i]), dup((struct str) { names[i], len - 4 }), path.p, { { 0 } } };
		if (i && all[i].version == all[i - 1].version)
			fail(all[i].file, 0, "%s has the same number", all[i - 1].file);
		parse_migration(&all[i]);
	}
	return all;
}
