/* What the files of sqlgen share. Memory lives until the tool exits; whoever finds an error ends it. */
#ifndef SQLGEN_H
#define SQLGEN_H

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- text.c --------------------------------------------------------------------------------------------------- */

struct str {
	const char *p;
	size_t n;
};
struct buf {
	char *p;
	size_t n, cap;
};

/* Prints "file:line: what" (line 0: "file: what") and exits. */
__attribute__((noreturn, format(printf, 3, 4))) void fail(const char *file, int line, const char *fmt, ...);
void *grow(void *p, size_t n); /* realloc that does not fail */
void add(struct buf *b, const char *p, size_t n);
__attribute__((format(printf, 2, 3))) void put(struct buf *b, const char *fmt, ...);
struct str trim(struct str s);
bool word_is(struct str s, const char *w); /* ASCII case ignored */
struct str word(struct str *s);            /* cuts the first word off */
char *dup(struct str s);
bool name_ok(struct str s); /* a name in SQL and in C */
/* The text after a directive, if the line is one. */
bool directive(struct str line, const char *name, struct str *rest);
bool slurp(const char *path, struct buf *out); /* the whole file; false when it is not there */
/* Names of the .sql files of a folder, sorted; none when it is not there. */
char **list_sql(const char *dir, size_t *n);
void save(const char *dir, const char *name, const struct buf *b); /* unless it holds that already */

/* ---- sql.c: statements as tokens, and their text for each engine ------------------------------------------------- */

enum dialect { PG, LITE };
enum kind { SPACE, WORD, QUOTED, PARAM, MACRO, CAST, PUNCT };
struct tok {
	enum kind kind;
	struct str s; /* PARAM and MACRO: without the sign */
	int line;
};
struct toks {
	struct tok *at;
	size_t n;
};
struct toks tokenize(const char *file, struct str sql, int line);
/* Length of a quoted piece starting at p ('…', "…", $tag$…$tag$), or of a comment; 0: p starts none. */
size_t opaque_len(const char *file, int line, const char *p, const char *end, bool escapes, bool *comment);

struct type {
	const char *name, *id, *c, *c_null;
};
extern const struct type types[]; /* ends with name NULL */
struct col {
	char *name;
	const struct type *type;
	bool null, used;
};
struct cols {
	struct col *at;
	size_t n;
};
/* Appends the text of one dialect, each run of space and comments as one space. params: NULL in migrations. */
void emit(const char *file, const struct toks *t, enum dialect d, bool common, struct cols *params,
		  struct buf *out);
/* Whether the statement changes rows or locks them; a plain SELECT does not. */
bool writes(const struct toks *t);

/* ---- queries.c ------------------------------------------------------------------------------------------------------ */

struct query {
	const char *file;
	int line;
	char *name;
	enum { ONE, MANY, EXEC } kind;
	bool write;
	struct buf about;
	struct cols in, out;
	struct part { /* text: common, then pg, then sqlite */
		struct str s;
		int line;
	} part[3];
	struct buf sql[2];
};
/* Appends the queries of one file's text. */
void parse_queries(const char *file, struct str text, struct query **all, size_t *n);

/* ---- migrations.c --------------------------------------------------------------------------------------------------- */

struct migration {
	int version;
	char *name, *file;
	struct buf sql[2];
};
/* Those of a folder, by version. */
struct migration *read_migrations(const char *dir, size_t *n);

/* ---- write.c ---------------------------------------------------------------------------------------------------------- */

struct owner {
	char *name, *dir;
	struct query *q;
	size_t nq;
	struct migration *m;
	size_t nm;
};
void put_header(struct buf *b, const struct owner *o);
void put_descriptors(struct buf *b, const struct owner *o, size_t *id); /* *id: of the next query */
void put_all(struct buf *b, const struct owner *o, size_t n);

#endif
