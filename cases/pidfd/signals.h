/* SPDX-License-Identifier: GPL-2.0-only */
/* Blocking signals, looking at those that are pending, taking them, and handlers. */
#ifndef CASES_PIDFD_SIGNALS_H
#define CASES_PIDFD_SIGNALS_H

#include <time.h>

#include "proc.h"

/* Of a set as the kernel has it. */
static inline uint64_t bit(int sig)
{
	return 1ull << (sig - 1);
}

static inline void change_mask(int how, int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	ASSERT_EQ(pthread_sigmask(how, &set, NULL), 0);
}

/* In the calling thread, and the threads that it starts. */
static inline void block(int sig)
{
	change_mask(SIG_BLOCK, sig);
}

static inline void unblock(int sig)
{
	change_mask(SIG_UNBLOCK, sig);
}

/*
 * Takes a blocked signal of a set of bits that is pending for the calling thread
 * or its process; -1 and EAGAIN when there is none. glibc's sigtimedwait() shows
 * SI_TKILL as SI_USER, so this is the kernel's.
 */
static inline int take_any(uint64_t set, siginfo_t *info)
{
	static const struct timespec now = { 0, 0 };

	return syscall(SYS_rt_sigtimedwait, &set, info, &now, sizeof(set));
}

static inline int take(int sig, siginfo_t *info)
{
	return take_any(bit(sig), info);
}

/* A handler that leaves everything as it is. */
static inline void nothing(int sig)
{
	(void)sig;
}

static int told[2];

static inline void tell(int sig)
{
	ssize_t n = write(told[1], "x", 1);

	(void)n;
	(void)sig;
}

/* Lets a handler run for the signal, here and in children to come; see handler_ran(). */
static inline void tell_of(int sig)
{
	struct sigaction action = { .sa_handler = tell };

	ASSERT_OK(pipe2(told, O_CLOEXEC));
	ASSERT_OK(sigaction(sig, &action, NULL));
}

/* Waits for it. */
static inline bool handler_ran(void)
{
	char c;

	return read(told[0], &c, 1) == 1;
}

/* For the process, not for one of its threads alone (proc(5), status). */
static inline bool has_pending(pid_t pid, int sig)
{
	char path[32], text[4096];
	unsigned long long bits = 0;
	const char *line;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (read_text(AT_FDCWD, path, text, sizeof(text)) < 0)
		SKIP("needs /proc");
	line = strstr(text, "\nShdPnd:");
	ASSERT_TRUE(line != NULL);
	ASSERT_EQ(sscanf(line, "\nShdPnd: %llx", &bits), 1);
	return bits & bit(sig);
}

#endif
