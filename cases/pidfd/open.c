// SPDX-License-Identifier: GPL-2.0-only
/* pidfd_open(2): what it takes, what it refuses, what it returns. */
#include <pthread.h>

#include "pidfd.h"

/*
 * Flags by version: none in 5.3; PIDFD_NONBLOCK since 5.10 (commit
 * 4da9af0014b5); PIDFD_THREAD since 6.9 (commit 64bef697d33b).
 */
PROBE(pidfd_nonblock, 5, 10)
{
	return pidfd_open_flags() & PIDFD_NONBLOCK_;
}

PROBE(pidfd_thread, 6, 9)
{
	return pidfd_open_flags() & PIDFD_THREAD_;
}

/* pidfd_open(2), EINVAL: "flags is not valid". Cover letter: "no invalid flags can be passed". */
TEST(rejects_every_undefined_flag, NEEDS_KERNEL(5, 3)
     DESCRIBE("each of the 32 bits that is no flag is EINVAL"))
{
	unsigned int known = pidfd_open_flags();

	for (int bit = 0; bit < 32; bit++)
		if (!(known & 1u << bit))
			EXPECT_ERRNO(pidfd_open_(getpid(), 1u << bit), EINVAL);
}

TEST(rejects_all_flags_at_once, NEEDS_KERNEL(5, 3) DESCRIBE("~0 is EINVAL"))
{
	EXPECT_ERRNO(pidfd_open_(getpid(), ~0u), EINVAL);
}

/* A defined flag does not make an undefined one valid. */
TEST(rejects_undefined_beside_defined_flag, NEEDS_PROBE(pidfd_nonblock)
     DESCRIBE("PIDFD_NONBLOCK with an undefined bit is EINVAL"))
{
	EXPECT_ERRNO(pidfd_open_(getpid(), PIDFD_NONBLOCK_ | 1), EINVAL);
	EXPECT_ERRNO(pidfd_open_(getpid(), PIDFD_NONBLOCK_ | 1u << 31), EINVAL);
}

/* kernel/pid.c checks flags before it looks for the process. */
TEST(checks_flags_before_pid, NEEDS_KERNEL(5, 3)
     DESCRIBE("invalid flags with a pid that nobody has: EINVAL, not ESRCH"))
{
	EXPECT_ERRNO(pidfd_open_(INT_MAX, 1), EINVAL);
}

/* pidfd_open(2), EINVAL: "pid is not valid". */
TEST(rejects_pid_zero, NEEDS_KERNEL(5, 3) DESCRIBE("pid 0 is EINVAL"))
{
	EXPECT_ERRNO(pidfd_open_(0, 0), EINVAL);
}

TEST(rejects_negative_pid, NEEDS_KERNEL(5, 3) DESCRIBE("-1 and -getpid() are EINVAL"))
{
	EXPECT_ERRNO(pidfd_open_(-1, 0), EINVAL);
	EXPECT_ERRNO(pidfd_open_(-getpid(), 0), EINVAL);
}

TEST(rejects_lowest_pid, NEEDS_KERNEL(5, 3) DESCRIBE("INT_MIN is EINVAL"))
{
	EXPECT_ERRNO(pidfd_open_(INT_MIN, 0), EINVAL);
}

/* pidfd_open(2), ESRCH: "The process specified by pid does not exist". */
TEST(finds_nobody_at_highest_pid, NEEDS_KERNEL(5, 3) DESCRIBE("INT_MAX is ESRCH"))
{
	EXPECT_ERRNO(pidfd_open_(INT_MAX, 0), ESRCH);
}

/* PID_MAX_LIMIT is 4 Mi on 64-bit (include/linux/threads.h): no process can have this. */
TEST(finds_nobody_beyond_pid_max, NEEDS_KERNEL(5, 3) DESCRIBE("PID_MAX_LIMIT and more is ESRCH"))
{
	EXPECT_ERRNO(pidfd_open_(4 * 1024 * 1024, 0), ESRCH);
	EXPECT_ERRNO(pidfd_open_(4 * 1024 * 1024 + 1, 0), ESRCH);
}

TEST(finds_nobody_at_unused_pid, NEEDS_KERNEL(5, 3) DESCRIBE("a pid that was reaped is ESRCH"))
{
	pid_t pid = ASSERT_OK(kc_fork());

	if (pid == 0)
		_exit(0);
	reap(pid);
	EXPECT_ERRNO(pidfd_open_(pid, 0), ESRCH);
}

TEST(opens_own_process, NEEDS_KERNEL(5, 3) DESCRIBE("getpid() gives a descriptor"))
{
	int fd = ASSERT_OK(pidfd_open_(getpid(), 0));

	EXPECT_OK(pidfd_send_signal_(fd, 0, NULL, 0));
	EXPECT_OK(close(fd));
}

TEST(opens_child, NEEDS_KERNEL(5, 3) DESCRIBE("a child's pid gives a descriptor"))
{
	int fd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));

	EXPECT_OK(pidfd_send_signal_(fd, 0, NULL, 0));
}

TEST(opens_parent, NEEDS_KERNEL(5, 3) DESCRIBE("one need not be the parent of what one opens"))
{
	EXPECT_OK(pidfd_open_(getppid(), 0));
}

/* A zombie still has its struct pid (pidfd_open(2), NOTES). */
TEST(opens_zombie, NEEDS_KERNEL(5, 3) DESCRIBE("a process that ended and was not waited for"))
{
	EXPECT_OK(pidfd_open_(zombie_child(0), 0));
}

struct thread {
	pid_t tid;
	int ready[2], done[2];
};

static void *wait_in_thread(void *arg)
{
	struct thread *t = arg;
	char c;

	t->tid = gettid();
	if (write(t->ready[1], "x", 1) != 1 || read(t->done[0], &c, 1) < 0)
		abort();
	return NULL;
}

static pthread_t start_thread(struct thread *t)
{
	pthread_t thread;
	char c;

	ASSERT_OK(pipe(t->ready));
	ASSERT_OK(pipe(t->done));
	ASSERT_EQ(pthread_create(&thread, NULL, wait_in_thread, t), 0);
	ASSERT_EQ(read(t->ready[0], &c, 1), 1);
	return thread;
}

static void end_thread(struct thread *t, pthread_t thread)
{
	close(t->done[1]);
	pthread_join(thread, NULL);
}

/*
 * pidfd_open(2): pid must be a thread-group leader. EINVAL until 6.15,
 * ENOENT since 6.16 (vfs-6.16-rc1.pidfs).
 */
static const struct {
	int major, minor, error;
} thread_errno[] = { { 6, 16, ENOENT }, { 0, 0, EINVAL } };

TEST(rejects_thread_that_is_no_leader, NEEDS_KERNEL(5, 3)
     DESCRIBE("a tid without PIDFD_THREAD: EINVAL, since 6.16 ENOENT"))
{
	struct thread t;
	pthread_t thread = start_thread(&t);
	int n = 0;

	while (!kc_kernel_since(thread_errno[n].major, thread_errno[n].minor))
		n++;
	ASSERT_NE(t.tid, getpid());
	EXPECT_ERRNO(pidfd_open_(t.tid, 0), thread_errno[n].error);
	end_thread(&t, thread);
}

TEST(opens_leader_from_a_thread_group, NEEDS_KERNEL(5, 3)
     DESCRIBE("the leader's pid is accepted while other threads live"))
{
	struct thread t;
	pthread_t thread = start_thread(&t);

	EXPECT_OK(pidfd_open_(getpid(), 0));
	end_thread(&t, thread);
}

/* Cover letter: "file descriptors for threads"; in mainline PIDFD_THREAD. */
TEST(opens_thread_with_flag, NEEDS_PROBE(pidfd_thread) DESCRIBE("a tid with PIDFD_THREAD"))
{
	struct thread t;
	pthread_t thread = start_thread(&t);

	EXPECT_OK(pidfd_open_(t.tid, PIDFD_THREAD_));
	end_thread(&t, thread);
}

/* pidfd_open(2): "the close-on-exec flag is set on the file descriptor". */
TEST(sets_close_on_exec, NEEDS_KERNEL(5, 3) DESCRIBE("FD_CLOEXEC is set"))
{
	int fd = ASSERT_OK(pidfd_open_(getpid(), 0));

	EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

TEST(is_blocking_without_flag, NEEDS_KERNEL(5, 3) DESCRIBE("O_NONBLOCK is not set"))
{
	int fd = ASSERT_OK(pidfd_open_(getpid(), 0));

	EXPECT_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
}

TEST(is_nonblocking_with_flag, NEEDS_PROBE(pidfd_nonblock) DESCRIBE("PIDFD_NONBLOCK sets O_NONBLOCK"))
{
	int fd = ASSERT_OK(pidfd_open_(getpid(), PIDFD_NONBLOCK_));

	EXPECT_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

TEST(gives_distinct_descriptors, NEEDS_KERNEL(5, 3)
     DESCRIBE("two opens of one process are two descriptors"))
{
	int a = ASSERT_OK(pidfd_open_(getpid(), 0)), b = ASSERT_OK(pidfd_open_(getpid(), 0));

	EXPECT_NE(a, b);
	EXPECT_OK(close(a));
	EXPECT_OK(pidfd_send_signal_(b, 0, NULL, 0));
}

/* Cover letter: "They are not dirfds". */
TEST(is_no_directory, NEEDS_KERNEL(5, 3) DESCRIBE("openat through it is ENOTDIR"))
{
	struct stat about;
	int fd = ASSERT_OK(pidfd_open_(getpid(), 0));

	EXPECT_ERRNO(openat(fd, "status", O_RDONLY), ENOTDIR);
	EXPECT_OK(fstat(fd, &about));
	EXPECT_FALSE(S_ISDIR(about.st_mode));
}

/* No read or write method: EINVAL (fs/read_write.c). */
TEST(cannot_be_read, NEEDS_KERNEL(5, 3) DESCRIBE("read is EINVAL"))
{
	char c;
	int fd = ASSERT_OK(pidfd_open_(getpid(), 0));

	EXPECT_ERRNO(read(fd, &c, 1), EINVAL);
}

/* pidfd_open(2), EMFILE. */
TEST(reports_full_descriptor_table, NEEDS_KERNEL(5, 3) DESCRIBE("EMFILE at RLIMIT_NOFILE"))
{
	struct rlimit few = { 16, 16 };

	ASSERT_OK(setrlimit(RLIMIT_NOFILE, &few));
	for (int n = 0; n < 16; n++)
		if (dup(0) < 0)
			break;
	EXPECT_ERRNO(pidfd_open_(getpid(), 0), EMFILE);
}

KCASE_MAIN
