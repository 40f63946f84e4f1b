/* Named queries: directives, columns, and the statement in its two texts. */
#include "sqlgen.h"

const struct type types[] = {
	{ "int", "SF_T_INT", "int64_t", "struct sf_oint" },
	{ "float", "SF_T_FLOAT", "double", "struct sf_ofloat" },
	{ "bool", "SF_T_BOOL", "bool", "struct sf_oint" },
	{ "text", "SF_T_TEXT", "struct sf_str", "struct sf_str" },
	{ "json", "SF_T_JSON", "struct sf_str", "struct sf_str" },
	{ "time", "SF_T_TIME", "int64_t", "struct sf_oint" },
	{ "date", "SF_T_DATE", "int64_t", "struct sf_oint" },
	{ "bytes", "SF_T_BYTES", "struct sf_str", "struct sf_str" },
	{ "ints", "SF_T_INTS", "struct sf_ints", NULL },
	{ 0 },
};

static void columns(const struct query *q, int line, struct str list, struct cols *out) {
	while (trim(list).n) {
		const char *comma = memchr(list.p, ',', list.n);
		struct str one = { list.p, comma ? (size_t)(comma - list.p) : list.n };
		list.p += one.n + (comma != NULL), list.n -= one.n + (comma != NULL);
		struct str name = word(&one), type = word(&one);
		struct col c = { .type = types };
		if (!name_ok(name))
			fail(q->file, line, "\"%.*s\" is no name: a-z, 0-9 and _, a letter first", (int)name.n, name.p);
		if (!type.n || trim(one).n)
			fail(q->file, line, "write \"%.*s TYPE\" or \"%.*s TYPE?\"", (int)name.n, name.p, (int)name.n,
				 name.p);
		c.name = dup(name);
		if (type.p[type.n - 1] == '?') c.null = true, type.n--;
		while (c.type->name && !(strlen(c.type->name) == type.n && !strncmp(c.type->name, type.p, type.n)))
			c.type++;
		if (!c.type->name)
			fail(q->file, line, "\"%.*s\" is no type: int float bool text json time date bytes ints",
				 (int)type.n, type.p);
		if (!c.type->c_null && c.null)
			fail(q->file, line, "%s: %s cannot be NULL, give an empty list", c.name, c.type->name);
		if (!c.type->c_null && out == &q->out)
			fail(q->file, line, "%s: %s is for parameters only", c.name, c.type->name);
		for (size_t i = 0; i < out->n; i++)
			if (!strcmp(out->at[i].name, c.name)) fail(q->file, line, "\"%s\" stands here twice", c.name);
		out->at = grow(out->at, (out->n + 1) * sizeof c);
		out->at[out->n++] = c;
	}
}

static void finish(struct query *q) {
	const bool own[2] = { q->part[1].s.p != NULL, q->part[2].s.p != NULL };
	bool has_common = trim(q->part[0].s).n > 0, comment;
	if (own[PG] && own[LITE] && has_common) {
		struct str s = trim(q->part[0].s);
		if (opaque_len(q->file, q->line, s.p, s.p + s.n, false, &comment) != s.n)
			fail(q->file, q->line, "%s: with \"-- pg:\" and \"-- sqlite:\" the text before them is nobody's",
				 q->name);
	}
	for (enum dialect d = PG; d <= LITE; d++) {
		const struct part *p = &q->part[own[d] ? d + 1 : 0];
		struct toks t = tokenize(q->file, p->s, p->line);
		emit(q->file, &t, d, !own[d], &q->in, &q->sql[d]);
		struct buf *b = &q->sql[d];
		while (b->n && strchr("; ", b->p[b->n - 1])) b->p[--b->n] = 0;
		if (!b->n) fail(q->file, q->line, "%s: no SQL for %s", q->name, d ? "SQLite" : "PostgreSQL");
		for (size_t i = 0, seen = 0; i < t.n; i++) {
			bool semicolon = t.at[i].kind == PUNCT && t.at[i].s.p[0] == ';';
			if (seen && t.at[i].kind != SPACE && !semicolon)
				fail(q->file, t.at[i].line, "%s: one statement a query, a second starts here", q->name);
			seen |= semicolon;
		}
		q->write |= q->kind == EXEC || writes(&t);
	}
	for (size_t i = 0; i < q->in.n; i++)
		if (!q->in.at[i].used)
			fail(q->file, q->line, "%s: parameter \"%s\" is used nowhere", q->name, q->in.at[i].name);
	if (q->kind == EXEC && q->out.n)
		fail(q->file, q->line, "%s: :exec returns no rows, take \"-- out:\" away", q->name);
	if (q->kind != EXEC && !q->out.n)
		fail(q->file, q->line, "%s: say what comes back in an \"-- out:\" line", q->name);
}

static void head(struct query *q, struct str rest) {
	struct str name = word(&rest), kind = word(&rest);
	if (!name_ok(name))
		fail(q->file, q->line, "\"%.*s\" is no name: a-z, 0-9 and _, a letter first", (int)name.n, name.p);
	q->name = dup(name);
	if (word_is(kind, ":one"))
		q->kind = ONE;
	else if (word_is(kind, ":many"))
		q->kind = MANY;
	else if (word_is(kind, ":exec"))
		q->kind = EXEC;
	else
		fail(q->file, q->line, "%s: \":one\", \":many\" or \":exec\" must follow the name", q->name);
	if (trim(rest).n) put(&q->about, "%.*s\n", (int)trim(rest).n, trim(rest).p);
}

void parse_queries(const char *file, struct str text, struct query **all, size_t *n) {
	struct query *q = NULL;
	struct part *part = NULL;
	int line = 0;
	for (const char *p = text.p, *end = text.p + text.n, *nl; p < end; p = nl) {
		nl = memchr(p, '\n', (size_t)(end - p));
		nl = nl ? nl + 1 : end;
		struct str l = { p, (size_t)(nl - p) }, rest;
		bool blank = !trim(l).n, comment = l.n > 1 && p[0] == '-' && p[1] == '-';
		line++;
		if (directive(l, "-- name:", &rest)) {
			if (q) finish(q);
			*all = grow(*all, (*n + 1) * sizeof **all);
			q = &(*all)[(*n)++];
			*q = (struct query) { .file = file, .line = line };
			part = &q->part[0];
			head(q, rest);
			for (const struct query *o = *all; o < q; o++)
				if (!strcmp(o->name, q->name))
					fail(file, line, "%s stands already in %s:%d", q->name, o->file, o->line);
		} else if (!q) {
			if (!blank && !comment) fail(file, line, "SQL before the first \"-- name:\"");
		} else if (directive(l, "-- in:", &rest)) {
			columns(q, line, rest, &q->in);
		} else if (directive(l, "-- out:", &rest)) {
			columns(q, line, rest, &q->out);
		} else if (directive(l, "-- pg:", &rest) || directive(l, "-- sqlite:", &rest)) {
			part = &q->part[l.p[3] == 'p' ? 1 : 2];
			if (part->s.p || rest.n)
				fail(file, line, rest.n ? "the SQL starts on the next line" : "that section is there twice");
			*part = (struct part) { { nl, 0 }, line + 1 };
		} else if (!part->s.n && comment && part == &q->part[0]) {
			struct str about = trim((struct str) { p + 2, l.n - 2 });
			put(&q->about, "%.*s\n", (int)about.n, about.p);
		} else {
			if (!part->s.p) *part = (struct part) { { p, 0 }, line };
			if (part->s.n || !blank) part->s.n = (size_t)(nl - part->s.p);
		}
	}
	if (q) finish(q);
}
