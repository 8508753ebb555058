// SPDX-License-Identifier: GPL-2.0-only
/* pidfd_send_signal(2) through a pidfd of pidfd_open(2). */
#include "pidfd.h"

/* Flags 1, 2 and 4 since 6.9 (commit 81b9d8ac0640). */
static unsigned int signal_flags(int pidfd)
{
	return pidfd_send_signal_(pidfd, 0, NULL, 1) == 0 ? 7 : 0;
}

TEST(null_signal_finds_process, NEEDS_KERNEL(5, 3) DESCRIBE("signal 0 to a live process: 0"))
{
	EXPECT_EQ(pidfd_send_signal_(ASSERT_OK(pidfd_open_(sleeping_child(), 0)), 0, NULL, 0), 0);
}

TEST(kills_process, NEEDS_KERNEL(5, 3) DESCRIBE("SIGKILL through the pidfd ends the child"))
{
	int status = 0;
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	EXPECT_EQ(pidfd_send_signal_(pidfd, SIGKILL, NULL, 0), 0);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

/* Without a siginfo it is as by kill(2): SI_USER, the sender's pid and uid. */
TEST(default_siginfo_is_as_by_kill, NEEDS_KERNEL(5, 3) DESCRIBE("SI_USER, si_pid, si_uid"))
{
	siginfo_t info = { 0 };
	sigset_t set;
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	ASSERT_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	ASSERT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, 0));
	ASSERT_EQ(sigwaitinfo(&set, &info), SIGUSR1);
	EXPECT_EQ(info.si_code, SI_USER);
	EXPECT_EQ(info.si_pid, getpid());
	EXPECT_EQ(info.si_uid, getuid());
}

TEST(carries_queued_value, NEEDS_KERNEL(5, 3) DESCRIBE("SI_QUEUE with a value arrives unchanged"))
{
	siginfo_t info = { .si_signo = SIGRTMIN, .si_code = SI_QUEUE }, got = { 0 };
	sigset_t set;
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	info.si_value.sival_int = 4711;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	ASSERT_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	ASSERT_OK(pidfd_send_signal_(pidfd, SIGRTMIN, &info, 0));
	ASSERT_EQ(sigwaitinfo(&set, &got), SIGRTMIN);
	EXPECT_EQ(got.si_code, SI_QUEUE);
	EXPECT_EQ(got.si_value.sival_int, 4711);
}

/* pidfd_send_signal(2), EINVAL: "sig is not a valid signal". */
TEST(rejects_invalid_signal, NEEDS_KERNEL(5, 3) DESCRIBE("-1 and 65 are EINVAL"))
{
	int pidfd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));

	EXPECT_ERRNO(pidfd_send_signal_(pidfd, -1, NULL, 0), EINVAL);
	EXPECT_ERRNO(pidfd_send_signal_(pidfd, 65, NULL, 0), EINVAL);
}

TEST(rejects_every_undefined_flag, NEEDS_KERNEL(5, 3)
     DESCRIBE("each bit that is no flag is EINVAL"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));
	unsigned int known = signal_flags(pidfd);

	for (int bit = 0; bit < 32; bit++)
		if (!(known & 1u << bit))
			EXPECT_ERRNO(pidfd_send_signal_(pidfd, 0, NULL, 1u << bit), EINVAL);
}

/* Two scopes at once make no sense (6.9), and are no flags before. */
TEST(rejects_two_scopes, NEEDS_KERNEL(5, 3) DESCRIBE("thread and group scope together: EINVAL"))
{
	EXPECT_ERRNO(pidfd_send_signal_(ASSERT_OK(pidfd_open_(getpid(), 0)), 0, NULL, 3), EINVAL);
}

/* pidfd_send_signal(2), EBADF. */
TEST(rejects_what_is_no_pidfd, NEEDS_KERNEL(5, 3)
     DESCRIBE("closed descriptor, file, folder that is no process: EBADF"))
{
	EXPECT_ERRNO(pidfd_send_signal_(-1, 0, NULL, 0), EBADF);
	EXPECT_ERRNO(pidfd_send_signal_(9999, 0, NULL, 0), EBADF);
	EXPECT_ERRNO(pidfd_send_signal_(ASSERT_OK(open("/tmp", O_RDONLY)), 0, NULL, 0), EBADF);
}

/* A zombie can be signalled, as with kill(2). */
TEST(reaches_zombie, NEEDS_KERNEL(5, 3) DESCRIBE("a zombie: 0"))
{
	int pidfd = ASSERT_OK(pidfd_open_(zombie_child(0), 0));

	EXPECT_EQ(pidfd_send_signal_(pidfd, SIGKILL, NULL, 0), 0);
}

/* pidfd_send_signal(2), ESRCH: "The target process has terminated and been waited on". */
TEST(misses_reaped_process, NEEDS_KERNEL(5, 3) DESCRIBE("a reaped process: ESRCH"))
{
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	kill(pid, SIGKILL);
	reap(pid);
	EXPECT_ERRNO(pidfd_send_signal_(pidfd, 0, NULL, 0), ESRCH);
}

static void signal_recycled(void)
{
	struct recycled r = recycle_pid();
	int status = 0;

	EXPECT_ERRNO(pidfd_send_signal_(r.pidfd, SIGKILL, NULL, 0), ESRCH);
	EXPECT_EQ(waitpid(r.pid, &status, WNOHANG), 0);
}

/* What pidfds are for: a recycled pid is not hit. */
TEST(spares_recycled_pid, NEEDS_KERNEL(5, 5) NEEDS_CONFIG(PID_NS) NEEDS_ROOT
     DESCRIBE("ESRCH, and the process that has the number now lives"))
{
	in_pid_namespace(signal_recycled);
}

/* pidfd_send_signal(2), EINVAL: si_signo differs from sig. */
TEST(rejects_siginfo_of_other_signal, NEEDS_KERNEL(5, 3) DESCRIBE("si_signo differs: EINVAL"))
{
	siginfo_t info = { .si_signo = SIGUSR2, .si_code = SI_QUEUE };

	EXPECT_ERRNO(pidfd_send_signal_(ASSERT_OK(pidfd_open_(getpid(), 0)), SIGUSR1, &info, 0),
		     EINVAL);
}

/* pidfd_send_signal(2), EPERM: kernel codes to another process cannot be forged. */
TEST(rejects_forged_kernel_signal, NEEDS_KERNEL(5, 3)
     DESCRIBE("si_code >= 0 or SI_TKILL to another process: EPERM"))
{
	siginfo_t info = { .si_signo = SIGUSR1, .si_code = SI_USER };
	int pidfd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));

	EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGUSR1, &info, 0), EPERM);
	info.si_code = SI_TKILL;
	EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGUSR1, &info, 0), EPERM);
}

TEST(rejects_bad_siginfo_pointer, NEEDS_KERNEL(5, 3) DESCRIBE("EFAULT"))
{
	EXPECT_ERRNO(pidfd_send_signal_(ASSERT_OK(pidfd_open_(getpid(), 0)), SIGUSR1,
					(siginfo_t *)8, 0), EFAULT);
}

/* pidfd_send_signal(2), EPERM: as kill(2). */
TEST(needs_permission, NEEDS_KERNEL(5, 3) NEEDS_ROOT
     DESCRIBE("another user's process: EPERM"))
{
	int pidfd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));
	pid_t pid = ASSERT_OK(kc_fork());

	if (pid == 0) {
		ASSERT_OK(setgid(65534));
		ASSERT_OK(setuid(65534));
		EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGKILL, NULL, 0), EPERM);
		kc_leave(KC_PASS);
	}
	kc_join(pid);
}

KCASE_MAIN
