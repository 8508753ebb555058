// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctl(2) PIDFD_GET_INFO, since 6.13: what a pidfd's process is; since 6.15 also
 * how it ended.
 */
#include "pidfd.h"

PIDFD_CASES
PROBE_PIDFD_THREAD

/* As first published (include/uapi/linux/pidfd.h, PIDFD_INFO_SIZE_VER0: 64 bytes). */
struct info {
	uint64_t mask, cgroup;
	uint32_t pid, tgid, ppid;
	uint32_t ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;	/* a spare field before 6.15 */
};

#define GET_INFO _IOWR(0xFF, 11, struct info)
#define GET_INFO_OF(size) _IOC(_IOC_READ | _IOC_WRITE, 0xFF, 11, size)
#define INFO_PID 1u
#define INFO_CREDS 2u
#define INFO_EXIT 8u

static struct info ask(int pidfd, uint64_t mask)
{
	struct info info = { .mask = mask };

	ASSERT_OK(ioctl(pidfd, GET_INFO, &info));
	return info;
}

PROBE(pidfd_info, 6, 13, "commit cdda1f26e74b")
{
	struct info info = { .mask = INFO_PID };
	int pidfd = pidfd_open_(getpid(), 0);
	int result = ioctl(pidfd, GET_INFO, &info);

	close(pidfd);
	return result == 0;
}

PROBE(pidfd_info_exit, 6, 15, "commit 7477d7dce48a")
{
	struct info info = { .mask = INFO_EXIT };
	pid_t pid = kc_fork();
	int pidfd;

	if (pid == 0)
		_exit(0);
	pidfd = pidfd_open_(pid, 0);
	waitpid(pid, NULL, 0);
	if (ioctl(pidfd, GET_INFO, &info) != 0)
		info.mask = 0;
	close(pidfd);
	return info.mask & INFO_EXIT;
}

TEST(has_numbers_of_child, NEEDS_PROBE(pidfd_info) PROMISED("commit cdda1f26e74b")
     DESCRIBE("pid and tgid are the child's, ppid is its parent's"))
{
	pid_t pid = sleeping_child();
	struct info info = ask(ASSERT_OK(pidfd_open_(pid, 0)), INFO_PID);

	EXPECT_EQ(info.mask & INFO_PID, INFO_PID);
	EXPECT_EQ(info.pid, pid);
	EXPECT_EQ(info.tgid, pid);
	EXPECT_EQ(info.ppid, getpid());
}

TEST(has_numbers_of_thread, NEEDS_PROBE(pidfd_info) NEEDS_PROBE(pidfd_thread)
     PROMISED("commit cdda1f26e74b") DESCRIBE("pid is the thread's, tgid its process's"))
{
	struct thread t;
	struct info info;

	start_thread(&t);
	info = ask(ASSERT_OK(pidfd_open_(t.tid, PIDFD_THREAD_)), INFO_PID);
	EXPECT_EQ(info.pid, t.tid);
	EXPECT_EQ(info.tgid, getpid());
	EXPECT_EQ(info.ppid, getppid());
	end_thread(&t);
}

static void take_eight_ids(void *arg)
{
	(void)arg;
	ASSERT_OK(setresgid(201, 202, 203));
	ASSERT_OK(setresuid(101, 102, 103));
}

TEST(has_credentials, NEEDS_PROBE(pidfd_info) NEEDS_ROOT PROMISED("commit cdda1f26e74b")
     DESCRIBE("real, effective, saved and file-system ids, each in its place, unasked"))
{
	pid_t pid = child_after(take_eight_ids, NULL);
	struct info info = ask(ASSERT_OK(pidfd_open_(pid, 0)), 0);

	EXPECT_EQ(info.mask & INFO_CREDS, INFO_CREDS);
	EXPECT_EQ(info.ruid, 101);
	EXPECT_EQ(info.euid, 102);
	EXPECT_EQ(info.suid, 103);
	EXPECT_EQ(info.fsuid, 102);
	EXPECT_EQ(info.rgid, 201);
	EXPECT_EQ(info.egid, 202);
	EXPECT_EQ(info.sgid, 203);
	EXPECT_EQ(info.fsgid, 202);
}

TEST(needs_no_permission, NEEDS_PROBE(pidfd_info) NEEDS_ROOT PROMISED("fs/pidfs.c, pidfd_info()")
     DESCRIBE("a user without capabilities asks about root's process"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	IN_CHILD {
		become((void *)(uintptr_t)NOBODY);
		EXPECT_EQ(ask(pidfd, INFO_CREDS).ruid, 0);
	}
}

TEST(rejects_what_is_no_place, NEEDS_PROBE(pidfd_info) PROMISED("fs/pidfs.c, pidfd_info()")
     DESCRIBE("a null pointer: EINVAL; one that cannot be read: EFAULT"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	EXPECT_ERRNO(ioctl(pidfd, GET_INFO, NULL), EINVAL);
	EXPECT_ERRNO(ioctl(pidfd, GET_INFO, (void *)1), EFAULT);
}

static const struct kc_since size_errno[] = {
	{ 6, 18, ENOTTY, "commit 3c17001b21b9" },
	{ 0, 0, EINVAL, "commit cdda1f26e74b" },
};

TEST(rejects_small_sizes, NEEDS_PROBE(pidfd_info) PROMISED("PIDFD_INFO_SIZE_VER0; commit 3c17001b21b9")
     DESCRIBE("less than 64 bytes: EINVAL, since 6.18 ENOTTY, and nothing is written"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));
	struct info info = { .mask = INFO_PID, .pid = 12345 };

	for (unsigned int size = 8; size < 64; size += 8)
		EXPECT_ERRNO_SINCE(ioctl(pidfd, GET_INFO_OF(size), &info), size_errno);
	EXPECT_EQ(info.pid, 12345);
}

/* Until 6.14 the rest is left as it was. */
TEST(fills_larger_sizes_with_zeros, NEEDS_PROBE(pidfd_info) NEEDS_KERNEL(6, 15)
     PROMISED("fs/pidfs.c, copy_struct_to_user()")
     DESCRIBE("a caller of the future: what this kernel does not know is 0"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));
	unsigned char raw[512];

	memset(raw, 0xa5, sizeof(raw));
	memset(raw, 0, 8);
	ASSERT_OK(ioctl(pidfd, GET_INFO_OF(256), raw));
	for (int n = 128; n < 256; n++)
		EXPECT_EQ(raw[n], 0);
	EXPECT_EQ(raw[256], 0xa5);
}

TEST(gives_no_unknown_bit, NEEDS_PROBE(pidfd_info) PROMISED("include/uapi/linux/pidfd.h")
     DESCRIBE("the highest bits asked for do not come back"))
{
	struct info info = ask(ASSERT_OK(pidfd_open_(getpid(), 0)), ~0ull << 32);

	EXPECT_EQ(info.mask >> 32, 0);
	EXPECT_EQ(info.pid, getpid());
}

TEST(misses_reaped_process, NEEDS_PROBE(pidfd_info) PROMISED("fs/pidfs.c, pidfd_info()")
     DESCRIBE("a zombie still has its numbers; reaped: ESRCH"))
{
	pid_t pid = zombie_child(0);
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	struct info info = ask(pidfd, INFO_PID);

	EXPECT_EQ(info.pid, pid);
	reap(pid);
	EXPECT_ERRNO(ioctl(pidfd, GET_INFO, &info), ESRCH);
}

static void ask_inside(void)
{
	struct info info = ask(ASSERT_OK(pidfd_open_(1, 0)), INFO_PID);

	EXPECT_EQ(info.pid, 1);
	EXPECT_EQ(info.tgid, 1);
	/* Its parent has no number in here. */
	EXPECT_EQ(info.ppid, 0);
}

TEST(numbers_are_the_caller_s, NEEDS_PROBE(pidfd_info) NEEDS_ROOT NEEDS_CONFIG(PID_NS)
     PROMISED("pid_namespaces(7)") DESCRIBE("in a pid namespace: the numbers in there, no parent"))
{
	in_pid_namespace(ask_inside);
}

TEST(recycled_number_is_not_told, NEEDS_PROBE(pidfd_info) NEEDS_ROOT NEEDS_CONFIG(PID_NS)
     PROMISED("cover letter: recycled pids") DESCRIBE("whoever has the number now: ESRCH"))
{
	IN_CHILD {
		struct info info = { .mask = INFO_PID };
		struct recycled r;

		ASSERT_OK(unshare(CLONE_NEWPID));
		IN_CHILD {
			r = recycle_pid();
			EXPECT_ERRNO(ioctl(r.pidfd, GET_INFO, &info), ESRCH);
		}
	}
}

TEST(exit_is_told_when_reaped, NEEDS_PROBE(pidfd_info_exit) PROMISED("commit 7477d7dce48a")
     DESCRIBE("not while it lives, not of a zombie; reaped: its status, as wait(2) has it"))
{
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	struct info info;
	siginfo_t ended;

	EXPECT_EQ(ask(pidfd, INFO_EXIT).mask & INFO_EXIT, 0);
	kill(pid, SIGTERM);
	ASSERT_OK(waitid(P_PID, pid, &ended, WEXITED | WNOWAIT));
	EXPECT_EQ(ask(pidfd, INFO_EXIT).mask & INFO_EXIT, 0);
	reap(pid);
	info = ask(pidfd, INFO_EXIT);
	EXPECT_EQ(info.mask & INFO_EXIT, INFO_EXIT);
	EXPECT_TRUE(WIFSIGNALED(info.exit_code));
	EXPECT_EQ(WTERMSIG(info.exit_code), SIGTERM);
}

TEST(exit_has_the_status, NEEDS_PROBE(pidfd_info_exit) PROMISED("commit 7477d7dce48a")
     DESCRIBE("exit 42 is told as 42, again and by every pidfd of the process"))
{
	pid_t pid = zombie_child(42);
	int a = ASSERT_OK(pidfd_open_(pid, 0)), b = ASSERT_OK(pidfd_open_(pid, 0));

	reap(pid);
	for (int n = 0; n < 2; n++) {
		EXPECT_EQ(WEXITSTATUS(ask(a, INFO_EXIT).exit_code), 42);
		EXPECT_EQ(WEXITSTATUS(ask(b, INFO_EXIT).exit_code), 42);
	}
}

KCASE_MAIN
