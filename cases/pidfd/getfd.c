// SPDX-License-Identifier: GPL-2.0-only
/* pidfd_getfd(2), since 5.6: a copy of another process's descriptor. */
#include "pidfd.h"

EVERY_CASE(NEEDS_PROBE(pidfd_getfd) TIMEOUT(20))
PROBE_PIDFD_GETFD
PROBE_PIDFD_THREAD

/* A child that has a pipe's write end as the descriptor FD, and nothing else has it. */
#define FD 77

static void hold(void *arg)
{
	ASSERT_EQ(dup2((int)(intptr_t)arg, FD), FD);
	close((int)(intptr_t)arg);
}

static pid_t holder(int *reading)
{
	int pipes[2];
	pid_t pid;

	ASSERT_OK(pipe2(pipes, O_CLOEXEC | O_NONBLOCK));
	pid = child_after(hold, (void *)(intptr_t)pipes[1]);
	close(pipes[1]);
	*reading = pipes[0];
	return pid;
}

TEST(copies_descriptor, PROMISED("pidfd_getfd(2)")
     DESCRIBE("what is written to the copy arrives at the pipe's other end"))
{
	int reading, fd;
	char c = 0;
	int pidfd = ASSERT_OK(pidfd_open_(holder(&reading), 0));

	fd = ASSERT_OK(pidfd_getfd_(pidfd, FD, 0));
	ASSERT_EQ(write(fd, "k", 1), 1);
	ASSERT_EQ(read(reading, &c, 1), 1);
	EXPECT_EQ(c, 'k');
}

TEST(sets_close_on_exec, PROMISED("pidfd_getfd(2)") DESCRIBE("whatever the original has"))
{
	int reading;
	int pidfd = ASSERT_OK(pidfd_open_(holder(&reading), 0));

	EXPECT_EQ(fcntl(ASSERT_OK(pidfd_getfd_(pidfd, FD, 0)), F_GETFD), FD_CLOEXEC);
}

/* pidfd_getfd(2): "the duplicate refers to the same open file description". */
TEST(shares_open_file_description, PROMISED("pidfd_getfd(2)")
     DESCRIBE("offset and status flags are one, as after dup(2)"))
{
	int a, b, own = ASSERT_OK(pidfd_open_(getpid(), 0));
	char path[] = "/tmp/getfd-XXXXXX";

	a = ASSERT_OK(mkstemp(path));
	b = ASSERT_OK(pidfd_getfd_(own, a, 0));
	EXPECT_NE(a, b);
	ASSERT_EQ(write(a, "four", 4), 4);
	EXPECT_EQ(lseek(b, 0, SEEK_CUR), 4);
	ASSERT_OK(fcntl(b, F_SETFL, O_APPEND));
	EXPECT_EQ(fcntl(a, F_GETFL) & O_APPEND, O_APPEND);
	close(a);
	EXPECT_EQ(write(b, "x", 1), 1);
}

TEST(leaves_owner_its_descriptor, PROMISED("pidfd_getfd(2)")
     DESCRIBE("closing the copy closes nothing of the owner's; the pipe ends with the last"))
{
	int reading, fd;
	char c;
	pid_t pid = holder(&reading);
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	fd = ASSERT_OK(pidfd_getfd_(pidfd, FD, 0));
	close(fd);
	EXPECT_ERRNO(read(reading, &c, 1), EAGAIN);
	fd = ASSERT_OK(pidfd_getfd_(pidfd, FD, 0));
	kill(pid, SIGKILL);
	reap(pid);
	EXPECT_ERRNO(read(reading, &c, 1), EAGAIN);
	close(fd);
	/* 0: no reference is left anywhere. */
	EXPECT_EQ(read(reading, &c, 1), 0);
}

TEST(drops_reference_when_table_is_full, PROMISED("pidfd_getfd(2), EMFILE")
     DESCRIBE("EMFILE, and the file is not kept by it"))
{
	struct rlimit few = { 0, 0 };
	int reading;
	char c;
	pid_t pid = holder(&reading);
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	few.rlim_cur = few.rlim_max = next_descriptor();
	ASSERT_OK(setrlimit(RLIMIT_NOFILE, &few));
	for (int n = 0; n < 3; n++)
		EXPECT_ERRNO(pidfd_getfd_(pidfd, FD, 0), EMFILE);
	kill(pid, SIGKILL);
	reap(pid);
	EXPECT_EQ(read(reading, &c, 1), 0);
}

TEST(rejects_every_flag, PROMISED("pidfd_getfd(2), EINVAL")
     DESCRIBE("each of the 32 bits, O_CLOEXEC among them, is EINVAL"))
{
	int reading;
	int pidfd = ASSERT_OK(pidfd_open_(holder(&reading), 0));

	for (int bit = 0; bit < 32; bit++)
		EXPECT_ERRNO(pidfd_getfd_(pidfd, FD, 1u << bit), EINVAL);
}

TEST(checks_flags_first, PROMISED("kernel/pid.c, pidfd_getfd()")
     DESCRIBE("a flag and a bad pidfd: EINVAL"))
{
	EXPECT_ERRNO(pidfd_getfd_(-1, -1, 1), EINVAL);
}

TEST(rejects_bad_pidfd, PROMISED("pidfd_getfd(2), EBADF")
     DESCRIBE("closed, negative, a file, a pipe, /proc/<pid>: EBADF"))
{
	int pipes[2], proc;

	ASSERT_OK(pipe(pipes));
	EXPECT_ERRNO(pidfd_getfd_(-1, 0, 0), EBADF);
	EXPECT_ERRNO(pidfd_getfd_(9999, 0, 0), EBADF);
	EXPECT_ERRNO(pidfd_getfd_(pipes[0], 0, 0), EBADF);
	EXPECT_ERRNO(pidfd_getfd_(ASSERT_OK(open("/", O_RDONLY)), 0, 0), EBADF);
	proc = open("/proc/self", O_DIRECTORY | O_RDONLY);
	if (proc >= 0)
		EXPECT_ERRNO(pidfd_getfd_(proc, 0, 0), EBADF);
}

TEST(rejects_bad_target_descriptor, PROMISED("pidfd_getfd(2), EBADF")
     DESCRIBE("a number that the process has no descriptor at: EBADF"))
{
	static const int numbers[] = { FD + 1, 9999, -1, INT_MAX, INT_MIN };
	int reading;
	int pidfd = ASSERT_OK(pidfd_open_(holder(&reading), 0));

	for (size_t n = 0; n < sizeof(numbers) / sizeof(numbers[0]); n++)
		EXPECT_ERRNO(pidfd_getfd_(pidfd, numbers[n], 0), EBADF);
}

TEST(misses_zombie, PROMISED("pidfd_getfd(2), ESRCH")
     DESCRIBE("a process that ended has no descriptors: ESRCH, for a bad number as well"))
{
	int pidfd = ASSERT_OK(pidfd_open_(zombie_child(0), 0));

	EXPECT_ERRNO(pidfd_getfd_(pidfd, 0, 0), ESRCH);
	EXPECT_ERRNO(pidfd_getfd_(pidfd, 9999, 0), ESRCH);
}

TEST(misses_reaped_process, PROMISED("pidfd_getfd(2), ESRCH") DESCRIBE("ESRCH"))
{
	int reading;
	pid_t pid = holder(&reading);
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	kill(pid, SIGKILL);
	reap(pid);
	EXPECT_ERRNO(pidfd_getfd_(pidfd, FD, 0), ESRCH);
}

static void copy_from_recycled(void)
{
	struct recycled r = recycle_pid();

	EXPECT_ERRNO(pidfd_getfd_(r.pidfd, 0, 0), ESRCH);
	EXPECT_OK(pidfd_getfd_(ASSERT_OK(pidfd_open_(r.pid, 0)), 0, 0));
}

TEST(spares_recycled_pid, NEEDS_KERNEL(5, 6) NEEDS_CONFIG(PID_NS) NEEDS_ROOT
     PROMISED("pidfd_getfd(2), ESRCH") DESCRIBE("whoever has the number now: ESRCH"))
{
	in_pid_namespace(copy_from_recycled);
}

/* PTRACE_MODE_ATTACH_REALCREDS, see ptrace(2). */
TEST(needs_ptrace_access, NEEDS_ROOT PROMISED("pidfd_getfd(2), EPERM")
     DESCRIBE("another user's process: EPERM, for a bad number as well"))
{
	int of_root = ASSERT_OK(pidfd_open_(sleeping_child(), 0));
	int of_1000 = ASSERT_OK(pidfd_open_(child_of_user(1000), 0));

	IN_CHILD {
		become((void *)NOBODY);
		EXPECT_ERRNO(pidfd_getfd_(of_root, 0, 0), EPERM);
		EXPECT_ERRNO(pidfd_getfd_(of_1000, 0, 0), EPERM);
		EXPECT_ERRNO(pidfd_getfd_(of_1000, 9999, 0), EPERM);
		EXPECT_ERRNO(pidfd_getfd_(9999, 0, 0), EBADF);
	}
	EXPECT_OK(pidfd_getfd_(of_1000, 0, 0));
}

/* What a stranger may know of it comes first (kernel/pid.c, __pidfd_fget()). */
TEST(zombie_of_a_stranger_is_refused, NEEDS_ROOT PROMISED("pidfd_getfd(2), EPERM")
     DESCRIBE("another user's process that ended: EPERM, not ESRCH"))
{
	int pidfd = ASSERT_OK(pidfd_open_(zombie_child(0), 0));

	IN_CHILD {
		become((void *)NOBODY);
		EXPECT_ERRNO(pidfd_getfd_(pidfd, 0, 0), EPERM);
	}
}

TEST(same_user_has_access, NEEDS_ROOT PROMISED("ptrace(2), Ptrace access mode checking")
     DESCRIBE("an unprivileged user copies from a process of the same user"))
{
	int pidfd = ASSERT_OK(pidfd_open_(child_of_user(NOBODY), 0));

	IN_CHILD {
		become((void *)NOBODY);
		EXPECT_OK(pidfd_getfd_(pidfd, 0, 0));
	}
}

static void become_undumpable(void *uid)
{
	become(uid);
	ASSERT_OK(prctl(PR_SET_DUMPABLE, 0));
}

TEST(undumpable_process_is_out_of_reach, NEEDS_ROOT PROMISED("prctl(2), PR_SET_DUMPABLE")
     DESCRIBE("same user, PR_SET_DUMPABLE 0: EPERM; with CAP_SYS_PTRACE it works"))
{
	int pidfd = ASSERT_OK(pidfd_open_(child_after(become_undumpable, (void *)NOBODY), 0));

	IN_CHILD {
		become((void *)NOBODY);
		EXPECT_ERRNO(pidfd_getfd_(pidfd, 0, 0), EPERM);
	}
	EXPECT_OK(pidfd_getfd_(pidfd, 0, 0));
}

/* ptrace(2), ptrace_scope: 1 restricts who may attach, not who may read. */
TEST(needs_leave_to_attach, NEEDS_ROOT
     PROMISED("pidfd_getfd(2), PTRACE_MODE_ATTACH_REALCREDS; ptrace(2), ptrace_scope")
     DESCRIBE("where YAMA lets only ancestors attach: EPERM for a brother of the same user, not for a child"))
{
	int brother = open_unattachable();

	IN_CHILD {
		become((void *)NOBODY);
		EXPECT_ERRNO(pidfd_getfd_(brother, 0, 0), EPERM);
		EXPECT_OK(pidfd_getfd_(ASSERT_OK(pidfd_open_(sleeping_child(), 0)), 0, 0));
	}
	EXPECT_OK(pidfd_getfd_(brother, 0, 0));
}

/* Each of real, effective and saved id of the target must be the caller's real one. */
static void keep_saved_id(void *arg)
{
	(void)arg;
	ASSERT_OK(setresgid(NOBODY, NOBODY, NOBODY));
	ASSERT_OK(setresuid(NOBODY, NOBODY, 1000));
	ASSERT_OK(prctl(PR_SET_DUMPABLE, 1));
	allow_all_tracers();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

TEST(compares_all_ids_of_process, NEEDS_ROOT PROMISED("ptrace(2), Ptrace access mode checking")
     DESCRIBE("a target whose saved uid differs: EPERM"))
{
	int pidfd = ASSERT_OK(pidfd_open_(child_after(keep_saved_id, NULL), 0));

	IN_CHILD {
		become((void *)NOBODY);
		EXPECT_ERRNO(pidfd_getfd_(pidfd, 0, 0), EPERM);
	}
}

/* REALCREDS: what file systems may compare does not count. */
TEST(uses_real_id_of_caller, NEEDS_ROOT PROMISED("ptrace(2), PTRACE_MODE_REALCREDS")
     DESCRIBE("the caller's real uid counts, its effective one does not"))
{
	int pidfd = ASSERT_OK(pidfd_open_(child_of_user(NOBODY), 0));

	IN_CHILD {
		ASSERT_OK(setresgid(NOBODY, NOBODY, NOBODY));
		ASSERT_OK(setresuid(1000, NOBODY, NOBODY));
		EXPECT_ERRNO(pidfd_getfd_(pidfd, 0, 0), EPERM);
	}
	IN_CHILD {
		ASSERT_OK(setresgid(NOBODY, NOBODY, NOBODY));
		ASSERT_OK(setresuid(NOBODY, 1000, 1000));
		EXPECT_OK(pidfd_getfd_(pidfd, 0, 0));
	}
}

static void drop_to_user_namespace(void *arg)
{
	(void)arg;
	own_user_namespace(0);
}

TEST(user_namespace_gives_no_access_outside, NEEDS_CONFIG(USER_NS) NEEDS_ROOT
     PROMISED("user_namespaces(7), Capabilities")
     DESCRIBE("all capabilities in an own user namespace: EPERM for what is outside"))
{
	int outside = ASSERT_OK(pidfd_open_(sleeping_child(), 0));
	int inside = ASSERT_OK(pidfd_open_(child_after(drop_to_user_namespace, NULL), 0));

	IN_CHILD {
		become((void *)NOBODY);
		own_user_namespace(0);
		EXPECT_ERRNO(pidfd_getfd_(outside, 0, 0), EPERM);
		EXPECT_ERRNO(pidfd_getfd_(inside, 0, 0), EPERM);
	}
	EXPECT_OK(pidfd_getfd_(inside, 0, 0));
}

TEST(takes_path_descriptor, PROMISED("kernel/pid.c, fget_task()")
     DESCRIBE("a descriptor of O_PATH is copied as it is"))
{
	int own = ASSERT_OK(pidfd_open_(getpid(), 0));
	int fd = ASSERT_OK(pidfd_getfd_(own, ASSERT_OK(open("/", O_PATH)), 0));

	EXPECT_EQ(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
}

TEST(takes_pidfd_of_other_process, PROMISED("pidfd_getfd(2)")
     DESCRIBE("a pidfd itself can be copied and used"))
{
	int own = ASSERT_OK(pidfd_open_(getpid(), 0));

	EXPECT_OK(is_there(EXPECT_OK(pidfd_getfd_(own, own, 0))));
}

/* A thread with a table of its own. */
static void *hold_in_thread(void *arg)
{
	struct thread *t = arg;

	if (unshare(CLONE_FILES) != 0 || dup2(t->ready[1], FD) != FD)
		abort();
	return wait_in_thread(t);
}

TEST(reads_table_of_thread, NEEDS_PROBE(pidfd_thread) PROMISED("pidfd_open(2), PIDFD_THREAD")
     DESCRIBE("a thread's own table, by its pidfd; the leader's has no such descriptor"))
{
	struct thread t;
	int thread, process = ASSERT_OK(pidfd_open_(getpid(), 0));

	start_thread_with(&t, hold_in_thread);
	thread = ASSERT_OK(pidfd_open_(t.tid, PIDFD_THREAD_));
	EXPECT_OK(pidfd_getfd_(thread, FD, 0));
	EXPECT_ERRNO(pidfd_getfd_(process, FD, 0), EBADF);
	/* It ends with the case: it has the other end of its pipe itself. */
}

/* exec_update_lock is held over the look into the other process (kernel/pid.c, __pidfd_fget()). */
TEST(leaves_process_free_to_execute, NEEDS_PROBE(pidfd_getfd) NEEDS_ROOT
     PROMISED("kernel/pid.c, __pidfd_fget()")
     DESCRIBE("after a copy, EBADF, EMFILE and EPERM the process executes a program"))
{
	struct executor e = start_executor();
	struct rlimit few = { 0, 0 };

	EXPECT_OK(pidfd_getfd_(e.pidfd, 1, 0));
	EXPECT_ERRNO(pidfd_getfd_(e.pidfd, 9999, 0), EBADF);
	IN_CHILD {
		few.rlim_cur = few.rlim_max = next_descriptor();
		ASSERT_OK(setrlimit(RLIMIT_NOFILE, &few));
		EXPECT_ERRNO(pidfd_getfd_(e.pidfd, 1, 0), EMFILE);
	}
	IN_CHILD {
		become((void *)NOBODY);
		EXPECT_ERRNO(pidfd_getfd_(e.pidfd, 1, 0), EPERM);
	}
	check_executes(e);
}

TEST(leaves_thread_beside_dead_leader_free_to_execute, NEEDS_PROBE(pidfd_getfd)
     PROMISED("kernel/pid.c, __pidfd_fget()")
     DESCRIBE("the leader has exited, and no descriptor is to be had of it: the thread executes a program"))
{
	int rest[2];
	pid_t pid = executor_without_leader(rest);

	EXPECT_EQ(pidfd_getfd_(ASSERT_OK(pidfd_open_(pid, 0)), 0, 0), -1);
	close(rest[1]);
	check_program_ends(pid);
}

KCASE_MAIN
