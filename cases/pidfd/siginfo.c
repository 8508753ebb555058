// SPDX-License-Identifier: GPL-2.0-only
/* What a signal through a pidfd tells: who sent it, what was passed along, and how much fits. */
#include "pidfd.h"
#include "signals.h"

PIDFD_CASES
PROBE_SIGNAL_SCOPES

static void *signal_process(void *pidfd)
{
	EXPECT_OK(pidfd_send_signal_((int)(intptr_t)pidfd, SIGUSR1, NULL, 0));
	return NULL;
}

/* sigaction(2), si_pid: "sending process ID". */
TEST(sender_is_the_process_of_a_thread, PROMISED("sigaction(2), si_pid; pidfd_send_signal(2)")
     DESCRIBE("a thread that is no leader sends: si_pid is the number of its process"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));
	siginfo_t info = { 0 };
	pthread_t thread;

	block(SIGUSR1);
	ASSERT_EQ(pthread_create(&thread, NULL, signal_process, (void *)(intptr_t)pidfd), 0);
	ASSERT_EQ(pthread_join(thread, NULL), 0);
	ASSERT_EQ(take(SIGUSR1, &info), SIGUSR1);
	EXPECT_EQ(info.si_pid, getpid());
}

TEST(sender_is_told_by_its_real_uid, NEEDS_ROOT PROMISED("sigaction(2), si_uid")
     DESCRIBE("si_uid is the real uid of the sender, not the effective or the saved one"))
{
	uid_t ids[3] = { 1000, 2000, 3000 };

	block(SIGUSR1);
	IN_CHILD {
		siginfo_t info = { 0 };

		set_ids(ids);
		EXPECT_OK(pidfd_send_signal_(ASSERT_OK(pidfd_open_(getpid(), 0)), SIGUSR1, NULL, 0));
		ASSERT_EQ(take(SIGUSR1, &info), SIGUSR1);
		EXPECT_EQ(info.si_uid, 1000);
	}
}

#define INSIDE 100	/* root of outside, in the user namespace */
#define UNMAPPED 5
#define OVERFLOW 65534	/* /proc/sys/kernel/overflowuid */

static siginfo_t queued(int sig, uid_t uid)
{
	siginfo_t info = { .si_signo = sig, .si_code = SI_QUEUE };

	info.si_uid = uid;
	return info;
}

static void send_queued(int pidfd, int sig, uid_t uid)
{
	siginfo_t info = queued(sig, uid);

	EXPECT_OK(pidfd_send_signal_(pidfd, sig, &info, 0));
}

static void expect_from(int sig, uid_t uid)
{
	siginfo_t info = { .si_uid = -1 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	ASSERT_EQ(sigwaitinfo(&set, &info), sig);
	EXPECT_EQ(info.si_uid, uid);
}

static void hear_and_answer(void *outside)
{
	int pidfd = (int)(intptr_t)outside;

	expect_from(SIGUSR1, INSIDE);
	expect_from(SIGRTMIN, INSIDE);
	expect_from(SIGRTMIN, OVERFLOW);
	/* To oneself there is nothing to translate. */
	EXPECT_OK(pidfd_send_signal_(ASSERT_OK(pidfd_open_(getpid(), 0)), SIGUSR1, NULL, 0));
	expect_from(SIGUSR1, INSIDE);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, 0));
	send_queued(pidfd, SIGRTMIN, INSIDE);
	send_queued(pidfd, SIGRTMIN, UNMAPPED);
}

/* kernel/signal.c, send_signal_locked(). */
TEST(uid_is_as_the_receiver_counts, NEEDS_CONFIG(USER_NS) NEEDS_ROOT
     PROMISED("user_namespaces(7); commit 7a0cf094944e")
     DESCRIBE("into a user namespace and out of it, by default and queued: si_uid as it is mapped there"))
{
	int pidfd, own = ASSERT_OK(pidfd_open_(getpid(), 0));
	pid_t pid;

	block(SIGUSR1);
	block(SIGRTMIN);
	pid = start_in_user_namespace("100 0 1\n", hear_and_answer, (void *)(intptr_t)own);
	pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, 0));
	send_queued(pidfd, SIGRTMIN, 0);
	send_queued(pidfd, SIGRTMIN, UNMAPPED);
	kc_join(pid);
	expect_from(SIGUSR1, 0);
	expect_from(SIGRTMIN, 0);
	expect_from(SIGRTMIN, OVERFLOW);
}

/* sigqueue(3): the value is an integer or a pointer. */
TEST(carries_whole_pointer, PROMISED("pidfd_send_signal(2), info; sigqueue(3)")
     DESCRIBE("SI_QUEUE with a pointer that has every bit: as it was sent"))
{
	siginfo_t info = queued(SIGRTMIN, 0), got = { 0 };

	block(SIGRTMIN);
	info.si_value.sival_ptr = (void *)(UINTPTR_MAX / 3 * 2);
	EXPECT_OK(pidfd_send_signal_(ASSERT_OK(pidfd_open_(getpid(), 0)), SIGRTMIN, &info, 0));
	ASSERT_EQ(take(SIGRTMIN, &got), SIGRTMIN);
	EXPECT_TRUE(got.si_value.sival_ptr == info.si_value.sival_ptr);
}

/* To oneself and back: what is left of `info`. */
static siginfo_t returned(siginfo_t info)
{
	siginfo_t got = { 0 };

	block(info.si_signo);
	info.si_errno = 42;
	EXPECT_OK(pidfd_send_signal_(ASSERT_OK(pidfd_open_(getpid(), 0)), info.si_signo, &info, 0));
	ASSERT_EQ(take(info.si_signo, &got), info.si_signo);
	EXPECT_EQ(got.si_code, info.si_code);
	EXPECT_EQ(got.si_errno, 42);
	return got;
}

/* The fields that sigaction(2) has for each; a 32-bit program's are converted one by one. */
TEST(every_layout_arrives_as_sent, PROMISED("pidfd_send_signal(2), info; sigaction(2), siginfo_t")
     DESCRIBE("to oneself as of a child, a fault, a descriptor, a timer, seccomp: each field as it was"))
{
	siginfo_t child = { .si_signo = SIGCHLD, .si_code = CLD_EXITED };
	siginfo_t fault = { .si_signo = SIGSEGV, .si_code = SEGV_MAPERR };
	siginfo_t memory = { .si_signo = SIGBUS, .si_code = BUS_MCEERR_AR };
	siginfo_t io = { .si_signo = SIGPOLL, .si_code = POLL_IN };
	siginfo_t timer = { .si_signo = SIGRTMIN, .si_code = SI_TIMER };
	siginfo_t call = { .si_signo = SIGSYS, .si_code = 1 /* SYS_SECCOMP */ };

	child.si_pid = 4242;
	child.si_uid = 4343;
	child.si_status = 44;
	child.si_utime = 45;
	child.si_stime = 46;
	child = returned(child);
	EXPECT_EQ(child.si_pid, 4242);
	EXPECT_EQ(child.si_uid, 4343);
	EXPECT_EQ(child.si_status, 44);
	EXPECT_EQ(child.si_utime, 45);
	EXPECT_EQ(child.si_stime, 46);

	fault.si_addr = (void *)0x12345678;
	EXPECT_TRUE(returned(fault).si_addr == fault.si_addr);

	memory.si_addr = (void *)0x12345678;
	memory.si_addr_lsb = 12;
	EXPECT_TRUE(returned(memory).si_addr == memory.si_addr);
	EXPECT_EQ(returned(memory).si_addr_lsb, 12);

	io.si_band = 0x141;
	io.si_fd = 77;
	EXPECT_EQ(returned(io).si_band, 0x141);
	EXPECT_EQ(returned(io).si_fd, 77);

	timer.si_timerid = 47;
	timer.si_overrun = 48;
	timer.si_value.sival_int = 49;
	timer = returned(timer);
	EXPECT_EQ(timer.si_timerid, 47);
	EXPECT_EQ(timer.si_overrun, 48);
	EXPECT_EQ(timer.si_value.sival_int, 49);

	call.si_call_addr = (void *)0x12345678;
	call.si_syscall = 50;
	call.si_arch = 51;
	call = returned(call);
	EXPECT_TRUE(call.si_call_addr == (void *)0x12345678);
	EXPECT_EQ(call.si_syscall, 50);
	EXPECT_EQ(call.si_arch, 51);
}

/* The kernel keeps 48 of the 128 bytes; of a code that it knows the others say nothing. */
TEST(refuses_what_it_cannot_keep, PROMISED("kernel/signal.c, post_copy_siginfo_from_user(); commit 4ce5f9c9e754")
     DESCRIBE("an unknown si_code, and any byte set behind these: E2BIG; a known one: no matter"))
{
	siginfo_t info = queued(SIGRTMIN, 0);
	unsigned char *byte = (unsigned char *)&info;
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	if (sizeof(long) < 8)
		SKIP("is for 64-bit programs: a 32-bit siginfo is converted by its fields");
	block(SIGRTMIN);
	byte[sizeof(info) - 1] = 1;
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGRTMIN, &info, 0));
	info.si_code = -100;
	byte[sizeof(info) - 1] = 0;
	for (size_t n = 48; n < sizeof(info); n++) {
		byte[n] = 1;
		EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGRTMIN, &info, 0), E2BIG);
		byte[n] = 0;
	}
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGRTMIN, &info, 0));
}

/* By number, since the library keeps 32 and 33 to itself. */
TEST(every_realtime_signal_queues, PROMISED("signal(7), Real-time signals")
     DESCRIBE("32 to 64, each twice with a value: both arrive, in order"))
{
	siginfo_t info, got;
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	ASSERT_OK(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &(uint64_t){ ~0ull }, NULL, 8));
	for (int sig = 32; sig <= 64; sig++) {
		for (int n = 1; n <= 2; n++) {
			info = queued(sig, 0);
			info.si_value.sival_int = n;
			EXPECT_OK(pidfd_send_signal_(pidfd, sig, &info, 0));
		}
		for (int n = 1; n <= 2; n++) {
			EXPECT_EQ(take(sig, &got), sig);
			EXPECT_EQ(got.si_value.sival_int, n);
		}
		EXPECT_ERRNO(take(sig, &got), EAGAIN);
	}
}

/* So that nobody else's signals count: those of a uid, and of the next one, that no other process has. */
#define UID 54321
#define ROOM 3

TEST(queue_has_the_room_of_its_limit, NEEDS_ROOT PROMISED("getrlimit(2), RLIMIT_SIGPENDING; signal(7)")
     DESCRIBE("three values fit into a limit of three, a fourth is EAGAIN, and what is taken gives room"))
{
	siginfo_t info = queued(SIGRTMIN, 0), got;
	struct rlimit limit = { ROOM, ROOM };

	block(SIGRTMIN);
	IN_CHILD {
		int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

		become((void *)UID);
		ASSERT_OK(setrlimit(RLIMIT_SIGPENDING, &limit));
		for (int n = 0; n < ROOM; n++)
			EXPECT_OK(pidfd_send_signal_(pidfd, SIGRTMIN, &info, 0));
		for (int n = 0; n < 3 * ROOM; n++) {
			EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGRTMIN, &info, 0), EAGAIN);
			EXPECT_EQ(take(SIGRTMIN, &got), SIGRTMIN);
			EXPECT_OK(pidfd_send_signal_(pidfd, SIGRTMIN, &info, 0));
		}
	}
}

static void limit_room(void *uid)
{
	struct rlimit limit = { ROOM, ROOM };

	block(SIGRTMIN);
	become(uid);
	ASSERT_OK(setrlimit(RLIMIT_SIGPENDING, &limit));
}

/* As many values as the limit allows, and none more. */
static void fill(int pidfd, unsigned int flags)
{
	siginfo_t info = queued(SIGRTMIN, 0);

	for (int sent = 0; sent < ROOM; sent++)
		EXPECT_OK(pidfd_send_signal_(pidfd, SIGRTMIN, &info, flags));
	EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGRTMIN, &info, flags), EAGAIN);
}

/* Two processes of a user one after the other, whose queues are full at their ends. */
static void fill_and_kill(unsigned int flags)
{
	for (int n = 0; n < 2; n++) {
		pid_t pid = child_after(limit_room, (void *)UID);

		fill(ASSERT_OK(pidfd_open_(pid, 0)), flags);
		ASSERT_OK(kill(pid, SIGKILL));
		reap(pid);
	}
}

TEST(end_gives_the_room_back, NEEDS_ROOT PROMISED("getrlimit(2), RLIMIT_SIGPENDING; signal(7)")
     DESCRIBE("a process ends with a full queue: the user's next one has the same room"))
{
	fill_and_kill(0);
}

TEST(end_gives_the_room_of_a_thread_back, NEEDS_ROOT NEEDS_PROBE(signal_scopes)
     PROMISED("getrlimit(2), RLIMIT_SIGPENDING; signal(7)")
     DESCRIBE("the same of values that were for a thread"))
{
	fill_and_kill(SIGNAL_THREAD);
}

/* Discarded by prepare_signal() and by do_sigaction() (kernel/signal.c). */
TEST(what_is_discarded_gives_room, NEEDS_ROOT PROMISED("getrlimit(2), RLIMIT_SIGPENDING; signal(7)")
     DESCRIBE("stop signals and SIGCONT took each other back; a full queue is ignored: the same room again"))
{
	block(SIGTSTP);
	block(SIGCONT);
	IN_CHILD {
		int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));
		siginfo_t info;

		limit_room((void *)UID);
		for (int n = 0; n < 2 * ROOM; n++) {
			EXPECT_OK(pidfd_send_signal_(pidfd, SIGTSTP, NULL, 0));
			EXPECT_OK(pidfd_send_signal_(pidfd, SIGCONT, NULL, 0));
		}
		EXPECT_EQ(take(SIGCONT, &info), SIGCONT);
		fill(pidfd, 0);
		signal(SIGRTMIN, SIG_IGN);
		signal(SIGRTMIN, SIG_DFL);
		EXPECT_ERRNO(take(SIGRTMIN, &info), EAGAIN);
		fill(pidfd, 0);
	}
}

/* getrlimit(2): "queued for the real user ID", whoever sends; signal(7): "a per-user limit". */
TEST(room_is_that_of_the_receiver_s_user, NEEDS_ROOT
     PROMISED("getrlimit(2), RLIMIT_SIGPENDING; signal(7), Real-time signals")
     DESCRIBE("root fills a user's queue: no room for this user's other process, all of it for another user's"))
{
	siginfo_t info = queued(SIGRTMIN, 0);
	int one = ASSERT_OK(pidfd_open_(child_after(limit_room, (void *)UID), 0));
	int same = ASSERT_OK(pidfd_open_(child_after(limit_room, (void *)UID), 0));
	int other = ASSERT_OK(pidfd_open_(child_after(limit_room, (void *)(UID + 1)), 0));

	fill(one, 0);
	EXPECT_ERRNO(pidfd_send_signal_(same, SIGRTMIN, &info, 0), EAGAIN);
	fill(other, 0);
}

/*
 * getrlimit(2): "it is always possible to use kill(2) to queue one instance of any of the
 * signals that are not already queued to the process".
 */
TEST(full_queue_has_room_for_kill, PROMISED("getrlimit(2), RLIMIT_SIGPENDING; pidfd_send_signal(2): as by kill(2)")
     DESCRIBE("no siginfo, at a limit of 0: a real-time signal arrives, a standard one with its sender"))
{
	struct rlimit none = { 0, 0 };
	siginfo_t info = { 0 };
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	block(SIGRTMIN);
	block(SIGUSR1);
	ASSERT_OK(setrlimit(RLIMIT_SIGPENDING, &none));
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGRTMIN, NULL, 0));
	EXPECT_EQ(take(SIGRTMIN, &info), SIGRTMIN);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, 0));
	EXPECT_EQ(take(SIGUSR1, &info), SIGUSR1);
	EXPECT_EQ(info.si_code, SI_USER);
	EXPECT_EQ(info.si_pid, getpid());
}

TEST(full_queue_has_no_room_for_a_thread, NEEDS_PROBE(signal_scopes) PROMISED("tgkill(2), EAGAIN")
     DESCRIBE("PIDFD_SIGNAL_THREAD at a limit of 0: a real-time signal is EAGAIN, a standard one arrives"))
{
	struct rlimit none = { 0, 0 };
	siginfo_t info;
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	block(SIGRTMIN);
	block(SIGUSR1);
	ASSERT_OK(setrlimit(RLIMIT_SIGPENDING, &none));
	EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGRTMIN, NULL, SIGNAL_THREAD), EAGAIN);
	EXPECT_ERRNO(take(SIGRTMIN, &info), EAGAIN);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, SIGNAL_THREAD));
	EXPECT_EQ(take(SIGUSR1, &info), SIGUSR1);
}

/* To a group as to each process of it (kill(2)). */
TEST(group_is_told_as_processes_are, NEEDS_PROBE(signal_scopes)
     PROMISED("pidfd_send_signal(2), PIDFD_SIGNAL_PROCESS_GROUP; kill(2)")
     DESCRIBE("SI_USER and the sender; at a limit of 0 a real-time signal arrives"))
{
	struct rlimit none = { 0, 0 };
	siginfo_t info = { 0 };
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	ASSERT_OK(setpgid(0, 0));
	block(SIGUSR1);
	block(SIGRTMIN);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, SIGNAL_PROCESS_GROUP));
	ASSERT_EQ(take(SIGUSR1, &info), SIGUSR1);
	EXPECT_EQ(info.si_code, SI_USER);
	EXPECT_EQ(info.si_pid, getpid());
	ASSERT_OK(setrlimit(RLIMIT_SIGPENDING, &none));
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGRTMIN, NULL, SIGNAL_PROCESS_GROUP));
	EXPECT_EQ(take(SIGRTMIN, &info), SIGRTMIN);
}

KCASE_MAIN
