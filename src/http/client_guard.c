/* Which addresses are not the world: networks that a user's URL must not lead into (RFC 6890 and IANA's special-purpose registries).
 *
 * Asked with the address that a socket is about to be connected to, after resolution, so that a name whose answers change cannot
 * get past. IPv6 is allowed only where the Internet is (2000::/3), minus what is set apart there; forms that carry an IPv4 address
 * are judged by it. */
#include "http/client.h"

#include <netinet/in.h>

struct net4 {
	uint32_t net;
	int bits;
};
#define IP4(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

static const struct net4 closed4[] = {
	{ IP4(0, 0, 0, 0), 8 },       /* this network */
	{ IP4(10, 0, 0, 0), 8 },      /* private */
	{ IP4(100, 64, 0, 0), 10 },   /* carriers' NAT */
	{ IP4(127, 0, 0, 0), 8 },     /* loopback */
	{ IP4(169, 254, 0, 0), 16 },  /* link-local, clouds' metadata */
	{ IP4(172, 16, 0, 0), 12 },   /* private */
	{ IP4(192, 0, 0, 0), 24 },    /* protocol assignments */
	{ IP4(192, 0, 2, 0), 24 },    /* documentation */
	{ IP4(192, 88, 99, 0), 24 },  /* 6to4 relays, withdrawn */
	{ IP4(192, 168, 0, 0), 16 },  /* private */
	{ IP4(198, 18, 0, 0), 15 },   /* benchmarks */
	{ IP4(198, 51, 100, 0), 24 }, /* documentation */
	{ IP4(203, 0, 113, 0), 24 },  /* documentation */
	{ IP4(224, 0, 0, 0), 4 },     /* multicast */
	{ IP4(240, 0, 0, 0), 4 },     /* reserved, broadcast */
};

struct net6 {
	uint8_t net[16];
	int bits;
	int v4; /* where an IPv4 address stands in it, which decides; -1: closed */
};
static const struct net6 special6[] = {
	{ { [10] = 0xff, [11] = 0xff }, 96, 12 }, /* ::ffff:0:0/96, IPv4 mapped */
	{ { 0x00, 0x64, 0xff, 0x9b }, 96, 12 },   /* 64:ff9b::/96, NAT64 */
	{ { 0x20, 0x02 }, 16, 2 },                /* 6to4 */
	{ { 0x20, 0x01 }, 23, -1 },               /* protocols: Teredo, ORCHID, benchmarks */
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32, -1 },   /* documentation */
	{ { 0x3f, 0xff }, 20, -1 },               /* documentation */
};

static bool public4(uint32_t ip) {
	for (size_t i = 0; i < SF_COUNT(closed4); i++)
		if ((ip ^ closed4[i].net) >> (32 - closed4[i].bits) == 0) return false;
	return true;
}

static bool within6(const uint8_t ip[16], const struct net6 *n) {
	int bytes = n->bits / 8, rest = n->bits % 8;
	if (memcmp(ip, n->net, (size_t)bytes) != 0) return false;
	return rest == 0 || (ip[bytes] ^ n->net[bytes]) >> (8 - rest) == 0;
}

static bool public6(const uint8_t ip[16]) {
	for (size_t i = 0; i < SF_COUNT(special6); i++) {
		const struct net6 *n = &special6[i];
		if (!within6(ip, n)) continue;
		if (n->v4 < 0) return false;
		const uint8_t *v4 = ip + n->v4;
		return public4(IP4(v4[0], v4[1], v4[2], v4[3]));
	}
	return (ip[0] & 0xe0) == 0x20;
}

bool sf_client__public(const struct sockaddr *sa) {
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, sa, sizeof(in));
		return public4(ntohl(in.sin_addr.s_addr));
	}
	if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in;
		memcpy(&in, sa, sizeof(in));
		return public6(in.sin6_addr.s6_addr);
	}
	return false;
}
