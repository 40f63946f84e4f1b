/* Which content coding a client takes best (RFC 9110 §12.5.3), and which types are worth one. */
#include "http/http.h"
#include "http/internal.h"

#include <strings.h>

/* ";q=0.123" as 0..1000. A weight that is not one counts as 0: what was not understood is not used. */
static int weight(struct sf_str params) {
	struct sf_str one, name, value;
	for (bool more = params.n > 0; more;) {
		more = sf_str_cut(params, ';', &one, &params);
		if (!sf_str_cut(one, '=', &name, &value)) continue;
		name = sf_str_trim(name), value = sf_str_trim(value);
		if (name.n != 1 || (name.p[0] | 32) != 'q') continue;
		if (value.n < 1 || value.n > 5 || (value.p[0] != '0' && value.p[0] != '1')) return 0;
		if (value.n > 1 && value.p[1] != '.') return 0;
		int q = (value.p[0] - '0') * 1000, unit = 100;
		for (size_t i = 2; i < value.n; i++, unit /= 10) {
			if (value.p[i] < '0' || value.p[i] > '9') return 0;
			q += (value.p[i] - '0') * unit;
		}
		return q > 1000 ? 0 : q;
	}
	return 1000;
}

enum sf_http__coding sf_http__coding(const struct sf_http_req *req, bool gzip, bool br) {
	struct sf_str list = sf_http_header(req, "accept-encoding"), item, name, params;
	if (!list.p) return SF_CODING_IDENTITY;
	int q_gzip = -1, q_br = -1, q_any = -1, q_identity = -1;
	for (bool more = true; more;) {
		more = sf_str_cut(list, ',', &item, &list);
		if (!sf_str_cut(item, ';', &name, &params)) params = SF_STR_NULL;
		name = sf_str_trim(name);
		int q = weight(params);
		if (sf_str_ieq(name, SF_STR("gzip")) || sf_str_ieq(name, SF_STR("x-gzip")))
			q_gzip = q;
		else if (sf_str_ieq(name, SF_STR("br")))
			q_br = q;
		else if (sf_str_ieq(name, SF_STR("identity")))
			q_identity = q;
		else if (sf_str_eq(name, SF_STR("*")))
			q_any = q;
	}
	if (q_gzip < 0) q_gzip = q_any;
	if (q_br < 0) q_br = q_any;
	/* identity is always taken unless refused; a coding must be liked at least as much */
	if (br && q_br > 0 && q_br >= q_identity && (q_br >= q_gzip || !gzip)) return SF_CODING_BR;
	if (gzip && q_gzip > 0 && q_gzip >= q_identity) return SF_CODING_GZIP;
	return SF_CODING_IDENTITY;
}

struct sf_str sf_http__coding_name(enum sf_http__coding coding) {
	switch (coding) {
	case SF_CODING_BR: return SF_STR("br");
	case SF_CODING_GZIP: return SF_STR("gzip");
	case SF_CODING_IDENTITY: break;
	}
	return SF_STR_NULL;
}

bool sf_http__compressible(struct sf_str type) {
	static const char *const types[] = { "application/json",
										 "application/javascript",
										 "application/xml",
										 "application/manifest+json",
										 "application/problem+json",
										 "application/x-ndjson",
										 "application/wasm",
										 "application/rss+xml",
										 "application/atom+xml",
										 "application/ld+json",
										 "application/xhtml+xml",
										 "image/svg+xml",
										 "image/x-icon",
										 "font/ttf",
										 "font/otf" };
	const char *semicolon = type.p ? memchr(type.p, ';', type.n) : NULL;
	if (semicolon) type.n = (size_t)(semicolon - type.p);
	type = sf_str_trim(type);
	if (type.n > 5 && !strncasecmp(type.p, "text/", 5)) return !sf_str_ieq(type, SF_STR("text/event-stream"));
	for (size_t i = 0; i < SF_COUNT(types); i++)
		if (sf_str_ieq(type, sf_str(types[i]))) return true;
	return false;
}
