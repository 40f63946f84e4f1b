/* letters: what both sides of a booking are told, by mail and where a chat is linked by Telegram.
 *
 *     the statement that books, turns or pays ──▶ booking_letters       by a trigger, so it costs that statement no company
 *     after its commit: letters_soon          ──▶ job coocook.letters   one for all who ask within SOON_USEC, due at its end
 *     the job: letters ──▶ email.send, telegram.send                    one transaction, many letters
 *
 * Each letter is told exactly once: it is taken away in the transaction that adds the mails' jobs. The job only says
 * when to look. It is due after the last of those that rely on it has committed, so it sees their letters, unless our
 * clock is more than SLACK_USEC behind the database's, or we die before the job is added: then the next one finds them,
 * and the schedule adds one a minute. */
#include "core/zone.h"
#include "jobs/jobs.h"
#include "loop/loop.h"
#include "services/coocook/internal.h"
#include "services/mail/client.h"
#include "services/platform/client.h"
#include "services/telegram/client.h"

#define BATCH      200 /* letters of one transaction */
#define SOON_USEC  (SF_USEC / 10)
#define SLACK_USEC (SF_USEC / 50)

enum { GUEST, CHEF, SIDES };
enum { FACTS = 7 }; /* the fields of a booking's templates, and the end */

static const struct event {
	const char *name, *template;
	const char *before, *between, *after; /* of guest and chef, as a message to a chat says it */
} events[] = {
	{ "created", "booking_created", "", " has asked chef ", " for a booking." },
	{ "confirmed", "booking_confirmed", "The booking of ", " with chef ", " is confirmed." },
	{ "cancelled", "booking_cancelled", "The booking of ", " with chef ",
	  " is cancelled. Whatever was paid is given back in full." },
	{ "expired", "booking_expired", "The request of ", " to chef ",
	  " was not answered in time and has ended. Whatever was paid is given back in full." },
	{ "closed", "booking_closed", "The booking of ", " with chef ",
	  " cannot take place, for one of the accounts was closed. Whatever was paid is given back in full." },
	{ "paid", "booking_paid", "", " has paid for the booking with chef ", "." },
};

/* ---- asking for the job -------------------------------------------------------------------------- */

static struct {
	int64_t
		until_ns; /* on the clock that never jumps: letters of before then are seen by a job that is added */
} process;

void coocook__letters_soon(struct sf_req *r) {
	int64_t now = sf_clock_ns(), covered = process.until_ns;
	if (now < covered) return;
	process.until_ns = now + SOON_USEC * 1000;
	sf_co_shield(true); /* what was committed is told, also when the client has gone */
	int err = sf_job_add(sf_req_db(r),
						 &(struct sf_job_new) { .kind = "coocook.letters",
												.run_at = sf_time_now() + SOON_USEC + SLACK_USEC,
												.trace = sf_req_traceparent(r) },
						 NULL);
	sf_co_shield(false);
	if (!err) return;
	process.until_ns = covered; /* the next one tries again */
	sf_log(SF_WARN, "letters about bookings will be late", SF_KV("error", sf_err_symbol(err)));
}

/* ---- the job -------------------------------------------------------------------------------------- */

struct letter {
	const struct event *event;
	const struct coocook_q_letters_of_row *b;
	struct platform_user who[SIDES];
	struct mail_to to[SIDES];
	struct sf_kv facts[FACTS];
	char at[32];
};

/* A cancellation is told by its reason where that has words of its own. */
static const struct event *event_of(struct sf_str name, struct sf_str reason) {
	if (sf_str_eq(name, SF_STR("cancelled")) && reason.n && event_of(reason, SF_STR_NULL))
		return event_of(reason, SF_STR_NULL);
	for (size_t i = 0; i < SF_COUNT(events); i++)
		if (sf_str_eq(name, sf_str(events[i].name))) return &events[i];
	return NULL; /* the table's CHECK names the same */
}

static const struct coocook_q_letters_of_row *booking_of(const struct sf_rows *bookings, int64_t id) {
	for (size_t i = 0; i < bookings->n; i++)
		if (SF_ROW(*bookings, coocook_q_letters_of, i)->id == id)
			return SF_ROW(*bookings, coocook_q_letters_of, i);
	return NULL;
}

/* ~ What is known of the taken letters but for the people; *n leaves out those whose booking is gone. */
static int read_bookings(struct sf_dbh *tx, const struct sf_rows *taken, struct letter *out, size_t *n) {
	int64_t *ids = sf_arena_alloc(sf_dbh_arena(tx), taken->n * sizeof *ids);
	struct sf_rows bookings;
	for (size_t i = 0; i < taken->n; i++) ids[i] = SF_ROW(*taken, coocook_q_letters_take, i)->booking_id;
	int err =
		coocook_q_letters_of(tx, &(struct coocook_q_letters_of_in) { .ids = { ids, taken->n } }, &bookings);
	if (err) return err;
	*n = 0;
	for (size_t i = 0; i < taken->n; i++) {
		struct letter l = { .b = booking_of(&bookings, ids[i]) };
		if (l.b) l.event = event_of(SF_ROW(*taken, coocook_q_letters_take, i)->event, l.b->cancel_reason);
		if (l.event && l.b) out[(*n)++] = l;
	}
	return 0;
}

/* ~ Both sides of each letter; whom no account is found for has id 0. */
static int read_people(const struct sf_app *app, struct sf_dbh *tx, struct letter *l, size_t n) {
	int64_t *ids = sf_arena_alloc(sf_dbh_arena(tx), n * SIDES * sizeof *ids);
	struct platform_user *who = sf_arena_zalloc(sf_dbh_arena(tx), n * SIDES * sizeof *who);
	for (size_t i = 0; i < n; i++) {
		ids[i * SIDES + GUEST] = l[i].b->user_id;
		ids[i * SIDES + CHEF] = l[i].b->chef_user_id;
	}
	int err = platform_users_of(app, tx, "coocook", ids, n * SIDES, who);
	if (err) return err;
	for (size_t i = 0; i < n; i++) memcpy(l[i].who, who + i * SIDES, sizeof l[i].who);
	return 0;
}

/* A side's name; p NULL while its account is not confirmed: a mail must not carry what anybody can write in anybody's name. */
static struct sf_str name_of(const struct letter *l, int side, struct sf_str name) {
	if (!l->who[side].id) return side == CHEF ? name : SF_STR("-");
	return l->who[side].confirmed ? name : SF_STR_NULL;
}

static struct mail mail_of(struct letter *l) {
	const struct sf_kv facts[FACTS] = { SF_KV("booking_id", l->b->id),
										SF_KV("chef", name_of(l, CHEF, l->b->chef_name)),
										SF_KV("guest", name_of(l, GUEST, l->who[GUEST].name)),
										sf_kv_time("starts_at", l->b->starts_at, l->at),
										SF_KV("duration_hours", l->b->duration_hours),
										SF_KV("total_price", l->b->total_price),
										{ 0 } };
	struct mail m = {
		.template = l->event->template, .to = l->to, .data = l->facts, .place = l->b->time_zone
	};
	memcpy(l->facts, facts, sizeof facts);
	for (int i = 0; i < SIDES; i++)
		if (l->who[i].id && l->who[i].is_active)
			l->to[m.nto++] = (struct mail_to) { .email = l->who[i].email,
												.name = name_of(l, i, l->who[i].name),
												.time_zone = l->who[i].time_zone,
												.user = l->who[i].id };
	return m;
}

/* As a reader in that zone is told. */
static struct sf_str message_of(struct sf_arena *a, const struct letter *l, struct sf_str zone) {
	struct sf_str guest = name_of(l, GUEST, l->who[GUEST].name), chef = name_of(l, CHEF, l->b->chef_name);
	guest = guest.p ? sf_arena_name(a, guest) : SF_STR("(name not confirmed)");
	chef = chef.p ? sf_arena_name(a, chef) : SF_STR("(name not confirmed)");
	struct sf_str at = sf_zone_text(a, zone, l->b->time_zone, l->b->starts_at);
	return sf_arena_printf(a, "%s" SF_PRI "%s" SF_PRI "%s\nBooking %lld: " SF_PRI ", %d h, %lld KRW",
						   l->event->before, SF_ARG(guest), l->event->between, SF_ARG(chef), l->event->after,
						   (long long)l->b->id, SF_ARG(at), (int)l->b->duration_hours,
						   (long long)l->b->total_price);
}

/* ~ Adds the jobs that tell both sides. */
static int tell(const struct sf_app *app, struct sf_dbh *tx, struct letter *l, size_t n) {
	struct sf_arena *a = sf_dbh_arena(tx);
	struct mail *mails = sf_arena_alloc(a, n * sizeof *mails);
	struct telegram_note *notes = sf_arena_alloc(a, n * SIDES * sizeof *notes);
	size_t nnotes = 0;
	for (size_t i = 0; i < n; i++) {
		mails[i] = mail_of(&l[i]);
		for (size_t k = 0; k < mails[i].nto; k++)
			notes[nnotes++] = (struct telegram_note) { .user = l[i].to[k].user,
													   .text = message_of(a, &l[i], l[i].to[k].time_zone) };
	}
	int err = mail_send_all(tx, mails, n);
	return err ? err : telegram_notify(app, tx, "coocook", notes, nnotes);
}

/* ~ Tells one batch in one transaction; *n is how many there were. */
static int batch(const struct sf_app *app, struct sf_arena *a, size_t *n) {
	struct sf_rows taken;
	struct sf_dbh *tx = NULL;
	struct letter *letters = NULL;
	size_t known = 0;
	int err = sf_tx_begin(sf_app_db(app, "coocook"), a, "coocook.letters", &tx);
	if (err) goto out;
	err = coocook_q_letters_take(tx, &(struct coocook_q_letters_take_in) { .limit = BATCH }, &taken);
	*n = err ? 0 : taken.n;
	if (*n == 0) goto out;
	letters = sf_arena_zalloc(a, *n * sizeof *letters);
	err = read_bookings(tx, &taken, letters, &known);
	if (!err) err = read_people(app, tx, letters, known);
	if (!err) err = tell(app, tx, letters, known);
	if (!err) err = sf_tx_commit(tx);
out:
	sf_tx_end(tx);
	return err;
}

int coocook__letters(struct sf_job *j) {
	size_t n = BATCH, all = 0;
	int err = 0;
	while (!err && n == BATCH) {
		struct sf_arena *a = sf_arena_new(0);
		err = batch(sf_job_context(j), a, &n);
		if (!err) all += n;
		sf_arena_free(a);
	}
	if (all) sf_job_result(j, sf_arena_printf(sf_job_arena(j), "{\"letters\":%zu}", all));
	return err;
}
