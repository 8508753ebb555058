// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a pidfd to /proc/<pid>: by the ioctl of the series, and as user space
 * does it without. Cover letter: "test whether a pidfd can be converted into
 * an fd to /proc/<pid> to get metadata access", and that one whose pid was
 * recycled cannot.
 */
#include "pidfd.h"

static int open_proc(void)
{
	int fd = open("/proc", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	char text[16];

	/* An empty folder may stand where no procfs is mounted. */
	if (fd < 0 || read_text(fd, "self/stat", text, sizeof(text)) <= 0)
		SKIP("needs /proc");
	return fd;
}

/* Never merged: ENOTTY to 6.10 and from 6.15 on, EINVAL between (field of pidfd_ioctl()). */
PROBE(pidfd_get_procfd, 0, 0)
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

static int by_ioctl(int pidfd)
{
	int proc = open_proc(), fd = ioctl(pidfd, PIDFD_GET_PROCFD, proc), error = errno;

	close(proc);
	errno = error;
	return fd;
}

static void expect_status_of(int procfd, pid_t pid)
{
	char text[4096];

	ASSERT_OK(read_text(procfd, "status", text, sizeof(text)));
	EXPECT_EQ(pid_in(text), pid);
}

TEST(ioctl_gives_own_folder, NEEDS_PROBE(pidfd_get_procfd)
     DESCRIBE("status through the descriptor has the own Pid"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	expect_status_of(ASSERT_OK(by_ioctl(pidfd)), getpid());
}

TEST(ioctl_gives_folder_of_child, NEEDS_PROBE(pidfd_get_procfd)
     DESCRIBE("status through the descriptor has the child's Pid"))
{
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	expect_status_of(ASSERT_OK(by_ioctl(pidfd)), pid);
}

TEST(ioctl_descriptor_is_close_on_exec_folder, NEEDS_PROBE(pidfd_get_procfd)
     DESCRIBE("what the ioctl returns is a directory and close-on-exec"))
{
	struct stat about;
	int fd = ASSERT_OK(by_ioctl(ASSERT_OK(pidfd_open_(getpid(), 0))));

	EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	EXPECT_OK(fstat(fd, &about));
	EXPECT_TRUE(S_ISDIR(about.st_mode));
}

TEST(ioctl_refuses_bad_descriptor, NEEDS_PROBE(pidfd_get_procfd) DESCRIBE("no descriptor: EBADF"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	EXPECT_ERRNO(ioctl(pidfd, PIDFD_GET_PROCFD, -1), EBADF);
}

TEST(ioctl_refuses_other_folder, NEEDS_PROBE(pidfd_get_procfd)
     DESCRIBE("a folder that is no procfs: EINVAL"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));
	int tmp = ASSERT_OK(open("/tmp", O_DIRECTORY | O_RDONLY | O_CLOEXEC));

	EXPECT_ERRNO(ioctl(pidfd, PIDFD_GET_PROCFD, tmp), EINVAL);
}

TEST(ioctl_refuses_reaped_process, NEEDS_PROBE(pidfd_get_procfd)
     DESCRIBE("a process that is gone: ESRCH"))
{
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	kill(pid, SIGKILL);
	reap(pid);
	EXPECT_ERRNO(by_ioctl(pidfd), ESRCH);
}

static void ioctl_on_recycled(void)
{
	struct recycled r = recycle_pid();

	EXPECT_ERRNO(by_ioctl(r.pidfd), ESRCH);
	expect_status_of(ASSERT_OK(by_ioctl(ASSERT_OK(pidfd_open_(r.pid, 0)))), r.pid);
}

TEST(ioctl_refuses_recycled_pid, NEEDS_PROBE(pidfd_get_procfd) NEEDS_CONFIG(PID_NS) NEEDS_ROOT
     DESCRIBE("ESRCH although the number is in use again"))
{
	in_pid_namespace(ioctl_on_recycled);
}

/* A kernel without the ioctl says so in one of two ways and makes no descriptor. */
TEST(ioctl_is_refused_where_unknown, NEEDS_KERNEL(5, 3)
     DESCRIBE("without the series: ENOTTY or EINVAL, never a descriptor"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));
	int fd = by_ioctl(pidfd), error = errno;

	if (fd >= 0 || (error != ENOTTY && error != EINVAL))
		SKIP("this kernel has PIDFD_GET_PROCFD");
	EXPECT_EQ(fd, -1);
}

/* proc(5), /proc/pid/fdinfo: Pid since 5.2. */
TEST(fdinfo_has_pid_of_process, NEEDS_KERNEL(5, 3) DESCRIBE("Pid: in fdinfo is the process's"))
{
	pid_t pid = sleeping_child();

	EXPECT_EQ(fdinfo_pid(ASSERT_OK(pidfd_open_(pid, 0))), pid);
	EXPECT_EQ(fdinfo_pid(ASSERT_OK(pidfd_open_(getpid(), 0))), getpid());
}

TEST(fdinfo_gives_own_folder, NEEDS_KERNEL(5, 3)
     DESCRIBE("the way over fdinfo reads the own status"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	expect_status_of(ASSERT_OK(procfd_by_fdinfo(pidfd)), getpid());
}

TEST(fdinfo_gives_folder_of_child, NEEDS_KERNEL(5, 3)
     DESCRIBE("the way over fdinfo reads the child's status"))
{
	pid_t pid = sleeping_child();

	expect_status_of(ASSERT_OK(procfd_by_fdinfo(ASSERT_OK(pidfd_open_(pid, 0)))), pid);
}

/* pidfd_show_fdinfo(): -1 for a process that was reaped. */
TEST(fdinfo_of_reaped_process_is_minus_one, NEEDS_KERNEL(5, 3)
     DESCRIBE("Pid: -1 once the process is reaped"))
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

KCASE_MAIN
