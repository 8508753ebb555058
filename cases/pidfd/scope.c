// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whom a signal through a pidfd reaches: a thread, the process, the process
 * group. Cover letter: "pidfd_send_signal() can target ... individual threads"
 * (there PIDFD_SIGNAL_TID); in mainline pidfds of threads and three flags.
 */
#include "pidfd.h"
#include "signals.h"

PIDFD_CASES
PROBE_PIDFD_THREAD
PROBE_SIGNAL_SCOPES

#define SCOPES NEEDS_PROBE(signal_scopes) NEEDS_PROBE(pidfd_thread)

/* A thread that says what it found pending of its own or of its process. */
struct listener {
	struct thread thread;
	siginfo_t info;
	int got;
};

static void *take_when_told(void *arg)
{
	struct listener *l = arg;

	wait_in_thread(&l->thread);
	l->got = take(SIGUSR1, &l->info);
	return NULL;
}

/* SIGUSR1 is blocked in all threads, so it stays where it was sent to. */
static void start_listener(struct listener *l)
{
	block(SIGUSR1);
	start_thread_with(&l->thread, take_when_told);
}

TEST(thread_pidfd_signals_thread, SCOPES PROMISED("pidfd_send_signal(2), flags")
     DESCRIBE("through a pidfd of a thread: pending for that thread alone, SI_TKILL"))
{
	struct listener l;
	siginfo_t info;
	int pidfd;

	start_listener(&l);
	pidfd = ASSERT_OK(pidfd_open_(l.thread.tid, PIDFD_THREAD_));
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, 0));
	EXPECT_ERRNO(take(SIGUSR1, &info), EAGAIN);
	end_thread(&l.thread);
	EXPECT_EQ(l.got, SIGUSR1);
	EXPECT_EQ(l.info.si_code, SI_TKILL);
	EXPECT_EQ(l.info.si_pid, getpid());
}

TEST(process_pidfd_signals_process, PROMISED("pidfd_send_signal(2)")
     DESCRIBE("through a pidfd of a process: any thread can take it, SI_USER"))
{
	struct listener l;

	start_listener(&l);
	EXPECT_OK(pidfd_send_signal_(ASSERT_OK(pidfd_open_(getpid(), 0)), SIGUSR1, NULL, 0));
	end_thread(&l.thread);
	EXPECT_EQ(l.got, SIGUSR1);
	EXPECT_EQ(l.info.si_code, SI_USER);
}

TEST(flag_makes_thread_of_process, SCOPES PROMISED("pidfd_send_signal(2), PIDFD_SIGNAL_THREAD")
     DESCRIBE("the leader's pidfd with the flag: pending for the leader alone"))
{
	struct listener l;
	siginfo_t info;
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	start_listener(&l);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, SIGNAL_THREAD));
	end_thread(&l.thread);
	EXPECT_NE(l.got, SIGUSR1);
	EXPECT_EQ(take(SIGUSR1, &info), SIGUSR1);
	EXPECT_EQ(info.si_code, SI_TKILL);
}

TEST(flag_makes_process_of_thread, SCOPES
     PROMISED("pidfd_send_signal(2), PIDFD_SIGNAL_THREAD_GROUP")
     DESCRIBE("a thread's pidfd with the flag: the whole process, SI_USER"))
{
	struct listener l;
	siginfo_t info;
	int pidfd;

	start_listener(&l);
	pidfd = ASSERT_OK(pidfd_open_(l.thread.tid, PIDFD_THREAD_));
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, SIGNAL_THREAD_GROUP));
	EXPECT_EQ(take(SIGUSR1, &info), SIGUSR1);
	EXPECT_EQ(info.si_code, SI_USER);
	end_thread(&l.thread);
}

/* A group of two children that block SIGUSR1 and wait for it; each exits with 7 once it came. */
static void wait_in_group(void *leader)
{
	pid_t group = (pid_t)(intptr_t)leader;

	block(SIGUSR1);
	block(SIGUSR2);
	ASSERT_OK(setpgid(0, group));
}

TEST(flag_signals_process_group, SCOPES
     PROMISED("pidfd_send_signal(2), PIDFD_SIGNAL_PROCESS_GROUP")
     DESCRIBE("every process of the group that the pidfd's process leads, and none besides"))
{
	pid_t leader = child_after(wait_in_group, NULL);
	pid_t member = child_after(wait_in_group, (void *)(intptr_t)leader);
	pid_t outside = child_after(wait_in_group, NULL);
	int pidfd = ASSERT_OK(pidfd_open_(leader, 0));

	EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, SIGNAL_PROCESS_GROUP));
	EXPECT_TRUE(has_pending(leader, SIGUSR1));
	EXPECT_TRUE(has_pending(member, SIGUSR1));
	EXPECT_FALSE(has_pending(outside, SIGUSR1));
	/* Without the flag the leader alone. */
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR2, NULL, 0));
	EXPECT_TRUE(has_pending(leader, SIGUSR2));
	EXPECT_FALSE(has_pending(member, SIGUSR2));
}

static void wait_in_group_as_user(void *leader)
{
	wait_in_group(leader);
	become((void *)NOBODY);
}

TEST(group_needs_one_that_may_be_signalled, SCOPES NEEDS_ROOT PROMISED("kill(2), EPERM")
     DESCRIBE("a user to a group: those of that user's get the signal, and it is EPERM where none is"))
{
	pid_t leader = child_after(wait_in_group, NULL);
	int pidfd = ASSERT_OK(pidfd_open_(leader, 0));
	pid_t member;

	IN_CHILD {
		become((void *)NOBODY);
		EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGUSR1, NULL, SIGNAL_PROCESS_GROUP), EPERM);
	}
	member = child_after(wait_in_group_as_user, (void *)(intptr_t)leader);
	IN_CHILD {
		become((void *)NOBODY);
		EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, SIGNAL_PROCESS_GROUP));
	}
	EXPECT_TRUE(has_pending(member, SIGUSR1));
	EXPECT_FALSE(has_pending(leader, SIGUSR1));
}

/* kill(2), EPERM: no permission for "any of the target processes"; whichever of them comes first. */
TEST(one_that_may_be_signalled_is_enough, SCOPES NEEDS_ROOT PROMISED("kill(2), EPERM, NOTES")
     DESCRIBE("a user to a group: 0 where the own one is the older of two, and where it is the younger"))
{
	pid_t leaders[2], members[2];
	int pidfd[2];

	leaders[0] = child_after(wait_in_group_as_user, NULL);
	members[0] = child_after(wait_in_group, (void *)(intptr_t)leaders[0]);
	leaders[1] = child_after(wait_in_group, NULL);
	members[1] = child_after(wait_in_group_as_user, (void *)(intptr_t)leaders[1]);
	for (int n = 0; n < 2; n++)
		pidfd[n] = ASSERT_OK(pidfd_open_(leaders[n], 0));
	IN_CHILD {
		become((void *)NOBODY);
		for (int n = 0; n < 2; n++)
			EXPECT_OK(pidfd_send_signal_(pidfd[n], SIGUSR1, NULL, SIGNAL_PROCESS_GROUP));
	}
	EXPECT_TRUE(has_pending(leaders[0], SIGUSR1));
	EXPECT_FALSE(has_pending(members[0], SIGUSR1));
	EXPECT_FALSE(has_pending(leaders[1], SIGUSR1));
	EXPECT_TRUE(has_pending(members[1], SIGUSR1));
}

/* A member that ends with 7 when the signal came from where it should. */
static pid_t member_that_hears_of(pid_t sender, uint64_t flags)
{
	struct clone_args args = { .exit_signal = SIGCHLD, .flags = flags };
	pid_t pid = ASSERT_OK(syscall(NR_clone3, &args, sizeof(args)));
	siginfo_t info = { 0 };
	sigset_t set;

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		_exit(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_pid == sender ? 7 : 8);
	}
	CLEANUP(kill_and_reap, pid);
	return pid;
}

static void expect_seven(pid_t pid)
{
	int status = 0;

	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WEXITSTATUS(status), 7);
}

/* What one member is told is no other's (kernel/signal.c, send_signal_locked()). */
TEST(each_of_a_group_is_told_the_sender, SCOPES NEEDS_CONFIG(PID_NS) NEEDS_ROOT
     PROMISED("pidfd_send_signal(2), PIDFD_SIGNAL_PROCESS_GROUP; pid_namespaces(7)")
     DESCRIBE("a member in an inner pid namespace has si_pid 0, those before and after it the number"))
{
	pid_t leader, inner, last;

	block(SIGUSR1);
	leader = member_that_hears_of(getpid(), 0);
	ASSERT_OK(setpgid(leader, leader));
	inner = member_that_hears_of(0, CLONE_NEWPID);
	ASSERT_OK(setpgid(inner, leader));
	last = member_that_hears_of(getpid(), 0);
	ASSERT_OK(setpgid(last, leader));
	EXPECT_OK(pidfd_send_signal_(ASSERT_OK(pidfd_open_(leader, 0)), SIGUSR1, NULL,
				     SIGNAL_PROCESS_GROUP));
	expect_seven(inner);
	expect_seven(leader);
	expect_seven(last);
}

TEST(process_that_leads_no_group_is_missed, SCOPES PROMISED("kill(2), ESRCH")
     DESCRIBE("PIDFD_SIGNAL_PROCESS_GROUP through a mere member's pidfd: ESRCH"))
{
	int pidfd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));

	EXPECT_ERRNO(pidfd_send_signal_(pidfd, 0, NULL, SIGNAL_PROCESS_GROUP), ESRCH);
}

TEST(group_outlives_its_leader, SCOPES PROMISED("pidfd_send_signal(2)")
     DESCRIBE("a reaped leader's pidfd still reaches the group, and no process by itself"))
{
	pid_t leader = child_after(wait_in_group, NULL);
	pid_t member = child_after(wait_in_group, (void *)(intptr_t)leader);
	int pidfd = ASSERT_OK(pidfd_open_(leader, 0));

	ASSERT_OK(kill(leader, SIGKILL));
	reap(leader);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, SIGNAL_PROCESS_GROUP));
	EXPECT_TRUE(has_pending(member, SIGUSR1));
	EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGUSR1, NULL, 0), ESRCH);
}

TEST(forging_to_own_group_is_refused, SCOPES PROMISED("pidfd_send_signal(2), EPERM")
     DESCRIBE("a kernel's si_code to a process group, though the sender leads it: EPERM"))
{
	siginfo_t info = { .si_signo = SIGUSR1, .si_code = SI_USER };
	int pidfd;

	ASSERT_OK(setpgid(0, 0));
	block(SIGUSR1);
	pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, &info, SIGNAL_THREAD_GROUP));
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, &info, SIGNAL_THREAD));
	EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGUSR1, &info, SIGNAL_PROCESS_GROUP), EPERM);
	info.si_code = SI_TKILL;
	EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGUSR1, &info, SIGNAL_PROCESS_GROUP), EPERM);
	info.si_code = SI_QUEUE;
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, &info, SIGNAL_PROCESS_GROUP));
}

TEST(forging_to_another_thread_is_refused, SCOPES PROMISED("pidfd_send_signal(2), EPERM")
     DESCRIBE("a kernel's si_code to a child's thread, to one's own process's other thread: EPERM"))
{
	static const int codes[] = { SI_USER, SI_KERNEL, SI_TKILL };
	pid_t pid = sleeping_child();
	struct thread t;
	int pidfd[3];

	start_thread(&t);
	pidfd[0] = ASSERT_OK(pidfd_open_(pid, 0));
	pidfd[1] = ASSERT_OK(pidfd_open_(pid, PIDFD_THREAD_));
	pidfd[2] = ASSERT_OK(pidfd_open_(t.tid, PIDFD_THREAD_));
	for (size_t n = 0; n < sizeof(codes) / sizeof(codes[0]); n++) {
		siginfo_t info = { .si_signo = SIGCONT, .si_code = codes[n] };

		for (int to = 0; to < 3; to++)
			EXPECT_ERRNO(pidfd_send_signal_(pidfd[to], SIGCONT, &info, SIGNAL_THREAD), EPERM);
		EXPECT_ERRNO(pidfd_send_signal_(pidfd[1], SIGCONT, &info, 0), EPERM);
		EXPECT_ERRNO(pidfd_send_signal_(pidfd[2], SIGCONT, &info, 0), EPERM);
	}
	end_thread(&t);
}

TEST(rejects_every_pair_of_scopes, SCOPES PROMISED("pidfd_send_signal(2), EINVAL")
     DESCRIBE("any two or all three flags: EINVAL"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	for (unsigned int flags = 1; flags < 8; flags++)
		if (__builtin_popcount(flags) == 1)
			EXPECT_OK(pidfd_send_signal_(pidfd, 0, NULL, flags == 4 ? 0 : flags));
		else
			EXPECT_ERRNO(pidfd_send_signal_(pidfd, 0, NULL, flags), EINVAL);
	EXPECT_ERRNO(pidfd_send_signal_(pidfd, 0, NULL, SIGNAL_THREAD | 8), EINVAL);
}

TEST(thread_that_ended_is_missed, SCOPES PROMISED("pidfd_send_signal(2), ESRCH")
     DESCRIBE("a pidfd of a thread that is gone: ESRCH in every scope"))
{
	struct thread t;
	int pidfd;

	start_thread(&t);
	pidfd = ASSERT_OK(pidfd_open_(t.tid, PIDFD_THREAD_));
	end_thread(&t);
	EXPECT_ERRNO(is_there(pidfd), ESRCH);
	EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGKILL, NULL, SIGNAL_THREAD), ESRCH);
	EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGKILL, NULL, SIGNAL_THREAD_GROUP), ESRCH);
}

/* A signal to the process is for any thread that does not block it (signal(7)); a dead one takes none. */
TEST(signal_finds_thread_beside_dead_leader, PROMISED("signal(7); kernel/signal.c, wants_signal()")
     DESCRIBE("the leader has exited, a thread sleeps: its handler runs"))
{
	pid_t pid;

	/* The child inherits the handler. */
	tell_of(SIGUSR1);
	pid = process_without_leader();
	EXPECT_OK(pidfd_send_signal_(ASSERT_OK(pidfd_open_(pid, 0)), SIGUSR1, NULL, 0));
	EXPECT_TRUE(handler_ran());
}

/* SIGKILL ends processes, whichever thread it is sent to (signal(7)). */
static void have_thread(void *arg)
{
	static struct thread t;

	start_thread(&t);
	*(volatile pid_t *)arg = t.tid;
}

TEST(kill_of_thread_ends_process, SCOPES PROMISED("signal(7)")
     DESCRIBE("SIGKILL through a thread's pidfd ends the whole process"))
{
	int status = 0;
	pid_t *tid = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = child_after(have_thread, tid);

	EXPECT_OK(pidfd_send_signal_(ASSERT_OK(pidfd_open_(*tid, PIDFD_THREAD_)), SIGKILL, NULL, 0));
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

KCASE_MAIN
