/* secret: what JWT_SECRET is. In demo mode without one it is a file beside the data, made at the first start, so that a restart
 * signs nobody out and loses no one-time code and no mail that waits. */
#include "cli/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/auth.h"
#include "core/config.h"
#include "core/hash.h"

#define RANDOM_BYTES 32
#define TEXT_MAX     256 /* of the file; ours has 65 bytes */

/* The file as the settings have it; heap. */
static char *path_of(void) {
	static const char lite[] = "sqlite:///";
	const char *file = sf_config_text("DEMO_SECRET_FILE"), *url = sf_config_text("DATABASE_URL");
	char *path = NULL;
	if (file && *file) return sf_strdup(file);
	if (strncmp(url, lite, sizeof lite - 1) != 0) return sf_strdup("data/demo-secret");
	return asprintf(&path, "%s-secret", url + sizeof lite - 1) < 0 ? NULL : path;
}

/* ---- reading it ---------------------------------------------------------------------------------- */

/* 0, ENOENT, another errno, or -1 and *why. */
static int read_file(const char *path, char out[TEXT_MAX], const char **why) {
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0) return errno;
	struct stat st;
	ssize_t n = fstat(fd, &st) == 0 ? read(fd, out, TEXT_MAX - 1) : -1;
	int err = n < 0 ? errno : 0;
	close(fd);
	if (err) return err;
	while (n > 0 && (out[n - 1] == '\n' || out[n - 1] == '\r')) n--;
	out[n] = 0;
	*why = NULL;
	if (!S_ISREG(st.st_mode))
		*why = "it is not a file";
	else if (st.st_mode & (S_IRWXG | S_IRWXO))
		*why = "others may read it; its mode must be 0600";
	else if (strlen(out) < SF_SECRET_MIN)
		*why = "it holds fewer than 32 bytes; remove it, and a new one is made";
	return *why ? -1 : 0;
}

/* ---- making it ----------------------------------------------------------------------------------- */

static int make_folders(char *path) {
	for (char *p = path + 1; (p = strchr(p, '/')); p++) {
		*p = 0;
		int bad = mkdir(path, 0755) != 0 && errno != EEXIST ? errno : 0;
		*p = '/';
		if (bad) return bad;
	}
	return 0;
}

static void sync_folder(const char *path) {
	char *copy = sf_strdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
	free(copy);
}

static int write_whole(int fd) {
	unsigned char random[RANDOM_BYTES];
	char text[2 * RANDOM_BYTES + 2];
	sf_random(random, sizeof random);
	sf_hex(random, sizeof random, text);
	text[2 * RANDOM_BYTES] = '\n';
	ssize_t n = write(fd, text, 2 * RANDOM_BYTES + 1);
	explicit_bzero(random, sizeof random);
	explicit_bzero(text, sizeof text);
	if (n != 2 * RANDOM_BYTES + 1) return n < 0 ? errno : ENOSPC;
	return fsync(fd) == 0 ? 0 : errno;
}

/* A whole file appears under its name or none does; of several processes that make it at once, one wins and all read that one. */
static int make_file(char *path) {
	char *draft = NULL;
	int err = make_folders(path);
	if (err) return err;
	if (asprintf(&draft, "%s.XXXXXX", path) < 0) return ENOMEM;
	int fd = mkostemp(draft, O_CLOEXEC); /* mode 0600 */
	if (fd < 0) {
		err = errno;
		free(draft);
		return err;
	}
	err = write_whole(fd);
	if (close(fd) != 0 && !err) err = errno;
	if (!err && link(draft, path) != 0 && errno != EEXIST) err = errno;
	(void)unlink(draft);
	free(draft);
	if (!err) sync_folder(path);
	return err;
}

/* ---- for the start of serve and worker ----------------------------------------------------------- */

static int kept_secret(void) {
	char text[TEXT_MAX], *path = path_of();
	const char *why = NULL;
	if (!path) return cli_wrong("no memory");
	int err = read_file(path, text, &why);
	if (err == ENOENT) {
		err = make_file(path);
		if (!err) err = read_file(path, text, &why);
	}
	int code = err ? cli_wrong("demo mode keeps its secret in %s: %s. Set DEMO_SECRET_FILE or JWT_SECRET",
							   path, err > 0 ? strerror(err) : why)
				   : 0;
	if (!code && setenv("JWT_SECRET", text, 1) != 0) code = cli_wrong("no memory");
	explicit_bzero(text, sizeof text);
	free(path);
	return code;
}

int cli_secret(void) {
	const char *secret = sf_config_text("JWT_SECRET");
	if (!secret && !sf_config_bool("DEMO_MODE"))
		return cli_wrong(
			"JWT_SECRET is required: at least %d random bytes, such as `openssl rand -hex 32` prints "
			"(or DEMO_MODE=1 to try the platform out)",
			SF_SECRET_MIN);
	const char *why = cli_secrets_setup();
	if (why) return cli_wrong("%s", why);
	return secret ? 0 : kept_secret();
}
