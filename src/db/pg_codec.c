/* Values between C structs and PostgreSQL's binary formats.
 *
 * All parameters and results travel in binary: no text is parsed or printed on either side, and strings need no
 * terminator. Parameters carry declared types (int8, float8, bool, text, json, timestamptz, date, bytea, int8[]), so
 * that `$1 IS NULL OR name = $1` has a type to begin with; SQL that needs another type casts. Results are accepted from
 * the types that hold such a value without loss (int4 as int, numeric as float), and everything else is a bug of
 * the query, reported with its name. Source: PostgreSQL's recv and send functions, utils/adt. */
#include "db/db.h"

#include <endian.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "db/pg.h"

/* Type OIDs are fixed for built-in types (catalog/pg_type.dat). */
enum {
	BOOLOID = 16,
	BYTEAOID = 17,
	CHAROID = 18,
	NAMEOID = 19,
	INT8OID = 20,
	INT2OID = 21,
	INT4OID = 23,
	TEXTOID = 25,
	OIDOID = 26,
	JSONOID = 114,
	FLOAT4OID = 700,
	FLOAT8OID = 701,
	UNKNOWNOID = 705,
	INT4ARRAYOID = 1007,
	INT8ARRAYOID = 1016,
	BPCHAROID = 1042,
	VARCHAROID = 1043,
	DATEOID = 1082,
	TIMESTAMPOID = 1114,
	TIMESTAMPTZOID = 1184,
	NUMERICOID = 1700,
	UUIDOID = 2950,
	JSONBOID = 3802,
	FIRST_USER_OID = 16384
};

static const int64_t EPOCH_USEC = INT64_C(946684800) * SF_USEC; /* 2000-01-01, where PostgreSQL counts from */
static const int64_t EPOCH_DAYS = 10957;

static int64_t add_saturated(int64_t a, int64_t b) {
	int64_t r;
	return __builtin_add_overflow(a, b, &r) ? (b > 0 ? INT64_MAX : INT64_MIN) : r;
}

static uint16_t read16(const char *p) {
	uint16_t v;
	memcpy(&v, p, sizeof(v));
	return be16toh(v);
}
static uint32_t read32(const char *p) {
	uint32_t v;
	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}
static uint64_t read64(const char *p) {
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}
static void write32(char *p, uint32_t v) {
	v = htobe32(v);
	memcpy(p, &v, sizeof(v));
}
static void write64(char *p, uint64_t v) {
	v = htobe64(v);
	memcpy(p, &v, sizeof(v));
}

/* ---- parameters ------------------------------------------------------------------------------------- */

Oid sf_pg__oid(enum sf_dbtype t) {
	static const Oid oids[] = { [SF_T_INT] = INT8OID,  [SF_T_FLOAT] = FLOAT8OID, [SF_T_BOOL] = BOOLOID,
								[SF_T_TEXT] = TEXTOID, [SF_T_JSON] = JSONOID,    [SF_T_TIME] = TIMESTAMPTZOID,
								[SF_T_DATE] = DATEOID, [SF_T_BYTES] = BYTEAOID,  [SF_T_INTS] = INT8ARRAYOID };
	return oids[t];
}

/* int8[]: dimensions, null flag, element type, then length and lower bound of the one dimension, then the elements
 * with their sizes. An empty array has no dimension. Returns the offset in scratch, or SIZE_MAX. */
static size_t encode_ints(struct sf_ints ints, struct sf_buf *scratch, int *len) {
	if (ints.n > 1000000) return SIZE_MAX;
	size_t at = scratch->n, n = ints.n ? 20 + ints.n * 12 : 12;
	char *p = sf_buf_reserve(scratch, n);
	if (!p) return SIZE_MAX;
	write32(p, ints.n ? 1 : 0), write32(p + 4, 0), write32(p + 8, INT8OID);
	if (ints.n) write32(p + 12, (uint32_t)ints.n), write32(p + 16, 1);
	for (size_t i = 0; i < ints.n; i++)
		write32(p + 20 + i * 12, 8), write64(p + 24 + i * 12, (uint64_t)ints.p[i]);
	scratch->n += n;
	*len = (int)n;
	return at;
}

static void encode_num(struct sf_pg_params *p, int i, enum sf_dbtype t, const struct sf_db__val *v) {
	char *to = p->num[i];
	p->val[i] = to;
	uint64_t bits;
	switch (t) {
	case SF_T_BOOL: to[0] = v->i != 0, p->len[i] = 1; break;
	case SF_T_DATE: { /* out of int4: a date that the server refuses rather than another day */
		int64_t day = add_saturated(v->i, -EPOCH_DAYS);
		if (day > INT32_MAX - 1 || day < INT32_MIN + 1) day = INT32_MIN + 1;
		write32(to, (uint32_t)(int32_t)day), p->len[i] = 4;
		break;
	}
	case SF_T_TIME: write64(to, (uint64_t)add_saturated(v->i, -EPOCH_USEC)), p->len[i] = 8; break;
	case SF_T_FLOAT:
		memcpy(&bits, &v->f, sizeof(bits));
		write64(to, bits), p->len[i] = 8;
		break;
	default: write64(to, (uint64_t)v->i), p->len[i] = 8; break;
	}
}

int sf_pg__encode(const struct sf_query *q, const void *in, struct sf_pg_params *p, struct sf_buf *scratch) {
	size_t at[SF_PG_PARAMS_MAX];
	if (q->nin > SF_PG_PARAMS_MAX) return SF_EDB;
	sf_buf_clear(scratch);
	for (int i = 0; i < q->nin; i++) {
		const struct sf_dbcol *c = &q->in[i];
		struct sf_db__val v = sf_db__get(c, in);
		p->fmt[i] = 1, p->len[i] = 0, p->val[i] = NULL, at[i] = SIZE_MAX;
		if (v.null) continue;
		switch (c->type) {
		case SF_T_TEXT:
		case SF_T_JSON:
		case SF_T_BYTES:
			if (v.s.n > INT32_MAX / 2) return SF_ENOMEM;
			p->val[i] = v.s.p ? v.s.p : "", p->len[i] = (int)v.s.n;
			break;
		case SF_T_INTS:
			at[i] = encode_ints(v.ints, scratch, &p->len[i]);
			if (at[i] == SIZE_MAX) return SF_ENOMEM;
			break;
		default: encode_num(p, i, c->type, &v); break;
		}
	}
	for (int i = 0; i < q->nin; i++) /* scratch may have moved while it grew */
		if (at[i] != SIZE_MAX) p->val[i] = scratch->p + at[i];
	return 0;
}

/* ---- results ------------------------------------------------------------------------------------------ */

static bool accepts(enum sf_dbtype t, Oid o) {
	switch (t) {
	case SF_T_INT: return o == INT8OID || o == INT4OID || o == INT2OID || o == OIDOID;
	case SF_T_FLOAT:
		return o == FLOAT8OID || o == FLOAT4OID || o == NUMERICOID || o == INT8OID || o == INT4OID ||
			   o == INT2OID;
	case SF_T_BOOL: return o == BOOLOID;
	case SF_T_TEXT: /* types of extensions and enums send their text */
		return o == TEXTOID || o == VARCHAROID || o == BPCHAROID || o == NAMEOID || o == CHAROID ||
			   o == UNKNOWNOID || o == UUIDOID || o == JSONOID || o == JSONBOID || o >= FIRST_USER_OID;
	case SF_T_JSON: return o == JSONOID || o == JSONBOID || o == TEXTOID;
	case SF_T_TIME: return o == TIMESTAMPTZOID || o == TIMESTAMPOID;
	case SF_T_DATE: return o == DATEOID;
	case SF_T_BYTES: return o == BYTEAOID;
	case SF_T_INTS: return o == INT8ARRAYOID || o == INT4ARRAYOID;
	}
	return false;
}

static const char *type_name(enum sf_dbtype t) {
	static const char *const names[] = { "int",  "float", "bool",  "text", "json",
										 "time", "date",  "bytes", "ints" };
	return names[t];
}

int sf_pg__fits(const struct sf_query *q, const PGresult *res, char *why, size_t why_n) {
	if (PQnfields(res) != q->nout) {
		snprintf(why, why_n, "the statement has %d result columns, the query declares %d", PQnfields(res),
				 q->nout);
		return SF_EDB;
	}
	for (int i = 0; i < q->nout; i++) {
		if (accepts(q->out[i].type, PQftype(res, i))) continue;
		snprintf(why, why_n, "result column %d (%s) has type OID %u, which is no %s; cast it", i + 1,
				 q->out[i].name, PQftype(res, i), type_name(q->out[i].type));
		return SF_EDB;
	}
	return 0;
}

/* numeric: base-10000 digits. Through text, because strtod rounds correctly. */
static double decode_numeric(const char *p, int n) {
	if (n < 8) return NAN;
	int digits = read16(p), sign = read16(p + 4), weight = (int16_t)read16(p + 2);
	if (sign == 0xC000) return NAN;
	if (sign == 0xD000) return INFINITY;
	if (sign == 0xF000) return -INFINITY;
	if (digits > (n - 8) / 2) digits = (n - 8) / 2;
	int used = digits < 12 ? digits : 12; /* 45 decimal digits decide a double */
	char text[96];
	int at = snprintf(text, sizeof(text), "%s0", sign == 0x4000 ? "-" : "");
	for (int i = 0; i < used; i++)
		at += snprintf(text + at, sizeof(text) - (size_t)at, "%04u", read16(p + 8 + i * 2) % 10000u);
	snprintf(text + at, sizeof(text) - (size_t)at, "e%d", (weight - used + 1) * 4);
	return strtod(text, NULL);
}

static double decode_float(Oid o, const char *p, int n) {
	double d = 0;
	float f;
	uint64_t b8;
	uint32_t b4;
	switch (o) {
	case FLOAT8OID: b8 = read64(p), memcpy(&d, &b8, sizeof(d)); break;
	case FLOAT4OID: b4 = read32(p), memcpy(&f, &b4, sizeof(f)), d = (double)f; break;
	case NUMERICOID: d = decode_numeric(p, n); break;
	case INT8OID: d = (double)(int64_t)read64(p); break;
	case INT4OID: d = (double)(int32_t)read32(p); break;
	default: d = (double)(int16_t)read16(p); break;
	}
	return d;
}

static int64_t decode_int(Oid o, const char *p) {
	switch (o) {
	case INT8OID: return (int64_t)read64(p);
	case INT4OID: return (int32_t)read32(p);
	case OIDOID: return read32(p);
	default: return (int16_t)read16(p);
	}
}

static int64_t decode_date(const char *p) { /* infinity and -infinity stay the ends of the scale */
	int32_t d = (int32_t)read32(p);
	return d == INT32_MAX ? INT64_MAX : d == INT32_MIN ? INT64_MIN : d + EPOCH_DAYS;
}

static int64_t decode_time(const char *p) {
	int64_t t = (int64_t)read64(p);
	return t == INT64_MIN ? t : add_saturated(t, EPOCH_USEC);
}

static bool decode_ints(struct sf_arena *a, const char *p, int n, struct sf_ints *out) {
	uint32_t dims = n >= 12 ? read32(p) : 2, count = dims == 1 && n >= 20 ? read32(p + 12) : 0;
	*out = (struct sf_ints) { NULL, 0 };
	if (dims > 1 || count > (uint32_t)n / 4) return false;
	if (count == 0) return true;
	int64_t *v = sf_arena_try(a, count * sizeof(*v));
	if (!v) return false;
	const char *at = p + 20, *end = p + n;
	for (uint32_t i = 0; i < count; i++) {
		if (end - at < 8) return false;
		uint32_t size = read32(at);
		if ((size != 4 && size != 8) || (size_t)(end - at) < 4 + (size_t)size)
			return false; /* NULL has size -1 */
		v[i] = size == 8 ? (int64_t)read64(at + 4) : (int32_t)read32(at + 4);
		at += 4 + size;
	}
	*out = (struct sf_ints) { v, count };
	return true;
}

static struct sf_str decode_uuid(struct sf_arena *a, const char *p) {
	const unsigned char *u = (const unsigned char *)p;
	return sf_arena_printf(a, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0],
						   u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13],
						   u[14], u[15]);
}

/* Where strings of one result go: one block of the arena, cut up as the rows come. */
struct text {
	struct sf_arena *arena;
	char *at;
};

static struct sf_str decode_text(struct text *t, Oid o, const char *p, int n) {
	if (o == UUIDOID && n == 16) return decode_uuid(t->arena, p);
	if (o == JSONBOID && n > 0) p++, n--; /* its version byte */
	struct sf_str s = { t->at, (size_t)n };
	memcpy(t->at, p, (size_t)n);
	t->at[n] = 0;
	t->at += n + 1;
	return s;
}

static int width(Oid o) { /* of fixed-size types, else -1 */
	switch (o) {
	case BOOLOID: return 1;
	case INT2OID: return 2;
	case INT4OID:
	case OIDOID:
	case FLOAT4OID:
	case DATEOID: return 4;
	case INT8OID:
	case FLOAT8OID:
	case TIMESTAMPOID:
	case TIMESTAMPTZOID: return 8;
	default: return -1;
	}
}

static bool decode(struct text *t, enum sf_dbtype type, Oid o, const char *p, int n, struct sf_db__val *v) {
	int w = width(o);
	if (w >= 0 && w != n) return false;
	switch (type) {
	case SF_T_INT: v->i = decode_int(o, p); break;
	case SF_T_FLOAT: v->f = decode_float(o, p, n); break;
	case SF_T_BOOL: v->i = p[0] != 0; break;
	case SF_T_TIME: v->i = decode_time(p); break;
	case SF_T_DATE: v->i = decode_date(p); break;
	case SF_T_INTS: return decode_ints(t->arena, p, n, &v->ints);
	case SF_T_TEXT:
	case SF_T_JSON:
	case SF_T_BYTES: v->s = decode_text(t, o, p, n); break;
	}
	return true;
}

static int bad_value(const struct sf_query *q, int col, const char *what) {
	sf_log(SF_ERROR, "query result does not fit", SF_KV("query", q->name), SF_KV("column", q->out[col].name),
		   SF_KV("error", what));
	return SF_EDB;
}

static bool is_text(enum sf_dbtype t) {
	return t == SF_T_TEXT || t == SF_T_JSON || t == SF_T_BYTES;
}

/* Bytes of all strings with their terminators. */
static size_t text_size(const struct sf_query *q, const PGresult *res, int rows) {
	size_t n = 0;
	for (int c = 0; c < q->nout; c++) {
		if (!is_text(q->out[c].type)) continue;
		for (int r = 0; r < rows; r++) n += (size_t)PQgetlength(res, r, c) + 1;
	}
	return n;
}

int sf_pg__decode(struct sf_dbh *h, const struct sf_query *q, const PGresult *res,
				  struct sf_db__result *out) {
	int rows = PQntuples(res);
	if (q->kind == SF_Q_ONE && rows > 1) rows = 1;
	out->n = (size_t)rows;
	if (rows == 0) return 0;
	char *at = sf_arena_try(h->arena, (size_t)rows * q->row_size);
	size_t size = text_size(q, res, rows);
	struct text t = { h->arena, size ? sf_arena_try(h->arena, size) : NULL };
	if (!at || (size && !t.at)) return SF_ENOMEM;
	memset(at, 0, (size_t)rows * q->row_size);
	for (int c = 0; c < q->nout; c++) { /* by column: the type is looked at once */
		const struct sf_dbcol *col = &q->out[c];
		Oid o = PQftype(res, c);
		for (int r = 0; r < rows; r++) {
			struct sf_db__val v = { .null = PQgetisnull(res, r, c) };
			if (!v.null && !decode(&t, col->type, o, PQgetvalue(res, r, c), PQgetlength(res, r, c), &v))
				return bad_value(q, c, "a value cannot be read");
			if (!sf_db__put(col, at + (size_t)r * q->row_size, &v))
				return bad_value(q, c, "NULL where none may be");
		}
	}
	out->at = at;
	return 0;
}
