// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whom waitid(2) with P_PIDFD takes for a child, and who gets it: clone children, those of another
 * thread, those that somebody traces, and those of which nobody wants to know.
 */
#include <sys/ptrace.h>

#include "children.h"

EVERY_CASE(NEEDS_PROBE(p_pidfd) TIMEOUT(20))
PROBE_P_PIDFD

/* waitid(2): a "clone" child sends no signal, or one other than SIGCHLD, at its end. */
TEST(kinds_are_told_apart, PROMISED("waitid(2), __WCLONE, __WALL")
     DESCRIBE("children that send SIGCHLD, nothing, SIGURG: __WCLONE takes the last two alone, __WALL each"))
{
	static const int signals[] = { SIGCHLD, 0, SIGURG };

	for (size_t n = 0; n < sizeof(signals) / sizeof(signals[0]); n++) {
		struct clone_args args = { .exit_signal = signals[n] };
		int own = signals[n] == SIGCHLD ? 0 : (int)__WCLONE, other = own ^ (int)__WCLONE;
		pid_t pid = ASSERT_OK(clone_sleeper(&args));
		int pidfd = open_child(pid);
		siginfo_t info = { 0 };

		CLEANUP(kill_and_reap, pid);
		EXPECT_ERRNO(waitid(P_PIDFD_, pidfd, &info, WEXITED | WNOHANG | other), ECHILD);
		EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED | WNOHANG | own), 0);
		ASSERT_OK(kill(pid, SIGKILL));
		ASSERT_OK(waitid(P_PIDFD_, pidfd, &info, WEXITED | WNOWAIT | __WALL));
		EXPECT_EQ(info.si_pid, pid);
		EXPECT_ERRNO(waitid(P_PIDFD_, pidfd, &info, WEXITED | other), ECHILD);
		/* Ignored beside __WALL. */
		EXPECT_OK(waitid(P_PIDFD_, pidfd, &info, WEXITED | WNOWAIT | __WALL | other));
		EXPECT_OK(waitid(P_PIDFD_, pidfd, &info, WEXITED | own));
		EXPECT_EQ(info.si_pid, pid);
		EXPECT_EQ(info.si_status, SIGKILL);
	}
}

/* A child that ends with 4 soon after the pipe's other end is closed. */
static pid_t child_that_ends(int go[2])
{
	pid_t pid;
	char c;

	ASSERT_OK(pipe2(go, O_CLOEXEC));
	pid = ASSERT_OK(kc_fork());
	if (pid == 0) {
		close(go[1]);
		if (read(go[0], &c, 1) < 0)
			_exit(KC_FAIL);
		/* Who waits is asleep by then, if all goes well. */
		usleep(50000);
		_exit(4);
	}
	close(go[0]);
	return pid;
}

TEST(own_child_is_its_thread_s, PROMISED("waitid(2), __WNOTHREAD")
     DESCRIBE("who made the child sleeps with __WNOTHREAD until it ends"))
{
	siginfo_t info = { 0 };
	int go[2], pidfd;
	pid_t pid = child_that_ends(go);

	CLEANUP(kill_and_reap, pid);
	pidfd = open_child(pid);
	close(go[1]);
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED | __WNOTHREAD), 0);
	EXPECT_EQ(info.si_pid, pid);
	EXPECT_EQ(info.si_status, 4);
}

struct waiter {
	int pidfd, result, error;
	siginfo_t info;
};

static void *wait_beside(void *arg)
{
	struct waiter *w = arg;

	w->result = waitid(P_PIDFD_, w->pidfd, &w->info, WEXITED);
	w->error = errno;
	return NULL;
}

TEST(one_of_two_gets_it, PROMISED("waitid(2), ECHILD, Linux notes")
     DESCRIBE("two threads sleep for one child: one has its status, the other ECHILD"))
{
	struct waiter waiters[2] = { 0 };
	pthread_t threads[2];
	int go[2], winner;
	pid_t pid = child_that_ends(go);

	CLEANUP(kill_and_reap, pid);
	for (int n = 0; n < 2; n++) {
		waiters[n].pidfd = open_child(pid);
		ASSERT_EQ(pthread_create(&threads[n], NULL, wait_beside, &waiters[n]), 0);
	}
	close(go[1]);
	for (int n = 0; n < 2; n++)
		pthread_join(threads[n], NULL);
	winner = waiters[0].result == 0 ? 0 : 1;
	EXPECT_EQ(waiters[winner].result, 0);
	EXPECT_EQ(waiters[winner].info.si_pid, pid);
	EXPECT_EQ(waiters[winner].info.si_status, 4);
	EXPECT_EQ(waiters[!winner].result, -1);
	EXPECT_EQ(waiters[!winner].error, ECHILD);
}

/* waitid(2): "Since Linux 4.7, the __WALL flag is automatically implied if the child is being ptraced." */
TEST(traced_child_is_of_any_kind, PROMISED("waitid(2), __WALL; ptrace(2)")
     DESCRIBE("a child that sends nothing at its end, traced: its stop and its end without __WALL"))
{
	struct clone_args args = { 0 };
	siginfo_t info = { 0 };
	pid_t pid = ASSERT_OK(clone_sleeper(&args));
	int pidfd = open_child(pid);

	CLEANUP(kill_and_reap, pid);
	ASSERT_OK(ptrace(PTRACE_SEIZE, pid, 0, 0));
	ASSERT_OK(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WSTOPPED), 0);
	EXPECT_EQ(info.si_pid, pid);
	EXPECT_EQ(info.si_code, CLD_TRAPPED);
	ASSERT_OK(kill(pid, SIGKILL));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED), 0);
	EXPECT_EQ(info.si_pid, pid);
	EXPECT_EQ(info.si_code, CLD_KILLED);
}

/*
 * ptrace(2), Real parent: "exit/death by signal is reported first to the tracer, then, when the
 * tracer consumes the waitpid(2) result, to the real parent".
 */
TEST(tracer_is_told_first, NEEDS_ROOT PROMISED("ptrace(2), Real parent")
     DESCRIBE("a child that another one traces has ended: nothing for its parent, until the tracer has waited"))
{
	int pidfd, go[2], ready[2];
	pid_t tracer, pid = sleeping_child();
	siginfo_t info = { .si_pid = -1 };
	struct pollfd end = { .events = POLLIN };
	char c;

	end.fd = pidfd = open_child(pid);
	ASSERT_OK(pipe2(go, O_CLOEXEC));
	ASSERT_OK(pipe2(ready, O_CLOEXEC));
	tracer = ASSERT_OK(kc_fork());
	if (tracer == 0) {
		close(go[1]);
		ASSERT_OK(ptrace(PTRACE_SEIZE, pid, 0, 0));
		ASSERT_EQ(write(ready[1], "x", 1), 1);
		ASSERT_EQ(read(go[0], &c, 1), 0);
		/* The parent is asleep by then, if all goes well. */
		usleep(50000);
		ASSERT_OK(waitid(P_PIDFD_, pidfd, &info, WEXITED));
		EXPECT_EQ(info.si_pid, pid);
		EXPECT_EQ(info.si_code, CLD_KILLED);
		EXPECT_EQ(info.si_status, SIGKILL);
		kc_leave(KC_PASS);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1) {
		kc_join(tracer);
		kc_leave(KC_FAIL);
	}
	ASSERT_OK(kill(pid, SIGKILL));
	ASSERT_EQ(poll(&end, 1, -1), 1);
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED | WNOHANG), 0);
	EXPECT_EQ(info.si_pid, 0);
	close(go[1]);
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED), 0);
	EXPECT_EQ(info.si_pid, pid);
	EXPECT_EQ(info.si_code, CLD_KILLED);
	EXPECT_EQ(info.si_status, SIGKILL);
	kc_join(tracer);
}

/* wait(2): it "will block until all children have terminated, and then fail with errno set to ECHILD". */
TEST(unwanted_child_ends_the_wait, PROMISED("waitid(2), ECHILD; wait(2), NOTES; sigaction(2), SA_NOCLDWAIT")
     DESCRIBE("SIGCHLD ignored, or SA_NOCLDWAIT with a handler or none: a wait from before the end is ECHILD"))
{
	for (size_t n = 0; n < UNWANTING; n++) {
		siginfo_t info;
		int go[2], pidfd;

		ASSERT_OK(sigaction(SIGCHLD, &unwanting[n], NULL));
		pidfd = open_child(child_that_ends(go));
		close(go[1]);
		EXPECT_ERRNO(waitid(P_PIDFD_, pidfd, &info, WEXITED), ECHILD);
		expect_gone(pidfd);
	}
}

/* The last thread takes the leader with it (kernel/exit.c, release_task()). */
TEST(unwanted_leader_goes_with_the_last_thread,
     PROMISED("waitid(2), ECHILD, NOTES; sigaction(2), SIG_IGN")
     DESCRIBE("SIGCHLD ignored, the leader exits, then the thread: ECHILD, and no zombie stays"))
{
	int go[2], rest[2], pidfd;
	siginfo_t info;
	pid_t pid;

	ASSERT_OK(pipe2(go, O_CLOEXEC));
	ASSERT_OK(pipe2(rest, O_CLOEXEC));
	pid = process_with_thread(go, 0, end_when_closed, rest);
	pidfd = open_child(pid);
	signal(SIGCHLD, SIG_IGN);
	end_leader(pid, go);
	EXPECT_OK(is_there(pidfd));
	close(rest[1]);
	EXPECT_ERRNO(waitid(P_PIDFD_, pidfd, &info, WEXITED), ECHILD);
	expect_gone(pidfd);
}

/* "... when the parent has ignored SIGCHLD": of a child that sends none there is nothing to ignore. */
TEST(child_without_sigchld_keeps_its_status,
     PROMISED("clone(2), exit_signal; sigaction(2), SIG_IGN, SA_NOCLDWAIT; kernel/signal.c, do_notify_parent()")
     DESCRIBE("SIGCHLD ignored, or SA_NOCLDWAIT: who sends no signal at its end can be waited for with __WALL"))
{
	for (size_t n = 0; n < UNWANTING; n++) {
		struct clone_args args = { 0 };
		struct pollfd end = { -1, POLLIN, 0 };
		siginfo_t info = { 0 };
		pid_t pid;

		ASSERT_OK(sigaction(SIGCHLD, &unwanting[n], NULL));
		pid = ASSERT_OK(clone_sleeper(&args));
		end.fd = open_child(pid);
		ASSERT_OK(kill(pid, SIGTERM));
		ASSERT_EQ(poll(&end, 1, -1), 1);
		ASSERT_OK(waitid(P_PIDFD_, end.fd, &info, WEXITED | __WALL));
		EXPECT_EQ(info.si_pid, pid);
		EXPECT_EQ(info.si_status, SIGTERM);
	}
}

static void *fork_in_thread(void *pid)
{
	*(pid_t *)pid = sleeping_clone(0);
	return NULL;
}

/* The parent is the process, whichever thread it was (kernel/exit.c, find_new_reaper()). */
TEST(child_of_a_thread_that_ended_is_the_process_s, PROMISED("waitid(2); clone(2)")
     DESCRIBE("a thread forks and ends: the others can wait for the child"))
{
	siginfo_t info = { 0 };
	pthread_t thread;
	int pidfd;
	pid_t pid;

	ASSERT_EQ(pthread_create(&thread, NULL, fork_in_thread, &pid), 0);
	ASSERT_EQ(pthread_join(thread, NULL), 0);
	ASSERT_OK(pid);
	CLEANUP(kill_and_reap, pid);
	pidfd = open_child(pid);
	/* The join may return before the thread has given its children away. */
	usleep(20000);
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED | WNOHANG), 0);
	ASSERT_OK(kill(pid, SIGKILL));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED), 0);
	EXPECT_EQ(info.si_pid, pid);
	EXPECT_EQ(info.si_status, SIGKILL);
}

/* Whom it gets instead of its parent has asked for none but usual children (kernel/exit.c, reparent_leader()). */
TEST(adopted_child_is_a_usual_one, PROMISED("prctl(2), PR_SET_CHILD_SUBREAPER; waitid(2), __WCLONE")
     DESCRIBE("a grandchild that sends no signal, whose parent ended: waited for without __WALL, with SIGCHLD"))
{
	siginfo_t info = { 0 };
	int sockets[2], pidfd;
	pid_t pid;

	ASSERT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	pid = ASSERT_OK(kc_fork());
	if (pid == 0) {
		struct clone_args args = { 0 };

		pid = ASSERT_OK(clone_sleeper(&args));
		ASSERT_EQ(write(sockets[1], &pid, sizeof(pid)), (ssize_t)sizeof(pid));
		kc_leave(KC_PASS);
	}
	kc_join(pid);
	ASSERT_EQ(read(sockets[0], &pid, sizeof(pid)), (ssize_t)sizeof(pid));
	CLEANUP(kill_and_reap, pid);
	pidfd = open_child(pid);
	block(SIGCHLD);
	ASSERT_OK(pidfd_send_signal_(pidfd, SIGKILL, NULL, 0));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED), 0);
	EXPECT_EQ(info.si_pid, pid);
	EXPECT_EQ(take(SIGCHLD, &info), SIGCHLD);
	EXPECT_EQ(info.si_pid, pid);
}

KCASE_MAIN
