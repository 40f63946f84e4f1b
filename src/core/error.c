/* error: what the one list of errors says, and the end of a process whose invariant broke. */
#include "core/core.h"
#include "core/log.h"

#include <stdio.h>
#include <stdlib.h>

struct err_info {
	int status;
	const char *code, *text, *symbol;
};

#define ERR_INFO(name, status, code, text) [name##_ORDINAL] = { status, code, text, #name },
static const struct err_info infos[SF_ERR_COUNT] = { [SF_ERR_ZERO] = { 200, "ok", "Done.", "SF_OK" },
													 SF_ERR_MAP(ERR_INFO) };

static const struct err_info *info_of(int err) {
	if (err > 0 || err <= -SF_ERR_COUNT) return &infos[SF_EINTERNAL_ORDINAL];
	return &infos[-err];
}

int sf_err_status(int err) {
	return info_of(err)->status;
}

const char *sf_err_code(int err) {
	return info_of(err)->code;
}

const char *sf_err_text(int err) {
	return info_of(err)->text;
}

const char *sf_err_symbol(int err) {
	return info_of(err)->symbol;
}

void sf_bug(const char *file, int line, const char *what) {
	sf_log_write(SF_ERROR, "bug: a broken invariant",
				 (const struct sf_kv[]) {
					 SF_KV("file", file), SF_KV("line", line), SF_KV("expression", what), { 0 } });
	abort();
}
