/* rules: what a bot makes of texts and answers (pure). */
#ifndef SF_SERVICES_TELEGRAM_RULES_H
#define SF_SERVICES_TELEGRAM_RULES_H

#include "core/core.h"

#define TELEGRAM_TEXT_MAX 4096 /* UTF-16 code units of one message */

enum telegram__command {
	TELEGRAM__TALK, /* no command */
	TELEGRAM__START,
	TELEGRAM__SWITCH, /* /start for a chat that is linked to somebody else already */
	TELEGRAM__STOP,
	TELEGRAM__BOOKINGS,
	TELEGRAM__POSTS,
	TELEGRAM__STATUS,
	TELEGRAM__UNKNOWN
};
/* "/start@TheBot code" → START, *argument "code" (n 0: none). */
enum telegram__command telegram__command(struct sf_str text, struct sf_str *argument);
/* The text, or as much of it as one message may hold, cut between characters. */
struct sf_str telegram__clip(struct sf_str text);

enum telegram__outcome {
	TELEGRAM__SENT,
	TELEGRAM__LATER, /* *ms: when to ask again */
	TELEGRAM__AGAIN,
	TELEGRAM__GONE, /* the chat does not want to hear from us */
	TELEGRAM__NEVER
};
/* What an answer of the Bot API means for the message. ok: what its body says (false when there is none); retry_after_ms: 0 when it
 * names none. */
enum telegram__outcome telegram__outcome(int status, bool ok, int64_t retry_after_ms, int64_t *ms);

#endif
