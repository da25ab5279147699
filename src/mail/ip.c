/* SPDX-License-Identifier: Apache-2.0
 *
 * ip: addresses as 16 bytes, v4 mapped, so that there is one comparison and one
 * prefix test for both. The texts go through inet_pton and inet_ntop, which are
 * pure; what they refuse (leading zeros, scopes aside) is unknown, not guessed.
 */
#include "mail/facts.h"

#include <arpa/inet.h>
#include <stdio.h>

static const uint8_t ip_v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

static bool ip_is_v4(struct ip ip)
{
	return memcmp(ip.bytes, ip_v4_prefix, sizeof ip_v4_prefix) == 0;
}

bool ip_is_unknown(struct ip ip)
{
	static const struct ip zero;
	return ip_equal(ip, zero);
}

bool ip_equal(struct ip a, struct ip b)
{
	return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

bool ip_is_loopback(struct ip ip)
{
	static const struct ip one = { .bytes = { [15] = 1 } };
	return ip_is_v4(ip) ? ip.bytes[12] == 127 : ip_equal(ip, one);
}

bool ip_is_private(struct ip ip)
{
	const uint8_t *v4 = ip.bytes + 12;
	if (ip_is_loopback(ip))
		return true;
	if (!ip_is_v4(ip))
		return (ip.bytes[0] & 0xfe) == 0xfc || /* RFC 4193 */
		       (ip.bytes[0] == 0xfe && (ip.bytes[1] & 0xc0) == 0x80);
	return v4[0] == 10 || (v4[0] == 172 && (v4[1] & 0xf0) == 16) ||
	       (v4[0] == 192 && v4[1] == 168) || (v4[0] == 169 && v4[1] == 254);
}

bool ip_parse(struct slice text, struct ip *ip_out)
{
	char copy[IP_TEXT_BYTES];
	struct ip ip = { .bytes = { 0 } };

	*ip_out = ip;
	/* Most words of a Received line are no address: v4 begins with a digit, v6 has ":". */
	if (text.len < 2 || (!ascii_is_digit(text.ptr[0]) && !memchr(text.ptr, ':', text.len)))
		return false;
	if (slice_starts_nocase(text, SLICE("IPv6:")))
		text = slice_from(text, 5);
	text = slice_first(text, slice_find_byte(text, 0, '%')); /* a scope says nothing here */
	if (text.len < 2 || text.len >= sizeof copy || memchr(text.ptr, '\0', text.len))
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	if (memchr(copy, ':', text.len)) {
		if (inet_pton(AF_INET6, copy, ip.bytes) != 1)
			return false;
	} else {
		memcpy(ip.bytes, ip_v4_prefix, sizeof ip_v4_prefix);
		if (inet_pton(AF_INET, copy, ip.bytes + 12) != 1)
			return false;
	}
	*ip_out = ip;
	return true;
}

const char *ip_text(struct ip ip, char out[IP_TEXT_BYTES])
{
	const void *v4 = ip.bytes + 12;
	if (ip_is_unknown(ip))
		snprintf(out, IP_TEXT_BYTES, "unknown");
	else if (ip_is_v4(ip))
		inet_ntop(AF_INET, v4, out, IP_TEXT_BYTES);
	else
		inet_ntop(AF_INET6, ip.bytes, out, IP_TEXT_BYTES);
	return out;
}

bool ip_net_parse(struct slice text, struct ip_net *net_out)
{
	size_t slash = slice_find_byte(text, 0, '/');
	uint64_t bits = 128;
	struct ip_net net = { .prefix_bits = 128 };

	if (!ip_parse(slice_first(text, slash), &net.ip))
		return false;
	if (slash < text.len) {
		uint64_t most = ip_is_v4(net.ip) ? 32 : 128;
		if (!slice_to_u64(slice_from(text, slash + 1), &bits) || bits > most)
			return false;
		bits += 128 - most;
	}
	net.prefix_bits = (unsigned)bits;
	*net_out = net;
	return true;
}

bool ip_net_holds(struct ip_net net, struct ip ip)
{
	unsigned bits = net.prefix_bits > 128 ? 128 : net.prefix_bits;
	unsigned whole = bits / 8, rest = bits % 8;
	if (memcmp(net.ip.bytes, ip.bytes, whole) != 0)
		return false;
	return rest == 0 || (net.ip.bytes[whole] ^ ip.bytes[whole]) >> (8 - rest) == 0;
}
