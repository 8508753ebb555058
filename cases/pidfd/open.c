// SPDX-License-Identifier: GPL-2.0-only
/* pidfd_open(2): what it takes, what it refuses, what it returns. */
#include "pidfd.h"

PIDFD_CASES

PROBE_PIDFD_NONBLOCK
PROBE_PIDFD_THREAD

/* pidfd_open(2), EINVAL: "flags is not valid". Cover letter: "no invalid flags can be passed". */
TEST(rejects_every_undefined_flag, PROMISED("pidfd_open(2), EINVAL; cover letter: no invalid flags")
     DESCRIBE("each of the 32 bits that is no flag is EINVAL"))
{
	unsigned int known = pidfd_open_flags();

	for (int bit = 0; bit < 32; bit++)
		if (!(known & 1u << bit))
			EXPECT_ERRNO(pidfd_open_(getpid(), 1u << bit), EINVAL);
}

TEST(rejects_all_flags_at_once, PROMISED("pidfd_open(2), EINVAL")
     DESCRIBE("~0 is EINVAL"))
{
	EXPECT_ERRNO(pidfd_open_(getpid(), ~0u), EINVAL);
}

/* A defined flag does not make an undefined one valid. */
TEST(rejects_undefined_beside_defined_flag, NEEDS_PROBE(pidfd_nonblock) PROMISED("pidfd_open(2), EINVAL")
     DESCRIBE("PIDFD_NONBLOCK with an undefined bit is EINVAL"))
{
	EXPECT_ERRNO(pidfd_open_(getpid(), PIDFD_NONBLOCK_ | 1), EINVAL);
	EXPECT_ERRNO(pidfd_open_(getpid(), PIDFD_NONBLOCK_ | 1u << 31), EINVAL);
}

/* kernel/pid.c checks flags before it looks for the process. */
TEST(checks_flags_before_pid, PROMISED("kernel/pid.c, pidfd_open()")
     DESCRIBE("invalid flags with a pid that nobody has: EINVAL, not ESRCH"))
{
	EXPECT_ERRNO(pidfd_open_(INT_MAX, 1), EINVAL);
}

/* pidfd_open(2), EINVAL: "pid is not valid". */
TEST(rejects_pid_zero, PROMISED("pidfd_open(2), EINVAL")
     DESCRIBE("pid 0 is EINVAL"))
{
	EXPECT_ERRNO(pidfd_open_(0, 0), EINVAL);
}

TEST(rejects_negative_pid, PROMISED("pidfd_open(2), EINVAL")
     DESCRIBE("-1 and -getpid() are EINVAL"))
{
	EXPECT_ERRNO(pidfd_open_(-1, 0), EINVAL);
	EXPECT_ERRNO(pidfd_open_(-getpid(), 0), EINVAL);
}

TEST(rejects_lowest_pid, PROMISED("pidfd_open(2), EINVAL")
     DESCRIBE("INT_MIN is EINVAL"))
{
	EXPECT_ERRNO(pidfd_open_(INT_MIN, 0), EINVAL);
}

/* pidfd_open(2), ESRCH: "The process specified by pid does not exist". */
TEST(finds_nobody_at_highest_pid, PROMISED("pidfd_open(2), ESRCH")
     DESCRIBE("INT_MAX is ESRCH"))
{
	EXPECT_ERRNO(pidfd_open_(INT_MAX, 0), ESRCH);
}

/* PID_MAX_LIMIT is 4 Mi on 64-bit (include/linux/threads.h): no process can have this. */
TEST(finds_nobody_beyond_pid_max, PROMISED("pidfd_open(2), ESRCH; include/linux/threads.h")
     DESCRIBE("PID_MAX_LIMIT and more is ESRCH"))
{
	EXPECT_ERRNO(pidfd_open_(4 * 1024 * 1024, 0), ESRCH);
	EXPECT_ERRNO(pidfd_open_(4 * 1024 * 1024 + 1, 0), ESRCH);
}

TEST(finds_nobody_at_unused_pid, PROMISED("pidfd_open(2), ESRCH")
     DESCRIBE("a pid that was reaped is ESRCH"))
{
	pid_t pid = ASSERT_OK(kc_fork());

	if (pid == 0)
		_exit(0);
	reap(pid);
	EXPECT_ERRNO(pidfd_open_(pid, 0), ESRCH);
}

TEST(opens_own_process, PROMISED("pidfd_open(2)")
     DESCRIBE("getpid() gives a descriptor"))
{
	int fd = ASSERT_OK(pidfd_open_(getpid(), 0));

	EXPECT_OK(pidfd_send_signal_(fd, 0, NULL, 0));
	EXPECT_OK(close(fd));
}

TEST(opens_child, PROMISED("pidfd_open(2)")
     DESCRIBE("a child's pid gives a descriptor"))
{
	int fd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));

	EXPECT_OK(pidfd_send_signal_(fd, 0, NULL, 0));
}

TEST(opens_parent, PROMISED("pidfd_open(2)")
     DESCRIBE("one need not be the parent of what one opens"))
{
	EXPECT_OK(pidfd_open_(getppid(), 0));
}

/* A zombie still has its struct pid (pidfd_open(2), NOTES). */
TEST(opens_zombie, PROMISED("pidfd_open(2), NOTES")
     DESCRIBE("a process that ended and was not waited for"))
{
	EXPECT_OK(pidfd_open_(zombie_child(0), 0));
}

/* pidfd_open(2): pid must be that of a thread-group leader. */
static const struct kc_since thread_errno[] = {
	{ 6, 16, ENOENT, "vfs-6.16-rc1.pidfs" },
	{ 0, 0, EINVAL, "pidfd_open(2), EINVAL" },
};

TEST(rejects_thread_that_is_no_leader, PROMISED("pidfd_open(2), EINVAL; vfs-6.16-rc1.pidfs")
     DESCRIBE("a tid without PIDFD_THREAD: EINVAL, since 6.16 ENOENT"))
{
	struct thread t;

	start_thread(&t);
	ASSERT_NE(t.tid, getpid());
	EXPECT_ERRNO_SINCE(pidfd_open_(t.tid, 0), thread_errno);
	EXPECT_ERRNO_SINCE(pidfd_open_(t.tid, pidfd_open_flags() & PIDFD_NONBLOCK_), thread_errno);
	end_thread(&t);
}

TEST(opens_leader_from_a_thread_group, PROMISED("pidfd_open(2)")
     DESCRIBE("the leader's pid is accepted while other threads live"))
{
	struct thread t;

	start_thread(&t);
	EXPECT_OK(pidfd_open_(getpid(), 0));
	end_thread(&t);
}

/* Cover letter: "file descriptors for threads"; in mainline PIDFD_THREAD. */
TEST(opens_thread_with_flag, NEEDS_PROBE(pidfd_thread) PROMISED("pidfd_open(2), PIDFD_THREAD")
     DESCRIBE("a tid, and the leader's, with PIDFD_THREAD"))
{
	struct thread t;

	start_thread(&t);
	EXPECT_EQ(is_there(EXPECT_OK(pidfd_open_(t.tid, PIDFD_THREAD_))), 0);
	EXPECT_EQ(is_there(EXPECT_OK(pidfd_open_(getpid(), PIDFD_THREAD_))), 0);
	end_thread(&t);
}

TEST(misses_thread_that_ended, NEEDS_PROBE(pidfd_thread) PROMISED("pidfd_open(2), ESRCH")
     DESCRIBE("the tid of a thread that is gone: ESRCH, with the flag and without"))
{
	struct thread t;

	start_thread(&t);
	end_thread(&t);
	EXPECT_ERRNO(pidfd_open_(t.tid, PIDFD_THREAD_), ESRCH);
	EXPECT_ERRNO(pidfd_open_(t.tid, 0), ESRCH);
}

/* fcntl(2) shows the flag, as f_flags has it (kernel/fork.c, __pidfd_prepare()). */
TEST(shows_thread_flag, NEEDS_PROBE(pidfd_thread) PROMISED("commit 64bef697d33b")
     DESCRIBE("F_GETFL has O_EXCL for a pidfd of a thread, and only for such"))
{
	int thread = ASSERT_OK(pidfd_open_(getpid(), PIDFD_THREAD_));
	int process = ASSERT_OK(pidfd_open_(getpid(), 0));

	EXPECT_EQ(fcntl(thread, F_GETFL) & O_EXCL, O_EXCL);
	EXPECT_EQ(fcntl(process, F_GETFL) & O_EXCL, 0);
}

/* pidfd_open(2): "the close-on-exec flag is set on the file descriptor". */
TEST(sets_close_on_exec, PROMISED("pidfd_open(2): the close-on-exec flag is set")
     DESCRIBE("FD_CLOEXEC is set"))
{
	int fd = ASSERT_OK(pidfd_open_(getpid(), 0));

	EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

TEST(is_blocking_without_flag, PROMISED("pidfd_open(2), PIDFD_NONBLOCK")
     DESCRIBE("O_NONBLOCK is not set"))
{
	int fd = ASSERT_OK(pidfd_open_(getpid(), 0));

	EXPECT_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
}

TEST(is_nonblocking_with_flag, NEEDS_PROBE(pidfd_nonblock) PROMISED("pidfd_open(2), PIDFD_NONBLOCK")
     DESCRIBE("PIDFD_NONBLOCK sets O_NONBLOCK"))
{
	int fd = ASSERT_OK(pidfd_open_(getpid(), PIDFD_NONBLOCK_));

	EXPECT_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

TEST(thread_is_nonblocking_with_flag, NEEDS_PROBE(pidfd_thread)
     PROMISED("pidfd_open(2), PIDFD_NONBLOCK, PIDFD_THREAD")
     DESCRIBE("both flags together: O_NONBLOCK and O_EXCL are set"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), PIDFD_THREAD_ | PIDFD_NONBLOCK_));

	EXPECT_EQ(fcntl(pidfd, F_GETFL) & (O_NONBLOCK | O_EXCL), O_NONBLOCK | O_EXCL);
	EXPECT_EQ(fcntl(pidfd, F_GETFL) & O_ACCMODE, O_RDWR);
}

TEST(gives_distinct_descriptors, PROMISED("pidfd_open(2)")
     DESCRIBE("two opens of one process are two descriptors"))
{
	int a = ASSERT_OK(pidfd_open_(getpid(), 0)), b = ASSERT_OK(pidfd_open_(getpid(), 0));

	EXPECT_NE(a, b);
	EXPECT_OK(close(a));
	EXPECT_OK(pidfd_send_signal_(b, 0, NULL, 0));
}

/* Cover letter: "They are not dirfds". */
TEST(is_no_directory, PROMISED("cover letter: they are not dirfds")
     DESCRIBE("openat through it is ENOTDIR"))
{
	struct stat about;
	int fd = ASSERT_OK(pidfd_open_(getpid(), 0));

	EXPECT_ERRNO(openat(fd, "status", O_RDONLY), ENOTDIR);
	EXPECT_OK(fstat(fd, &about));
	EXPECT_FALSE(S_ISDIR(about.st_mode));
}

/* No read or write method: EINVAL (fs/read_write.c). */
TEST(cannot_be_read, PROMISED("fs/read_write.c: no read method")
     DESCRIBE("read is EINVAL"))
{
	char c;
	int fd = ASSERT_OK(pidfd_open_(getpid(), 0));

	EXPECT_ERRNO(read(fd, &c, 1), EINVAL);
}

/* pidfd_open(2), EMFILE. */
TEST(reports_full_descriptor_table, PROMISED("pidfd_open(2), EMFILE")
     DESCRIBE("EMFILE at RLIMIT_NOFILE"))
{
	struct rlimit few = { 16, 16 };

	ASSERT_OK(setrlimit(RLIMIT_NOFILE, &few));
	for (int n = 0; n < 16; n++)
		if (dup(0) < 0)
			break;
	EXPECT_ERRNO(pidfd_open_(getpid(), 0), EMFILE);
}

TEST(is_open_for_reading_and_writing, PROMISED("kernel/fork.c, __pidfd_prepare()")
     DESCRIBE("the access mode is O_RDWR"))
{
	EXPECT_EQ(fcntl(ASSERT_OK(pidfd_open_(getpid(), 0)), F_GETFL) & O_ACCMODE, O_RDWR);
}

/* The series: "no invalid flags can be passed", and nothing is left of a call that failed. */
TEST(takes_no_descriptor_when_it_fails, PROMISED("pidfd_open(2), RETURN VALUE")
     DESCRIBE("after EINVAL and ESRCH the next descriptor is what it was"))
{
	struct thread t;
	int next;

	start_thread(&t);
	next = next_descriptor();
	EXPECT_ERRNO(pidfd_open_(getpid(), 1), EINVAL);
	EXPECT_ERRNO(pidfd_open_(0, 0), EINVAL);
	EXPECT_ERRNO(pidfd_open_(INT_MAX, 0), ESRCH);
	EXPECT_ERRNO_SINCE(pidfd_open_(t.tid, 0), thread_errno);
	EXPECT_EQ(next_descriptor(), next);
	end_thread(&t);
}

/* The lowest that is free, as open(2) promises of every new descriptor. */
TEST(takes_lowest_free_descriptor, PROMISED("open(2)") DESCRIBE("the lowest number that is free"))
{
	int next = next_descriptor();

	EXPECT_EQ(pidfd_open_(getpid(), 0), next);
}

/* A number may outlive its process as that of a group or a session (credentials(7)). */
static const struct kc_since group_errno[] = {
	{ 6, 16, ESRCH, "vfs-6.16-rc1.pidfs" },
	{ 0, 0, EINVAL, "kernel/fork.c, pidfd_prepare()" },
};

TEST(misses_leader_whose_group_lives_on, PROMISED("pidfd_open(2); vfs-6.16-rc1.pidfs")
     DESCRIBE("the number is only that of a process group any more: EINVAL, since 6.16 ESRCH"))
{
	int of_group, of_thread;
	struct thread t;
	pid_t leader = ASSERT_OK(kc_fork()), member = sleeping_child();

	if (leader == 0)
		for (;;)
			pause();
	ASSERT_OK(setpgid(leader, leader));
	ASSERT_OK(setpgid(member, leader));
	ASSERT_OK(kill(leader, SIGKILL));
	reap(leader);
	ASSERT_OK(killpg(leader, 0));
	EXPECT_ERRNO_SINCE(pidfd_open_(leader, 0), group_errno);
	if (pidfd_open_flags() & PIDFD_THREAD_)
		EXPECT_ERRNO_SINCE(pidfd_open_(leader, PIDFD_THREAD_), group_errno);
	/* One change brought both, also to a kernel that has it as a backport. */
	of_group = pidfd_open_(leader, 0) < 0 ? errno : 0;
	start_thread(&t);
	of_thread = pidfd_open_(t.tid, 0) < 0 ? errno : 0;
	end_thread(&t);
	EXPECT_EQ(of_group == ESRCH, of_thread == ENOENT);
}

/* Opening needs no permission: what can be done with it is checked when it is done. */
TEST(needs_no_permission, NEEDS_ROOT PROMISED("pidfd_open(2), NOTES; kernel/pid.c")
     DESCRIBE("an unprivileged user opens root's process and pid 1"))
{
	pid_t pid = sleeping_child();

	IN_CHILD {
		become((void *)NOBODY);
		EXPECT_OK(pidfd_open_(pid, 0));
		EXPECT_OK(pidfd_open_(1, 0));
	}
}

/* pidfd_open(2), ENFILE: fs.file-max, which does not bind CAP_SYS_ADMIN (proc(5)). */
TEST(reports_full_file_table, NEEDS_ROOT PROMISED("pidfd_open(2), ENFILE")
     DESCRIBE("ENFILE at fs.file-max, and no descriptor is lost over it"))
{
	set_limit("/proc/sys/fs/file-max", "16", "needs /proc");
	IN_CHILD {
		int next = next_descriptor();

		become((void *)NOBODY);
		/* The count of files is kept per CPU and lags behind (lib/percpu_counter.c). */
		for (int n = 0; n < 512; n++)
			if (pidfd_open_(getpid(), 0) < 0)
				break;
		ASSERT_ERRNO(pidfd_open_(getpid(), 0), ENFILE);
		ASSERT_ERRNO(pidfd_open_(getpid(), 0), ENFILE);
		for (int fd = next; fd < 1024; fd++)
			close(fd);
		EXPECT_EQ(next_descriptor(), next);
	}
}

TEST(opens_stopped_process, PROMISED("pidfd_open(2)") DESCRIBE("a process that SIGSTOP stopped"))
{
	siginfo_t info;
	pid_t pid = sleeping_child();

	ASSERT_OK(kill(pid, SIGSTOP));
	ASSERT_OK(waitid(P_PID, pid, &info, WSTOPPED));
	EXPECT_EQ(is_there(EXPECT_OK(pidfd_open_(pid, 0))), 0);
}

static void open_ancestor(void)
{
	pid_t inner = ASSERT_OK(kc_fork());

	if (inner == 0)
		for (;;)
			pause();
	/* Numbers are this namespace's: 1 and 2 are there, the caller's own outside number is not. */
	EXPECT_EQ(getpid(), 1);
	EXPECT_OK(pidfd_open_(1, 0));
	EXPECT_EQ(inner, 2);
	EXPECT_OK(pidfd_open_(inner, 0));
	EXPECT_ERRNO(pidfd_open_(inner + 1, 0), ESRCH);
	EXPECT_ERRNO(pidfd_open_(0, 0), EINVAL);
}

/* The pid is one of the caller's namespace (pid_namespaces(7)). */
TEST(reads_pid_in_own_namespace, NEEDS_CONFIG(PID_NS) NEEDS_ROOT PROMISED("pid_namespaces(7)")
     DESCRIBE("in a new pid namespace only its own numbers are found"))
{
	in_pid_namespace(open_ancestor);
}

/* unshare(2), CLONE_NEWPID: the caller stays where it is. */
TEST(reads_pid_in_namespace_of_caller, NEEDS_CONFIG(PID_NS) NEEDS_ROOT
     PROMISED("pidfd_open(2); pid_namespaces(7)")
     DESCRIBE("after unshare(2) numbers are read in the own namespace, not the children's"))
{
	int own;
	pid_t pid;

	ASSERT_OK(unshare(CLONE_NEWPID));
	pid = sleeping_child();
	own = ASSERT_OK(pidfd_open_(getpid(), 0));
	EXPECT_OK(is_there(own));
	EXPECT_OK(pidfd_send_signal_(ASSERT_OK(pidfd_open_(pid, 0)), SIGKILL, NULL, 0));
	EXPECT_EQ(waitpid(pid, NULL, 0), pid);
}

TEST(opens_process_of_inner_namespace, NEEDS_CONFIG(PID_NS) NEEDS_ROOT
     PROMISED("pid_namespaces(7)") DESCRIBE("by the number that it has outside"))
{
	struct clone_args args = { .exit_signal = SIGCHLD, .flags = CLONE_NEWPID };
	pid_t pid = ASSERT_OK(clone_sleeper(&args));
	int status = 0;

	EXPECT_EQ(pidfd_send_signal_(ASSERT_OK(pidfd_open_(pid, 0)), SIGKILL, NULL, 0), 0);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

/* What the kernel puts into its flags itself is nothing that a caller may pass. */
TEST(rejects_flags_of_open, PROMISED("pidfd_open(2), EINVAL")
     DESCRIBE("O_RDWR, O_CLOEXEC, O_APPEND, O_PATH, O_DIRECTORY: EINVAL"))
{
	static const unsigned int flags[] = {
		O_RDWR, O_WRONLY, O_CLOEXEC, O_APPEND, O_PATH, O_DIRECTORY, O_CREAT, O_TRUNC,
	};

	for (size_t n = 0; n < sizeof(flags) / sizeof(flags[0]); n++) {
		EXPECT_ERRNO(pidfd_open_(getpid(), flags[n]), EINVAL);
		EXPECT_ERRNO(pidfd_open_(getpid(), flags[n] | PIDFD_NONBLOCK_), EINVAL);
	}
}

KCASE_MAIN
