/* SPDX-License-Identifier: GPL-2.0-only */
/* Blocking signals and taking those that are pending. */
#ifndef CASES_PIDFD_SIGNALS_H
#define CASES_PIDFD_SIGNALS_H

#include <time.h>

#include "kcase.h"

/* In the calling thread, and the threads that it starts. */
static inline void block(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
}

/*
 * Takes a blocked signal that is pending for the calling thread or its process;
 * -1 and EAGAIN when there is none. glibc's sigtimedwait() shows SI_TKILL as
 * SI_USER, so this is the kernel's.
 */
static inline int take(int sig, siginfo_t *info)
{
	static const struct timespec now = { 0, 0 };
	uint64_t set = 1ull << (sig - 1);

	return syscall(SYS_rt_sigtimedwait, &set, info, &now, sizeof(set));
}

#endif
