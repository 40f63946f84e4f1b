/* Temporary folders of unit tests: under TMPDIR, where the runner looks for what was left behind. */
#ifndef TESTS_UNIT_SCRATCH_H
#define TESTS_UNIT_SCRATCH_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* A new folder; its path is written to out. False: there is none. */
static inline bool scratch_folder(char *out, size_t size, const char *prefix) {
	const char *tmp = getenv("TMPDIR");
	int n = snprintf(out, size, "%s/%s-XXXXXX", tmp && *tmp ? tmp : "/tmp", prefix);
	return n > 0 && (size_t)n < size && mkdtemp(out);
}

#endif
