/* SPDX-License-Identifier: GPL-2.0-only */
/* Children by their pidfds, and ways not to want them. */
#ifndef CASES_PIDFD_CHILDREN_H
#define CASES_PIDFD_CHILDREN_H

#include "pidfd.h"
#include "signals.h"

static inline int open_child(pid_t pid)
{
	return ASSERT_OK(pidfd_open_(pid, 0));
}

/* Gone for good, which may take a moment after nobody can wait for it any more. */
static inline void expect_gone(int pidfd)
{
	while (is_there(pidfd) == 0)
		usleep(1000);
	EXPECT_ERRNO(is_there(pidfd), ESRCH);
}

/* Ways to say that nobody is to be waited for. */
static const struct sigaction unwanting[] = {
	{ .sa_handler = SIG_IGN },
	{ .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT },
	{ .sa_handler = nothing, .sa_flags = SA_NOCLDWAIT | SA_RESTART },
};
#define UNWANTING (sizeof(unwanting) / sizeof(unwanting[0]))

/* Where a core may be dumped, and is gone with the process. */
static inline void dump_aside(void *arg)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	(void)arg;
	ASSERT_OK(unshare(CLONE_NEWNS));
	ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	ASSERT_OK(mount("none", "/tmp", "ramfs", 0, NULL));
	ASSERT_OK(chdir("/tmp"));
	ASSERT_OK(setrlimit(RLIMIT_CORE, &all));
}

#endif
