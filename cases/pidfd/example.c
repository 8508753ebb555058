// SPDX-License-Identifier: GPL-2.0-only
/*
 * The example program of the series' cover letter, line by line, on a child:
 *
 *	int pidfd = pidfd_open(1234, 0);
 *	int procfd = open("/proc", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
 *	int procpidfd = ioctl(pidfd, PIDFD_GET_PROCFD, procfd);
 *	int statusfd = openat(procpidfd, "status", O_RDONLY | O_CLOEXEC);
 *	int ret = read(statusfd, buf, sizeof(buf));
 *	ret = pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
 */
#include "pidfd.h"

EVERY_CASE(NEEDS_KERNEL(5, 3) TIMEOUT(20)
	   PROMISED("pid: add pidfd_open() v2, cover letter: the example"))

PROBE(pidfd_get_procfd, 0, 0, "pid: add pidfd_open() v2, 2/5")
{
	return has_get_procfd();
}

static void read_and_kill(int pidfd, int procpidfd, pid_t pid)
{
	char buf[4096] = "";
	int status = 0;
	int statusfd = ASSERT_OK(openat(procpidfd, "status", O_RDONLY | O_CLOEXEC));

	ASSERT_GT(read(statusfd, buf, sizeof(buf) - 1), 0);
	EXPECT_EQ(pid_in(buf), pid);
	EXPECT_EQ(waitpid(pid, &status, WNOHANG), 0);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGKILL, NULL, 0));
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

TEST(runs_as_written, NEEDS_PROBE(pidfd_get_procfd) DESCRIBE("the example, with the ioctl"))
{
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	int procfd = open_proc();

	read_and_kill(pidfd, ASSERT_OK(ioctl(pidfd, PIDFD_GET_PROCFD, procfd)), pid);
}

TEST(runs_over_fdinfo, DESCRIBE("the example, as mainline can do it"))
{
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	read_and_kill(pidfd, ASSERT_OK(procfd_by_fdinfo(pidfd)), pid);
}

KCASE_MAIN
