/* passwords: hashing on behalf of a request, in the turn of its client and the name it is about. */
#include "services/platform/internal.h"

static struct sf_turn turn_of(struct sf_req *r, struct sf_str name) {
	return (struct sf_turn) { .client = sf_client_bucket(sf_req_arena(r), sf_req_ip(r)), .name = name };
}

static int told(struct sf_req *r, int err, const struct sf_turn *t) {
	if (err != SF_EOVERLOAD) return err;
	sf_fail_retry(r, t->retry_s);
	return sf_fail(r, err, NULL, "Too many people are signing in right now. Try again in %d s.",
				   (int)t->retry_s);
}

int platform__hash(struct sf_req *r, struct sf_str name, struct sf_str password,
				   char out[SF_PASSWORD_HASH_MAX]) {
	struct sf_turn t = turn_of(r, name);
	return told(r, sf_password_hash(&t, password, out), &t);
}

/* ~ The methods that occur beside the present one: none in an installation that never took users over from elsewhere. */
static int methods_of(struct sf_req *r, struct sf_str **out, size_t *n) {
	struct sf_rows rows;
	int err = platform_q_password_methods(sf_req_db(r), &rows);
	if (err) return err;
	*n = rows.n;
	*out = sf_arena_alloc(sf_req_arena(r), (rows.n + 1) * sizeof **out);
	for (size_t i = 0; i < rows.n; i++) (*out)[i] = SF_ROW(rows, platform_q_password_methods, i)->method;
	return 0;
}

int platform__check(struct sf_req *r, struct sf_str name, struct sf_str password, struct sf_str hash,
					bool *upgrade) {
	struct sf_turn t = turn_of(r, name);
	struct sf_str *methods;
	size_t n;
	int err = methods_of(r, &methods, &n);
	return err ? err : told(r, sf_password_check(&t, password, hash, methods, n, upgrade), &t);
}
