/* What is written: a header and descriptors for each owner, and the tables of the program. */
#include "sqlgen.h"

static void put_literal(struct buf *b, const struct buf *s) {
	add(b, "\"", 1);
	for (size_t i = 0; i < s->n; i++) {
		char c = s->p[i];
		if (c == '\n')
			put(b, "\\n\"\n\t\"");
		else if (c == '"' || c == '\\')
			put(b, "\\%c", c);
		else if ((unsigned char)c < 0x20 || c == 0x7f)
			put(b, "\\%03o", (unsigned char)c);
		else
			add(b, &c, 1);
	}
	add(b, "\"", 1);
}

static const char *member(const char *name) {
	static const char *const keywords[] = {
		"auto",     "break",  "case",   "char",     "const",    "continue", "default",  "do",
		"double",   "else",   "enum",   "extern",   "float",    "for",      "goto",     "if",
		"inline",   "int",    "long",   "register", "restrict", "return",   "short",    "signed",
		"sizeof",   "static", "struct", "switch",   "typedef",  "union",    "unsigned", "void",
		"volatile", "while",  "asm",    "typeof",   "bool",     "true",     "false"
	};
	for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
		struct buf b = { 0 };
		if (!strcmp(keywords[i], name)) return put(&b, "%s_", name), b.p;
	}
	return name;
}

static void put_struct(struct buf *b, const char *owner, const struct query *q, const char *suffix,
					   const struct cols *c) {
	if (!c->n) return;
	put(b, "struct %s_q_%s_%s {\n", owner, q->name, suffix);
	for (size_t i = 0; i < c->n; i++)
		put(b, "\t%s %s; /* %s%s */\n", c->at[i].null ? c->at[i].type->c_null : c->at[i].type->c,
			member(c->at[i].name), c->at[i].type->name, c->at[i].null ? " or NULL" : "");
	put(b, "};\n");
}

void put_header(struct buf *b, const struct owner *o) {
	static const char *const run[] = { "one", "all", "exec" }, *const to[] = { "row", "rows", "changed" };
	put(b,
		"/* Made by sqlgen from %s. Every function suspends; errors as sf_db_one's in db/db.h. */\n#pragma "
		"once\n#include \"db/db.h\"\n",
		o->dir);
	for (const struct query *q = o->q; q < o->q + o->nq; q++) {
		put(b, "\n/* %s.%s (%s:%d)", o->name, q->name, strrchr(q->file, '/') + 1, q->line);
		for (size_t i = 0; i < q->about.n; i++) {
			if (i == 0 || q->about.p[i - 1] == '\n') put(b, "%s", i ? "\n * " : ": ");
			if (q->about.p[i] == '/' && i && q->about.p[i - 1] == '*') add(b, " ", 1);
			if (q->about.p[i] != '\n') add(b, &q->about.p[i], 1);
		}
		put(b, " */\n");
		put_struct(b, o->name, q, "in", &q->in);
		put_struct(b, o->name, q, "row", &q->out);
		put(b,
			"extern const struct sf_query %s_%s_desc;\nSF_MUSTCHECK static inline int %s_q_%s(struct sf_dbh "
			"*h",
			o->name, q->name, o->name, q->name);
		if (q->in.n) put(b, ", const struct %s_q_%s_in *in", o->name, q->name);
		if (q->kind == ONE)
			put(b, ", struct %s_q_%s_row *row", o->name, q->name);
		else
			put(b, q->kind == MANY ? ", struct sf_rows *rows" : ", int64_t *changed");
		put(b, ") {\n\treturn sf_db_%s(h, &%s_%s_desc, %s, %s);\n}\n", run[q->kind], o->name, q->name,
			q->in.n ? "in" : "NULL", to[q->kind]);
	}
}

static void put_columns(struct buf *b, const char *owner, const struct query *q, const char *suffix,
						const struct cols *c) {
	if (!c->n) return;
	put(b, "static const struct sf_dbcol %s_%s[] = {\n", q->name, suffix);
	for (size_t i = 0; i < c->n; i++)
		put(b, "\t{ \"%s\", %s, %s, offsetof(struct %s_q_%s_%s, %s) },\n", c->at[i].name, c->at[i].type->id,
			c->at[i].null ? "true" : "false", owner, q->name, suffix, member(c->at[i].name));
	put(b, "};\n");
}

void put_descriptors(struct buf *b, const struct owner *o, size_t *id) {
	static const char *const kinds[] = { "SF_Q_ONE", "SF_Q_MANY", "SF_Q_EXEC" };
	put(b, "/* Made by sqlgen from %s. */\n#include \"%s.q.h\"\n", o->dir, o->name);
	for (const struct query *q = o->q; q < o->q + o->nq; q++) {
		put(b, "\n");
		put_columns(b, o->name, q, "in", &q->in);
		put_columns(b, o->name, q, "row", &q->out);
		put(b,
			"const struct sf_query %s_%s_desc = {\n\t.name = \"%s.%s\",\n\t.kind = %s,\n\t.write = "
			"%s,\n\t.id = %zu,\n\t.pg = ",
			o->name, q->name, o->name, q->name, kinds[q->kind], q->write ? "true" : "false", (*id)++);
		put_literal(b, &q->sql[PG]);
		put(b, ",\n\t.lite = ");
		put_literal(b, &q->sql[LITE]);
		if (q->in.n) put(b, ",\n\t.in = %s_in,\n\t.nin = %zu", q->name, q->in.n);
		if (q->out.n)
			put(b, ",\n\t.out = %s_row,\n\t.nout = %zu,\n\t.row_size = sizeof(struct %s_q_%s_row)", q->name,
				q->out.n, o->name, q->name);
		put(b, ",\n};\n");
	}
}

void put_all(struct buf *b, const struct owner *o, size_t n) {
	size_t total = 0;
	put(b, "/* Made by sqlgen: every query and migration of the program. */\n#include \"db/db.h\"\n");
	for (size_t i = 0; i < n; i++) put(b, "#include \"%s.q.h\"\n", o[i].name);
	put(b, "\nconst struct sf_query *const sf_all_queries[] = {\n");
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < o[i].nq; j++, total++) put(b, "\t&%s_%s_desc,\n", o[i].name, o[i].q[j].name);
	put(b, "\tNULL,\n};\nconst uint32_t sf_all_queries_n = %zu;\n", total);
	put(b, "\nconst struct sf_migration *const sf_all_migrations[] = {\n");
	for (size_t i = 0; i < n; i++)
		for (const struct migration *m = o[i].m; m < o[i].m + o[i].nm; m++) {
			put(b, "\t&(const struct sf_migration) {\n\t\t\"%s\", %d, \"%s\",\n\t\t", o[i].name, m->version,
				m->name);
			put_literal(b, &m->sql[PG]);
			put(b, ",\n\t\t");
			put_literal(b, &m->sql[LITE]);
			put(b, ",\n\t},\n");
		}
	put(b, "\tNULL,\n};\n");
}
