/* letters: what both sides of a booking are told by mail. */
#include "services/coocook/internal.h"
#include "services/mail/client.h"
#include "services/platform/client.h"

enum { GUEST, CHEF, SIDES };

int coocook__mail(struct sf_req *r, struct sf_dbh *tx, const char *template,
				  const struct coocook_q_booking_get_row *b) {
	const int64_t ids[SIDES] = { [GUEST] = b->user_id, [CHEF] = b->chef_user_id };
	struct platform_user who[SIDES];
	struct mail_to to[SIDES];
	size_t n = 0;
	char at[32];
	int err = platform_users_of(r, tx, "coocook", ids, SIDES, who);
	if (err) return err;
	for (int i = 0; i < SIDES; i++)
		if (who[i].id && who[i].is_active)
			to[n++] = (struct mail_to) { .email = who[i].email, .name = who[i].name, .user = who[i].id };
	const struct sf_kv data[] = { SF_KV("booking_id", b->id),
								  SF_KV("chef", b->chef_name),
								  SF_KV("guest", who[GUEST].id ? who[GUEST].name : SF_STR("-")),
								  sf_kv_time("starts_at", b->starts_at, at),
								  SF_KV("duration_hours", b->duration_hours),
								  SF_KV("total_price", b->total_price),
								  { 0 } };
	return mail_send(
		tx, &(struct mail) {
				.template = template, .to = to, .nto = n, .data = data, .trace = sf_req_traceparent(r) });
}

int coocook__mail_id(struct sf_req *r, struct sf_dbh *tx, const char *template, int64_t id) {
	struct coocook_q_booking_get_row b;
	int err = coocook_q_booking_get(tx, &(struct coocook_q_booking_get_in) { .id = id }, &b);
	return err ? err : coocook__mail(r, tx, template, &b);
}
