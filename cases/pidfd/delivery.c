// SPDX-License-Identifier: GPL-2.0-only
/* What becomes of a signal through a pidfd: who takes it, and what it stops and continues. */
#include <sys/signalfd.h>

#include "pidfd.h"
#include "signals.h"

PIDFD_CASES
PROBE_PIDFD_THREAD
PROBE_SIGNAL_SCOPES

static void block_beside_thread(void *arg)
{
	pthread_t thread;

	(void)arg;
	ASSERT_EQ(pthread_create(&thread, NULL, outlive, NULL), 0);
	block(SIGUSR1);
}

/* "any one of the threads that does not currently have the signal blocked" */
TEST(signal_finds_thread_that_does_not_block, PROMISED("signal(7)")
     DESCRIBE("the leader blocks it, a thread that sleeps does not: its handler runs"))
{
	pid_t pid;

	/* The child inherits the handler. */
	tell_of(SIGUSR1);
	pid = child_after(block_beside_thread, NULL);
	EXPECT_OK(pidfd_send_signal_(ASSERT_OK(pidfd_open_(pid, 0)), SIGUSR1, NULL, 0));
	EXPECT_TRUE(handler_ran());
}

/* "A thread-directed signal is targeted at a specific thread": nobody takes it in its place. */
TEST(signal_for_a_thread_waits_for_it, NEEDS_PROBE(signal_scopes) PROMISED("signal(7)")
     DESCRIBE("SIGTERM to the leader, which blocks it, beside a thread that does not: pending, no end"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));
	siginfo_t info = { 0 };
	struct thread t;

	start_thread(&t);
	block(SIGTERM);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGTERM, NULL, SIGNAL_THREAD));
	EXPECT_EQ(take(SIGTERM, &info), SIGTERM);
	EXPECT_EQ(info.si_code, SI_TKILL);
	end_thread(&t);
}

TEST(thread_and_process_have_each_their_own, NEEDS_PROBE(signal_scopes)
     PROMISED("signal(7), Queueing and delivery semantics for standard signals")
     DESCRIBE("one signal to the process, and twice to its thread: one of each is pending"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));
	siginfo_t info = { 0 };

	block(SIGUSR1);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, 0));
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, SIGNAL_THREAD));
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, SIGNAL_THREAD));
	EXPECT_EQ(take(SIGUSR1, &info), SIGUSR1);
	EXPECT_EQ(info.si_code, SI_TKILL);
	EXPECT_EQ(take(SIGUSR1, &info), SIGUSR1);
	EXPECT_EQ(info.si_code, SI_USER);
	EXPECT_ERRNO(take(SIGUSR1, &info), EAGAIN);
}

static const int stops[] = { SIGTSTP, SIGTTIN, SIGTTOU };
#define STOPS (sizeof(stops) / sizeof(stops[0]))

/* "When SIGCONT is generated, all pending stop signals shall be discarded", and the other way round. */
#define DISCARDS PROMISED("POSIX.1-2008, Signal Generation and Delivery; kernel/signal.c, prepare_signal()")

TEST(stop_and_continue_take_each_other_back, DISCARDS
     DESCRIBE("blocked stop signals are gone after SIGCONT, and a blocked SIGCONT after each of them"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));
	siginfo_t info;

	block(SIGCONT);
	for (size_t n = 0; n < STOPS; n++)
		block(stops[n]);
	for (size_t n = 0; n < STOPS; n++)
		EXPECT_OK(pidfd_send_signal_(pidfd, stops[n], NULL, 0));
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGCONT, NULL, 0));
	for (size_t n = 0; n < STOPS; n++)
		EXPECT_ERRNO(take(stops[n], &info), EAGAIN);
	EXPECT_EQ(take(SIGCONT, &info), SIGCONT);
	for (size_t n = 0; n < STOPS; n++) {
		EXPECT_OK(pidfd_send_signal_(pidfd, SIGCONT, NULL, 0));
		EXPECT_OK(pidfd_send_signal_(pidfd, stops[n], NULL, 0));
		EXPECT_ERRNO(take(SIGCONT, &info), EAGAIN);
		EXPECT_EQ(take(stops[n], &info), stops[n]);
	}
}

TEST(what_a_thread_has_pending_is_taken_back_too, NEEDS_PROBE(signal_scopes) DISCARDS
     DESCRIBE("a stop signal for a thread is gone after a SIGCONT for the process, and the other way round"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));
	siginfo_t info;

	block(SIGCONT);
	block(SIGTSTP);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGTSTP, NULL, SIGNAL_THREAD));
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGCONT, NULL, 0));
	EXPECT_ERRNO(take(SIGTSTP, &info), EAGAIN);
	EXPECT_EQ(take(SIGCONT, &info), SIGCONT);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGCONT, NULL, SIGNAL_THREAD));
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGTSTP, NULL, 0));
	EXPECT_ERRNO(take(SIGCONT, &info), EAGAIN);
	EXPECT_EQ(take(SIGTSTP, &info), SIGTSTP);
}

static void block_continue(void *arg)
{
	(void)arg;
	block(SIGCONT);
}

static void ignore_continue(void *arg)
{
	(void)arg;
	signal(SIGCONT, SIG_IGN);
}

static void expect_stopped(pid_t pid)
{
	siginfo_t info = { 0 };

	ASSERT_OK(waitid(P_PID, pid, &info, WSTOPPED));
	EXPECT_EQ(info.si_code, CLD_STOPPED);
}

static void expect_continued(pid_t pid)
{
	siginfo_t info = { 0 };

	ASSERT_OK(waitid(P_PID, pid, &info, WCONTINUED));
	EXPECT_EQ(info.si_code, CLD_CONTINUED);
}

/* "... the process shall be continued, even if the SIGCONT signal is blocked or ignored" */
TEST(continues_whoever_blocks_or_ignores_it,
     PROMISED("POSIX.1-2008, Signal Generation and Delivery; kernel/signal.c, prepare_signal()")
     DESCRIBE("a stopped process that blocks SIGCONT, and one that ignores it, go on"))
{
	void (*const setups[])(void *) = { block_continue, ignore_continue };

	for (int n = 0; n < 2; n++) {
		pid_t pid = child_after(setups[n], NULL);
		int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

		EXPECT_OK(pidfd_send_signal_(pidfd, SIGSTOP, NULL, 0));
		expect_stopped(pid);
		EXPECT_OK(pidfd_send_signal_(pidfd, SIGCONT, NULL, 0));
		expect_continued(pid);
	}
}

static void *end_process(void *arg)
{
	(void)arg;
	_exit(7);
}

/* Stops and continues the process of `t` by `pidfd`; its thread ends it only when it goes on. */
static void stop_and_continue_all(struct traced *t, int pidfd)
{
	struct pollfd end = { ASSERT_OK(pidfd_open_(t->pid, 0)), POLLIN, 0 };
	int status = 0;

	EXPECT_OK(pidfd_send_signal_(pidfd, SIGSTOP, NULL, 0));
	expect_stopped(t->pid);
	close(t->go[1]);
	EXPECT_EQ(poll(&end, 1, 50), 0);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGCONT, NULL, 0));
	ASSERT_EQ(waitpid(t->pid, &status, 0), t->pid);
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST(stops_and_continues_every_thread, PROMISED("signal(7); pidfd_send_signal(2)")
     DESCRIBE("SIGSTOP and SIGCONT to a process: a thread beside the leader stands still, then goes on"))
{
	struct traced *t = child_with_thread(end_process);

	stop_and_continue_all(t, ASSERT_OK(pidfd_open_(t->pid, 0)));
}

/* signal(7): what stops one thread stops the process. */
TEST(thread_pidfd_stops_and_continues_process, NEEDS_PROBE(pidfd_thread) PROMISED("signal(7)")
     DESCRIBE("the same by a pidfd of the thread, and of the leader with PIDFD_THREAD"))
{
	struct traced *t = child_with_thread(end_process);

	stop_and_continue_all(t, ASSERT_OK(pidfd_open_(t->tid, PIDFD_THREAD_)));
	t = child_with_thread(end_process);
	stop_and_continue_all(t, ASSERT_OK(pidfd_open_(t->pid, PIDFD_THREAD_)));
}

/* signalfd(2): readable "when one or more of the signals ... is pending for the process". */
TEST(signalfd_hears_of_it, PROMISED("signalfd(2)")
     DESCRIBE("who sleeps in poll(2) on a signalfd wakes for a signal that it blocks"))
{
	pid_t parent = getpid(), pid;
	int pidfd, fd;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	block(SIGUSR1);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0 && errno == ENOSYS)
		SKIP("needs signalfd(2)");
	ASSERT_OK(fd);
	pid = ASSERT_OK(kc_fork());
	if (pid == 0) {
		/* It shows the signals of who reads it. */
		struct pollfd poller = { fd, POLLIN, 0 };
		struct signalfd_siginfo got = { 0 };

		EXPECT_EQ(poll(&poller, 1, -1), 1);
		ASSERT_EQ(read(fd, &got, sizeof(got)), (ssize_t)sizeof(got));
		EXPECT_EQ(got.ssi_signo, SIGUSR1);
		EXPECT_EQ(got.ssi_pid, parent);
		kc_leave(KC_PASS);
	}
	pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	/* Once it sleeps: the wake-up itself is what the case is about. */
	usleep(50000);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, 0));
	kc_join(pid);
}

KCASE_MAIN
