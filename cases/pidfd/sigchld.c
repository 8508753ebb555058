// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a parent hears of a child when a pidfd's signal stops, continues or ends it, of which children
 * it hears, and that who was waited for counts no more.
 */
#include <sys/ptrace.h>

#include "children.h"
#include "sockets.h"

EVERY_CASE(NEEDS_PROBE(p_pidfd) TIMEOUT(20))
PROBE_P_PIDFD

/* Like fork(2), of a child that sends no signal at its end: a SIGCHLD is another one's. */
static pid_t fork_silent(void)
{
	struct clone_args args = { 0 };
	pid_t pid = syscall(NR_clone3, &args, sizeof(args));

	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/* What it was told of, and of no other: the signal is blocked, and was taken. */
static void expect_notice(const siginfo_t *info, pid_t pid, uid_t uid, int code, int status)
{
	EXPECT_EQ(info->si_pid, pid);
	EXPECT_EQ(info->si_uid, uid);
	EXPECT_EQ(info->si_code, code);
	EXPECT_EQ(info->si_status, status);
}

/* A child that gives each byte back that it gets. */
struct echo {
	pid_t pid;
	int pidfd, ask[2], answer[2];
};

static void get_answer(struct echo e)
{
	char c;

	ASSERT_EQ(write(e.ask[1], "x", 1), 1);
	ASSERT_EQ(read(e.answer[0], &c, 1), 1);
}

/* It answers after `be`, if there is such. */
static struct echo start_echo(uint64_t flags, void (*be)(void *), void *arg)
{
	struct clone_args args = { .flags = flags, .exit_signal = SIGCHLD };
	struct echo e;
	char c;

	ASSERT_OK(pipe2(e.ask, O_CLOEXEC));
	ASSERT_OK(pipe2(e.answer, O_CLOEXEC));
	e.pid = ASSERT_OK(syscall(NR_clone3, &args, sizeof(args)));
	if (e.pid == 0) {
		close(e.ask[1]);
		if (be)
			be(arg);
		while (read(e.ask[0], &c, 1) == 1 && write(e.answer[1], &c, 1) == 1)
			;
		_exit(KC_FAIL);
	}
	CLEANUP(kill_and_reap, e.pid);
	close(e.answer[1]);
	e.pidfd = open_child(e.pid);
	get_answer(e);
	return e;
}

/* SIGCHLD is blocked. */
static void check_notices(struct echo e, uid_t uid)
{
	siginfo_t info = { 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	EXPECT_OK(pidfd_send_signal_(e.pidfd, SIGSTOP, NULL, 0));
	ASSERT_EQ(sigwaitinfo(&set, &info), SIGCHLD);
	expect_notice(&info, e.pid, uid, CLD_STOPPED, SIGSTOP);
	EXPECT_OK(pidfd_send_signal_(e.pidfd, SIGCONT, NULL, 0));
	/* It tells first, and goes on then (kernel/signal.c, get_signal()). */
	get_answer(e);
	EXPECT_EQ(take(SIGCHLD, &info), SIGCHLD);
	expect_notice(&info, e.pid, uid, CLD_CONTINUED, SIGCONT);
	EXPECT_OK(pidfd_send_signal_(e.pidfd, SIGKILL, NULL, 0));
	ASSERT_OK(waitid(P_PIDFD_, e.pidfd, &info, WEXITED | WNOWAIT));
	EXPECT_EQ(take(SIGCHLD, &info), SIGCHLD);
	expect_notice(&info, e.pid, uid, CLD_KILLED, SIGKILL);
	EXPECT_ERRNO(take(SIGCHLD, &info), EAGAIN);
}

TEST(stop_and_continue_send_sigchld, PROMISED("sigaction(2), SA_NOCLDSTOP, SIGCHLD")
     DESCRIBE("SIGCHLD at stop, continue and end of a child, with what it did; by SA_NOCLDSTOP none of the first two"))
{
	struct sigaction quiet = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP };
	struct echo e;
	siginfo_t info;

	block(SIGCHLD);
	e = start_echo(0, NULL, NULL);
	ASSERT_OK(sigaction(SIGCHLD, &quiet, NULL));
	EXPECT_OK(pidfd_send_signal_(e.pidfd, SIGSTOP, NULL, 0));
	ASSERT_OK(waitid(P_PIDFD_, e.pidfd, &info, WSTOPPED));
	EXPECT_OK(pidfd_send_signal_(e.pidfd, SIGCONT, NULL, 0));
	get_answer(e);
	EXPECT_ERRNO(take(SIGCHLD, &info), EAGAIN);
	signal(SIGCHLD, SIG_DFL);
	check_notices(e, getuid());
}

static uid_t ids_of_child[3] = { 101, 102, 103 };

TEST(sigchld_tells_real_user_and_number_outside, NEEDS_CONFIG(PID_NS) NEEDS_ROOT
     PROMISED("sigaction(2), si_pid, si_uid; pid_namespaces(7)")
     DESCRIBE("process 1 of a pid namespace, whose three uids differ: the parent's number for it, the real uid"))
{
	block(SIGCHLD);
	check_notices(start_echo(CLONE_NEWPID, set_ids, ids_of_child), ids_of_child[0]);
}

static void check_notices_inside(void *arg)
{
	(void)arg;
	block(SIGCHLD);
	check_notices(start_echo(CLONE_NEWPID, set_ids, ids_of_child), ids_of_child[0]);
}

TEST(sigchld_counts_users_as_the_parent_does, NEEDS_CONFIG(USER_NS) NEEDS_CONFIG(PID_NS) NEEDS_ROOT
     PROMISED("sigaction(2), si_uid; user_namespaces(7)")
     DESCRIBE("in a user namespace whose users are others outside: the child's uid as it is in there"))
{
	kc_join(start_in_user_namespace("100 0 10", check_notices_inside, NULL));
}

/* sigaction(2), SA_NOCLDWAIT: "On Linux, a SIGCHLD signal is generated in this case". */
TEST(unwanted_child_sends_sigchld_unless_ignored, PROMISED("sigaction(2), SA_NOCLDWAIT, SIG_IGN")
     DESCRIBE("the end of a child by SA_NOCLDWAIT: SIGCHLD tells of it, though nobody can wait; ignored: none"))
{
	block(SIGCHLD);
	for (size_t n = 0; n < UNWANTING; n++) {
		siginfo_t info = { 0 };
		pid_t pid;
		int pidfd;

		ASSERT_OK(sigaction(SIGCHLD, &unwanting[n], NULL));
		pid = ASSERT_OK(sleeping_clone(0));
		pidfd = open_child(pid);
		ASSERT_OK(pidfd_send_signal_(pidfd, SIGTERM, NULL, 0));
		EXPECT_ERRNO(waitid(P_PIDFD_, pidfd, &info, WEXITED), ECHILD);
		if (unwanting[n].sa_handler == SIG_IGN) {
			EXPECT_ERRNO(take(SIGCHLD, &info), EAGAIN);
			continue;
		}
		EXPECT_EQ(take(SIGCHLD, &info), SIGCHLD);
		expect_notice(&info, pid, getuid(), CLD_KILLED, SIGTERM);
	}
}

TEST(sigchld_tells_dumped_from_killed, NEEDS_ROOT PROMISED("sigaction(2), si_code, CLD_DUMPED; core(5)")
     DESCRIBE("a child that dumps core: CLD_DUMPED and the signal, as waitid(2) has it"))
{
	siginfo_t info = { 0 }, told_by_wait = { 0 };
	int pidfd;
	pid_t pid;

	block(SIGCHLD);
	pid = child_after(dump_aside, NULL);
	pidfd = open_child(pid);
	ASSERT_OK(pidfd_send_signal_(pidfd, SIGQUIT, NULL, 0));
	ASSERT_OK(waitid(P_PIDFD_, pidfd, &told_by_wait, WEXITED));
	EXPECT_EQ(take(SIGCHLD, &info), SIGCHLD);
	expect_notice(&info, pid, getuid(), told_by_wait.si_code, SIGQUIT);
	if (told_by_wait.si_code != CLD_DUMPED)
		SKIP("needs a kernel that dumps cores");
}

/* The tracer was told instead of the parent, and can wait no more (kernel/ptrace.c, __ptrace_detach()). */
TEST(parent_hears_when_the_tracer_ends, NEEDS_ROOT PROMISED("ptrace(2), Real parent; waitid(2)")
     DESCRIBE("a child that another one traces has ended, then the tracer ends: SIGCHLD of the child, its status"))
{
	struct pollfd end = { .events = POLLIN };
	siginfo_t info = { .si_pid = -1 };
	pid_t pid, tracer;
	int ready[2];
	char c;

	block(SIGCHLD);
	pid = sleeping_child();
	end.fd = open_child(pid);
	ASSERT_OK(pipe2(ready, O_CLOEXEC));
	tracer = ASSERT_OK(fork_silent());
	if (tracer == 0) {
		ASSERT_OK(ptrace(PTRACE_SEIZE, pid, 0, 0));
		ASSERT_EQ(write(ready[1], "x", 1), 1);
		stay();
	}
	close(ready[1]);
	ASSERT_EQ(read(ready[0], &c, 1), 1);
	ASSERT_OK(pidfd_send_signal_(end.fd, SIGKILL, NULL, 0));
	ASSERT_EQ(poll(&end, 1, -1), 1);
	EXPECT_EQ(waitid(P_PIDFD_, end.fd, &info, WEXITED | WNOHANG), 0);
	EXPECT_EQ(info.si_pid, 0);
	EXPECT_ERRNO(take(SIGCHLD, &info), EAGAIN);
	ASSERT_OK(kill(tracer, SIGKILL));
	ASSERT_EQ(waitpid(tracer, NULL, __WALL), tracer);
	EXPECT_EQ(take(SIGCHLD, &info), SIGCHLD);
	expect_notice(&info, pid, getuid(), CLD_KILLED, SIGKILL);
	memset(&info, 0, sizeof(info));
	EXPECT_EQ(waitid(P_PIDFD_, end.fd, &info, WEXITED | WNOHANG), 0);
	EXPECT_EQ(info.si_pid, pid);
	EXPECT_EQ(info.si_code, CLD_KILLED);
}

/* One that has ended, whose parent has not waited for it, and ends when it is told. */
struct orphan {
	pid_t parent, pid;
	int pidfd, go[2];
};

/* The caller is the one to adopt it. */
static struct orphan orphan_to_be(void)
{
	struct orphan o;
	int numbers[2];
	char c;

	ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_OK(pipe2(o.go, O_CLOEXEC));
	ASSERT_OK(pipe2(numbers, O_CLOEXEC));
	o.parent = ASSERT_OK(fork_silent());
	if (o.parent == 0) {
		close(o.go[1]);
		o.pid = zombie_child(7);
		ASSERT_EQ(write(numbers[1], &o.pid, sizeof(o.pid)), (ssize_t)sizeof(o.pid));
		/* Without cleanups, which would wait for it. */
		_exit(read(o.go[0], &c, 1) == 0 ? KC_PASS : KC_FAIL);
	}
	close(numbers[1]);
	ASSERT_EQ(read(numbers[0], &o.pid, sizeof(o.pid)), (ssize_t)sizeof(o.pid));
	close(numbers[0]);
	o.pidfd = open_child(o.pid);
	return o;
}

static void end_parent(struct orphan o)
{
	close(o.go[1]);
	ASSERT_EQ(waitpid(o.parent, NULL, __WALL), o.parent);
}

/* kernel/exit.c, reparent_leader(): "If it has exited notify the new parent about this child's death". */
TEST(adopted_zombie_is_told_of, PROMISED("prctl(2), PR_SET_CHILD_SUBREAPER; waitid(2)")
     DESCRIBE("a grandchild has ended, then its parent, which sends nothing: SIGCHLD of the grandchild, its status"))
{
	siginfo_t info = { 0 };
	struct orphan o;

	block(SIGCHLD);
	o = orphan_to_be();
	EXPECT_ERRNO(take(SIGCHLD, &info), EAGAIN);
	EXPECT_ERRNO(waitid(P_PIDFD_, o.pidfd, &info, WEXITED | WNOHANG), ECHILD);
	end_parent(o);
	EXPECT_EQ(take(SIGCHLD, &info), SIGCHLD);
	expect_notice(&info, o.pid, getuid(), CLD_EXITED, 7);
	memset(&info, 0, sizeof(info));
	EXPECT_EQ(waitid(P_PIDFD_, o.pidfd, &info, WEXITED | WNOHANG), 0);
	EXPECT_EQ(info.si_pid, o.pid);
	EXPECT_EQ(info.si_status, 7);
}

TEST(adopted_zombie_goes_if_unwanted, PROMISED("prctl(2), PR_SET_CHILD_SUBREAPER; sigaction(2), SIG_IGN, SA_NOCLDWAIT")
     DESCRIBE("a grandchild has ended, then its parent; SIGCHLD ignored, or SA_NOCLDWAIT: ECHILD, and no zombie stays"))
{
	for (size_t n = 0; n < UNWANTING; n++) {
		struct orphan o = orphan_to_be();
		siginfo_t info;

		ASSERT_OK(sigaction(SIGCHLD, &unwanting[n], NULL));
		EXPECT_OK(is_there(o.pidfd));
		end_parent(o);
		if (EXPECT_ERRNO(waitid(P_PIDFD_, o.pidfd, &info, WEXITED | WNOHANG), ECHILD) < 0)
			expect_gone(o.pidfd);
		signal(SIGCHLD, SIG_DFL);
	}
}

/* pid_namespaces(7): "the namespace init process" is the parent of who is orphaned in there. */
TEST(subreaper_outside_adopts_nobody, NEEDS_CONFIG(PID_NS) NEEDS_CONFIG(UNIX) NEEDS_ROOT
     PROMISED("pid_namespaces(7), The namespace init process; prctl(2), PR_SET_CHILD_SUBREAPER")
     DESCRIBE("the parent of a process in a pid namespace ends: its process 1 gets it, no subreaper outside"))
{
	struct clone_args args = { .flags = CLONE_NEWPID, .exit_signal = SIGCHLD };
	int go[2], sockets[2], pidfd, status;
	siginfo_t info;
	pid_t first;
	char c;

	ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_OK(pipe2(go, O_CLOEXEC));
	ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	first = ASSERT_OK(syscall(NR_clone3, &args, sizeof(args)));
	if (first == 0) {
		pid_t parent;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(go[1]);
		parent = ASSERT_OK(kc_fork());
		if (parent == 0) {
			pass_descriptor(sockets[1], open_child(ASSERT_OK(sleeping_clone(0))));
			kc_leave(KC_PASS);
		}
		kc_join(parent);
		ASSERT_EQ(write(sockets[1], "x", 1), 1);
		ASSERT_EQ(read(go[0], &c, 1), 0);
		ASSERT_OK(waitpid(-1, &status, 0));
		EXPECT_EQ(status, SIGTERM);
		kc_leave(KC_PASS);
	}
	close(sockets[1]);
	pidfd = take_descriptor(sockets[0]);
	ASSERT_EQ(read(sockets[0], &c, 1), 1);
	EXPECT_OK(is_there(pidfd));
	EXPECT_ERRNO(waitid(P_PIDFD_, pidfd, &info, WEXITED | WNOHANG | __WALL), ECHILD);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGTERM, NULL, 0));
	close(go[1]);
	kc_join(first);
}

/* A user that has no other process. */
#define ALONE 54321
#define PROCESSES 4

static void become_limited(void)
{
	struct rlimit limit = { PROCESSES, PROCESSES };

	ASSERT_OK(setrlimit(RLIMIT_NPROC, &limit));
	become((void *)ALONE);
}

static pid_t fork_and_end(void)
{
	pid_t pid = kc_fork();

	if (pid == 0)
		_exit(0);
	return pid;
}

/* The calling process is one of them. */
static void check_limit(void)
{
	for (int n = 1; n < PROCESSES; n++)
		sleeping_child();
	EXPECT_ERRNO(fork_and_end(), EAGAIN);
}

TEST(reaped_child_counts_no_more, NEEDS_ROOT PROMISED("getrlimit(2), RLIMIT_NPROC; fork(2), EAGAIN")
     DESCRIBE("RLIMIT_NPROC 4: 20 children one after the other, each waited for; then three at once, not four"))
{
	IN_CHILD {
		become_limited();
		for (int n = 0; n < 20; n++) {
			pid_t pid = ASSERT_OK(fork_and_end());
			siginfo_t info = { 0 };
			int pidfd = open_child(pid);

			ASSERT_OK(waitid(P_PIDFD_, pidfd, &info, WEXITED));
			EXPECT_EQ(info.si_pid, pid);
			close(pidfd);
		}
		check_limit();
	}
}

TEST(child_that_could_not_be_made_does_not_count, NEEDS_ROOT
     PROMISED("getrlimit(2), RLIMIT_NPROC; clone(2), EAGAIN; kernel/fork.c, copy_process()")
     DESCRIBE("RLIMIT_NPROC 4: no place for the pidfd is EFAULT 20 times; then three children, not four"))
{
	IN_CHILD {
		struct clone_args args = { .flags = CLONE_PIDFD, .pidfd = 8, .exit_signal = SIGCHLD };

		become_limited();
		for (int n = 0; n < 20; n++)
			EXPECT_ERRNO(syscall(NR_clone3, &args, sizeof(args)), EFAULT);
		check_limit();
	}
}

KCASE_MAIN
