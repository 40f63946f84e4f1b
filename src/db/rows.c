/* Rows as C structs: reading and writing their members by descriptor, and writing them as JSON. */
#include "db/internal.h"
#include "core/hash.h"
#include "core/json.h"
#include <stdlib.h>

struct sf_db__val sf_db__get(const struct sf_dbcol *c, const void *in) {
	const void *p = (const char *)in + c->offset;
	struct sf_db__val v = { 0 };
	switch (c->type) {
	case SF_T_TEXT:
	case SF_T_JSON:
	case SF_T_BYTES:
		v.s = *(const struct sf_str *)p;
		v.null = c->null && !v.s.p;
		if (!v.s.p) v.s.p = "";
		break;
	case SF_T_INTS: v.ints = *(const struct sf_ints *)p; break;
	case SF_T_FLOAT:
		if (c->null) {
			const struct sf_ofloat *o = p;
			v.null = !o->has, v.f = o->v;
		} else {
			v.f = *(const double *)p;
		}
		break;
	case SF_T_INT:
	case SF_T_BOOL:
	case SF_T_TIME:
	case SF_T_DATE:
		if (c->null) {
			const struct sf_oint *o = p;
			v.null = !o->has, v.i = o->v;
		} else {
			v.i = c->type == SF_T_BOOL ? *(const bool *)p : *(const int64_t *)p;
		}
		break;
	}
	return v;
}

bool sf_db__put(const struct sf_dbcol *c, void *row, const struct sf_db__val *v) {
	void *p = (char *)row + c->offset;
	if (v->null) return c->null; /* the zeroed row says NULL already */
	switch (c->type) {
	case SF_T_TEXT:
	case SF_T_JSON:
	case SF_T_BYTES: *(struct sf_str *)p = v->s; break;
	case SF_T_INTS: *(struct sf_ints *)p = v->ints; break;
	case SF_T_FLOAT:
		if (c->null)
			*(struct sf_ofloat *)p = (struct sf_ofloat) { true, v->f };
		else
			*(double *)p = v->f;
		break;
	case SF_T_BOOL:
		if (!c->null) {
			*(bool *)p = v->i != 0;
			break;
		}
		*(struct sf_oint *)p = (struct sf_oint) { true, v->i != 0 };
		break;
	case SF_T_INT:
	case SF_T_TIME:
	case SF_T_DATE:
		if (c->null)
			*(struct sf_oint *)p = (struct sf_oint) { true, v->i };
		else
			*(int64_t *)p = v->i;
		break;
	}
	return true;
}

static void bytes_json(struct sf_json *j, struct sf_str s) {
	char *text = sf_try_realloc(NULL, (s.n * 4 + 2) / 3 + 1);
	if (!text) {
		j->out->failed = true;
		return;
	}
	sf_json_str(j, (struct sf_str) { text, sf_base64url(s.p, s.n, text) });
	free(text);
}

static void column_json(struct sf_json *j, const struct sf_dbcol *c, const void *row) {
	struct sf_db__val v = sf_db__get(c, row);
	if (v.null) {
		sf_json_null(j);
		return;
	}
	switch (c->type) {
	case SF_T_TEXT: sf_json_str(j, v.s); break;
	case SF_T_BYTES: bytes_json(j, v.s); break;
	case SF_T_JSON:
		if (v.s.n)
			sf_json_raw(j, v.s);
		else
			sf_json_null(j);
		break;
	case SF_T_INT: sf_json_int(j, v.i); break;
	case SF_T_BOOL: sf_json_bool(j, v.i != 0); break;
	case SF_T_TIME: sf_json_time(j, v.i); break;
	case SF_T_DATE: sf_json_date(j, v.i); break;
	case SF_T_FLOAT: sf_json_float(j, v.f); break;
	case SF_T_INTS:
		sf_json_arr(j);
		for (size_t i = 0; i < v.ints.n; i++) sf_json_int(j, v.ints.p[i]);
		sf_json_arr_end(j);
		break;
	}
}

void sf_row_members(struct sf_json *j, const struct sf_query *q, const void *row) {
	for (unsigned i = 0; i < q->nout; i++) {
		sf_json_key(j, q->out[i].name);
		column_json(j, &q->out[i], row);
	}
}

void sf_row_json(struct sf_json *j, const struct sf_query *q, const void *row) {
	sf_json_obj(j);
	sf_row_members(j, q, row);
	sf_json_obj_end(j);
}

void sf_rows_json(struct sf_json *j, const struct sf_rows *rows) {
	sf_json_arr(j);
	for (size_t i = 0; i < rows->n; i++)
		sf_row_json(j, rows->q, (const char *)rows->at + i * rows->q->row_size);
	sf_json_arr_end(j);
}
