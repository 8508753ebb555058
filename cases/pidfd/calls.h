/* SPDX-License-Identifier: GPL-2.0-only */
/* The calls by number, and what they take: a C library may not know them yet. */
#ifndef CASES_PIDFD_CALLS_H
#define CASES_PIDFD_CALLS_H

#include <linux/sched.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "kcase.h"

/* The same numbers on every architecture but alpha (pidfd_open(2), clone(2)). */
#define NR_pidfd_send_signal 424
#define NR_pidfd_open 434
#define NR_clone3 435
#define NR_pidfd_getfd 438
#define NR_process_madvise 440
#define NR_process_mrelease 448

#define PIDFD_NONBLOCK_ O_NONBLOCK	/* 5.10, commit 4da9af0014b5 */
#define PIDFD_THREAD_ O_EXCL		/* 6.9, commit 64bef697d33b */
/* 6.9, commit e1fb1dc08e73 */
#define SIGNAL_THREAD 1u
#define SIGNAL_THREAD_GROUP 2u
#define SIGNAL_PROCESS_GROUP 4u
/* v2 of the series; linux/wait.h there. Never merged. */
#define PIDFD_GET_PROCFD _IOR('p', 1, int)
#define P_PIDFD_ 3
#define CLONE_INTO_CGROUP_ 0x200000000ull	/* 5.7, commit ef2c41cf38a7 */
/* Descriptors of namespaces (include/uapi/linux/pidfd.h): 6.11, commit 5b08bd408534. */
#define GET(n) _IO(0xFF, n)
#define GET_UTS GET(10)

static inline int pidfd_open_(pid_t pid, unsigned int flags)
{
	return syscall(NR_pidfd_open, pid, flags);
}

static inline int pidfd_send_signal_(int pidfd, int sig, siginfo_t *info, unsigned int flags)
{
	return syscall(NR_pidfd_send_signal, pidfd, sig, info, flags);
}

static inline int pidfd_getfd_(int pidfd, int fd, unsigned int flags)
{
	return syscall(NR_pidfd_getfd, pidfd, fd, flags);
}

static inline ssize_t process_madvise_(int pidfd, const struct iovec *vec, size_t count, int advice,
				       unsigned int flags)
{
	return syscall(NR_process_madvise, pidfd, vec, count, advice, flags);
}

static inline int process_mrelease_(int pidfd, unsigned int flags)
{
	return syscall(NR_process_mrelease, pidfd, flags);
}

/* waitid(2) as the kernel has it; glibc's passes no rusage. */
static inline int waitid_(int which, int id, siginfo_t *info, int options, void *usage)
{
	return syscall(SYS_waitid, which, id, info, options, usage);
}

/* Signal 0 through a pidfd: 0 while its process is there. */
static inline int is_there(int pidfd)
{
	return pidfd_send_signal_(pidfd, 0, NULL, 0);
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

#endif
