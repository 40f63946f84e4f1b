/* Bodies that a client has compressed (RFC 9110 §8.4.1.3, RFC 1952).
 *
 * A kilobyte of gzip can hold a megabyte, so the limit of a body is that of what comes out, and inflating stops with its
 * first byte too many: no more memory is taken than a plain body may take. It stops between slices, too, for other requests
 * to run, since what a slice costs hangs on the bytes on both sides and on the number of members. */
#include "http/http.h"
#include "http/internal.h"

#define ZLIB_CONST /* input is const */
#include <zlib.h>

#include "loop/loop.h"

enum sf_body_coding sf_http_body_coding(const struct sf_http_req *req) {
	int gzips = 0;
	for (size_t i = 0; i < req->nheaders; i++) {
		if (!sf_str_ieq(req->headers[i].name, SF_STR("content-encoding"))) continue;
		struct sf_str list = req->headers[i].value, one;
		for (bool more = true; more;) {
			more = sf_str_cut(list, ',', &one, &list);
			one = sf_str_trim(one);
			if (one.n == 0 || sf_str_ieq(one, SF_STR("identity"))) continue;
			if (!sf_str_ieq(one, SF_STR("gzip")) && !sf_str_ieq(one, SF_STR("x-gzip"))) return SF_BODY_OTHER;
			gzips++;
		}
	}
	return gzips == 0 ? SF_BODY_PLAIN : gzips == 1 ? SF_BODY_GZIP : SF_BODY_OTHER;
}

struct inflating {
	z_stream z;
	struct sf_str rest; /* not handed to zlib yet */
	struct sf_buf out;
	size_t max, turn; /* turn: work since the last yield */
};

enum { SLICE = 16 << 10, TURN = 64 << 10, CALL = 512 /* what a call costs at least, in bytes */ };

/* Input and room for one call. Past the limit there is room for one byte, which must not come. */
static int prepare(struct inflating *in, Bytef *beyond) {
	size_t room = in->max - in->out.n;
	if (in->z.avail_in == 0) {
		size_t n = in->rest.n < SLICE ? in->rest.n : SLICE;
		in->z.next_in = (const Bytef *)in->rest.p, in->z.avail_in = (uInt)n;
		in->rest.p += n, in->rest.n -= n;
	}
	room = room < SLICE ? room : SLICE;
	char *p = room ? sf_buf_reserve(&in->out, room) : (char *)beyond;
	if (!p) return SF_ENOMEM;
	in->z.next_out = (Bytef *)p, in->z.avail_out = room ? (uInt)room : 1;
	return 0;
}

/* ~ One call of zlib. *over: the last member has ended. */
static int step(struct inflating *in, bool *over) {
	Bytef beyond;
	int err = prepare(in, &beyond);
	if (err) return err;
	uInt had_in = in->z.avail_in, had_out = in->z.avail_out;
	int rc = inflate(&in->z, Z_NO_FLUSH);
	size_t made = had_out - in->z.avail_out;
	if (made > in->max - in->out.n) return SF_ETOOLARGE;
	in->out.n += made;
	bool left = in->z.avail_in || in->rest.n;
	if (rc == Z_STREAM_END) {
		*over = !left;
		if (left && inflateReset(&in->z) != Z_OK) return SF_EMALFORMED;
	} else if (rc != Z_OK) {
		return rc == Z_MEM_ERROR ? SF_ENOMEM
								 : SF_EMALFORMED; /* corrupt, or (Z_BUF_ERROR) it ends too early */
	}
	in->turn += CALL + made + had_in - in->z.avail_in;
	if (in->turn < TURN || !sf_co_self()) return 0;
	in->turn = 0;
	return sf_yield();
}

/* The last four bytes say how long the (last) member's content is. A hint only: deflate cannot do better than 1:1032. */
static void reserve(struct inflating *in, struct sf_str body) {
	uint32_t size = 0;
	if (body.n < 18) return;
	for (size_t i = 0; i < 4; i++) size |= (uint32_t)(unsigned char)body.p[body.n - 4 + i] << 8 * i;
	if (size && size <= in->max && size / 1032 <= body.n) (void)sf_buf_reserve(&in->out, size);
}

int sf_http_inflate(struct sf_http_req *req, size_t max) {
	struct inflating in = { .rest = req->body, .max = max };
	bool over = false;
	if (req->body.n == 0) return 0;
	if (inflateInit2(&in.z, 15 + 16 /* gzip */) != Z_OK) return SF_ENOMEM;
	sf_buf_init(&in.out, req->arena);
	reserve(&in, req->body);
	int err = in.out.failed ? SF_ENOMEM : 0;
	while (!err && !over) err = step(&in, &over);
	inflateEnd(&in.z);
	if (!err) req->body = in.out.n ? sf_buf_view(&in.out) : SF_STR("");
	return err;
}
