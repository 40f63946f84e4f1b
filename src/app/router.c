/* router: finds the row of a method and a path in a trie over path segments.
 *
 * A node has its literal children in a small hash table (at most half full), at most one child for an integer
 * parameter and one for a text parameter. A look-up costs one hash step a byte and one probe a segment, however many
 * routes there are. Literal text wins over an integer, an integer over text; a branch that leads nowhere is
 * left again, so that /apps/new beside /apps/{id:text}/rules hides nothing. Depth is bounded by SEGMENTS_MAX.
 *
 * The trie is built once and only read afterwards. Segments are compared decoded; the path is cut at '/' before
 * decoding, so an encoded slash stays inside its segment. */
#include "app/internal.h"
#include "core/hash.h"

enum { SEGMENTS_MAX = 16 };

struct edge {
	struct sf_str text;
	uint32_t hash;
	struct sf_app__node *to;
	struct edge *next; /* while building */
};

struct sf_app__node {
	struct edge *table; /* after sealing: mask + 1 places, empty ones have to NULL */
	uint32_t mask;
	uint16_t allowed; /* bits of the methods below, and HEAD where there is GET */
	bool secret;      /* one of the rows has secret_path */
	struct sf_app__node *number, *text;
	const struct sf_app__row *rows[SF_METHODS];
	struct edge *edges; /* while building */
	uint32_t nedges;
};

#define HASH_START      UINT32_C(2166136261)
#define HASH_STEP(h, c) (((h) ^ (unsigned char)(c)) * UINT32_C(16777619))

static uint32_t hash_of(struct sf_str s) {
	uint32_t h = HASH_START;
	for (size_t i = 0; i < s.n; i++) h = HASH_STEP(h, s.p[i]);
	return h;
}

/* ---- building ---------------------------------------------------------------------------------- */

struct sf_app__node *sf_app__router_new(struct sf_arena *a) {
	return sf_arena_zalloc(a, sizeof(struct sf_app__node));
}

static struct sf_app__node *literal_child(struct sf_arena *a, struct sf_app__node *n, struct sf_str segment) {
	for (struct edge *e = n->edges; e; e = e->next)
		if (sf_str_eq(e->text, segment)) return e->to;
	struct edge *e = sf_arena_zalloc(a, sizeof *e);
	*e = (struct edge) {
		.text = segment, .hash = hash_of(segment), .to = sf_app__router_new(a), .next = n->edges
	};
	n->edges = e;
	n->nedges++;
	return e->to;
}

static struct sf_app__node *child_of(struct sf_arena *a, struct sf_app__node *n, struct sf_str segment) {
	if (segment.n == 0 || segment.p[0] != '{') return literal_child(a, n, segment);
	struct sf_app__node **at = memchr(segment.p, ':', segment.n) ? &n->text : &n->number;
	if (!*at) *at = sf_app__router_new(a);
	return *at;
}

static const struct sf_app__row *any_row(const struct sf_app__node *n) {
	for (int m = 0; m < SF_METHODS; m++)
		if (n->rows[m]) return n->rows[m];
	return NULL;
}

int sf_app__router_add(struct sf_arena *a, struct sf_app__node *root, struct sf_app__row *row,
					   struct sf_str *why) {
	enum sf_method method = row->route->method;
	struct sf_app__node *n = root;
	struct sf_str rest = sf_str(row->route->path), segment;
	rest.p++, rest.n--;
	for (bool more = rest.n > 0; more;) {
		more = sf_str_cut(rest, '/', &segment, &rest);
		n = child_of(a, n, segment);
	}
	const struct sf_app__row *other = any_row(n);
	if (n->rows[method]) {
		*why = sf_arena_printf(a, SF_PRI ": there is such a route already", SF_ARG(row->label));
		return SF_EINVAL;
	}
	for (size_t i = 0; other && i < row->nparams; i++)
		if (!sf_str_eq(other->params[i], row->params[i])) {
			*why = sf_arena_printf(a, SF_PRI ": names its path parameters otherwise than " SF_PRI,
								   SF_ARG(row->label), SF_ARG(other->label));
			return SF_EINVAL;
		}
	n->rows[method] = row;
	n->allowed |= (uint16_t)(1u << method);
	n->secret |= row->route->secret_path;
	if (method == SF_GET) n->allowed |= (uint16_t)(1u << SF_HEAD), n->rows[SF_HEAD] = row;
	return 0;
}

void sf_app__router_seal(struct sf_arena *a, struct sf_app__node *n) {
	if (!n) return;
	uint32_t size = 2;
	while (size < 2 * n->nedges) size *= 2;
	n->table = sf_arena_zalloc(a, size * sizeof *n->table);
	n->mask = size - 1;
	for (struct edge *e = n->edges; e; e = e->next) {
		uint32_t i = e->hash & n->mask;
		while (n->table[i].to) i = (i + 1) & n->mask;
		n->table[i] = *e;
		sf_app__router_seal(a, e->to);
	}
	sf_app__router_seal(a, n->number);
	sf_app__router_seal(a, n->text);
}

/* ---- looking up --------------------------------------------------------------------------------- */

struct search {
	enum sf_method method;
	struct sf_arena *arena;
	struct sf_app__match *match;
	const char *end;
	int err; /* SF_EMALFORMED once an escape was bad */
};

/* 1..INT64_MAX without sign or leading zero: one text for one number, so that one thing has one address. */
static bool positive(struct sf_str s, int64_t *out) {
	if (s.n == 0 || s.n > 19 || s.p[0] < '1' || s.p[0] > '9') return false;
	uint64_t v = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9') return false;
		v = v * 10 + (uint64_t)(s.p[i] - '0'); /* 19 digits fit */
	}
	if (v > INT64_MAX) return false;
	*out = (int64_t)v;
	return true;
}

static const struct sf_app__node *literal_find(const struct sf_app__node *n, struct sf_str segment,
											   uint32_t hash) {
	for (uint32_t i = hash & n->mask; n->table[i].to; i = (i + 1) & n->mask)
		if (n->table[i].hash == hash && sf_str_eq(n->table[i].text, segment)) return n->table[i].to;
	return NULL;
}

/* p stands at the '/' before the next segment, or at the end. nparams of this branch are set so far. */
static bool descend(struct search *s, const struct sf_app__node *n, const char *p, size_t nparams,
					int depth) {
	if (p == s->end) {
		s->match->allowed |= n->allowed;
		s->match->secret |= n->secret;
		s->match->row = n->rows[s->method];
		return s->match->row != NULL;
	}
	if (depth == SEGMENTS_MAX) return false;
	const char *from = p + 1, *at = from;
	uint32_t hash = HASH_START;
	bool escaped = false;
	for (; at < s->end && *at != '/'; at++) {
		hash = HASH_STEP(hash, *at);
		escaped |= *at == '%';
	}
	struct sf_str segment = { from, (size_t)(at - from) };
	if (SF_UNLIKELY(escaped)) {
		if (sf_percent_decode(s->arena, segment, false, &segment)) {
			s->err = SF_EMALFORMED;
			return false;
		}
		hash = hash_of(segment);
	}
	const struct sf_app__node *to = literal_find(n, segment, hash);
	if (to && descend(s, to, at, nparams, depth + 1)) return true;
	int64_t number = 0;
	if (n->number && positive(segment, &number) && descend(s, n->number, at, nparams + 1, depth + 1)) {
		s->match->param_ints[nparams] = number;
		s->match->params[nparams] = segment;
		return true;
	}
	if (n->text && segment.n > 0 && descend(s, n->text, at, nparams + 1, depth + 1)) {
		s->match->params[nparams] = segment;
		return true;
	}
	return false;
}

int sf_app__router_find(const struct sf_app__node *root, enum sf_method method, struct sf_str path,
						struct sf_arena *a, struct sf_app__match *match) {
	struct search s = { .method = method, .arena = a, .match = match, .end = path.p + path.n };
	match->row = NULL;
	match->allowed = 0;
	match->secret = false;
	if (path.n == 0 || path.p[0] != '/') return SF_ENOTFOUND;
	if (path.n == 1) s.end = path.p; /* "/" is the root itself */
	if (descend(&s, root, path.p, 0, 0)) return 0;
	if (s.err) return s.err;
	return match->allowed ? SF_EMETHOD : SF_ENOTFOUND;
}
