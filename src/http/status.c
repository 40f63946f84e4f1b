/* status: status lines, ready to send, a dense number for each status, and the names of methods. */
#include "http/http.h"
#include "http/internal.h"

#define STATUS_MAP(X)                                                                                        \
	X(200, "OK")                                                                                             \
	X(201, "Created")                                                                                        \
	X(202, "Accepted")                                                                                       \
	X(203, "Non-Authoritative Information")                                                                  \
	X(204, "No Content")                                                                                     \
	X(205, "Reset Content")                                                                                  \
	X(206, "Partial Content")                                                                                \
	X(300, "Multiple Choices")                                                                               \
	X(301, "Moved Permanently")                                                                              \
	X(302, "Found")                                                                                          \
	X(303, "See Other")                                                                                      \
	X(304, "Not Modified")                                                                                   \
	X(307, "Temporary Redirect")                                                                             \
	X(308, "Permanent Redirect")                                                                             \
	X(400, "Bad Request")                                                                                    \
	X(401, "Unauthorized")                                                                                   \
	X(402, "Payment Required")                                                                               \
	X(403, "Forbidden")                                                                                      \
	X(404, "Not Found")                                                                                      \
	X(405, "Method Not Allowed")                                                                             \
	X(406, "Not Acceptable")                                                                                 \
	X(408, "Request Timeout")                                                                                \
	X(409, "Conflict")                                                                                       \
	X(410, "Gone")                                                                                           \
	X(411, "Length Required")                                                                                \
	X(412, "Precondition Failed")                                                                            \
	X(413, "Content Too Large")                                                                              \
	X(414, "URI Too Long")                                                                                   \
	X(415, "Unsupported Media Type")                                                                         \
	X(416, "Range Not Satisfiable")                                                                          \
	X(417, "Expectation Failed")                                                                             \
	X(421, "Misdirected Request")                                                                            \
	X(422, "Unprocessable Content")                                                                          \
	X(423, "Locked")                                                                                         \
	X(424, "Failed Dependency")                                                                              \
	X(425, "Too Early")                                                                                      \
	X(426, "Upgrade Required")                                                                               \
	X(428, "Precondition Required")                                                                          \
	X(429, "Too Many Requests")                                                                              \
	X(431, "Request Header Fields Too Large")                                                                \
	X(499, "Client Closed Request")                                                                          \
	X(500, "Internal Server Error")                                                                          \
	X(501, "Not Implemented")                                                                                \
	X(502, "Bad Gateway")                                                                                    \
	X(503, "Service Unavailable")                                                                            \
	X(504, "Gateway Timeout")                                                                                \
	X(505, "HTTP Version Not Supported")                                                                     \
	X(507, "Insufficient Storage")

struct sf_str sf_http__status_line(int status) {
	switch (status) {
#define STATUS_CASE(code, text)                                                                              \
	case code: return SF_STR("HTTP/1.1 " #code " " text "\r\n");
		STATUS_MAP(STATUS_CASE)
#undef STATUS_CASE
	default: return SF_STR_NULL;
	}
}

/* Numbers of the statuses in the order of the map; 0 is any other. */
enum {
	OTHER,
#define STATUS_INDEX(code, text) INDEX_##code,
	STATUS_MAP(STATUS_INDEX)
#undef STATUS_INDEX
		INDICES
};
_Static_assert(INDICES <= SF_HTTP_STATUSES, "raise SF_HTTP_STATUSES");

size_t sf_http_status_index(int status) {
	switch (status) {
#define STATUS_CASE(code, text)                                                                              \
	case code: return INDEX_##code;
		STATUS_MAP(STATUS_CASE)
#undef STATUS_CASE
	default: return OTHER;
	}
}

int sf_http_status_at(size_t index) {
	static const int statuses[SF_HTTP_STATUSES] = {
#define STATUS_AT(code, text) [INDEX_##code] = code,
		STATUS_MAP(STATUS_AT)
#undef STATUS_AT
	};
	return index < SF_HTTP_STATUSES ? statuses[index] : 0;
}

const char *sf_method_name(enum sf_method m) {
	static const char *const names[SF_METHODS] = {
		[SF_GET] = "GET",     [SF_HEAD] = "HEAD",     [SF_POST] = "POST",       [SF_PUT] = "PUT",
		[SF_PATCH] = "PATCH", [SF_DELETE] = "DELETE", [SF_OPTIONS] = "OPTIONS",
	};
	return m < SF_METHODS ? names[m] : "?";
}
