// SPDX-License-Identifier: GPL-2.0-only
/* What becomes of a signal through a pidfd: who takes it, what discards it, what it stops and continues. */
#include <sys/ptrace.h>
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

static volatile int heard;

static void hear_other_handler(int sig)
{
	struct pollfd other = { told[0], POLLIN, 0 };

	heard = poll(&other, 1, 10000);
	(void)sig;
}

static void *sleep_in_thread(void *arg)
{
	struct thread *t = arg;

	if (write(t->ready[1], "x", 1) != 1)
		abort();
	return outlive(NULL);
}

/*
 * Whom the kernel chose for a signal may block it before it takes it (kernel/signal.c,
 * retarget_shared_pending()). While its child of CLONE_VFORK lives, the leader is chosen,
 * and takes nothing; then what is for itself comes first.
 */
TEST(signal_goes_on_to_another_thread, PROMISED("signal(7)")
     DESCRIBE("the leader is woken for it, and blocks it by another one's handler: the other thread takes it"))
{
	struct clone_args args = { .exit_signal = SIGCHLD, .flags = CLONE_VFORK };
	struct sigaction action = { .sa_handler = hear_other_handler };
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));
	pid_t leader = getpid(), pid;
	struct thread t;

	tell_of(SIGUSR1);
	sigaddset(&action.sa_mask, SIGUSR1);
	ASSERT_OK(sigaction(SIGUSR2, &action, NULL));
	start_thread_with(&t, sleep_in_thread);
	pid = ASSERT_OK(syscall(NR_clone3, &args, sizeof(args)));
	if (pid == 0) {
		EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, 0));
		EXPECT_OK(syscall(SYS_tgkill, leader, leader, SIGUSR2));
		_exit(KC_PASS);
	}
	/* Its handler has returned. */
	EXPECT_EQ(heard, 1);
	reap(pid);
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

/* "delivered starting with the lowest-numbered signal", and standard ones before (on Linux). */
TEST(lowest_number_comes_first, PROMISED("signal(7), Real-time signals")
     DESCRIBE("three real-time signals and, last, a standard one: that one comes first, the others by number"))
{
	const int sent[] = { SIGRTMIN + 3, SIGRTMIN + 1, SIGRTMIN + 2, SIGUSR1 };
	const int order[] = { SIGUSR1, SIGRTMIN + 1, SIGRTMIN + 2, SIGRTMIN + 3 };
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));
	uint64_t all = 0;
	siginfo_t info;

	for (int n = 0; n < 4; n++) {
		all |= bit(sent[n]);
		block(sent[n]);
	}
	for (int n = 0; n < 4; n++)
		EXPECT_OK(pidfd_send_signal_(pidfd, sent[n], NULL, 0));
	for (int n = 0; n < 4; n++)
		EXPECT_EQ(take_any(all, &info), order[n]);
	EXPECT_ERRNO(take_any(all, &info), EAGAIN);
}

/* "... shall cause the pending signal to be discarded, whether or not it is blocked". */
#define IGNORED_LATER PROMISED("POSIX.1-2008, Signal Actions; kernel/signal.c, do_sigaction()")

TEST(ignored_later_is_discarded, IGNORED_LATER
     DESCRIBE("pending, then SIG_IGN, or SIG_DFL that ignores: gone; then a handler, or SIG_DFL that ends: stays"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));
	siginfo_t info;

	block(SIGUSR1);
	block(SIGURG);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, 0));
	signal(SIGUSR1, nothing);
	signal(SIGUSR1, SIG_DFL);
	EXPECT_EQ(take(SIGUSR1, &info), SIGUSR1);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, 0));
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR1, SIG_DFL);
	EXPECT_ERRNO(take(SIGUSR1, &info), EAGAIN);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGURG, NULL, 0));
	signal(SIGURG, nothing);
	EXPECT_EQ(take(SIGURG, &info), SIGURG);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGURG, NULL, 0));
	signal(SIGURG, SIG_DFL);
	EXPECT_ERRNO(take(SIGURG, &info), EAGAIN);
}

static void *find_one(void *arg)
{
	siginfo_t info;

	wait_in_thread(arg);
	EXPECT_EQ(take(SIGUSR1, &info), SIGUSR1);
	return NULL;
}

static void *find_none(void *arg)
{
	siginfo_t info;

	wait_in_thread(arg);
	EXPECT_ERRNO(take(SIGUSR1, &info), EAGAIN);
	return NULL;
}

TEST(ignored_later_is_discarded_in_threads, NEEDS_PROBE(pidfd_thread) IGNORED_LATER
     DESCRIBE("the leader changes what it does about a signal that is pending for another thread: the same"))
{
	void *(*const threads[])(void *) = { find_one, find_none };

	block(SIGUSR1);
	for (int n = 0; n < 2; n++) {
		struct thread t;
		int pidfd;

		start_thread_with(&t, threads[n]);
		pidfd = ASSERT_OK(pidfd_open_(t.tid, PIDFD_THREAD_));
		EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, 0));
		signal(SIGUSR1, n == 0 ? nothing : SIG_IGN);
		signal(SIGUSR1, SIG_DFL);
		end_thread(&t);
	}
}

/* The end of a child to which SIGTERM is sent while it blocks it, and which then unblocks it. */
static int status_after_unblocking(uint64_t flags)
{
	struct clone_args args = { .exit_signal = SIGCHLD, .flags = flags };
	int go[2], status = 0;
	pid_t pid;
	char c;

	ASSERT_OK(pipe2(go, O_CLOEXEC));
	pid = ASSERT_OK(syscall(NR_clone3, &args, sizeof(args)));
	if (pid == 0) {
		close(go[1]);
		if (read(go[0], &c, 1) < 0)
			_exit(KC_FAIL);
		unblock(SIGTERM);
		_exit(KC_PASS);
	}
	EXPECT_OK(pidfd_send_signal_(ASSERT_OK(pidfd_open_(pid, 0)), SIGTERM, NULL, 0));
	close(go[1]);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	close(go[0]);
	return status;
}

/* From outside as well "only if the 'init' process has established a handler for that signal". */
TEST(first_process_outlives_what_it_unblocks, NEEDS_CONFIG(PID_NS) NEEDS_ROOT
     PROMISED("pid_namespaces(7), The namespace init process; kernel/signal.c, get_signal()")
     DESCRIBE("a blocked SIGTERM from outside, unblocked: process 1 of a pid namespace goes on, any other ends"))
{
	int status;

	block(SIGTERM);
	EXPECT_EQ(status_after_unblocking(CLONE_NEWPID), 0);
	status = status_after_unblocking(0);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

/* "... the pending signal set is preserved across an execve(2)" */
TEST(pending_signals_survive_execution, PROMISED("signal(7); execve(2)")
     DESCRIBE("a blocked standard signal and a queued one, then another program: both are pending for that"))
{
	siginfo_t info = { .si_signo = SIGRTMIN, .si_code = SI_QUEUE };
	struct program program = program_to_be();
	int go[2], pidfd;
	pid_t pid;
	char c;

	ASSERT_OK(pipe2(go, O_CLOEXEC));
	block(SIGUSR1);
	block(SIGRTMIN);
	pid = ASSERT_OK(kc_fork());
	if (pid == 0) {
		close(go[1]);
		if (read(go[0], &c, 1) < 0)
			_exit(KC_FAIL);
		become_program(program);
	}
	CLEANUP(kill_and_reap, pid);
	leave_to_program(program);
	pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, 0));
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGRTMIN, &info, 0));
	close(go[1]);
	wait_until_it_runs(program);
	EXPECT_TRUE(has_pending(pid, SIGUSR1));
	EXPECT_TRUE(has_pending(pid, SIGRTMIN));
}

static void ignore_usr1(void *arg)
{
	(void)arg;
	signal(SIGUSR1, SIG_IGN);
}

static void expect_trapped(pid_t pid, int sig)
{
	siginfo_t info = { 0 };

	ASSERT_OK(waitid(P_PID, pid, &info, WSTOPPED | WEXITED));
	ASSERT_EQ(info.si_code, CLD_TRAPPED);
	ASSERT_EQ(info.si_status, sig);
}

/* "... each time a signal is delivered, even if the signal is being ignored" */
TEST(tracer_is_asked_first, PROMISED("ptrace(2)")
     DESCRIBE("a traced child stops for SIGTERM, and for what it ignores; it goes on without it, or ends by it"))
{
	/* In the order of delivery; the last one, which nobody ignores, comes in any case. */
	const int sent[] = { SIGUSR1, SIGURG, SIGRTMIN };
	pid_t pid = child_after(ignore_usr1, NULL);
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	siginfo_t info = { 0 };

	ASSERT_OK(ptrace(PTRACE_SEIZE, pid, 0, 0));
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGTERM, NULL, 0));
	expect_trapped(pid, SIGTERM);
	for (int n = 0; n < 3; n++)
		EXPECT_OK(pidfd_send_signal_(pidfd, sent[n], NULL, 0));
	for (int n = 0; n < 3; n++) {
		ASSERT_OK(ptrace(PTRACE_CONT, pid, 0, 0));
		expect_trapped(pid, sent[n]);
	}
	ASSERT_OK(ptrace(PTRACE_CONT, pid, 0, SIGTERM));
	ASSERT_OK(waitid(P_PID, pid, &info, WEXITED));
	EXPECT_EQ(info.si_code, CLD_KILLED);
	EXPECT_EQ(info.si_status, SIGTERM);
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
