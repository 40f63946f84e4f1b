/* gzip and brotli of dynamic answers.
 *
 * Levels are cheap ones: an answer is compressed once and read once. Encoder memory is kept: deflate's state is
 * reset instead of made anew, and brotli, which cannot be reset, is given an allocator that remembers its blocks,
 * so that neither asks the kernel for zeroed pages at each answer. Large bodies go to the thread pool, where
 * encoders are made for the one use. */
#include "http/http.h"
#include "http/internal.h"

#include <brotli/encode.h>
#include <stdlib.h>
#define ZLIB_CONST /* input is const */
#include <zlib.h>

#include "loop/loop.h"

/* Of a page of chefs (3.2 KB of JSON, mostly Korean): gzip 2 takes 14 µs to 886 bytes, 4 takes 18 to 836, 6 takes 21 to 819;
 * brotli 2 takes 17 µs to 903, 3 takes 22 to 857, 5 takes 39 to 788. Of 26 KB: 59 µs to 4683 and 78 to 4474.
 * Beyond OFFLOAD a body would hold the loop up for half a millisecond and more. */
enum { GZIP_LEVEL = 2, BROTLI_QUALITY = 2, OFFLOAD = 128 << 10, BLOCKS = 16 };

struct sf_http__encoders {
	z_stream gzip;
	bool gzip_made;
	struct block *blocks[BLOCKS]; /* brotli's, between uses */
};

/* ---- brotli's memory ------------------------------------------------------------------------ */

struct block {
	size_t n;
	_Alignas(16) char bytes[];
};

static void *block_take(void *opaque, size_t n) {
	struct sf_http__encoders *e = opaque;
	struct block **best = NULL;
	for (int i = 0; i < BLOCKS; i++) {
		struct block **b = &e->blocks[i];
		if (*b && (*b)->n >= n && (*b)->n / 4 <= n && (!best || (*b)->n < (*best)->n)) best = b;
	}
	struct block *b;
	if (best) {
		b = *best, *best = NULL;
	} else {
		b = malloc(sizeof(*b) + n);
		if (!b) return NULL;
		b->n = n;
	}
	return b->bytes;
}

static void block_give(void *opaque, void *p) {
	enum { KEEP = 1 << 20 };
	struct sf_http__encoders *e = opaque;
	if (!p) return;
	struct block *b = SF_CONTAINER(p, struct block, bytes);
	for (int i = 0; i < BLOCKS && b->n <= KEEP; i++) {
		if (e->blocks[i]) continue;
		e->blocks[i] = b;
		return;
	}
	free(b);
}

/* ---- one body ------------------------------------------------------------------------------- */

struct job {
	struct sf_http__encoders *e; /* NULL on the thread pool */
	enum sf_http__coding coding;
	struct sf_str body;
	char *out;
	size_t cap, n;
	int level; /* of gzip; 0: the cheap one */
};

static bool run_gzip(struct job *j) {
	z_stream own = { 0 }, *z = j->e ? &j->e->gzip : &own;
	if (j->e && j->e->gzip_made)
		deflateReset(z);
	else if (deflateInit2(z, j->level ? j->level : GZIP_LEVEL, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) !=
			 Z_OK)
		return false;
	if (j->e) j->e->gzip_made = true;
	z->next_in = (const Bytef *)j->body.p, z->avail_in = (uInt)j->body.n;
	z->next_out = (Bytef *)j->out, z->avail_out = (uInt)j->cap;
	int rc = deflate(z, Z_FINISH);
	j->n = j->cap - z->avail_out;
	if (!j->e) deflateEnd(z);
	return rc == Z_STREAM_END;
}

static bool run_brotli(struct job *j) {
	BrotliEncoderState *b = j->e ? BrotliEncoderCreateInstance(block_take, block_give, j->e)
								 : BrotliEncoderCreateInstance(NULL, NULL, NULL);
	if (!b) return false;
	int window = BROTLI_MIN_WINDOW_BITS;
	while (window < 18 && (1U << window) < j->body.n) window++;
	BrotliEncoderSetParameter(b, BROTLI_PARAM_QUALITY, BROTLI_QUALITY);
	BrotliEncoderSetParameter(b, BROTLI_PARAM_LGWIN, (uint32_t)window);
	BrotliEncoderSetParameter(b, BROTLI_PARAM_MODE, BROTLI_MODE_TEXT);
	BrotliEncoderSetParameter(b, BROTLI_PARAM_SIZE_HINT, (uint32_t)j->body.n);
	size_t in_n = j->body.n, out_n = j->cap;
	const uint8_t *in = (const uint8_t *)j->body.p;
	uint8_t *out = (uint8_t *)j->out;
	bool ok = BrotliEncoderCompressStream(b, BROTLI_OPERATION_FINISH, &in_n, &in, &out_n, &out, NULL) &&
			  BrotliEncoderIsFinished(b);
	j->n = j->cap - out_n;
	BrotliEncoderDestroyInstance(b);
	return ok;
}

static int run(void *arg) {
	struct job *j = arg;
	return (j->coding == SF_CODING_BR ? run_brotli(j) : run_gzip(j)) ? 0 : SF_ENOMEM;
}

bool sf_http__encode(struct sf_http__encoders *e, struct sf_arena *a, enum sf_http__coding coding,
					 struct sf_str body, struct sf_str *out) {
	struct job j = { .e = e, .coding = coding, .body = body, .cap = body.n - body.n / 8 };
	j.out = sf_arena_try(a, j.cap); /* an encoder that needs more than that is not worth its while */
	if (!j.out) return false;
	int err;
	if (body.n > OFFLOAD && sf_co_self()) {
		j.e = NULL;
		err = sf_offload(run, &j);
	} else {
		err = run(&j);
	}
	if (err) return false;
	*out = (struct sf_str) { j.out, j.n };
	return true;
}

bool sf_http__gzip_well(struct sf_str body, struct sf_str *out) {
	struct job j = { .coding = SF_CODING_GZIP, .body = body, .cap = body.n - body.n / 8, .level = 9 };
	j.out = sf_try_realloc(NULL, j.cap);
	if (!j.out || run(&j)) {
		free(j.out);
		return false;
	}
	*out = (struct sf_str) { j.out, j.n };
	return true;
}

struct sf_http__encoders *sf_http__encoders_new(void) {
	return sf_calloc(1, sizeof(struct sf_http__encoders));
}

void sf_http__encoders_free(struct sf_http__encoders *e) {
	if (!e) return;
	if (e->gzip_made) deflateEnd(&e->gzip);
	for (int i = 0; i < BLOCKS; i++) free(e->blocks[i]);
	free(e);
}
