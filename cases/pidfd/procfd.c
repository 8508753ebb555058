// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a pidfd to /proc/<pid> as user space does it on mainline: over the
 * number in fdinfo. By the ioctl of the series: getprocfd.c. Cover letter:
 * "test whether a pidfd can be converted into an fd to /proc/<pid> to get
 * metadata access", and that one whose pid was recycled cannot.
 */
#include "pidfd.h"

EVERY_CASE(NEEDS_KERNEL(5, 3) TIMEOUT(20)
	   PROMISED("proc(5), /proc/pid/fdinfo; cover letter: metadata access"))

/* proc(5), /proc/pid/fdinfo: Pid since 5.2. */
TEST(fdinfo_has_pid_of_process, DESCRIBE("Pid: in fdinfo is the process's"))
{
	pid_t pid = sleeping_child();

	EXPECT_EQ(fdinfo_pid(ASSERT_OK(pidfd_open_(pid, 0))), pid);
	EXPECT_EQ(fdinfo_pid(ASSERT_OK(pidfd_open_(getpid(), 0))), getpid());
}

TEST(fdinfo_gives_own_folder, DESCRIBE("the way over fdinfo reads the own status"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	expect_status_of(ASSERT_OK(procfd_by_fdinfo(pidfd)), getpid());
}

TEST(fdinfo_gives_folder_of_child, DESCRIBE("the way over fdinfo reads the child's status"))
{
	pid_t pid = sleeping_child();

	expect_status_of(ASSERT_OK(procfd_by_fdinfo(ASSERT_OK(pidfd_open_(pid, 0)))), pid);
}

/* pidfd_show_fdinfo(): -1 for a process that was reaped. */
TEST(fdinfo_of_reaped_process_is_minus_one, DESCRIBE("Pid: -1 once the process is reaped"))
{
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	EXPECT_EQ(fdinfo_pid(pidfd), pid);
	kill(pid, SIGKILL);
	reap(pid);
	EXPECT_EQ(fdinfo_pid(pidfd), -1);
	EXPECT_ERRNO(procfd_by_fdinfo(pidfd), ESRCH);
}

static void fdinfo_on_recycled(void)
{
	struct recycled r = recycle_pid();

	EXPECT_EQ(fdinfo_pid(r.pidfd), -1);
	EXPECT_ERRNO(procfd_by_fdinfo(r.pidfd), ESRCH);
	/* The new process itself converts. */
	expect_status_of(ASSERT_OK(procfd_by_fdinfo(ASSERT_OK(pidfd_open_(r.pid, 0)))), r.pid);
}

/* Cover letter: "a pidfd retrieved based on a pid that has been recycled cannot be converted". */
TEST(fdinfo_refuses_recycled_pid, NEEDS_KERNEL(5, 5) NEEDS_CONFIG(PID_NS) NEEDS_ROOT
     DESCRIBE("the number is in use again, the pidfd does not lead there"))
{
	in_pid_namespace(fdinfo_on_recycled);
}

PROBE_PIDFD_THREAD

TEST(fdinfo_of_thread, NEEDS_PROBE(pidfd_thread)
     DESCRIBE("Pid: is the thread's own number; -1 when the thread is gone"))
{
	struct thread t;
	int pidfd;

	start_thread(&t);
	pidfd = ASSERT_OK(pidfd_open_(t.tid, PIDFD_THREAD_));
	EXPECT_EQ(fdinfo_pid(pidfd), t.tid);
	end_thread(&t);
	EXPECT_EQ(fdinfo_pid(pidfd), -1);
}

KCASE_MAIN
