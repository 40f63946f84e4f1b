/* heap: allocation that ends the process instead of returning NULL, for small fixed sizes. */
#include "core/core.h"

#include <stdlib.h>
#include <unistd.h>

/* The log may need memory itself, so that this line is written by hand. */
static __attribute__((noreturn, cold)) void out_of_memory(void) {
	static const char line[] = "{\"level\":\"error\",\"msg\":\"out of memory\"}\n";
	ssize_t ignored = write(STDERR_FILENO, line, sizeof(line) - 1);
	(void)ignored;
	abort();
}

void *sf_malloc(size_t n) {
	void *p = malloc(n ? n : 1);
	if (SF_UNLIKELY(!p)) out_of_memory();
	return p;
}

void *sf_calloc(size_t n, size_t size) {
	void *p = calloc(n ? n : 1, size ? size : 1);
	if (SF_UNLIKELY(!p)) out_of_memory();
	return p;
}

void *sf_realloc(void *p, size_t n) {
	p = realloc(p, n ? n : 1);
	if (SF_UNLIKELY(!p)) out_of_memory();
	return p;
}

char *sf_strdup(const char *s) {
	size_t n = strlen(s) + 1;
	return memcpy(sf_malloc(n), s, n);
}

void *sf_try_realloc(void *p, size_t n) {
	return realloc(p, n ? n : 1);
}
