/* SPDX-License-Identifier: GPL-2.0-only */
/* What /proc and fdinfo say, for kernels with procfs. */
#ifndef CASES_PIDFD_PROC_H
#define CASES_PIDFD_PROC_H

#include <limits.h>

#include "calls.h"

/* Reads a small file; the number of bytes, or -1. */
static inline ssize_t read_text(int dir, const char *path, char *text, size_t size)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	size_t have = 0;
	ssize_t n = -1;

	if (fd < 0)
		return -1;
	while (have < size - 1 && (n = read(fd, text + have, size - 1 - have)) > 0)
		have += n;
	close(fd);
	text[have] = 0;
	return n < 0 ? -1 : (ssize_t)have;
}

/* A limit as it was before: its file, and the number that was in it. */
struct limit {
	int fd;
	char number[32];
};

static inline void reset_limit(struct limit *before)
{
	/* Only what is written at the beginning counts (kernel.sysctl_writes_strict). */
	EXPECT_GT(pwrite(before->fd, before->number, strlen(before->number), 0), 0);
}

/*
 * A number below /proc/sys, until the case ends: one guest may run many cases.
 * Where there is no such file the case is skipped, and says why.
 */
static inline void set_limit(const char *file, const char *number, const char *needs)
{
	struct limit *before = calloc(1, sizeof(*before));

	ASSERT_TRUE(before != NULL);
	if (read_text(AT_FDCWD, file, before->number, sizeof(before->number)) <= 0)
		SKIP("%s", needs);
	before->fd = open(file, O_WRONLY | O_CLOEXEC);
	if (before->fd < 0)
		SKIP("needs to write %s (%s)", file, strerror(errno));
	CLEANUP(reset_limit, before);
	if (write(before->fd, number, strlen(number)) < 0 && errno == EINVAL)
		SKIP("needs %s of %s, which this guest refuses", file, number);
}

/* The number behind "Pid:" in a status or fdinfo text; INT_MIN when there is none. */
static inline int pid_in(const char *text)
{
	int pid;

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line, "Pid:%d", &pid) == 1)
			return pid;
	}
	return INT_MIN;
}

/* A descriptor of /proc; the case is skipped where there is none. */
static inline int open_proc(void)
{
	int fd = open("/proc", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	char text[16];

	/* An empty folder may stand where no procfs is mounted. */
	if (fd < 0 || read_text(fd, "self/stat", text, sizeof(text)) <= 0)
		SKIP("needs /proc");
	return fd;
}

static inline void expect_status_of(int procfd, pid_t pid)
{
	char text[4096];

	ASSERT_OK(read_text(procfd, "status", text, sizeof(text)));
	EXPECT_EQ(pid_in(text), pid);
}

/* "Pid:" in the fdinfo of a pidfd (5.2, proc(5)). */
static inline int fdinfo_pid(int pidfd)
{
	char path[64], text[1024];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	if (read_text(AT_FDCWD, path, text, sizeof(text)) < 0)
		SKIP("needs /proc (%s)", strerror(errno));
	return pid_in(text);
}

/*
 * What PIDFD_GET_PROCFD does, as user space does it on mainline: the number
 * from fdinfo, /proc/<pid>, and then, through the pidfd, that the process is
 * still there, so that the folder cannot be somebody else's. -1 and ESRCH
 * when it is gone.
 */
static inline int procfd_by_fdinfo(int pidfd)
{
	char path[32];
	int pid = fdinfo_pid(pidfd), fd;

	if (pid <= 0) {
		errno = ESRCH;
		return -1;
	}
	snprintf(path, sizeof(path), "/proc/%d", pid);
	fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		errno = ESRCH;
		return -1;
	}
	if (pidfd_send_signal_(pidfd, 0, NULL, 0) != 0) {
		close(fd);
		errno = ESRCH;
		return -1;
	}
	return fd;
}

#endif
