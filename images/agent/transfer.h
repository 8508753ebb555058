/* SPDX-License-Identifier: GPL-2.0-only */
/* Single files in and out of a live guest, with their hashes. */
#ifndef KH_TRANSFER_H
#define KH_TRANSFER_H

#include <limits.h>

#include "setup.h"
#include "sha256.h"
#include "wire.h"

static struct push {
	int fd;			/* -1: none, or one that failed */
	uint32_t seq, mode;
	uint64_t size, have;
	struct sha256 hash;
	char path[PATH_MAX], part[PATH_MAX + 8];
} push = { .fd = -1 };

static void push_fail(int error, const char *what)
{
	if (push.fd >= 0) {
		close(push.fd);
		unlink(push.part);
	}
	push.fd = -1;
	wire_error(push.seq, error, what);
}

static void make_parents(char *path)
{
	for (char *p = path + 1; *p; p++)
		if (*p == '/') {
			*p = 0;
			mkdir(path, 0755);
			*p = '/';
		}
}

static void push_start(const struct frame *f)
{
	struct cursor c = { f->data, f->data + f->len, 0 };
	char *at = push.path;

	if (push.fd >= 0)
		close(push.fd);
	push.fd = -1;
	push.seq = f->seq;
	push.mode = take32(&c);
	push.size = take64(&c);
	push.have = 0;
	take_string(&c, &at, push.path + sizeof(push.path));
	if (c.bad || push.path[0] != '/') {
		push_fail(EINVAL, "PUSH needs an absolute path");
		return;
	}
	snprintf(push.part, sizeof(push.part), "%s.part", push.path);
	make_parents(push.path);
	push.fd = open(push.part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	sha256_init(&push.hash);
	if (push.fd < 0)
		push_fail(errno, push.path);
}

/* What comes for a push that failed is dropped: its ERROR is under way. */
static void push_data(const struct frame *f)
{
	const uint8_t *p = f->data;
	size_t n = f->len;

	if (push.fd < 0 || f->seq != push.seq)
		return;
	push.have += n;
	if (push.have > push.size) {
		push_fail(EMSGSIZE, "more data than PUSH announced");
		return;
	}
	sha256_add(&push.hash, p, n);
	while (n) {
		ssize_t w = write(push.fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0) {
			push_fail(errno, push.path);
			return;
		}
		p += w;
		n -= w;
	}
	put32(wire_payload(), f->len);
	wire_send(PUSH_ACK, f->seq, 4);
}

static void send_done(uint8_t type, uint32_t seq, uint64_t size, struct sha256 *hash, uint32_t mode)
{
	uint8_t *p = put64(wire_payload(), size);

	sha256_end(hash, p);
	put32(p + 32, mode);
	wire_send(type, seq, 44);
}

static void push_end(const struct frame *f)
{
	if (push.fd < 0 || f->seq != push.seq)
		return;
	if (push.have != push.size) {
		push_fail(EMSGSIZE, "less data than PUSH announced");
		return;
	}
	if (fchmod(push.fd, push.mode & 07777) != 0 || close(push.fd) != 0) {
		push.fd = -1;
		push_fail(errno, push.path);
		return;
	}
	push.fd = -1;
	if (rename(push.part, push.path) != 0) {
		push_fail(errno, push.path);
		return;
	}
	send_done(PUSHED, push.seq, push.size, &push.hash, push.mode & 07777);
}

static void pull(const struct frame *f)
{
	struct cursor c = { f->data, f->data + f->len, 0 };
	static char path[PATH_MAX];
	char *at = path;
	uint64_t limit = take64(&c), size = 0;
	struct sha256 hash;
	struct stat about;
	ssize_t n;
	int fd, error = 0;

	take_string(&c, &at, path + sizeof(path));
	if (c.bad || path[0] != '/') {
		wire_error(f->seq, EINVAL, "PULL needs an absolute path");
		return;
	}
	/* O_NONBLOCK: opening a FIFO that nobody writes must not end the agent's day. */
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &about) != 0)
		error = errno;
	else if (!S_ISREG(about.st_mode))
		error = S_ISDIR(about.st_mode) ? EISDIR : EINVAL;
	else if ((uint64_t)about.st_size > limit)
		error = EFBIG;
	sha256_init(&hash);
	/* Files of /proc have no size: what counts is what comes. */
	while (!error && (n = read(fd, wire_payload(), 32768)) != 0) {
		if (n < 0) {
			error = errno;
		} else if ((size += n) > limit) {
			error = EFBIG;
		} else {
			sha256_add(&hash, wire_payload(), n);
			wire_send(PULL_DATA, f->seq, n);
		}
	}
	if (fd >= 0)
		close(fd);
	if (error)
		wire_error(f->seq, error, path);
	else
		send_done(PULLED, f->seq, size, &hash, about.st_mode & 07777);
}

#endif
