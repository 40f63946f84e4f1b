/* hash: digests, fast hashing of untrusted keys, random bytes and text encodings. */
#ifndef SF_CORE_HASH_H
#define SF_CORE_HASH_H

#include "core/core.h"

uint64_t sf_hash64(const void *p, size_t n); /* SipHash-2-4, keyed once a process: for tables */
uint64_t sf_hash64_fixed(const void *p,
						 size_t n); /* same value in every process and run (XXH64 or FNV-1a): ETags, shards */
void sf_sha256(const void *p, size_t n, unsigned char out[32]);
void sf_hmac_sha256(struct sf_str key, struct sf_str data, unsigned char out[32]); /* RFC 2104 */
bool sf_equal_ct(const void *a, const void *b, size_t n);                          /* constant time */
void sf_random(void *p, size_t n); /* from the kernel, never fails */
void sf_uuid(char out[37]);        /* RFC 9562 version 4, NUL-terminated */

void sf_hex(const void *p, size_t n, char *out); /* 2n characters, lower case, and NUL */
SF_MUSTCHECK
int sf_unhex(struct sf_str s, void *out, size_t n); /* exactly n bytes or SF_EINVAL */
/* base64url without padding (RFC 4648 §5). Encoded: out ≥ (n*4+2)/3+1 bytes, NUL-terminated, returns length. */
size_t sf_base64url(const void *p, size_t n, char *out);
SF_MUSTCHECK
int sf_unbase64url(struct sf_str s, void *out, size_t cap, size_t *n);

/* %XX decoding (RFC 3986 §2.1) into the arena; `plus` also turns + into space. SF_EINVAL on a bad
 * escape, a NUL or text that is not UTF-8. */
SF_MUSTCHECK
int sf_percent_decode(struct sf_arena *a, struct sf_str s, bool plus, struct sf_str *out);
void sf_percent_encode(struct sf_buf *b, struct sf_str s); /* unreserved characters stay */

#endif
