/* SPDX-License-Identifier: GPL-2.0-only */
/* What the pidfd cases share: the calls by number, processes in known states, recycled pids. */
#ifndef CASES_PIDFD_H
#define CASES_PIDFD_H

#include <dirent.h>
#include <limits.h>
#include <linux/sched.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "kcase.h"

/* The same numbers on every architecture but alpha (pidfd_open(2), clone(2)). */
#define NR_pidfd_send_signal 424
#define NR_pidfd_open 434
#define NR_clone3 435

#define PIDFD_NONBLOCK_ O_NONBLOCK	/* 5.10, commit 4da9af0014b5 */
#define PIDFD_THREAD_ O_EXCL		/* 6.9, commit 64bef697d33b */
/* v2 of the series; linux/wait.h there. Never merged. */
#define PIDFD_GET_PROCFD _IOR('p', 1, int)
#define P_PIDFD_ 3

static inline int pidfd_open_(pid_t pid, unsigned int flags)
{
	return syscall(NR_pidfd_open, pid, flags);
}

static inline int pidfd_send_signal_(int pidfd, int sig, siginfo_t *info, unsigned int flags)
{
	return syscall(NR_pidfd_send_signal, pidfd, sig, info, flags);
}

/* Flags of pidfd_open that the running kernel defines. */
static inline unsigned int pidfd_open_flags(void)
{
	unsigned int known = 0;
	int fd = pidfd_open_(getpid(), PIDFD_NONBLOCK_);

	/* A backport is no defect: the probe decides, the version checks it (open.c). */
	if (fd >= 0) {
		known |= PIDFD_NONBLOCK_;
		close(fd);
	}
	fd = pidfd_open_(getpid(), PIDFD_THREAD_);
	if (fd >= 0) {
		known |= PIDFD_THREAD_;
		close(fd);
	}
	return known;
}

static inline void kill_and_reap(void *arg)
{
	pid_t pid = (pid_t)(intptr_t)arg;

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* A child that sleeps until it is killed. */
static inline pid_t sleeping_child(void)
{
	pid_t pid = ASSERT_OK(kc_fork());

	if (pid == 0)
		for (;;)
			pause();
	CLEANUP(kill_and_reap, pid);
	return pid;
}

/* A child that has ended and is not waited for. */
static inline pid_t zombie_child(int status)
{
	siginfo_t info;
	pid_t pid = ASSERT_OK(kc_fork());

	if (pid == 0)
		_exit(status);
	CLEANUP(kill_and_reap, pid);
	ASSERT_OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	return pid;
}

static inline void reap(pid_t pid)
{
	ASSERT_EQ(waitpid(pid, NULL, 0), pid);
}

/* clone3 with a chosen pid (5.5, set_tid in clone(2)); the child sleeps. */
static inline pid_t sleeping_child_with_pid(pid_t wanted)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)&wanted,
		.set_tid_size = 1,
	};
	pid_t pid = syscall(NR_clone3, &args, sizeof(args));

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

/*
 * Runs fn as process 1 of a pid namespace of its own with a /proc of its own:
 * numbers can be chosen there, and all that is in it goes with it.
 */
static inline void in_pid_namespace(void (*fn)(void))
{
	pid_t pid;

	if (unshare(CLONE_NEWPID) != 0) {
		if (errno == EINVAL || errno == EPERM)
			SKIP("needs pid namespaces (%s)", strerror(errno));
		ASSERT_OK(-1);
	}
	pid = ASSERT_OK(kc_fork());
	if (pid == 0) {
		ASSERT_OK(unshare(CLONE_NEWNS));
		ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
		/* A kernel without procfs: what needs it finds out itself. */
		if (mount("proc", "/proc", "proc", 0, NULL) != 0)
			ASSERT_EQ(errno, ENODEV);
		fn();
		kc_leave(KC_PASS);
	}
	kc_join(pid);
}

#define RECYCLED_PID 300

struct recycled {
	int pidfd;	/* of the process that had RECYCLED_PID first, and is reaped */
	pid_t pid;	/* the process that has it now, asleep */
};

/* For use inside in_pid_namespace(). */
static inline struct recycled recycle_pid(void)
{
	struct recycled r;
	pid_t first = sleeping_child_with_pid(RECYCLED_PID);

	if (first < 0 && (errno == ENOSYS || errno == EINVAL || errno == E2BIG))
		SKIP("needs clone3 with set_tid (kernel 5.5)");
	ASSERT_EQ(first, RECYCLED_PID);
	r.pidfd = ASSERT_OK(pidfd_open_(first, 0));
	ASSERT_OK(kill(first, SIGKILL));
	reap(first);
	r.pid = sleeping_child_with_pid(RECYCLED_PID);
	ASSERT_EQ(r.pid, RECYCLED_PID);
	return r;
}

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

/*
 * Never merged: ENOTTY to 6.10 and from 6.15 on, EINVAL between, where any
 * argument was refused first (fs/pidfs.c, pidfd_ioctl()).
 */
static inline bool has_get_procfd(void)
{
	int pidfd = pidfd_open_(getpid(), 0);
	int proc = open("/proc", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	int fd = ioctl(pidfd, PIDFD_GET_PROCFD, proc);
	bool there = fd >= 0 || (errno != ENOTTY && errno != EINVAL);

	close(fd);
	close(proc);
	close(pidfd);
	return there;
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
