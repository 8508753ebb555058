// SPDX-License-Identifier: GPL-2.0-only
/* CLONE_PIDFD of clone(2), since 5.2, and clone3(), since 5.3. */
#include <limits.h>

#include "pidfd.h"
#include "signals.h"

PIDFD_CASES
PROBE_PIDFD_THREAD
PROBE_SETNS_PIDFD

#define CLONE_DETACHED_ 0x00400000
#define CLONE_CLEAR_SIGHAND_ 0x100000000ull

static int clone_pidfd(uint64_t flags, int *pidfd, pid_t *pid)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD | flags,
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
	};

	*pid = clone_sleeper(&args);
	if (*pid > 0)
		CLEANUP(kill_and_reap, *pid);
	return *pid < 0 ? -1 : 0;
}

/* clone(2): raw, as its arguments stand on x86-64, arm64 and i386 differs by order of the last. */
static long old_clone(unsigned long flags, int *parent_tid)
{
	long pid = syscall(SYS_clone, flags | SIGCHLD, 0, parent_tid, 0, 0);

	if (pid == 0)
		for (;;)
			pause();
	if (pid > 0)
		CLEANUP(kill_and_reap, pid);
	return pid;
}

static void expect_pidfd_of(int pidfd, pid_t pid)
{
	int status = 0;

	EXPECT_OK(is_there(pidfd));
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGTERM, NULL, 0));
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WTERMSIG(status), SIGTERM);
	EXPECT_ERRNO(is_there(pidfd), ESRCH);
}

static void count_children(void)
{
	EXPECT_ERRNO(waitpid(-1, NULL, WNOHANG | (int)0x40000000), ECHILD);
}

TEST(clone3_gives_pidfd_of_child, PROMISED("clone(2), CLONE_PIDFD")
     DESCRIBE("the descriptor stands where pidfd points, and refers to the child"))
{
	int pidfd = -1;
	pid_t pid;

	ASSERT_OK(clone_pidfd(0, &pidfd, &pid));
	ASSERT_GE(pidfd, 0);
	expect_pidfd_of(pidfd, pid);
}

TEST(clone_gives_pidfd_of_child, PROMISED("clone(2), CLONE_PIDFD")
     DESCRIBE("the old call stores it where parent_tid points"))
{
	int pidfd = -1;
	pid_t pid = ASSERT_OK(old_clone(CLONE_PIDFD, &pidfd));

	ASSERT_GE(pidfd, 0);
	expect_pidfd_of(pidfd, pid);
}

TEST(sets_close_on_exec, PROMISED("clone(2), CLONE_PIDFD")
     DESCRIBE("FD_CLOEXEC, blocking, for reading and writing"))
{
	int pidfd = -1;
	pid_t pid;

	ASSERT_OK(clone_pidfd(0, &pidfd, &pid));
	EXPECT_EQ(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(fcntl(pidfd, F_GETFL) & (O_ACCMODE | O_NONBLOCK | O_EXCL), O_RDWR);
}

TEST(takes_lowest_free_descriptor, PROMISED("open(2)") DESCRIBE("the lowest number that is free"))
{
	int pidfd = -1, next = next_descriptor();
	pid_t pid;

	ASSERT_OK(clone_pidfd(0, &pidfd, &pid));
	EXPECT_EQ(pidfd, next);
}

TEST(child_has_no_pidfd_of_itself, PROMISED("kernel/fork.c, copy_process()")
     DESCRIBE("the descriptor is the parent's alone"))
{
	int status = 0, pidfd = -1, next = next_descriptor();
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid = ASSERT_OK(syscall(NR_clone3, &args, sizeof(args)));

	if (pid == 0)
		_exit(fcntl(next, F_GETFD) < 0 && errno == EBADF ? 0 : 1);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(pidfd, next);
}

TEST(writes_nothing_without_flag, PROMISED("clone(2), CLONE_PIDFD")
     DESCRIBE("without CLONE_PIDFD the place stays as it was, and no descriptor is made"))
{
	int pidfd = -7, next = next_descriptor();
	struct clone_args args = {
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid = ASSERT_OK(clone_sleeper(&args));

	CLEANUP(kill_and_reap, pid);
	EXPECT_EQ(pidfd, -7);
	EXPECT_EQ(next_descriptor(), next);
}

TEST(old_call_refuses_parent_settid, PROMISED("clone(2), EINVAL")
     DESCRIBE("CLONE_PIDFD and CLONE_PARENT_SETTID share an argument: EINVAL"))
{
	int place = -1, next = next_descriptor();

	EXPECT_ERRNO(old_clone(CLONE_PIDFD | CLONE_PARENT_SETTID, &place), EINVAL);
	EXPECT_EQ(place, -1);
	EXPECT_EQ(next_descriptor(), next);
}

TEST(clone3_takes_parent_settid, PROMISED("clone(2), CLONE_PARENT_SETTID")
     DESCRIBE("clone3 has a place for each: pidfd and tid"))
{
	int pidfd = -1;
	pid_t tid = -1, pid;
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_PARENT_SETTID,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.parent_tid = (uint64_t)(uintptr_t)&tid,
		.exit_signal = SIGCHLD,
	};

	pid = ASSERT_OK(clone_sleeper(&args));
	CLEANUP(kill_and_reap, pid);
	EXPECT_EQ(tid, pid);
	EXPECT_GE(pidfd, 0);
	EXPECT_NE(pidfd, pid);
}

TEST(one_place_for_two_is_refused, NEEDS_KERNEL(5, 3) PROMISED("kernel/fork.c, kernel_clone()")
     DESCRIBE("clone3 with pidfd and parent_tid at one address: EINVAL, and no child"))
{
	int place = -1;
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_PARENT_SETTID,
		.pidfd = (uint64_t)(uintptr_t)&place,
		.parent_tid = (uint64_t)(uintptr_t)&place,
		.exit_signal = SIGCHLD,
	};

	EXPECT_ERRNO(clone_sleeper(&args), EINVAL);
	EXPECT_EQ(place, -1);
	EXPECT_ERRNO(waitpid(-1, NULL, WNOHANG), ECHILD);
}

/* clone(2): "The existence of the size argument permits future extensions to the clone_args structure." */
TEST(takes_structs_of_other_sizes, PROMISED("clone(2), size; linux/sched.h, CLONE_ARGS_SIZE_VER0")
     DESCRIBE("clone3: the first struct, of 64 bytes, and a longer one of zeros; else EINVAL, E2BIG"))
{
	int pidfd = -7, next = next_descriptor();
	struct {
		struct clone_args args;
		uint64_t later[32];
	} longer = {
		.args = {
			.flags = CLONE_PIDFD,
			.pidfd = (uint64_t)(uintptr_t)&pidfd,
			.exit_signal = SIGCHLD,
		},
	};
	const size_t taken[] = { 64, sizeof(longer.args), sizeof(longer) };

	EXPECT_ERRNO(syscall(NR_clone3, &longer, 0), EINVAL);
	EXPECT_ERRNO(syscall(NR_clone3, &longer, 63), EINVAL);
	EXPECT_ERRNO(syscall(NR_clone3, &longer, 1 << 24), E2BIG);
	longer.later[31] = 1;
	EXPECT_ERRNO(syscall(NR_clone3, &longer, sizeof(longer)), E2BIG);
	longer.later[31] = 0;
	EXPECT_EQ(pidfd, -7);
	EXPECT_EQ(next_descriptor(), next);
	for (size_t n = 0; n < sizeof(taken) / sizeof(taken[0]); n++) {
		pid_t pid = ASSERT_OK(syscall(NR_clone3, &longer, taken[n]));

		if (pid == 0)
			for (;;)
				pause();
		CLEANUP(kill_and_reap, pid);
		expect_pidfd_of(pidfd, pid);
	}
}

/* clone(2): "flags & 0xff" of the old call is exit_signal in clone3(); CLONE_NEWTIME is 0x80. */
TEST(flags_hold_no_signal, PROMISED("clone(2), The clone() wrapper function; linux/sched.h, CSIGNAL")
     DESCRIBE("clone3: a signal, or an undefined bit, beside CLONE_PIDFD: EINVAL, no child"))
{
	int pidfd = -7, next = next_descriptor();
	pid_t pid;

	for (uint64_t signal = 1; signal < 0x80; signal++)
		EXPECT_ERRNO(clone_pidfd(signal, &pidfd, &pid), EINVAL);
	EXPECT_ERRNO(clone_pidfd(1ull << 63, &pidfd, &pid), EINVAL);
	EXPECT_EQ(pidfd, -7);
	EXPECT_EQ(next_descriptor(), next);
	count_children();
}

/* kernel/fork.c: "CLONE_DETACHED is blocked so that we can potentially reuse it". */
TEST(refuses_detached, PROMISED("clone(2), CLONE_DETACHED")
     DESCRIBE("CLONE_DETACHED with CLONE_PIDFD: EINVAL; the old call alone ignores it"))
{
	int pidfd = -1;
	pid_t pid;

	EXPECT_ERRNO(old_clone(CLONE_PIDFD | CLONE_DETACHED_, &pidfd), EINVAL);
	EXPECT_ERRNO(clone_pidfd(CLONE_DETACHED_, &pidfd, &pid), EINVAL);
	EXPECT_OK(old_clone(CLONE_DETACHED_, &pidfd));
}

/* clone(2), EINVAL until 6.9, when commit 83b290c9e3b5 lifted it. */
TEST(threads_have_none_before, PROMISED("clone(2), EINVAL; commit 83b290c9e3b5")
     DESCRIBE("CLONE_THREAD with CLONE_PIDFD: EINVAL before 6.9"))
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
	};

	if (pidfd_open_flags() & PIDFD_THREAD_)
		SKIP("is for kernels without pidfds of threads");
	EXPECT_ERRNO(syscall(NR_clone3, &args, sizeof(args)), EINVAL);
}

static char thread_stack[65536] __attribute__((aligned(16)));

static int sleep_as_thread(void *arg)
{
	(void)arg;
	for (;;)
		syscall(SYS_pause);
	return 0;
}

TEST(thread_has_pidfd_of_thread, NEEDS_PROBE(pidfd_thread)
     PROMISED("clone(2); commit 83b290c9e3b5")
     DESCRIBE("CLONE_THREAD with CLONE_PIDFD gives a pidfd of the thread"))
{
	int pidfd = -1;
	int tid = ASSERT_OK(clone(sleep_as_thread, thread_stack + sizeof(thread_stack),
				  CLONE_PIDFD | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, NULL,
				  &pidfd));

	ASSERT_GE(pidfd, 0);
	EXPECT_OK(is_there(pidfd));
	EXPECT_EQ(fcntl(pidfd, F_GETFL) & O_EXCL, O_EXCL);
	EXPECT_EQ(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
	EXPECT_OK(syscall(SYS_tgkill, getpid(), tid, 0));
}

static int end_when_told_as_thread(void *pipe)
{
	char c;

	/* Its memory, errno too, is the leader's. */
	syscall(SYS_read, *(int *)pipe, &c, 1);
	return 0;
}

TEST(thread_s_pidfd_is_that_thread_s, NEEDS_PROBE(pidfd_thread)
     PROMISED("clone(2), CLONE_PIDFD; commit 83b290c9e3b5")
     DESCRIBE("CLONE_THREAD: one inode with pidfd_open(2) of the tid; silent until that thread ends"))
{
	int pidfd = -1, pipes[2], other;
	struct stat a, b;
	struct pollfd end = { .events = POLLIN };
	int tid;

	ASSERT_OK(pipe2(pipes, O_CLOEXEC));
	tid = ASSERT_OK(clone(end_when_told_as_thread, thread_stack + sizeof(thread_stack),
			      CLONE_PIDFD | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_FILES,
			      pipes, &pidfd));
	ASSERT_GE(pidfd, 0);
	other = ASSERT_OK(pidfd_open_(tid, PIDFD_THREAD_));
	ASSERT_OK(fstat(pidfd, &a));
	ASSERT_OK(fstat(other, &b));
	EXPECT_EQ(a.st_ino, b.st_ino);
	end.fd = pidfd;
	EXPECT_EQ(poll(&end, 1, 0), 0);
	close(pipes[1]);
	EXPECT_EQ(poll(&end, 1, -1), 1);
	EXPECT_EQ(end.revents & POLLIN, POLLIN);
	EXPECT_OK(is_there(ASSERT_OK(pidfd_open_(getpid(), 0))));
}

/* Before 6.9 it is the thread that is refused, to the same effect. */
TEST(thread_is_not_detached_either, PROMISED("clone(2), CLONE_DETACHED")
     DESCRIBE("CLONE_DETACHED with CLONE_THREAD and CLONE_PIDFD: EINVAL, no thread"))
{
	int pidfd = -7;

	EXPECT_ERRNO(clone(sleep_as_thread, thread_stack + sizeof(thread_stack),
			   CLONE_PIDFD | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_DETACHED_,
			   NULL, &pidfd), EINVAL);
	EXPECT_EQ(pidfd, -7);
}

/* pid_namespaces(7): "Threads are required to be in the same PID namespace". */
TEST(thread_stays_in_the_pid_namespace, NEEDS_PROBE(setns_pidfd) NEEDS_CONFIG(PID_NS) NEEDS_ROOT
     PROMISED("clone(2), EINVAL; pid_namespaces(7), Compatibility of CLONE_NEWPID")
     DESCRIBE("CLONE_THREAD while children go into another pid namespace: EINVAL; when they no longer do it works"))
{
	/* Of a thread there is a pidfd since 6.9. */
	int flags = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM |
		    (pidfd_open_flags() & PIDFD_THREAD_ ? CLONE_PIDFD : 0);
	int pidfd = -7, first, own, next;
	pid_t pid = ASSERT_OK(sleeping_clone(CLONE_NEWPID));

	CLEANUP(kill_and_reap, pid);
	first = ASSERT_OK(pidfd_open_(pid, 0));
	own = ASSERT_OK(pidfd_open_(getpid(), 0));
	next = next_descriptor();
	ASSERT_OK(setns(first, CLONE_NEWPID));
	EXPECT_ERRNO(clone(sleep_as_thread, thread_stack + sizeof(thread_stack), flags, NULL, &pidfd),
		     EINVAL);
	EXPECT_EQ(pidfd, -7);
	EXPECT_EQ(next_descriptor(), next);
	ASSERT_OK(setns(own, CLONE_NEWPID));
	ASSERT_OK(clone(sleep_as_thread, thread_stack + sizeof(thread_stack), flags, NULL, &pidfd));
	if (flags & CLONE_PIDFD)
		EXPECT_OK(is_there(pidfd));
}

TEST(shared_handlers_make_no_thread, PROMISED("clone(2), CLONE_SIGHAND, CLONE_THREAD")
     DESCRIBE("a child that shares memory and handlers is a process: so is its pidfd"))
{
	int pidfd = -1, status;
	pid_t pid = ASSERT_OK(clone(sleep_as_thread, thread_stack + sizeof(thread_stack),
				    CLONE_PIDFD | CLONE_SIGHAND | CLONE_VM | SIGCHLD, NULL,
				    &pidfd));

	CLEANUP(kill_and_reap, pid);
	ASSERT_GE(pidfd, 0);
	EXPECT_EQ(fcntl(pidfd, F_GETFL) & O_EXCL, 0);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGKILL, NULL, 0));
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

TEST(bad_place_makes_no_child, PROMISED("clone(2), EFAULT")
     DESCRIBE("EFAULT, no child, and no descriptor is left over"))
{
	int next = next_descriptor();
	pid_t pid;

	EXPECT_ERRNO(clone_pidfd(0, (int *)8, &pid), EFAULT);
	EXPECT_ERRNO(old_clone(CLONE_PIDFD, (int *)8), EFAULT);
	EXPECT_EQ(next_descriptor(), next);
	count_children();
}

TEST(full_table_makes_no_child, PROMISED("clone(2); getrlimit(2), EMFILE")
     DESCRIBE("EMFILE at RLIMIT_NOFILE, and no child"))
{
	struct rlimit few;
	int pidfd = -7;
	pid_t pid;

	few.rlim_cur = few.rlim_max = next_descriptor();
	ASSERT_OK(setrlimit(RLIMIT_NOFILE, &few));
	EXPECT_ERRNO(clone_pidfd(0, &pidfd, &pid), EMFILE);
	EXPECT_EQ(pidfd, -7);
	count_children();
}

/* What fails late in copy_process() gives back what was taken before. */
TEST(failed_clone_leaves_no_descriptor, NEEDS_ROOT PROMISED("clone(2), EAGAIN, EEXIST, EINVAL")
     DESCRIBE("a pid that is taken, a level too many, a bad cgroup: nothing is left over"))
{
	int pidfd = -7, next = next_descriptor();
	pid_t taken[] = { 1, 1, 1 };
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)taken,
		.set_tid_size = 1,
	};

	EXPECT_LT(syscall(NR_clone3, &args, sizeof(args)), 0);
	EXPECT_TRUE(errno == EEXIST || errno == EINVAL || errno == E2BIG);
	args.set_tid_size = 3;
	EXPECT_LT(syscall(NR_clone3, &args, sizeof(args)), 0);
	args.set_tid = args.set_tid_size = 0;
	args.flags |= CLONE_THREAD;	/* without CLONE_SIGHAND */
	EXPECT_ERRNO(syscall(NR_clone3, &args, sizeof(args)), EINVAL);
	EXPECT_EQ(pidfd, -7);
	/* Looked at when the number is stored, where cgroups are known (kernel/fork.c). */
	args.flags = CLONE_PIDFD | CLONE_INTO_CGROUP_;
	args.cgroup = INT_MAX;
	if (kc_kernel_since(5, 7) && access("/proc/self/cgroup", F_OK) == 0)
		EXPECT_ERRNO(syscall(NR_clone3, &args, sizeof(args)), EBADF);
	EXPECT_EQ(next_descriptor(), next);
	count_children();
}

/* clone3 with CLONE_PIDFD and one number; -1 and an errno, or the child that sleeps. */
static pid_t clone_with_number(int *pidfd, pid_t number)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)&number,
		.set_tid_size = 1,
	};

	return clone_sleeper(&args);
}

TEST(chosen_number_is_checked, NEEDS_KERNEL(5, 5) NEEDS_ROOT
     PROMISED("clone(2), set_tid, EINVAL, EEXIST, EPERM; proc(5), pid_max")
     DESCRIBE("below 1, pid_max and more: EINVAL; taken: EEXIST; without capability: EPERM; else it is had"))
{
	int pidfd = -7, next, most;
	char text[32];
	pid_t pid;

	if (read_text(AT_FDCWD, "/proc/sys/kernel/pid_max", text, sizeof(text)) <= 0)
		SKIP("needs /proc");
	most = atoi(text);
	next = next_descriptor();
	EXPECT_ERRNO(clone_with_number(&pidfd, 0), EINVAL);
	EXPECT_ERRNO(clone_with_number(&pidfd, -1), EINVAL);
	EXPECT_ERRNO(clone_with_number(&pidfd, most), EINVAL);
	EXPECT_ERRNO(clone_with_number(&pidfd, INT_MAX), EINVAL);
	EXPECT_ERRNO(clone_with_number(&pidfd, getpid()), EEXIST);
	EXPECT_EQ(next_descriptor(), next);
	count_children();
	IN_CHILD {
		next = next_descriptor();
		become((void *)NOBODY);
		EXPECT_ERRNO(clone_with_number(&pidfd, most - 1), EPERM);
		EXPECT_EQ(next_descriptor(), next);
		count_children();
	}
	EXPECT_EQ(pidfd, -7);
	pid = clone_with_number(&pidfd, most - 1);
	if (pid < 0 && errno == EEXIST)
		SKIP("inconclusive: somebody has the number %d", most - 1);
	ASSERT_EQ(pid, most - 1);
	CLEANUP(kill_and_reap, pid);
	expect_pidfd_of(pidfd, pid);
}

TEST(own_user_namespace_chooses_no_number, NEEDS_KERNEL(5, 5) NEEDS_ROOT NEEDS_CONFIG(USER_NS)
     PROMISED("clone(2), set_tid, EPERM")
     DESCRIBE("all capabilities in a user namespace that does not own the pid namespace: EPERM"))
{
	int pidfd = -7;

	IN_CHILD {
		become((void *)NOBODY);
		own_user_namespace(0);
		EXPECT_ERRNO(clone_with_number(&pidfd, 4000), EPERM);
	}
	EXPECT_EQ(pidfd, -7);
}

TEST(first_process_has_no_other_number, NEEDS_KERNEL(5, 5) NEEDS_ROOT NEEDS_CONFIG(PID_NS)
     PROMISED("clone(2), set_tid, EINVAL")
     DESCRIBE("300 for the first process of a pid namespace: EINVAL; 1: it is had"))
{
	IN_CHILD {
		int pidfd = -7;
		pid_t pid;

		ASSERT_OK(unshare(CLONE_NEWPID));
		EXPECT_ERRNO(clone_with_number(&pidfd, 300), EINVAL);
		EXPECT_EQ(pidfd, -7);
		pid = ASSERT_OK(clone_with_number(&pidfd, 1));
		CLEANUP(kill_and_reap, pid);
		EXPECT_OK(is_there(pidfd));
	}
}

TEST(signal_that_is_none_makes_no_child, NEEDS_KERNEL(5, 4) PROMISED("clone(2), exit_signal, EINVAL; kernel/fork.c")
     DESCRIBE("65, and bits beside a signal's number: EINVAL"))
{
	static const uint64_t signals[] = { 65, 0x100 | SIGCHLD, 1ull << 32 | SIGCHLD };
	int pidfd = -7;

	for (size_t n = 0; n < sizeof(signals) / sizeof(signals[0]); n++) {
		struct clone_args args = {
			.flags = CLONE_PIDFD,
			.pidfd = (uint64_t)(uintptr_t)&pidfd,
			.exit_signal = signals[n],
		};

		EXPECT_ERRNO(clone_sleeper(&args), EINVAL);
	}
	EXPECT_EQ(pidfd, -7);
	count_children();
}

/* The child is the parent's, and its end is told as the maker's would be. */
static void make_sibling(int socket)
{
	int pidfd = -7;
	siginfo_t info;
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_PARENT,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};

	EXPECT_ERRNO(clone_sleeper(&args), EINVAL);
	args.exit_signal = 0;
	ASSERT_OK(clone_sleeper(&args));
	EXPECT_ERRNO(waitid(P_PIDFD_, pidfd, &info, WEXITED | WNOHANG | (int)__WALL), ECHILD);
	pass_descriptor(socket, pidfd);
}

TEST(sibling_is_the_parent_s_child, NEEDS_KERNEL(5, 4) NEEDS_CONFIG(UNIX) PROMISED("clone(2), CLONE_PARENT")
     DESCRIBE("CLONE_PARENT: the pidfd is the maker's, the child its parent's; a signal of its own is EINVAL"))
{
	siginfo_t info = { 0 };
	int sockets[2], pidfd;
	pid_t maker;

	ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	maker = ASSERT_OK(kc_fork());
	if (maker == 0) {
		make_sibling(sockets[1]);
		kc_leave(KC_PASS);
	}
	pidfd = take_descriptor(sockets[0]);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGKILL, NULL, 0));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED), 0);
	EXPECT_EQ(info.si_status, SIGKILL);
	kc_join(maker);
}

static void expect_action(int sig, void (*handler)(int), int flags, int masked)
{
	struct sigaction action;

	ASSERT_OK(sigaction(sig, NULL, &action));
	EXPECT_TRUE(action.sa_handler == handler);
	EXPECT_EQ(action.sa_flags & (SA_RESTART | SA_NODEFER), flags);
	EXPECT_EQ(sigismember(&action.sa_mask, SIGTERM), masked);
}

TEST(handlers_are_reset_on_demand, NEEDS_KERNEL(5, 5)
     PROMISED("clone(2), CLONE_CLEAR_SIGHAND; commit b612e5df4587")
     DESCRIBE("CLONE_CLEAR_SIGHAND: the child has no handler, and ignores what its parent does; the parent keeps all"))
{
	struct sigaction handled = { .sa_handler = nothing, .sa_flags = SA_RESTART };
	struct sigaction ignored = { .sa_handler = SIG_IGN };
	int pidfd = -7;
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND_,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid;

	sigaddset(&handled.sa_mask, SIGTERM);
	ASSERT_OK(sigaction(SIGUSR1, &handled, NULL));
	ASSERT_OK(sigaction(SIGUSR2, &ignored, NULL));
	pid = ASSERT_OK(syscall(NR_clone3, &args, sizeof(args)));
	if (pid == 0) {
		expect_action(SIGUSR1, SIG_DFL, 0, 0);
		expect_action(SIGUSR2, SIG_IGN, 0, 0);
		_exit(KC_PASS);
	}
	EXPECT_OK(is_there(pidfd));
	kc_join(pid);
	expect_action(SIGUSR1, nothing, SA_RESTART, 1);
	expect_action(SIGUSR2, SIG_IGN, 0, 0);
}

/* The place for the pidfd is a bad one: whoever goes so far is refused there, and makes no child either. */
TEST(shared_handlers_are_not_reset, NEEDS_KERNEL(5, 5)
     PROMISED("clone(2), EINVAL; commit b612e5df4587")
     DESCRIBE("CLONE_CLEAR_SIGHAND with CLONE_SIGHAND: EINVAL; each alone goes on to the pidfd's place, EFAULT"))
{
	static const struct {
		uint64_t flags;
		int error;
	} calls[] = {
		{ CLONE_CLEAR_SIGHAND_ | CLONE_SIGHAND | CLONE_VM, EINVAL },
		{ CLONE_CLEAR_SIGHAND_ | CLONE_VM, EFAULT },
		{ CLONE_SIGHAND | CLONE_VM, EFAULT },
	};
	int next = next_descriptor();
	pid_t pid;

	for (size_t n = 0; n < sizeof(calls) / sizeof(calls[0]); n++)
		EXPECT_ERRNO(clone_pidfd(calls[n].flags, (int *)8, &pid), calls[n].error);
	EXPECT_EQ(next_descriptor(), next);
	count_children();
}

TEST(process_limit_leaves_no_descriptor, NEEDS_ROOT PROMISED("clone(2), EAGAIN")
     DESCRIBE("RLIMIT_NPROC: EAGAIN, no descriptor"))
{
	struct rlimit one = { 1, 1 };

	IN_CHILD {
		int pidfd = -7, next = next_descriptor();
		pid_t pid;

		ASSERT_OK(setrlimit(RLIMIT_NPROC, &one));
		become((void *)NOBODY);
		EXPECT_ERRNO(clone_pidfd(0, &pidfd, &pid), EAGAIN);
		EXPECT_EQ(next_descriptor(), next);
		EXPECT_EQ(pidfd, -7);
	}
}

TEST(inner_namespace_child_has_pidfd_outside, NEEDS_CONFIG(PID_NS) NEEDS_ROOT
     PROMISED("clone(2), CLONE_NEWPID")
     DESCRIBE("process 1 of a new pid namespace, by a pidfd of its creation"))
{
	int pidfd = -1;
	pid_t pid;

	ASSERT_OK(clone_pidfd(CLONE_NEWPID, &pidfd, &pid));
	ASSERT_GE(pidfd, 0);
	EXPECT_OK(is_there(pidfd));
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGKILL, NULL, 0));
	reap(pid);
	EXPECT_ERRNO(is_there(pidfd), ESRCH);
}

TEST(can_be_polled_and_waited_for, NEEDS_KERNEL(5, 4) PROMISED("clone(2), CLONE_PIDFD")
     DESCRIBE("silent, then readable, then its status"))
{
	struct pollfd fd = { -1, POLLIN, 0 };
	siginfo_t info = { 0 };
	pid_t pid;

	ASSERT_OK(clone_pidfd(0, &fd.fd, &pid));
	EXPECT_EQ(poll(&fd, 1, 0), 0);
	ASSERT_OK(kill(pid, SIGKILL));
	EXPECT_EQ(poll(&fd, 1, -1), 1);
	EXPECT_EQ(waitid(P_PIDFD_, fd.fd, &info, WEXITED), 0);
	EXPECT_EQ(info.si_pid, pid);
}

/* A vfork child runs first: the parent has its pidfd when it goes on. */
TEST(works_with_vfork, PROMISED("clone(2), CLONE_VFORK")
     DESCRIBE("CLONE_VFORK: the parent has a pidfd of the child when the call returns"))
{
	int pidfd = -1, status = 0;
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_VFORK,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid = ASSERT_OK(syscall(NR_clone3, &args, sizeof(args)));

	if (pid == 0)
		_exit(5);
	EXPECT_OK(is_there(pidfd));
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WEXITSTATUS(status), 5);
	EXPECT_ERRNO(is_there(pidfd), ESRCH);
}

/* Of another signal than SIGCHLD a 32-bit program is not told more than the code. */
static void expect_told(int sig, pid_t pid, int code, int status)
{
	siginfo_t info = { 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	ASSERT_EQ(sigwaitinfo(&set, &info), sig);
	EXPECT_EQ(info.si_code, code);
	if (sig == SIGCHLD) {
		EXPECT_EQ(info.si_pid, pid);
		EXPECT_EQ(info.si_uid, getuid());
		EXPECT_EQ(info.si_status, status);
	}
}

/* clone(2): "When the child process terminates, a signal may be sent to the parent." */
TEST(child_tells_its_end_by_the_chosen_signal,
     PROMISED("clone(2), The child termination signal; sigaction(2), SIGCHLD")
     DESCRIBE("exit_signal SIGCHLD and SIGUSR1: how a child ended by itself, how by its pidfd, and which"))
{
	static const int signals[] = { SIGCHLD, SIGUSR1 };

	for (int n = 0; n < 2; n++)
		block(signals[n]);
	for (int n = 0; n < 2; n++) {
		int pidfd = -1;
		struct clone_args args = {
			.flags = CLONE_PIDFD,
			.pidfd = (uint64_t)(uintptr_t)&pidfd,
			.exit_signal = signals[n],
		};
		pid_t pid = ASSERT_OK(syscall(NR_clone3, &args, sizeof(args)));

		if (pid == 0)
			_exit(5);
		expect_told(signals[n], pid, CLD_EXITED, 5);
		ASSERT_EQ(waitpid(pid, NULL, __WALL), pid);
		close(pidfd);
		pid = ASSERT_OK(clone_sleeper(&args));
		CLEANUP(kill_and_reap, pid);
		EXPECT_OK(pidfd_send_signal_(pidfd, SIGTERM, NULL, 0));
		expect_told(signals[n], pid, CLD_KILLED, SIGTERM);
		ASSERT_EQ(waitpid(pid, NULL, __WALL), pid);
	}
}

KCASE_MAIN
