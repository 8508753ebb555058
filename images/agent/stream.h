/* SPDX-License-Identifier: GPL-2.0-only */
/* What a program writes: the first bytes go out at once, of the rest the last are kept. */
#ifndef KH_STREAM_H
#define KH_STREAM_H

#include "wire.h"

#define TAIL_MAX 65536
#define CHUNK 16384

struct stream {
	int fd;
	uint8_t type;
	uint32_t seq;		/* of the request that it belongs to */
	uint64_t total;
	uint32_t head;		/* bytes that may still go out at once */
	uint32_t tail;		/* size of the ring in use */
	uint64_t ringed;	/* bytes that went into the ring */
	uint8_t ring[TAIL_MAX];
};

static void
stream_start(struct stream *s, int fd, uint32_t seq, uint32_t head, uint32_t tail)
{
	s->fd = fd;
	s->seq = seq;
	s->total = s->ringed = 0;
	s->head = head;
	s->tail = tail < TAIL_MAX ? tail : TAIL_MAX;
}

static void stream_keep(struct stream *s, const uint8_t *p, size_t n)
{
	if (!s->tail)
		return;
	while (n) {
		size_t at = s->ringed % s->tail, k = s->tail - at < n ? s->tail - at : n;

		memcpy(s->ring + at, p, k);
		s->ringed += k;
		p += k;
		n -= k;
	}
}

/* 1 something came, 0 nothing now, -1 the end. */
static int stream_read(struct stream *s)
{
	uint8_t *p = wire_payload();
	ssize_t n = read(s->fd, p, CHUNK);
	size_t first;

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
	s->total += n;
	first = (size_t)n < s->head ? (size_t)n : s->head;
	s->head -= first;
	stream_keep(s, p + first, n - first);
	if (first && wire_send(s->type, s->seq, first) != 0)
		return -1;
	return 1;
}

static void stream_end(struct stream *s)
{
	uint64_t kept = s->ringed < s->tail ? s->ringed : s->tail;

	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	for (uint64_t i = s->ringed - kept; i < s->ringed;) {
		size_t at = i % s->tail, n = s->tail - at;

		if (n > s->ringed - i)
			n = s->ringed - i;
		if (n > CHUNK)
			n = CHUNK;
		memcpy(wire_payload(), s->ring + at, n);
		wire_send(s->type, s->seq, n);
		i += n;
	}
}

#endif
