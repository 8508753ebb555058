/* SPDX-License-Identifier: GPL-2.0-only */
/* What the pidfd cases share. */
#ifndef CASES_PIDFD_H
#define CASES_PIDFD_H

#include <dirent.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "calls.h"
#include "proc.h"
#include "process.h"

/*
 * Without a time limit where something is to come: at its end poll(2) looks once
 * more, and a wake-up that was lost would not be seen.
 */
static inline int polled(int pidfd, short events, int timeout_ms)
{
	struct pollfd fd = { pidfd, events, 0 };
	int n = poll(&fd, 1, timeout_ms);

	return n < 0 ? n : fd.revents;
}

/* Time limit of a case: a hundred times what it takes, and a hang is found soon. */
#define PIDFD_CASES EVERY_CASE(NEEDS_KERNEL(5, 3) TIMEOUT(20))

/*
 * Flags by version: none in 5.3; PIDFD_NONBLOCK since 5.10; PIDFD_THREAD since 6.9.
 * A file takes those of the probes that its cases need.
 */
#define PROBE_PIDFD_NONBLOCK							\
	PROBE(pidfd_nonblock, 5, 10, "commit 4da9af0014b5")			\
	{									\
		return pidfd_open_flags() & PIDFD_NONBLOCK_;			\
	}
#define PROBE_PIDFD_THREAD							\
	PROBE(pidfd_thread, 6, 9, "commit 64bef697d33b")			\
	{									\
		return pidfd_open_flags() & PIDFD_THREAD_;			\
	}
/* PIDFD_SIGNAL_THREAD and the two others came with one commit. */
#define PROBE_SIGNAL_SCOPES							\
	PROBE(signal_scopes, 6, 9, "commit e1fb1dc08e73")			\
	{									\
		int fd = pidfd_open_(getpid(), 0);				\
		int result = pidfd_send_signal_(fd, 0, NULL, SIGNAL_THREAD_GROUP);	\
										\
		close(fd);							\
		return result == 0;						\
	}
#define PROBE_P_PIDFD								\
	PROBE(p_pidfd, 5, 4, "commit 3695eae5fee0")				\
	{									\
		siginfo_t info;							\
										\
		/* An unknown idtype is EINVAL whatever stands beside it. */	\
		return waitid(P_PIDFD_, 9999, &info, WEXITED) < 0 && errno == EBADF;	\
	}
#define PROBE_PIDFD_GETFD							\
	PROBE(pidfd_getfd, 5, 6, "commit 8649c322f75c")				\
	{									\
		return pidfd_getfd_(-1, -1, 0) < 0 && errno != ENOSYS;		\
	}
/* Before, what is no namespace was EINVAL, whatever the flags. */
#define PROBE_SETNS_PIDFD							\
	PROBE(setns_pidfd, 5, 8, "commit 303cc571d107")				\
	{									\
		int fd = pidfd_open_(getpid(), 0);				\
		int result = setns(fd, CLONE_NEWUTS);				\
		int error = errno;						\
										\
		close(fd);							\
		return result == 0 || error == EPERM;				\
	}
/* Pidfds with a file system of their own: the magic number of fstatfs(2). */
#define PID_FS_MAGIC_ 0x50494446
#define PROBE_PIDFS								\
	PROBE(pidfs, 6, 9, "commit cb12fd8e0dab")				\
	{									\
		return filesystem_of_pidfd() == PID_FS_MAGIC_;			\
	}

static inline long filesystem_of_pidfd(void)
{
	struct statfs about = { 0 };
	int fd = pidfd_open_(getpid(), 0);

	fstatfs(fd, &about);
	close(fd);
	return about.f_type;
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

/* A leader that ends while a thread of its process lives on is no end of the process. */
static inline void *outlive(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

/* A thread that ends, alone, when the pipe's other end is closed. */
static inline void *end_when_closed(void *pipe)
{
	char c;

	if (read(*(int *)pipe, &c, 1) < 0)
		abort();
	syscall(SYS_exit, 0);
	return NULL;
}

/*
 * A child with two threads, whose leader ends with a status when end_leader() tells it by `go`.
 * The other one runs `beside`; `rest` is a pipe for it, of which the child keeps the end to read.
 */
static inline pid_t process_with_thread(int go[2], int status, void *(*beside)(void *), int *rest)
{
	pid_t pid = ASSERT_OK(kc_fork());

	if (pid == 0) {
		pthread_t thread;
		char c;

		close(go[1]);
		if (rest)
			close(rest[1]);
		if (pthread_create(&thread, NULL, beside, rest) || read(go[0], &c, 1) < 0)
			_exit(KC_FAIL);
		/* The thread alone, not exit_group(2). */
		syscall(SYS_exit, status);
	}
	CLEANUP(kill_and_reap, pid);
	return pid;
}

static inline pid_t process_with_outliving_thread(int go[2])
{
	return process_with_thread(go, 0, outlive, NULL);
}

static inline void end_leader(pid_t pid, int go[2])
{
	siginfo_t info = { 0 };

	close(go[1]);
	/* Not to be had by waiting, which such a leader does not answer. */
	for (;;) {
		char path[32], text[512];

		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		if (read_text(AT_FDCWD, path, text, sizeof(text)) < 0)
			SKIP("needs /proc");
		if (strstr(text, ") Z "))
			break;
		usleep(5000);
	}
	ASSERT_EQ(waitid(P_PID, pid, &info, WEXITED | WNOHANG), 0);
	ASSERT_EQ(info.si_pid, 0);
}

/* A child whose leader has ended; its thread executes a program when rest[1] is closed. */
static inline pid_t executor_without_leader(int rest[2])
{
	int go[2];
	pid_t pid;

	ASSERT_OK(pipe2(go, O_CLOEXEC));
	ASSERT_OK(pipe2(rest, O_CLOEXEC));
	pid = process_with_thread(go, 0, execute_when_closed, rest);
	end_leader(pid, go);
	return pid;
}

static inline pid_t process_without_leader(void)
{
	int go[2];
	pid_t pid;

	ASSERT_OK(pipe2(go, O_CLOEXEC));
	pid = process_with_outliving_thread(go);
	end_leader(pid, go);
	return pid;
}

#endif
