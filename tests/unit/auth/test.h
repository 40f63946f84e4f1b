/* What the unit tests of auth/ share: what those of core/ do, and memory that processes share. */
#ifndef TEST_AUTH_H
#define TEST_AUTH_H

#include "../core/test.h"

#include "auth/internal.h"
#include "loop/loop.h"

/* A test between the file's own setup and teardown. */
#define SET_UP(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

/* A group's setup. */
static inline int shared(void **state) {
	(void)state;
	int fd;
	return sf_shm_open(-1, 32 << 20, &fd);
}

#endif
