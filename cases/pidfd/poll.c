// SPDX-License-Identifier: GPL-2.0-only
/* poll(2) and its kin on a pidfd: silent while the process lives, readable from its end on. */
#include <sys/epoll.h>
#include <sys/ptrace.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>

#include "pidfd.h"

PIDFD_CASES
PROBE_PIDFD_THREAD
PROBE_PIDFS

#define READABLE (POLLIN | POLLRDNORM)

TEST(silent_while_process_lives, PROMISED("pidfd_open(2)")
     DESCRIBE("no event, whatever is asked for; also while it is stopped"))
{
	siginfo_t info;
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	EXPECT_EQ(polled(pidfd, ~0, 0), 0);
	ASSERT_OK(kill(pid, SIGSTOP));
	ASSERT_OK(waitid(P_PID, pid, &info, WSTOPPED));
	EXPECT_EQ(polled(pidfd, ~0, 0), 0);
}

TEST(zombie_is_readable, PROMISED("pidfd_open(2)")
     DESCRIBE("POLLIN and POLLRDNORM, nothing else, and it stays so"))
{
	int pidfd = ASSERT_OK(pidfd_open_(zombie_child(0), 0));

	EXPECT_EQ(polled(pidfd, ~0, 0), READABLE);
	EXPECT_EQ(polled(pidfd, POLLIN, 0), POLLIN);
	EXPECT_EQ(polled(pidfd, POLLOUT | POLLPRI, 0), 0);
}

TEST(reaped_process_is_readable, PROMISED("pidfd_open(2)") DESCRIBE("POLLIN after the parent has taken the status"))
{
	pid_t pid = zombie_child(0);
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	reap(pid);
	EXPECT_EQ(polled(pidfd, ~0, 0) & READABLE, READABLE);
}

/* commit 43f0df54c96f: "report EPOLLHUP when the process has been reaped". */
TEST(hangs_up_when_reaped, NEEDS_PROBE(pidfs) PROMISED("pidfd_open(2); commit 43f0df54c96f")
     DESCRIBE("POLLHUP for a reaped process, not for a zombie"))
{
	pid_t pid = zombie_child(0);
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	EXPECT_EQ(polled(pidfd, 0, 0), 0);
	reap(pid);
	EXPECT_EQ(polled(pidfd, 0, 0), POLLHUP);
	EXPECT_EQ(polled(pidfd, ~0, 0), READABLE | POLLHUP);
}

/* Ends `pid` once this process sleeps: the wake-up itself is what the case is about. */
static pid_t kill_soon(pid_t pid)
{
	pid_t killer = ASSERT_OK(kc_fork());

	if (killer == 0) {
		usleep(50000);
		_exit(kill(pid, SIGKILL) ? KC_FAIL : KC_PASS);
	}
	return killer;
}

TEST(wakes_at_end_of_process, PROMISED("pidfd_open(2)")
     DESCRIBE("a poll without time limit returns when the process is killed"))
{
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	pid_t killer = kill_soon(pid);

	EXPECT_EQ(polled(pidfd, POLLIN, -1), POLLIN);
	kc_join(killer);
}

TEST(wakes_without_reaping, PROMISED("pidfd_open(2)")
     DESCRIBE("what woke up finds the child a zombie that can be waited for"))
{
	siginfo_t info = { 0 };
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	pid_t killer = kill_soon(pid);

	EXPECT_EQ(polled(pidfd, POLLIN, -1), POLLIN);
	EXPECT_EQ(waitid(P_PID, pid, &info, WEXITED | WNOHANG), 0);
	EXPECT_EQ(info.si_pid, pid);
	kc_join(killer);
}

/* The wake-up says for which events it is (kernel/signal.c, do_notify_pidfd()). */
TEST(wakes_for_normal_data, PROMISED("pidfd_open(2); poll(2), POLLRDNORM")
     DESCRIBE("who waits for POLLRDNORM alone is woken as well"))
{
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	pid_t killer = kill_soon(pid);

	EXPECT_EQ(polled(pidfd, POLLRDNORM, -1), POLLRDNORM);
	kc_join(killer);
}

/* kernel/pid.c, __change_pid() wakes once more when the last task leaves. */
static void reap_under_sleeper(pid_t pid)
{
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	pid_t sleeper = ASSERT_OK(kc_fork());

	if (sleeper == 0) {
		EXPECT_EQ(polled(pidfd, 0, -1), POLLHUP);
		kc_leave(KC_PASS);
	}
	usleep(50000);
	reap(pid);
	kc_join(sleeper);
}

TEST(wakes_at_reaping, NEEDS_PROBE(pidfs) PROMISED("pidfd_open(2); commit 43f0df54c96f")
     DESCRIBE("who waits for POLLHUP alone sleeps over the end and wakes when it is reaped"))
{
	reap_under_sleeper(zombie_child(0));
}

/* Its number stays in use, as the group's (setpgid(2)). */
TEST(wakes_at_reaping_of_a_group_s_leader, NEEDS_PROBE(pidfs)
     PROMISED("pidfd_open(2); commit 43f0df54c96f")
     DESCRIBE("the same for a process that others outlive in its process group"))
{
	pid_t pid = sleeping_child(), member = sleeping_child();
	siginfo_t info;

	ASSERT_OK(setpgid(pid, pid));
	ASSERT_OK(setpgid(member, pid));
	ASSERT_OK(kill(pid, SIGKILL));
	ASSERT_OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	reap_under_sleeper(pid);
}

/* Each with a poll of its own, as processes that have no part in the other. */
TEST(wakes_all_sleepers, PROMISED("pidfd_open(2)")
     DESCRIBE("four processes, on one pidfd and on pidfds of their own, all wake"))
{
	pid_t sleepers[4], pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	for (int n = 0; n < 4; n++) {
		sleepers[n] = ASSERT_OK(kc_fork());
		if (sleepers[n] == 0) {
			int own = n & 1 ? ASSERT_OK(pidfd_open_(pid, 0)) : pidfd;

			EXPECT_EQ(polled(own, POLLIN, -1), POLLIN);
			kc_leave(KC_PASS);
		}
	}
	usleep(50000);
	ASSERT_OK(kill(pid, SIGKILL));
	for (int n = 0; n < 4; n++)
		kc_join(sleepers[n]);
}

/* One end of a process is no work to share: each wants to know (epoll_ctl(2), EPOLLEXCLUSIVE). */
TEST(wakes_all_exclusive_sleepers, PROMISED("pidfd_open(2); epoll_ctl(2), EPOLLEXCLUSIVE")
     DESCRIBE("three epolls that wait exclusively all hear of the end, before it is reaped"))
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	pid_t sleepers[3], pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	for (int n = 0; n < 3; n++) {
		sleepers[n] = ASSERT_OK(kc_fork());
		if (sleepers[n] == 0) {
			int epoll = ASSERT_OK(epoll_create1(EPOLL_CLOEXEC));

			ASSERT_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, pidfd, &event));
			EXPECT_EQ(epoll_wait(epoll, &event, 1, -1), 1);
			kc_leave(KC_PASS);
		}
	}
	usleep(50000);
	ASSERT_OK(kill(pid, SIGKILL));
	for (int n = 0; n < 3; n++)
		kc_join(sleepers[n]);
}

/* With SIGCHLD ignored there is no zombie: the process is gone at once (sigaction(2)). */
TEST(wakes_when_child_reaps_itself, PROMISED("pidfd_open(2); sigaction(2), SA_NOCLDWAIT")
     DESCRIBE("SIGCHLD ignored: the sleeper wakes all the same"))
{
	pid_t pid, killer;
	int pidfd;

	pid = sleeping_child();
	pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	killer = kill_soon(pid);
	signal(SIGCHLD, SIG_IGN);
	EXPECT_EQ(polled(pidfd, POLLIN, -1) & POLLIN, POLLIN);
	signal(SIGCHLD, SIG_DFL);
	waitpid(killer, NULL, 0);
}

TEST(epoll_reports_end, PROMISED("pidfd_open(2); epoll(7)")
     DESCRIBE("epoll sleeps and wakes; level-triggered it reports again"))
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = 4711 };
	pid_t killer, pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0)), epoll = ASSERT_OK(epoll_create1(0));

	ASSERT_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, pidfd, &event));
	EXPECT_EQ(epoll_wait(epoll, &event, 1, 0), 0);
	killer = kill_soon(pid);
	memset(&event, 0, sizeof(event));
	EXPECT_EQ(epoll_wait(epoll, &event, 1, -1), 1);
	EXPECT_EQ(event.events, EPOLLIN);
	EXPECT_EQ(event.data.u32, 4711);
	EXPECT_EQ(epoll_wait(epoll, &event, 1, 0), 1);
	kc_join(killer);
}

TEST(edge_triggered_epoll_reports_once, PROMISED("epoll(7), EPOLLET")
     DESCRIBE("one event for the end of the process"))
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	pid_t killer, pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0)), epoll = ASSERT_OK(epoll_create1(0));

	ASSERT_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, pidfd, &event));
	killer = kill_soon(pid);
	EXPECT_EQ(epoll_wait(epoll, &event, 1, -1), 1);
	EXPECT_EQ(epoll_wait(epoll, &event, 1, 0), 0);
	kc_join(killer);
}

TEST(epoll_takes_process_that_ended, PROMISED("epoll(7)")
     DESCRIBE("a pidfd added after the end is ready at once"))
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int pidfd = ASSERT_OK(pidfd_open_(zombie_child(0), 0)), epoll = ASSERT_OK(epoll_create1(0));

	ASSERT_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, pidfd, &event));
	EXPECT_EQ(epoll_wait(epoll, &event, 1, 0), 1);
	EXPECT_EQ(event.events, EPOLLIN);
}

TEST(select_reports_end, PROMISED("pidfd_open(2); select(2)")
     DESCRIBE("readable, neither writable nor exceptional"))
{
	struct timeval now = { 0, 0 };
	fd_set reading, writing, other;
	pid_t killer, pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	killer = kill_soon(pid);
	FD_ZERO(&reading);
	FD_SET(pidfd, &reading);
	writing = other = reading;
	EXPECT_EQ(select(pidfd + 1, &reading, NULL, NULL, NULL), 1);
	EXPECT_TRUE(FD_ISSET(pidfd, &reading));
	EXPECT_EQ(select(pidfd + 1, NULL, &writing, &other, &now), 0);
	kc_join(killer);
}

TEST(one_end_wakes_its_own_pidfd_only, PROMISED("pidfd_open(2)")
     DESCRIBE("of three pidfds the one whose process ended is ready"))
{
	struct pollfd fds[3];
	pid_t pids[3], killer;

	for (int n = 0; n < 3; n++) {
		pids[n] = sleeping_child();
		fds[n] = (struct pollfd){ ASSERT_OK(pidfd_open_(pids[n], 0)), POLLIN, 0 };
	}
	killer = kill_soon(pids[1]);
	EXPECT_EQ(poll(fds, 3, -1), 1);
	EXPECT_EQ(fds[0].revents, 0);
	EXPECT_EQ(fds[1].revents, POLLIN);
	EXPECT_EQ(fds[2].revents, 0);
	kc_join(killer);
}

TEST(poll_ends_at_time_limit, PROMISED("poll(2)")
     DESCRIBE("a process that lives: 0, and not before the time is over"))
{
	int pidfd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));
	struct timespec start, end;

	clock_gettime(CLOCK_MONOTONIC, &start);
	EXPECT_EQ(polled(pidfd, POLLIN, 20), 0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	EXPECT_GE((end.tv_sec - start.tv_sec) * 1000000000LL + end.tv_nsec - start.tv_nsec, 20000000);
}

static void note_signal(int sig)
{
	(void)sig;
}

TEST(signal_interrupts_poll, PROMISED("poll(2), EINTR")
     DESCRIBE("a signal that is handled while a process lives on: EINTR"))
{
	/* Again and again: the first may come before the sleep. */
	struct itimerval every = { { 0, 20000 }, { 0, 20000 } }, never = { 0 };
	struct sigaction action = { .sa_handler = note_signal };
	int pidfd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));

	ASSERT_OK(sigaction(SIGALRM, &action, NULL));
	ASSERT_OK(setitimer(ITIMER_REAL, &every, NULL));
	EXPECT_ERRNO(polled(pidfd, POLLIN, -1), EINTR);
	ASSERT_OK(setitimer(ITIMER_REAL, &never, NULL));
}

/* pidfd_open(2): readable "when the process terminates" -- all threads of it. */
TEST(end_of_leader_is_no_end_of_process, PROMISED("fs/pidfs.c, pidfd_poll()")
     DESCRIBE("the leader has exited, a thread lives: silent, and signals still arrive"))
{
	pid_t killer, pid = process_without_leader();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	EXPECT_EQ(polled(pidfd, ~0, 100), 0);
	EXPECT_OK(is_there(pidfd));
	killer = kill_soon(pid);
	EXPECT_EQ(polled(pidfd, POLLIN, -1), POLLIN);
	kc_join(killer);
}

/*
 * Whether that is an end of the leader's own pidfd differs (fs/pidfs.c, pidfd_poll(), until 6.15 and
 * after); that who slept hears what one who comes later sees does not.
 */
TEST(sleeper_hears_of_dead_leader_what_others_see, NEEDS_PROBE(pidfd_thread)
     PROMISED("pidfd_open(2), PIDFD_THREAD; commit 0fb482728ba1")
     DESCRIBE("the leader exits, a thread lives: by PIDFD_THREAD both say the same, from 6.15 nothing"))
{
	struct epoll_event event = { .events = POLLIN };
	int go[2], pidfd, epoll = ASSERT_OK(epoll_create1(EPOLL_CLOEXEC));
	pid_t pid;

	ASSERT_OK(pipe2(go, O_CLOEXEC));
	pid = process_with_outliving_thread(go);
	pidfd = ASSERT_OK(pidfd_open_(pid, PIDFD_THREAD_));
	ASSERT_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, pidfd, &event));
	EXPECT_EQ(epoll_wait(epoll, &event, 1, 0), 0);
	end_leader(pid, go);
	EXPECT_EQ(epoll_wait(epoll, &event, 1, 300), polled(pidfd, POLLIN, 0) ? 1 : 0);
	if (kc_kernel_since(6, 15))
		EXPECT_EQ(polled(pidfd, ~0, 0), 0);
}

TEST(thread_pidfd_wakes_at_end_of_thread, NEEDS_PROBE(pidfd_thread)
     PROMISED("pidfd_open(2), PIDFD_THREAD")
     DESCRIBE("a thread ends while its process lives: its pidfd is readable, the process's not"))
{
	struct thread t;
	int thread, process = ASSERT_OK(pidfd_open_(getpid(), 0));

	start_thread(&t);
	thread = ASSERT_OK(pidfd_open_(t.tid, PIDFD_THREAD_));
	EXPECT_EQ(polled(thread, ~0, 0), 0);
	close(t.done[1]);
	EXPECT_EQ(polled(thread, POLLIN, -1) & POLLIN, POLLIN);
	EXPECT_EQ(polled(process, ~0, 0), 0);
}

TEST(thread_pidfd_hangs_up, NEEDS_PROBE(pidfd_thread) PROMISED("pidfd_open(2), PIDFD_THREAD")
     DESCRIBE("a thread is never a zombie: POLLIN and POLLHUP"))
{
	struct thread t;
	int thread;

	start_thread(&t);
	thread = ASSERT_OK(pidfd_open_(t.tid, PIDFD_THREAD_));
	end_thread(&t);
	EXPECT_EQ(polled(thread, ~0, 0), READABLE | POLLHUP);
}

/* A thread that is traced stays until its tracer has heard of its end (ptrace(2)). */
TEST(end_of_traced_thread_is_heard, NEEDS_PROBE(pidfd_thread) PROMISED("pidfd_open(2), PIDFD_THREAD")
     DESCRIBE("a thread ends that its tracer has not waited for: the sleeper wakes, POLLIN alone"))
{
	struct traced *t = traced_child();
	int pidfd = ASSERT_OK(pidfd_open_(t->tid, PIDFD_THREAD_));
	pid_t teller;

	ASSERT_OK(ptrace(PTRACE_SEIZE, t->tid, 0, 0));
	EXPECT_EQ(polled(pidfd, ~0, 0), 0);
	teller = ASSERT_OK(kc_fork());
	if (teller == 0) {
		/* The last to have the pipe's other end: the thread reads its end. */
		usleep(50000);
		_exit(KC_PASS);
	}
	close(t->go[1]);
	EXPECT_EQ(polled(pidfd, ~0, -1), READABLE);
	ASSERT_EQ(waitpid(t->tid, NULL, __WALL), t->tid);
	EXPECT_EQ(polled(pidfd, ~0, -1), READABLE | POLLHUP);
	kc_join(teller);
}

/*
 * The end of a process whose leader was first to go is that of its last thread, and who traces
 * the leader hears of it like others (kernel/exit.c, release_task()).
 */
TEST(end_of_process_with_traced_leader_is_heard, NEEDS_KERNEL(5, 4) PROMISED("pidfd_open(2); ptrace(2)")
     DESCRIBE("the leader, which is traced, has exited; the last thread ends: the sleeper wakes"))
{
	int go[2], rest[2], pidfd;
	pid_t pid, teller;

	ASSERT_OK(pipe2(go, O_CLOEXEC));
	ASSERT_OK(pipe2(rest, O_CLOEXEC));
	pid = process_with_thread(go, 0, end_when_closed, rest);
	ASSERT_OK(ptrace(PTRACE_SEIZE, pid, 0, 0));
	pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	end_leader(pid, go);
	teller = ASSERT_OK(kc_fork());
	if (teller == 0) {
		/* The last to have the pipe's other end. */
		usleep(50000);
		_exit(KC_PASS);
	}
	close(rest[1]);
	EXPECT_EQ(polled(pidfd, POLLIN, -1), POLLIN);
	kc_join(teller);
}

/* A thread that calls execve(2) becomes the leader, and takes its number over. */
static void *become_leader(void *arg)
{
	struct traced *t = arg;

	execute("sleep", "1000", t->alone[1]);
}

TEST(exec_of_thread_is_no_end_of_process, PROMISED("execve(2); fs/pidfs.c, pidfd_poll()")
     DESCRIBE("a thread that is no leader executes a program: the pidfd stays silent"))
{
	struct traced *t = child_with_thread(become_leader);
	int pidfd = ASSERT_OK(pidfd_open_(t->pid, 0));

	close(t->go[1]);
	wait_for_program(t->alone[0]);
	EXPECT_EQ(polled(pidfd, ~0, 0), 0);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGKILL, NULL, 0));
	EXPECT_EQ(polled(pidfd, POLLIN, -1), POLLIN);
}

/* The leader of before ends with the thread's number (fs/exec.c, de_thread()). */
TEST(exec_of_thread_ends_its_number, NEEDS_PROBE(pidfd_thread)
     PROMISED("execve(2); pidfd_open(2), PIDFD_THREAD")
     DESCRIBE("a thread that is no leader executes a program: who sleeps on its pidfd hears the end"))
{
	struct traced *t = child_with_thread(become_leader);
	int thread = ASSERT_OK(pidfd_open_(t->tid, PIDFD_THREAD_));
	int process = ASSERT_OK(pidfd_open_(t->pid, 0));
	pid_t teller = ASSERT_OK(kc_fork());

	if (teller == 0) {
		/* The last to have the pipe's other end. */
		usleep(50000);
		_exit(KC_PASS);
	}
	close(t->go[1]);
	EXPECT_EQ(polled(thread, 0, -1), POLLHUP);
	kc_join(teller);
	wait_for_program(t->alone[0]);
	EXPECT_EQ(polled(process, ~0, 0), 0);
}

/* kernel/signal.c, kill_pid_info_type(): who looked up the leader of before tries again. */
TEST(exec_of_thread_loses_no_signal, PROMISED("execve(2); pidfd_send_signal(2)")
     DESCRIBE("signals while a thread executes a program: none finds the process gone"))
{
	struct traced *t = child_with_thread(become_leader);
	int pidfd = ASSERT_OK(pidfd_open_(t->pid, 0));
	struct pollfd executed = { t->alone[0], POLLIN, 0 };

	close(t->go[1]);
	do
		/* Ignored by both programs; a zombie, if there was none to execute, takes it as well. */
		if (EXPECT_OK(pidfd_send_signal_(pidfd, SIGURG, NULL, 0)) != 0)
			return;
	while (poll(&executed, 1, 0) == 0);
	wait_for_program(t->alone[0]);
}

TEST(follows_process_of_inner_namespace, NEEDS_CONFIG(PID_NS) NEEDS_CONFIG(UNIX) NEEDS_ROOT
     PROMISED("pid_namespaces(7)")
     DESCRIBE("the end of a namespace's process 1 ends what is in it: both pidfds wake"))
{
	struct clone_args args = { .exit_signal = SIGCHLD, .flags = CLONE_NEWPID };
	int pidfd, inner, sockets[2];
	pid_t pid;

	ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	pid = ASSERT_OK(syscall(NR_clone3, &args, sizeof(args)));
	if (pid == 0) {
		pid = fork();
		if (pid == 0)
			for (;;)
				pause();
		pass_descriptor(sockets[1], ASSERT_OK(pidfd_open_(pid, 0)));
		for (;;)
			pause();
	}
	pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	inner = take_descriptor(sockets[0]);
	EXPECT_EQ(polled(inner, ~0, 0), 0);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGKILL, NULL, 0));
	EXPECT_EQ(polled(pidfd, POLLIN, -1), POLLIN);
	EXPECT_EQ(polled(inner, POLLIN, -1) & POLLIN, POLLIN);
	reap(pid);
	EXPECT_ERRNO(is_there(inner), ESRCH);
}

KCASE_MAIN
