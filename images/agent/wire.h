/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames: docs/protocol.md. Static buffers only; nothing is allocated. */
#ifndef KH_WIRE_H
#define KH_WIRE_H

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define WIRE_VERSION 2
#define WIRE_HEADER 16
#define WIRE_MAX 65536

enum wire_type {
	RUN = 1, STDIN, WINSIZE, KILL, PUSH, PUSH_DATA, PUSH_END, PULL, SYNC,
	POWEROFF, STANDBY, STATUS,
	HELLO = 64, STARTED, STDOUT, STDERR, EXITED, ERROR, PUSH_ACK, PUSHED,
	PULL_DATA, PULLED, SYNCED, STATE,
};

struct frame {
	uint8_t type;
	uint32_t seq, len;
	const uint8_t *data;
};

static int wire_fd = -1;
static uint8_t wire_in[WIRE_HEADER + WIRE_MAX];
static size_t wire_have, wire_used;
static uint8_t wire_out[WIRE_HEADER + WIRE_MAX];

static uint32_t wire_crc(uint32_t crc, const uint8_t *p, size_t n)
{
	static uint32_t table[256];

	if (!table[1])
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t c = i;

			for (int k = 0; k < 8; k++)
				c = c & 1 ? 0xedb88320 ^ c >> 1 : c >> 1;
			table[i] = c;
		}
	crc = ~crc;
	while (n--)
		crc = table[(crc ^ *p++) & 0xff] ^ crc >> 8;
	return ~crc;
}

static inline uint32_t get32(const uint8_t *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t get64(const uint8_t *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static inline uint8_t *put16(uint8_t *p, uint16_t v)
{
	*p++ = v;
	*p++ = v >> 8;
	return p;
}

static inline uint8_t *put32(uint8_t *p, uint32_t v)
{
	return put16(put16(p, v), v >> 16);
}

static inline uint8_t *put64(uint8_t *p, uint64_t v)
{
	return put32(put32(p, v), v >> 32);
}

static inline uint8_t *put_string(uint8_t *p, const char *s)
{
	size_t n = strlen(s);

	p = put16(p, n);
	memcpy(p, s, n);
	return p + n;
}

/* Writes everything, waiting where the channel is full. */
static int wire_write(const uint8_t *p, size_t n)
{
	while (n) {
		ssize_t w = write(wire_fd, p, n);

		if (w > 0) {
			p += w;
			n -= w;
		} else if (w < 0 && errno == EAGAIN) {
			struct pollfd fd = { .fd = wire_fd, .events = POLLOUT };

			poll(&fd, 1, 1000);
		} else if (w < 0 && errno != EINTR) {
			return -1;
		}
	}
	return 0;
}

/* Where the payload of the next frame is put together before wire_send(). */
static inline uint8_t *wire_payload(void)
{
	return wire_out + WIRE_HEADER;
}

static int wire_send(uint8_t type, uint32_t seq, size_t len)
{
	uint8_t *p = wire_out;

	*p++ = 0xc5;
	*p++ = 'K';
	*p++ = WIRE_VERSION;
	*p++ = type;
	p = put32(put32(p, seq), len);
	put32(p, wire_crc(wire_crc(0, wire_out, 12), wire_payload(), len));
	return wire_write(wire_out, WIRE_HEADER + len);
}

static inline int wire_error(uint32_t seq, int error, const char *what)
{
	uint8_t *p = put_string(put32(wire_payload(), error), what);

	return wire_send(ERROR, seq, p - wire_payload());
}

/* Reads what there is: 1 something came, 0 nothing, -1 the channel is broken. */
static int wire_read(void)
{
	ssize_t n;

	if (wire_used) {
		memmove(wire_in, wire_in + wire_used, wire_have - wire_used);
		wire_have -= wire_used;
		wire_used = 0;
	}
	n = read(wire_fd, wire_in + wire_have, sizeof(wire_in) - wire_have);
	if (n > 0) {
		wire_have += n;
		return 1;
	}
	/* A port whose host end is closed reads as 0 (drivers/char/virtio_console.c). */
	return n == 0 || errno == EAGAIN || errno == EINTR ? 0 : -1;
}

/* The next complete frame: 1 there is one, 0 not yet, -1 the host broke the protocol. */
static int wire_next(struct frame *f)
{
	const uint8_t *p = wire_in + wire_used;
	size_t have = wire_have - wire_used;

	if (have < WIRE_HEADER)
		return 0;
	f->type = p[3];
	f->seq = get32(p + 4);
	f->len = get32(p + 8);
	if (p[0] != 0xc5 || p[1] != 'K' || p[2] != WIRE_VERSION || f->len > WIRE_MAX)
		return -1;
	if (have < WIRE_HEADER + f->len)
		return 0;
	f->data = p + WIRE_HEADER;
	if (get32(p + 12) != wire_crc(wire_crc(0, p, 12), f->data, f->len))
		return -1;
	wire_used += WIRE_HEADER + f->len;
	return 1;
}

/* Takes strings and numbers out of a payload; `bad` is sticky. */
struct cursor {
	const uint8_t *p, *end;
	int bad;
};

static inline const uint8_t *take(struct cursor *c, size_t n)
{
	const uint8_t *p = c->p;

	if (c->bad || n > (size_t)(c->end - p)) {
		c->bad = 1;
		return (const uint8_t *)"\0\0\0\0\0\0\0";
	}
	c->p += n;
	return p;
}

static inline uint16_t take16(struct cursor *c)
{
	const uint8_t *p = take(c, 2);

	return p[0] | p[1] << 8;
}

static inline uint32_t take32(struct cursor *c)
{
	return get32(take(c, 4));
}

static inline uint64_t take64(struct cursor *c)
{
	return get64(take(c, 8));
}

/* A string, copied to *into with its NUL; *into moves on. */
static inline char *take_string(struct cursor *c, char **into, const char *limit)
{
	size_t n = take16(c);
	const uint8_t *p = take(c, n);
	char *s = *into;

	if (c->bad || n + 1 > (size_t)(limit - s)) {
		c->bad = 1;
		return "";
	}
	memcpy(s, p, n);
	s[n] = 0;
	*into = s + n + 1;
	return s;
}

#endif
