/* openapi parts: the components that the operations of the document share. */
#include "app/internal.h"
#include "core/json.h"

#define HEADER(name, schema, text)                                                                           \
	"\"" name "\":{\"description\":\"" text "\",\"schema\":{\"type\":\"" schema "\"}}"

static const char security[] =
	"{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\",\"bearerFormat\":"
	"\"JWT\",\"description\":\"The access token of POST /api/auth/login.\"},"
	"\"session\":{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":\"sf_session\","
	"\"description\":\"The browser's session.\"},"
	"\"csrf\":{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"X-CSRF-Token\","
	"\"description\":\"With the session cookie, on everything but GET and "
	"HEAD: the value of the cookie sf_csrf, which every read with the session renews where "
	"it is missing or out of date.\"}}";

static const char parameters[] =
	"{\"IdempotencyKey\":{\"name\":\"Idempotency-Key\",\"in\":\"header\",\"required\":false,\"description\":"
	"\"Makes a repetition safe: the same key "
	"and request (path and fields, however the JSON is written) within 24 hours get the first answer again "
	"(with "
	"Idempotent-Replayed), also an error that the request met once it had begun; another request gets 422, "
	"and 409 while "
	"the first still runs. A request that validation refuses, or an answer that asks to come again later "
	"(401, 408, 423, 429, 503), "
	"does not use the key "
	"up.\",\"schema\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":255,\"pattern\":\"^[!-~]+$\"}},"
	"\"IfNoneMatch\":{\"name\":\"If-None-Match\",\"in\":\"header\",\"required\":false,\"description\":\"An "
	"ETag got earlier: 304 when nothing "
	"changed.\",\"schema\":{\"type\":\"string\"}},"
	"\"TimeZone\":{\"name\":\"Time-Zone\",\"in\":\"header\",\"required\":false,\"description\":\"The IANA "
	"time zone of date-times without offset in this request; otherwise the caller's own (time_zone of "
	"/api/auth/me).\",\"schema\":{\"type\":\"string\",\"examples\":[\"Asia/Seoul\"]}}}";

static const char headers[] =
	"{" HEADER("RequestId", "string",
			   "The X-Request-Id of the request, or one made for it.") "," HEADER("Traceparent", "string", "W3C trace context: the request's trace, our span.") "," HEADER("CacheControl",
																																										   "string", "How long the answer may be kept, and by whom.") "," HEADER("ETag",
																																																												 "string", "Names this very answer; send it in If-None-Match.") "," HEADER("IdempotentReplayed", "string", "true when the answer is the stored one of an earlier request with this Idempotency-Key.") "," HEADER("TotalCount",
																																																																																																																 "integer", "Entries on all pages.") "," HEADER("RateLimitLimit", "integer", "Requests a minute.") "," HEADER("RateLimitRemaining",
																																																																																																																																											  "integer",
																																																																																																																																											  "Requests left in this minute.") "," HEADER("RateLimitReset", "integer", "Seconds until the minute is over.") "," HEADER("RetryAfter", "integer", "Seconds to wait.") "," HEADER("AcceptEncoding",
																																																																																																																																																																																							   "string",
																																																																																																																																																																																							   "On a body whose Content-Encoding is not understood: which one is.") "," HEADER("WwwAuthenticate",
																																																																																																																																																																																																											   "string",
																																																																																																																																																																																																											   "Bearer.") "}";

static const struct sf_field error_members[] = {
	SF_OUT(error, SF_F_TEXT, .required = true, .help = "A sentence for a person."),
	SF_OUT(code, SF_F_TEXT, .required = true, .help = "For programs."),
	SF_OUT(request_id, SF_F_TEXT, .required = true, .help = "Quote it when asking for help."),
	{ 0 },
};

void sf_app__openapi_error(struct sf_json *j, const struct sf_field *more) {
	struct sf_field all[SF_COUNT(error_members) + 8] = { 0 };
	size_t n = 0;
	for (const struct sf_field *f = error_members; f->name; f++) all[n++] = *f;
	for (const struct sf_field *f = more; f && f->name && n < SF_COUNT(all) - 1; f++) all[n++] = *f;
	sf_json_obj(j);
	sf_json_add(j, SF_KV("type", "object"));
	sf_app__openapi_object(j, all, false);
	sf_json_obj_end(j);
}

/* Of a request that is not valid: the only one with `fields`. */
static const struct sf_field invalid_members[] = {
	SF_OUT(fields, SF_F_OBJECT,
		   .help = "By field, what it must be: a phrase that continues the field's name.",
		   .example = "{\"duration_hours\":\"must be between 1 and 24\"}"),
	{ 0 },
};

static void schemas(struct sf_json *j) {
	sf_json_key(j, "schemas");
	sf_json_obj(j);
	sf_json_key(j, "Error");
	sf_app__openapi_error(j, NULL);
	sf_json_key(j, "ValidationError");
	sf_app__openapi_error(j, invalid_members);
	sf_json_obj_end(j);
}

static void example(struct sf_json *j, int err) {
	sf_json_key(j, sf_err_code(err));
	sf_json_obj(j);
	sf_json_key(j, "value");
	sf_json_obj(j);
	sf_json_add(
		j, SF_KV("error", err == SF_EINVAL ? "Duration hours must be between 1 and 24." : sf_err_text(err)),
		SF_KV("code", sf_err_code(err)), SF_KV("request_id", "5f0c1d2e3a4b59687f0e1d2c3b4a5968"));
	if (err == SF_EINVAL) {
		sf_json_key(j, "fields");
		sf_json_raw(j, SF_STR("{\"duration_hours\":\"must be between 1 and 24\"}"));
	}
	sf_json_obj_end(j);
	sf_json_obj_end(j);
}

void sf_app__openapi_components(struct sf_json *j, uint64_t used) {
	sf_json_key(j, "components");
	sf_json_obj(j);
	sf_json_key(j, "securitySchemes");
	sf_json_raw(j, sf_str(security));
	schemas(j);
	sf_json_key(j, "parameters");
	sf_json_raw(j, sf_str(parameters));
	sf_json_key(j, "headers");
	sf_json_raw(j, sf_str(headers));
	sf_json_key(j, "responses");
	sf_json_raw(j, SF_STR("{\"NotModified\":{\"description\":\"The answer the caller has is still right; no "
						  "body.\",\"headers\":{\"ETag\":{\"$ref\":"
						  "\"#/components/headers/ETag\"},\"Cache-Control\":{\"$ref\":\"#/components/headers/"
						  "CacheControl\"}}}}"));
	sf_json_key(j, "examples");
	sf_json_obj(j);
	for (int e = 1; e < SF_ERR_COUNT; e++) {
		if (!(used >> e & 1)) continue;
		bool seen = false; /* two errors may share a code */
		for (int k = 1; k < e && !seen; k++)
			seen = (used >> k & 1) && strcmp(sf_err_code(-k), sf_err_code(-e)) == 0;
		if (!seen) example(j, -e);
	}
	sf_json_obj_end(j);
	sf_json_obj_end(j);
}
