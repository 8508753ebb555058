// SPDX-License-Identifier: GPL-2.0-only
/* Numbers that stand for a pidfd of the caller itself, since 6.15. */
#include "pidfd.h"

PIDFD_CASES

/* include/uapi/linux/fcntl.h; -20000 in 6.15 and 6.16, where it stood in linux/pidfd.h. */
#define SELF_THREAD (-10000)
#define SELF_THREAD_GROUP (-10001)
#define SELF_THREAD_GROUP_FIRST (-20000)

PROBE(pidfd_self, 6, 15, "commit f08d0c3a7111")
{
	return pidfd_send_signal_(SELF_THREAD, 0, NULL, 0) == 0;
}

static int self_process(void)
{
	return pidfd_send_signal_(SELF_THREAD_GROUP, 0, NULL, 0) == 0 ? SELF_THREAD_GROUP
								    : SELF_THREAD_GROUP_FIRST;
}

static sigset_t block(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	return set;
}

static void *signal_own_thread(void *arg)
{
	EXPECT_OK(pidfd_send_signal_(SELF_THREAD, SIGUSR1, NULL, 0));
	return wait_in_thread(arg);
}

static void *signal_own_process(void *arg)
{
	EXPECT_OK(pidfd_send_signal_(self_process(), SIGUSR1, NULL, 0));
	return wait_in_thread(arg);
}

/* Whether the leader can take a signal that another thread sends to itself. */
static bool leader_takes(void *(*send)(void *))
{
	sigset_t set = block(SIGUSR1);
	struct timespec now = { 0, 0 };
	struct thread t;
	bool taken;

	start_thread_with(&t, send);
	taken = sigtimedwait(&set, NULL, &now) == SIGUSR1;
	end_thread(&t);
	return taken;
}

TEST(thread_signals_itself, NEEDS_PROBE(pidfd_self) PROMISED("commit f08d0c3a7111")
     DESCRIBE("PIDFD_SELF_THREAD: pending for the calling thread, no other can take it"))
{
	EXPECT_FALSE(leader_takes(signal_own_thread));
}

TEST(thread_signals_process, NEEDS_PROBE(pidfd_self) PROMISED("commit f08d0c3a7111")
     DESCRIBE("PIDFD_SELF_THREAD_GROUP by a thread: any thread can take it"))
{
	EXPECT_TRUE(leader_takes(signal_own_process));
}

TEST(process_signals_itself, NEEDS_PROBE(pidfd_self) PROMISED("commit f08d0c3a7111")
     DESCRIBE("PIDFD_SELF_THREAD_GROUP: the signal is for the process, SI_USER"))
{
	sigset_t set = block(SIGUSR1);
	siginfo_t info;

	ASSERT_OK(pidfd_send_signal_(self_process(), SIGUSR1, NULL, 0));
	EXPECT_EQ(sigwaitinfo(&set, &info), SIGUSR1);
	EXPECT_EQ(info.si_code, SI_USER);
}

TEST(neighbours_are_bad_descriptors, NEEDS_PROBE(pidfd_self) PROMISED("pidfd_send_signal(2), EBADF")
     DESCRIBE("the numbers beside them: EBADF"))
{
	EXPECT_ERRNO(pidfd_send_signal_(SELF_THREAD + 1, 0, NULL, 0), EBADF);
	EXPECT_ERRNO(pidfd_send_signal_(-10004, 0, NULL, 0), EBADF);
	EXPECT_ERRNO(pidfd_send_signal_(-1, 0, NULL, 0), EBADF);
}

TEST(memory_of_itself, NEEDS_PROBE(pidfd_self) PROMISED("process_madvise(2); commit f08d0c3a7111")
     DESCRIBE("process_madvise(2) takes them as well"))
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec range = { page, 4096 };

	ASSERT_TRUE(page != MAP_FAILED);
	EXPECT_EQ(process_madvise_(SELF_THREAD, &range, 1, MADV_COLD, 0), 4096);
	EXPECT_EQ(process_madvise_(self_process(), &range, 1, MADV_COLD, 0), 4096);
}

KCASE_MAIN
