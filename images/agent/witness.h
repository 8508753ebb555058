/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel has to say of itself: its taint, and whether it has said anything. */
#ifndef KH_WITNESS_H
#define KH_WITNESS_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define EXITED_MARKED 2
#define TAINT_UNKNOWN 0xffffffffu

static uint32_t taint_told;	/* before the next program */

/*
 * The kernel's taint bits (Documentation/admin-guide/tainted-kernels.rst), the
 * witness of a report that no console shows; TAINT_UNKNOWN without a /proc.
 */
static uint32_t taint(void)
{
	static int fd = -2;
	char text[32];
	ssize_t n;

	/* Kept open: the way to a file is long for a fork that has to translate it. */
	if (fd == -2)
		fd = open("/proc/sys/kernel/tainted", O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : pread(fd, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return TAINT_UNKNOWN;
	text[n] = 0;
	return strtoul(text, NULL, 10);
}

/*
 * The console may be behind what the kernel has said: whoever holds its lock
 * prints for all, later, and a line without its end waits for the next. If
 * anything was said since the last time, a mark goes after it, and the host
 * waits until it has seen that. Returns EXITED's flag.
 */
static uint32_t mark_console(uint32_t seq)
{
	static char record[8192];
	static int fd = -2;
	int n;

	if (fd == -2) {
		fd = open("/dev/kmsg", O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0)
			lseek(fd, 0, SEEK_END);
		return 0;
	}
	/* EAGAIN: nothing. EPIPE: so much that the first of it is lost already. */
	if (fd < 0 || (read(fd, record, sizeof(record)) < 0 && errno != EPIPE))
		return 0;
	n = snprintf(record, sizeof(record), "<1>kharness: end of job %u\n", seq);
	if (write(fd, record, n) != n)
		return 0;
	lseek(fd, 0, SEEK_END);
	return EXITED_MARKED;
}

#endif
