// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls against the end of a process, its number's next owner, and each other.
 * Each loop is bounded by time; what may come of a call is the same whoever wins.
 */
#include <sys/epoll.h>
#include <time.h>

#include "pidfd.h"

PIDFD_CASES
PROBE_PIDFD_THREAD

#define LOOP_S 1.0

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static pid_t ends_after(unsigned int spins)
{
	pid_t pid = ASSERT_OK(kc_fork());

	if (pid == 0) {
		for (volatile unsigned int n = 0; n < spins; n++)
			;
		_exit(3);
	}
	return pid;
}

TEST(open_against_end, PROMISED("pidfd_open(2), ESRCH")
     DESCRIBE("a zombie can be opened until it is reaped: never anything but success"))
{
	double end = seconds() + LOOP_S;

	for (unsigned int n = 0; seconds() < end; n++) {
		pid_t pid = ends_after(n % 64 * 100);
		int pidfd = ASSERT_OK(pidfd_open_(pid, 0));
		siginfo_t info = { 0 };
		struct pollfd fd = { pidfd, POLLIN, 0 };

		ASSERT_EQ(poll(&fd, 1, -1), 1);
		ASSERT_OK(waitid(P_PID, pid, &info, WEXITED));
		ASSERT_EQ(info.si_status, 3);
		ASSERT_ERRNO(is_there(pidfd), ESRCH);
		close(pidfd);
	}
}

TEST(signal_against_end, PROMISED("pidfd_send_signal(2), ESRCH")
     DESCRIBE("0 until the process is reaped, ESRCH from then on, nothing else between"))
{
	double end = seconds() + LOOP_S;

	for (unsigned int n = 0; seconds() < end; n++) {
		pid_t reaper, pid = ASSERT_OK(kc_fork());
		int pidfd, gone = 0, status;

		/* The target's parent reaps it while this process signals. */
		if (pid == 0)
			_exit(0);
		pidfd = ASSERT_OK(pidfd_open_(pid, 0));
		reaper = ASSERT_OK(kc_fork());
		if (reaper == 0) {
			double limit = seconds() + 15;

			while (seconds() < limit && !gone) {
				int result = is_there(pidfd);

				if (result != 0 && errno != ESRCH)
					_exit(2);
				gone = result != 0;
			}
			_exit(gone && is_there(pidfd) != 0 && errno == ESRCH ? 0 : 1);
		}
		for (volatile unsigned int spin = 0; spin < n % 64 * 50; spin++)
			;
		reap(pid);
		ASSERT_EQ(waitpid(reaper, &status, 0), reaper);
		ASSERT_EQ(status, 0);
		close(pidfd);
	}
}

static void signal_recyclers(void)
{
	double end = seconds() + LOOP_S;
	int *hits = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t first = sleeping_child_with_pid(RECYCLED_PID), sender;
	int pidfd;

	if (first < 0 && (errno == ENOSYS || errno == EINVAL || errno == E2BIG))
		SKIP("needs clone3 with set_tid (kernel 5.5)");
	ASSERT_EQ(first, RECYCLED_PID);
	pidfd = ASSERT_OK(pidfd_open_(first, 0));
	sender = ASSERT_OK(kc_fork());
	if (sender == 0)
		for (;;)
			if (pidfd_send_signal_(pidfd, SIGTERM, NULL, 0) == 0)
				hits[0]++;
	kill(first, SIGKILL);
	reap(first);
	for (hits[1] = 0; seconds() < end; hits[1]++) {
		int status = 0;
		pid_t pid = sleeping_child_with_pid(RECYCLED_PID);

		ASSERT_EQ(pid, RECYCLED_PID);
		sched_yield();
		/* Alive, and ended by nothing but what is sent here by number. */
		ASSERT_EQ(waitpid(pid, &status, WNOHANG), 0);
		kill(pid, SIGKILL);
		ASSERT_EQ(waitpid(pid, &status, 0), pid);
		ASSERT_EQ(WTERMSIG(status), SIGKILL);
	}
	EXPECT_GT(hits[1], 0);
	kill(sender, SIGKILL);
	reap(sender);
}

TEST(signal_against_recycling, NEEDS_KERNEL(5, 5) NEEDS_CONFIG(PID_NS) NEEDS_ROOT
     PROMISED("pidfd_send_signal(2), ESRCH; cover letter: recycled pids")
     DESCRIBE("a stream of SIGTERM through an old pidfd hits none of those that follow"))
{
	in_pid_namespace(signal_recyclers);
}

/* The wake-up must not fall between the look and the sleep. */
TEST(poll_against_end, PROMISED("pidfd_open(2)")
     DESCRIBE("a process that ends while poll goes to sleep: none is missed"))
{
	double end = seconds() + LOOP_S;

	for (unsigned int n = 0; seconds() < end; n++) {
		pid_t pid = ends_after(n % 100 * 200);
		struct pollfd fd = { ASSERT_OK(pidfd_open_(pid, 0)), POLLIN, 0 };

		ASSERT_EQ(poll(&fd, 1, -1), 1);
		close(fd.fd);
		reap(pid);
	}
}

TEST(waitid_against_end, NEEDS_KERNEL(5, 4) PROMISED("waitid(2), P_PIDFD")
     DESCRIBE("a process that ends while waitid goes to sleep: none is missed"))
{
	double end = seconds() + LOOP_S;

	for (unsigned int n = 0; seconds() < end; n++) {
		siginfo_t info = { 0 };
		pid_t pid = ends_after(n % 100 * 200);
		int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

		ASSERT_OK(waitid(P_PIDFD_, pidfd, &info, WEXITED));
		ASSERT_EQ(info.si_pid, pid);
		close(pidfd);
	}
}

/* Many threads on one pidfd: opens, polls, signals, closes, while the process ends. */
struct crowd {
	pid_t pid;
	int pidfd;
	unsigned int wrong;
};

static void *crowd_member(void *arg)
{
	struct crowd *crowd = arg;

	for (;;) {
		struct pollfd fd = { crowd->pidfd, POLLIN, 0 };
		int own = pidfd_open_(crowd->pid, 0);

		/* EINVAL: reaped between the look for its number and the one for its leader (to 6.15). */
		if (own < 0 && errno != ESRCH && errno != EINVAL)
			__atomic_fetch_add(&crowd->wrong, 1, __ATOMIC_SEQ_CST);
		if (own >= 0 && close(own) != 0)
			__atomic_fetch_add(&crowd->wrong, 1, __ATOMIC_SEQ_CST);
		if (is_there(crowd->pidfd) != 0 && errno != ESRCH)
			__atomic_fetch_add(&crowd->wrong, 1, __ATOMIC_SEQ_CST);
		if (poll(&fd, 1, 0) == 1 && is_there(crowd->pidfd) != 0)
			return NULL;
	}
}

TEST(crowd_against_end, PROMISED("pidfd_open(2), pidfd_send_signal(2)")
     DESCRIBE("eight threads use a pidfd while its process ends and is reaped"))
{
	double end = seconds() + LOOP_S;

	while (seconds() < end) {
		struct crowd crowd = { .pid = sleeping_child() };
		pthread_t threads[8];

		kc_cleanup_count--;	/* reaped below */
		crowd.pidfd = ASSERT_OK(pidfd_open_(crowd.pid, 0));
		for (int n = 0; n < 8; n++)
			ASSERT_EQ(pthread_create(&threads[n], NULL, crowd_member, &crowd), 0);
		kill(crowd.pid, SIGKILL);
		reap(crowd.pid);
		for (int n = 0; n < 8; n++)
			pthread_join(threads[n], NULL);
		ASSERT_EQ(crowd.wrong, 0);
		close(crowd.pidfd);
	}
}

KCASE_MAIN
