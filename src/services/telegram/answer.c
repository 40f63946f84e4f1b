/* answer: what the bot answers to a command. */
#include "core/zone.h"
#include "services/coocook/client.h"
#include "services/platform/client.h"
#include "services/telegram/internal.h"

#define BOOKINGS_SHOWN 5

#define HELP                                                                                                 \
	"/bookings: your next bookings\n"                                                                        \
	"/status: whether this chat is linked, and to whom\n"                                                    \
	"/stop: end the link"
#define HOW_TO_LINK                                                                                          \
	"This chat is not linked to an account. Sign in on the website, ask for a Telegram code there and send " \
	"it "                                                                                                    \
	"here as /start <code>."

static int bookings(struct sf_req *r, int64_t user, struct sf_str *text) {
	struct coocook_next next[BOOKINGS_SHOWN];
	struct platform_user who;
	struct sf_arena *a = sf_req_arena(r);
	size_t n = 0;
	struct sf_buf b;
	int err = platform_user(r, user, &who);
	if (!err) err = coocook_next_bookings(r, user, next, BOOKINGS_SHOWN, &n);
	if (err) return err;
	if (n == 0) return *text = SF_STR("You have no bookings ahead."), 0;
	sf_buf_init(&b, a);
	sf_buf_cstr(&b, "Your next bookings:");
	for (size_t i = 0; i < n; i++) {
		struct sf_str chef = next[i].chef.p ? sf_arena_name(a, next[i].chef) : SF_STR("(name not confirmed)");
		struct sf_str at = sf_zone_text(a, who.time_zone, next[i].time_zone, next[i].starts_at);
		sf_buf_printf(&b, "\n" SF_PRI ", %d h: " SF_PRI ", " SF_PRI, SF_ARG(at), (int)next[i].hours,
					  SF_ARG(chef), SF_ARG(next[i].status));
	}
	*text = sf_buf_view(&b);
	return 0;
}

static int status(struct sf_req *r, int64_t user, struct sf_str *text) {
	struct platform_user who;
	int err = platform_user(r, user, &who);
	if (err) return err;
	struct sf_str name = sf_arena_name(sf_req_arena(r), who.name);
	*text = sf_arena_printf(sf_req_arena(r),
							"The platform is up. This chat is linked to " SF_PRI " (" SF_PRI ").",
							SF_ARG(name), SF_ARG(who.email));
	return 0;
}

int telegram__answer(struct sf_req *r, enum telegram__command command, int64_t user, struct sf_str *text) {
	switch (command) {
	case TELEGRAM__BOOKINGS:
		if (user) return bookings(r, user, text);
		break;
	case TELEGRAM__STATUS:
		if (user) return status(r, user, text);
		*text = SF_STR("The platform is up. " HOW_TO_LINK);
		return 0;
	case TELEGRAM__POSTS:
		*text = SF_STR("There are no posts to show: this platform does not publish posts yet.");
		return 0;
	case TELEGRAM__START:
	case TELEGRAM__SWITCH:
	case TELEGRAM__STOP:
	case TELEGRAM__TALK:
	case TELEGRAM__UNKNOWN: break;
	}
	*text = user ? SF_STR(HELP) : SF_STR(HOW_TO_LINK);
	return 0;
}
