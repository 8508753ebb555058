// SPDX-License-Identifier: GPL-2.0-only
/* execve(2): the descriptors, the threads and the children of who becomes a program, seen by pidfds. */
#include "pidfd.h"

PIDFD_CASES
PROBE_P_PIDFD

/* A number that no other descriptor gets. */
#define HIGH 100

/* What is closed on execution is so in a table of the program's own (fs/exec.c, begin_new_exec()). */
TEST(exec_closes_no_descriptor_of_sharers, PROMISED("execve(2), Effect on process attributes; clone(2), CLONE_FILES")
     DESCRIBE("a child that shares the descriptors executes a program: the pidfd stays open, close-on-exec"))
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_FILES,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid;

	ASSERT_ERRNO(fcntl(HIGH, F_GETFD), EBADF);
	pid = ASSERT_OK(syscall(NR_clone3, &args, sizeof(args)));
	if (pid == 0) {
		if (dup2(0, HIGH) != HIGH)
			_exit(KC_FAIL);
		execute("true", NULL, -1);
	}
	check_program_ends(pid);
	/* It did share them until then. */
	EXPECT_EQ(fcntl(HIGH, F_GETFD), 0);
	EXPECT_EQ(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
	EXPECT_ERRNO(is_there(pidfd), ESRCH);
}

static void *tell_number(void *pipe)
{
	pid_t tid = gettid();

	if (write(*(int *)pipe, &tid, sizeof(tid)) != sizeof(tid))
		abort();
	return outlive(NULL);
}

/* Whose threads go before it: the last of them wakes it (kernel/exit.c, __exit_signal()). */
TEST(exec_of_leader_ends_its_threads, PROMISED("execve(2), Effect on process attributes; fs/exec.c, de_thread()")
     DESCRIBE("a leader executes a program while two threads sleep: it runs, they are gone, its pidfd is silent"))
{
	int go[2], alone[2], numbers[2], process, threads[2];
	pid_t pid, tids[2];
	char c;

	ASSERT_OK(pipe2(go, O_CLOEXEC));
	ASSERT_OK(pipe2(alone, O_CLOEXEC));
	ASSERT_OK(pipe2(numbers, O_CLOEXEC));
	pid = ASSERT_OK(kc_fork());
	if (pid == 0) {
		pthread_t thread;

		close(go[1]);
		for (int n = 0; n < 2; n++)
			if (pthread_create(&thread, NULL, tell_number, &numbers[1]))
				_exit(KC_FAIL);
		if (read(go[0], &c, 1) < 0)
			_exit(KC_FAIL);
		execute("sleep", "1000", alone[1]);
	}
	CLEANUP(kill_and_reap, pid);
	close(alone[1]);
	close(numbers[1]);
	process = ASSERT_OK(pidfd_open_(pid, 0));
	for (int n = 0; n < 2; n++) {
		ASSERT_EQ(read(numbers[0], &tids[n], sizeof(tids[n])), (ssize_t)sizeof(tids[n]));
		/* Before 6.9 there is none of a thread. */
		threads[n] = pidfd_open_(tids[n], PIDFD_THREAD_);
		if (threads[n] >= 0)
			EXPECT_EQ(polled(threads[n], ~0, 0), 0);
		EXPECT_OK(syscall(SYS_tgkill, pid, tids[n], 0));
	}
	close(go[1]);
	for (int n = 0; n < 2; n++)
		if (threads[n] >= 0)
			EXPECT_EQ(polled(threads[n], 0, -1), POLLHUP);
	wait_for_program(alone[0]);
	for (int n = 0; n < 2; n++)
		EXPECT_ERRNO(syscall(SYS_tgkill, pid, tids[n], 0), ESRCH);
	EXPECT_EQ(polled(process, ~0, 0), 0);
	EXPECT_OK(pidfd_send_signal_(process, SIGKILL, NULL, 0));
	EXPECT_EQ(polled(process, POLLIN, -1), POLLIN);
}

/* A process whose child has ended, which sends SIGUSR1 then; the signal that it dies of, by its pidfd. */
static int parent_dies_of(bool executes)
{
	struct program program = program_to_be();
	int numbers[2], parent, child;
	siginfo_t info = { 0 };
	pid_t pid;

	ASSERT_OK(pipe2(numbers, O_CLOEXEC));
	pid = ASSERT_OK(kc_fork());
	if (pid == 0) {
		struct clone_args args = { .exit_signal = SIGUSR1 };

		pid = ASSERT_OK(syscall(NR_clone3, &args, sizeof(args)));
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			leave_to_program(program);
			stay();
		}
		ASSERT_EQ(write(numbers[1], &pid, sizeof(pid)), (ssize_t)sizeof(pid));
		if (executes)
			become_program(program);
		stay();
	}
	CLEANUP(kill_and_reap, pid);
	leave_to_program(program);
	close(numbers[1]);
	parent = ASSERT_OK(pidfd_open_(pid, 0));
	ASSERT_EQ(read(numbers[0], &pid, sizeof(pid)), (ssize_t)sizeof(pid));
	child = ASSERT_OK(pidfd_open_(pid, 0));
	if (executes)
		wait_until_it_runs(program);
	ASSERT_OK(pidfd_send_signal_(child, SIGKILL, NULL, 0));
	/* It hangs up as well where its parent is gone by then. */
	ASSERT_EQ(polled(child, POLLIN, -1) & POLLIN, POLLIN);
	/* The signal is sent under the lock that this takes (kernel/exit.c, exit_notify()). */
	EXPECT_ERRNO(waitid(P_PIDFD_, child, &info, WEXITED | WNOHANG), ECHILD);
	/* What kills a process first is what it dies of, however soon the next one comes. */
	EXPECT_OK(pidfd_send_signal_(parent, SIGKILL, NULL, 0));
	ASSERT_OK(waitid(P_PIDFD_, parent, &info, WEXITED));
	EXPECT_EQ(info.si_code, CLD_KILLED);
	return info.si_status;
}

/* It may have become somebody whom the child could not send that (kernel/signal.c, do_notify_parent()). */
TEST(exec_of_parent_makes_exit_signal_sigchld, NEEDS_PROBE(p_pidfd)
     PROMISED("clone(2), The child termination signal; kernel/signal.c, do_notify_parent()")
     DESCRIBE("the end of a child that sends SIGUSR1 kills its parent, and not the program that this became"))
{
	EXPECT_EQ(parent_dies_of(false), SIGUSR1);
	EXPECT_EQ(parent_dies_of(true), SIGKILL);
}

KCASE_MAIN
