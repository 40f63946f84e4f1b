/* What the unit tests of auth/ share: cmocka, and running something in a coroutine. */
#ifndef TEST_AUTH_H
#define TEST_AUTH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "auth/internal.h"
#include "loop/loop.h"

static inline void check_str(struct sf_str s, const char *want, const char *file, int line) {
	if (sf_str_eq(s, sf_str(want))) return;
	print_error("\"" SF_PRI "\" is not \"%s\"\n", SF_ARG(s), want);
	_fail(file, line);
}
#define assert_str(s, want) check_str(s, want, __FILE__, __LINE__)

#endif
