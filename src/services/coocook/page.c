/* page: answers made of rows: pages whose total comes with them, and columns that stay inside. */
#include "services/coocook/internal.h"

const struct sf_query *coocook__hide_last(struct sf_arena *a, const struct sf_query *q) {
	struct sf_query *copy = sf_arena_alloc(a, sizeof(*copy));
	*copy = *q;
	copy->nout--;
	return copy;
}

/* The integer parameter of that name inside `in`, NULL when the query has none. */
static int64_t *parameter(const struct sf_query *q, void *in, const char *name) {
	for (size_t i = 0; i < q->nin; i++)
		if (strcmp(q->in[i].name, name) == 0) return (int64_t *)((char *)in + q->in[i].offset);
	return NULL;
}

static int64_t first_total(const struct sf_rows *rows) {
	int64_t total = 0;
	const struct sf_dbcol *last = &rows->q->out[rows->q->nout - 1];
	if (rows->n) memcpy(&total, (const char *)rows->at + last->offset, sizeof(total));
	return total;
}

int coocook__page(struct sf_dbh *h, const struct sf_query *q, void *in, struct sf_rows *rows,
				  int64_t *total) {
	struct sf_rows got, first;
	int64_t *limit = parameter(q, in, "limit"), *offset = parameter(q, in, "offset");
	int err = sf_db_all(h, q, in, &got);
	if (err) return err;
	first = got;
	if (got.n == 0 && offset && *offset > 0) {
		*limit = 1, *offset = 0;
		err = sf_db_all(h, q, in, &first);
		if (err) return err;
	}
	*total = first_total(&first);
	*rows = got;
	rows->q = coocook__hide_last(sf_dbh_arena(h), q);
	return 0;
}

int coocook__reply_chefs(struct sf_req *r, const struct sf_rows *rows) {
	struct sf_json *j = sf_reply_json(r, 200);
	sf_json_obj(j);
	sf_json_key(j, "chefs");
	sf_rows_json(j, rows);
	sf_json_obj_end(j);
	return 0;
}
