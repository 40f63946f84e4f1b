/* What the unit tests of core/ share: cmocka with what it needs before it. */
#ifndef TEST_CORE_H
#define TEST_CORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/core.h"

static inline void check_str(struct sf_str s, const char *want, const char *file, int line) {
	if (sf_str_eq(s, sf_str(want))) return;
	print_error("\"" SF_PRI "\" is not \"%s\"\n", SF_ARG(s), want);
	_fail(file, line);
}
#define assert_str(s, want) check_str(s, want, __FILE__, __LINE__)

#endif
