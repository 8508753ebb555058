// SPDX-License-Identifier: GPL-2.0-only
/* What waitid(2) with P_PIDFD tells of a child's use of resources, and what it adds to the caller's. */
#include <time.h>

#include "pidfd.h"

EVERY_CASE(NEEDS_PROBE(p_pidfd) TIMEOUT(20))
PROBE_P_PIDFD

/* Pages, each of them a minor fault (getrusage(2), ru_minflt). */
#define OWN 500
#define CHILD 1000
/* More than any of these processes has: what was never written says anything. */
#define FAULTS_MAX 1000000

static void touch_pages(int count)
{
	size_t page = sysconf(_SC_PAGESIZE);
	volatile char *memory = mmap(NULL, count * page, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		_exit(KC_FAIL);
	/* No larger pages; EINVAL where the kernel knows none. */
	madvise((void *)memory, count * page, MADV_NOHUGEPAGE);
	for (int n = 0; n < count; n++)
		memory[n * page] = 1;
}

static long faults_of_children(void)
{
	struct rusage usage;

	ASSERT_OK(getrusage(RUSAGE_CHILDREN, &usage));
	return usage.ru_minflt;
}

/* A process that has waited for a child of its own before it ends. */
static pid_t parent_that_ends(void)
{
	pid_t pid = ASSERT_OK(kc_fork());
	int status;

	if (pid == 0) {
		touch_pages(OWN);
		pid = fork();
		if (pid == 0) {
			touch_pages(CHILD);
			_exit(0);
		}
		_exit(waitpid(pid, &status, 0) == pid && status == 0 ? 0 : KC_FAIL);
	}
	CLEANUP(kill_and_reap, pid);
	return pid;
}

/* getrusage(2), RUSAGE_CHILDREN: "will include the resources used by grandchildren". */
TEST(counts_child_and_its_children,
     PROMISED("waitid(2), C library/kernel differences; getrusage(2), RUSAGE_CHILDREN")
     DESCRIBE("of a child and a grandchild that it waited for; added to the caller's with the wait"))
{
	struct rusage peek = { 0 }, usage = { 0 };
	siginfo_t info = { 0 };
	long before = faults_of_children();
	pid_t pid = parent_that_ends();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	ASSERT_EQ(waitid_(P_PIDFD_, pidfd, &info, WEXITED | WNOWAIT, &peek), 0);
	ASSERT_EQ(info.si_status, 0);
	EXPECT_GE(peek.ru_minflt, OWN + CHILD);
	EXPECT_LT(peek.ru_minflt, FAULTS_MAX);
	/* "That have terminated and been waited for": to look is not to wait. */
	EXPECT_EQ(faults_of_children(), before);
	ASSERT_EQ(waitid_(P_PIDFD_, pidfd, &info, WEXITED, &usage), 0);
	EXPECT_EQ(usage.ru_minflt, peek.ru_minflt);
	EXPECT_EQ(faults_of_children(), before + usage.ru_minflt);
}

static void *touch_in_thread(void *arg)
{
	touch_pages(CHILD);
	return arg;
}

/* getrusage(2), RUSAGE_SELF: "the sum of resources used by all threads in the process". */
TEST(counts_threads_that_ended, PROMISED("waitid(2), C library/kernel differences; getrusage(2), RUSAGE_SELF")
     DESCRIBE("what a thread has used that ended before its process is the process's"))
{
	struct rusage usage = { 0 };
	siginfo_t info = { 0 };
	pthread_t thread;
	pid_t pid = ASSERT_OK(kc_fork());

	if (pid == 0) {
		touch_pages(OWN);
		if (pthread_create(&thread, NULL, touch_in_thread, NULL) || pthread_join(thread, NULL))
			_exit(KC_FAIL);
		_exit(0);
	}
	CLEANUP(kill_and_reap, pid);
	ASSERT_EQ(waitid_(P_PIDFD_, ASSERT_OK(pidfd_open_(pid, 0)), &info, WEXITED, &usage), 0);
	ASSERT_EQ(info.si_status, 0);
	EXPECT_GE(usage.ru_minflt, OWN + CHILD);
	EXPECT_LT(usage.ru_minflt, FAULTS_MAX);
	EXPECT_EQ(faults_of_children(), usage.ru_minflt);
}

static long microseconds(const struct rusage *usage)
{
	return (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000L +
	       usage->ru_utime.tv_usec + usage->ru_stime.tv_usec;
}

#define BURNT_US 30000
/* Some kernels take the two from different clocks (kernel/sched/cputime.c). */
#define TOLD_US (BURNT_US / 2)

TEST(has_time_of_child, PROMISED("waitid(2), C library/kernel differences; getrusage(2), ru_utime")
     DESCRIBE("of 30 ms of its CPU time half at least, in the usage and among the caller's children"))
{
	struct rusage usage = { 0 }, children;
	siginfo_t info = { 0 };
	struct timespec used;
	pid_t pid = ASSERT_OK(kc_fork());

	if (pid == 0) {
		do
			clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
		while (used.tv_sec == 0 && used.tv_nsec < BURNT_US * 1000);
		_exit(0);
	}
	CLEANUP(kill_and_reap, pid);
	ASSERT_EQ(waitid_(P_PIDFD_, ASSERT_OK(pidfd_open_(pid, 0)), &info, WEXITED, &usage), 0);
	EXPECT_GE(microseconds(&usage), TOLD_US);
	ASSERT_OK(getrusage(RUSAGE_CHILDREN, &children));
	EXPECT_GE(microseconds(&children), TOLD_US);
}

static void touch_own_pages(void *arg)
{
	(void)arg;
	touch_pages(OWN);
}

TEST(is_told_at_stop_and_continue, PROMISED("waitid(2), C library/kernel differences")
     DESCRIBE("what a child has used that is stopped, or goes on; nothing is added to the caller's"))
{
	pid_t pid = child_after(touch_own_pages, NULL);
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	long before = faults_of_children();
	struct rusage usage = { 0 };
	siginfo_t info;

	ASSERT_OK(kill(pid, SIGSTOP));
	ASSERT_EQ(waitid_(P_PIDFD_, pidfd, &info, WSTOPPED, &usage), 0);
	EXPECT_GE(usage.ru_minflt, OWN);
	EXPECT_LT(usage.ru_minflt, FAULTS_MAX);
	memset(&usage, 0, sizeof(usage));
	ASSERT_OK(kill(pid, SIGCONT));
	ASSERT_EQ(waitid_(P_PIDFD_, pidfd, &info, WCONTINUED, &usage), 0);
	EXPECT_GE(usage.ru_minflt, OWN);
	EXPECT_LT(usage.ru_minflt, FAULTS_MAX);
	EXPECT_EQ(faults_of_children(), before);
}

TEST(needs_an_event, PROMISED("waitid(2), WNOHANG; kernel/exit.c, waitid()")
     DESCRIBE("a child that lives, no child: the place for the usage stays as it was"))
{
	struct rusage usage, same;
	siginfo_t info;
	int child = ASSERT_OK(pidfd_open_(sleeping_child(), 0));
	int own = ASSERT_OK(pidfd_open_(getpid(), 0));

	memset(&usage, 0x5a, sizeof(usage));
	memset(&same, 0x5a, sizeof(same));
	EXPECT_EQ(waitid_(P_PIDFD_, child, &info, WEXITED | WNOHANG, &usage), 0);
	EXPECT_EQ(memcmp(&usage, &same, sizeof(usage)), 0);
	EXPECT_ERRNO(waitid_(P_PIDFD_, own, &info, WEXITED | WNOHANG, &usage), ECHILD);
	EXPECT_EQ(memcmp(&usage, &same, sizeof(usage)), 0);
}

TEST(rejects_bad_place, PROMISED("getrusage(2), EFAULT; kernel/exit.c, waitid()")
     DESCRIBE("a usage that cannot be stored: EFAULT, at a stop and at the end"))
{
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	siginfo_t info;

	ASSERT_OK(kill(pid, SIGSTOP));
	EXPECT_ERRNO(waitid_(P_PIDFD_, pidfd, &info, WSTOPPED, (void *)8), EFAULT);
	ASSERT_OK(kill(pid, SIGKILL));
	EXPECT_ERRNO(waitid_(P_PIDFD_, pidfd, &info, WEXITED | WNOWAIT, (void *)8), EFAULT);
	EXPECT_ERRNO(waitid_(P_PIDFD_, pidfd, NULL, WEXITED | WNOWAIT, (void *)8), EFAULT);
}

KCASE_MAIN
