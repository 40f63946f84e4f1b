/* settings: what SMTP_URL, SMTP_TLS, SMTP_CA_FILE and MAIL_FROM say together, and where they contradict each other. */
#include <arpa/inet.h>
#include <curl/curl.h>

#include "core/config.h"
#include "services/mail/client.h"
#include "services/mail/internal.h"

/* Between two processes of one machine nobody else can listen. A name is not looked up. */
static bool is_this_machine(const char *host) {
	struct in_addr v4;
	if (inet_pton(AF_INET, host, &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
	return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0;
}

static int decide(CURLU *u, const char *choice, const char *ca_file, bool *tls, const char **why) {
	char *scheme = NULL, *user = NULL, *host = NULL;
	bool smtps = false, known = false, here = false;
	if (!curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) && !curl_url_get(u, CURLUPART_HOST, &host, 0)) {
		smtps = strcmp(scheme, "smtps") == 0;
		known = smtps || strcmp(scheme, "smtp") == 0;
		here = is_this_machine(host);
	}
	bool needed = smtps || ca_file || !curl_url_get(u, CURLUPART_USER, &user, 0);
	bool off = choice && strcmp(choice, "off") == 0, required = choice && strcmp(choice, "required") == 0;
	curl_free(scheme);
	curl_free(user);
	curl_free(host);
	if (!known) return *why = "SMTP_URL must be smtp://host:port or smtps://host:port", SF_EINVAL;
	if (off && needed)
		return *why = "SMTP_TLS=off contradicts smtps://, a login in SMTP_URL, or SMTP_CA_FILE", SF_EINVAL;
	*tls = required || needed || !(off || here);
	return 0;
}

int mail__tls(const char *url, const char *choice, const char *ca_file, bool *tls, const char **why) {
	CURLU *u = curl_url();
	if (!u) return SF_ENOMEM;
	/* a URL that cannot be read has no scheme then */
	(void)curl_url_set(u, CURLUPART_URL, url, 0);
	int err = decide(u, choice, ca_file, tls, why);
	curl_url_cleanup(u);
	return err;
}

const char *mail_settings(void) {
	struct sf_arena *a = sf_arena_new(0);
	struct sf_str name, address;
	const char *why = NULL;
	bool tls;
	if (mail__mailbox(a, sf_str(sf_config_text("MAIL_FROM")), &name, &address))
		why = "MAIL_FROM must be an address, or a name and <an address>";
	else if (!mail_kept() && mail__tls(sf_config_text("SMTP_URL"), sf_config_text("SMTP_TLS"),
									   sf_config_text("SMTP_CA_FILE"), &tls, &why) == SF_ENOMEM)
		why = "there is no memory to read SMTP_URL";
	sf_arena_free(a);
	return why;
}
