/* search: chefs by words of their name, cuisine, location and bio. */
#include "services/coocook/internal.h"

int coocook_search(struct sf_req *r) {
	const struct coocook_search_query *q = sf_req_query(r);
	struct sf_page page = sf_req_page(r);
	struct sf_dbh *h = sf_req_db(r);
	struct sf_rows rows = { .q = coocook__hide_last(sf_req_arena(r), &coocook_chefs_search_desc) };
	struct coocook_terms terms;
	coocook_terms(sf_req_arena(r), q->q, sf_dbh_engine(h) == SF_PG ? COOCOOK_TSQUERY : COOCOOK_FTS5, &terms);
	int64_t total = 0;
	if (terms.words) {
		struct coocook_q_chefs_search_in in = {
			.words = terms.all,
			.in_name = terms.name,
			.in_head = terms.head,
			.limit = page.limit,
			.offset = page.offset,
		};
		int err = coocook__page(h, &coocook_chefs_search_desc, &in, &rows, &total);
		if (err) return err;
	}
	return sf_reply_page(r, &rows, total);
}
