// SPDX-License-Identifier: GPL-2.0-only
/* Waiting for a process through its pidfd: poll(2) and waitid(2) with P_PIDFD. */
#include "pidfd.h"

/* pidfd_open(2): "the file descriptor becomes readable when the process terminates". */
TEST(poll_is_silent_while_process_lives, NEEDS_KERNEL(5, 3) DESCRIBE("no event, poll returns 0"))
{
	struct pollfd fd = { ASSERT_OK(pidfd_open_(sleeping_child(), 0)), POLLIN, 0 };

	EXPECT_EQ(poll(&fd, 1, 0), 0);
}

TEST(poll_reports_zombie, NEEDS_KERNEL(5, 3) DESCRIBE("POLLIN for a process that ended before"))
{
	struct pollfd fd = { ASSERT_OK(pidfd_open_(zombie_child(0), 0)), POLLIN, 0 };

	EXPECT_EQ(poll(&fd, 1, 0), 1);
	EXPECT_EQ(fd.revents & POLLIN, POLLIN);
}

TEST(poll_wakes_at_end_of_process, NEEDS_KERNEL(5, 3) TIMEOUT(20)
     DESCRIBE("a poll without time limit returns when the process is killed"))
{
	struct pollfd fd = { .events = POLLIN };
	pid_t pid = sleeping_child();
	pid_t killer;

	fd.fd = ASSERT_OK(pidfd_open_(pid, 0));
	killer = ASSERT_OK(kc_fork());
	if (killer == 0) {
		usleep(50000);
		_exit(kill(pid, SIGKILL) ? KC_FAIL : KC_PASS);
	}
	EXPECT_EQ(poll(&fd, 1, -1), 1);
	EXPECT_EQ(fd.revents & POLLIN, POLLIN);
	kc_join(killer);
}

/* waitid(2), P_PIDFD since 5.4. */
TEST(waitid_takes_exit_status, NEEDS_KERNEL(5, 4) DESCRIBE("CLD_EXITED with the status"))
{
	siginfo_t info = { 0 };
	pid_t pid = zombie_child(42);
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	ASSERT_OK(waitid(P_PIDFD_, pidfd, &info, WEXITED));
	EXPECT_EQ(info.si_pid, pid);
	EXPECT_EQ(info.si_code, CLD_EXITED);
	EXPECT_EQ(info.si_status, 42);
	EXPECT_ERRNO(pidfd_send_signal_(pidfd, 0, NULL, 0), ESRCH);
}

/* waitid(2), ECHILD. */
TEST(waitid_refuses_what_is_no_child, NEEDS_KERNEL(5, 4) DESCRIBE("the own process: ECHILD"))
{
	siginfo_t info;

	EXPECT_ERRNO(waitid(P_PIDFD_, ASSERT_OK(pidfd_open_(getpid(), 0)), &info, WEXITED), ECHILD);
}

/* waitid(2), EBADF; a negative number is EINVAL (kernel/exit.c). */
TEST(waitid_refuses_bad_descriptor, NEEDS_KERNEL(5, 4)
     DESCRIBE("no pidfd: EBADF; negative: EINVAL"))
{
	siginfo_t info;

	EXPECT_ERRNO(waitid(P_PIDFD_, 9999, &info, WEXITED), EBADF);
	EXPECT_ERRNO(waitid(P_PIDFD_, ASSERT_OK(open("/tmp", O_RDONLY)), &info, WEXITED), EBADF);
	EXPECT_ERRNO(waitid(P_PIDFD_, -1, &info, WEXITED), EINVAL);
}

/* PIDFD_NONBLOCK since 5.10: a live child is EAGAIN (waitid(2)). */
PROBE(pidfd_nonblock, 5, 10)
{
	return pidfd_open_flags() & PIDFD_NONBLOCK_;
}

TEST(waitid_on_nonblocking_pidfd_does_not_wait, NEEDS_PROBE(pidfd_nonblock) TIMEOUT(20)
     DESCRIBE("EAGAIN while the child lives"))
{
	siginfo_t info;
	int pidfd = ASSERT_OK(pidfd_open_(sleeping_child(), PIDFD_NONBLOCK_));

	EXPECT_ERRNO(waitid(P_PIDFD_, pidfd, &info, WEXITED), EAGAIN);
}

KCASE_MAIN
