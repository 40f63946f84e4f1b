/* web: where the built web app lies. */
#include "cli/internal.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/config.h"

static bool holds_app(const char *dir) {
	char index[PATH_MAX];
	return snprintf(index, sizeof index, "%s/index.html", dir) < (int)sizeof index &&
		   access(index, R_OK) == 0;
}

/* WEB_DIR, else beside the program, else where a build or a package puts it. */
const char *cli_web_dir(const char *argv0, char *buf, size_t n) {
	const char *set = sf_config_text("WEB_DIR");
	if (set) return holds_app(set) ? set : NULL;
	char self[PATH_MAX];
	const char *slash = strrchr(argv0, '/');
	if (slash) {
		snprintf(self, sizeof self, "%.*s", (int)(slash - argv0), argv0);
	} else {
		ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
		self[len > 0 ? len : 0] = '\0';
		char *end = strrchr(self, '/');
		if (end) *end = '\0';
	}
	snprintf(buf, n, "%s/web", self);
	if (holds_app(buf)) return buf;
	static const char *const places[] = { "./build/web", "/usr/share/softfactory/web" };
	for (size_t i = 0; i < SF_COUNT(places); i++)
		if (holds_app(places[i])) return places[i];
	return NULL;
}
