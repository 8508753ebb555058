// SPDX-License-Identifier: GPL-2.0-only
/* waitid(2) with P_PIDFD, since 5.4: what it reports, whom it waits for, what it refuses. */
#include <sys/ptrace.h>

#include "children.h"

EVERY_CASE(NEEDS_PROBE(p_pidfd) TIMEOUT(20))
PROBE_P_PIDFD
PROBE_PIDFD_NONBLOCK
PROBE_PIDFD_THREAD

TEST(takes_exit_status, PROMISED("waitid(2), P_PIDFD")
     DESCRIBE("pid, uid, CLD_EXITED and the status; afterwards the process is gone"))
{
	siginfo_t info = { 0 };
	pid_t pid = zombie_child(42);
	int pidfd = open_child(pid);

	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED), 0);
	EXPECT_EQ(info.si_signo, SIGCHLD);
	EXPECT_EQ(info.si_pid, pid);
	EXPECT_EQ(info.si_uid, getuid());
	EXPECT_EQ(info.si_code, CLD_EXITED);
	EXPECT_EQ(info.si_status, 42);
	EXPECT_ERRNO(is_there(pidfd), ESRCH);
	EXPECT_ERRNO(waitid(P_PIDFD_, pidfd, &info, WEXITED), ECHILD);
	EXPECT_ERRNO(waitpid(pid, NULL, 0), ECHILD);
}

TEST(takes_status_of_a_thread_s_exit, PROMISED("waitid(2), si_status; exit(2)")
     DESCRIBE("the only thread ends itself, not its process: its status all the same"))
{
	siginfo_t info = { 0 };
	pid_t pid = ASSERT_OK(kc_fork());

	if (pid == 0)
		syscall(SYS_exit, 5);
	CLEANUP(kill_and_reap, pid);
	EXPECT_EQ(waitid(P_PIDFD_, open_child(pid), &info, WEXITED), 0);
	EXPECT_EQ(info.si_code, CLD_EXITED);
	EXPECT_EQ(info.si_status, 5);
}

TEST(tells_killed_from_exited, PROMISED("waitid(2), si_code")
     DESCRIBE("CLD_KILLED with the signal"))
{
	siginfo_t info = { 0 };
	pid_t pid = sleeping_child();

	ASSERT_OK(kill(pid, SIGTERM));
	EXPECT_EQ(waitid(P_PIDFD_, open_child(pid), &info, WEXITED), 0);
	EXPECT_EQ(info.si_code, CLD_KILLED);
	EXPECT_EQ(info.si_status, SIGTERM);
}

TEST(tells_real_user_of_child, NEEDS_ROOT PROMISED("waitid(2), si_uid")
     DESCRIBE("real, effective and saved uid differ: the real one, at stop, continue and end"))
{
	uid_t ids[3] = { 101, 102, 103 };
	siginfo_t info = { 0 };
	pid_t pid = child_after(set_ids, ids);
	int pidfd = open_child(pid);

	ASSERT_OK(kill(pid, SIGSTOP));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WSTOPPED), 0);
	EXPECT_EQ(info.si_uid, 101);
	ASSERT_OK(kill(pid, SIGCONT));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WCONTINUED), 0);
	EXPECT_EQ(info.si_uid, 101);
	ASSERT_OK(kill(pid, SIGKILL));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED | WNOWAIT), 0);
	EXPECT_EQ(info.si_uid, 101);
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED), 0);
	EXPECT_EQ(info.si_uid, 101);
}

/* user_namespaces(7): ids are those of the namespace of who asks; without a map, the overflow uid. */
TEST(user_is_as_the_caller_counts, NEEDS_CONFIG(USER_NS) NEEDS_ROOT
     PROMISED("waitid(2), si_uid; user_namespaces(7), Unmapped user and group IDs")
     DESCRIBE("in a user namespace without a map a child of the same user is told as one of getuid()"))
{
	IN_CHILD {
		siginfo_t info = { 0 };

		own_user_namespace(0);
		ASSERT_NE(getuid(), 0);
		EXPECT_EQ(waitid(P_PIDFD_, open_child(zombie_child(0)), &info, WEXITED), 0);
		EXPECT_EQ(info.si_uid, getuid());
	}
}

TEST(tells_dumped_from_killed, NEEDS_ROOT PROMISED("waitid(2), CLD_DUMPED; core(5)")
     DESCRIBE("where waitpid(2) then says that a core was dumped: CLD_DUMPED with the signal"))
{
	siginfo_t info = { 0 };
	int status;
	pid_t pid = child_after(dump_aside, NULL);

	ASSERT_OK(kill(pid, SIGQUIT));
	ASSERT_EQ(waitid(P_PIDFD_, open_child(pid), &info, WEXITED | WNOWAIT), 0);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(info.si_status, SIGQUIT);
	EXPECT_EQ(info.si_code, WCOREDUMP(status) ? CLD_DUMPED : CLD_KILLED);
	if (!WCOREDUMP(status))
		SKIP("needs a kernel that dumps cores");
}

/* Of 1 byte there is none, be it for a file or for a program (fs/coredump.c, do_coredump()). */
static void may_not_dump(void *arg)
{
	struct rlimit none = { 1, 1 };

	(void)arg;
	ASSERT_OK(setrlimit(RLIMIT_CORE, &none));
}

TEST(tells_no_dump_where_none_was_made, NEEDS_ROOT PROMISED("waitid(2), CLD_KILLED; core(5), RLIMIT_CORE")
     DESCRIBE("RLIMIT_CORE lets no core be dumped: SIGQUIT is CLD_KILLED, and to waitpid(2) no dump"))
{
	siginfo_t info = { 0 };
	int status;
	pid_t pid = child_after(may_not_dump, NULL);
	int pidfd = open_child(pid);

	ASSERT_OK(pidfd_send_signal_(pidfd, SIGQUIT, NULL, 0));
	ASSERT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED | WNOWAIT), 0);
	EXPECT_EQ(info.si_code, CLD_KILLED);
	EXPECT_EQ(info.si_status, SIGQUIT);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, SIGQUIT);
}

TEST(waits_for_this_child_only, PROMISED("waitid(2), P_PIDFD")
     DESCRIBE("of three children that ended the one of the pidfd is taken, the others stay"))
{
	siginfo_t info = { 0 };
	pid_t first = zombie_child(1), second = zombie_child(2), third = zombie_child(3);

	EXPECT_EQ(waitid(P_PIDFD_, open_child(second), &info, WEXITED), 0);
	EXPECT_EQ(info.si_pid, second);
	EXPECT_EQ(info.si_status, 2);
	EXPECT_EQ(waitid(P_PID, first, &info, WEXITED | WNOHANG), 0);
	EXPECT_EQ(info.si_status, 1);
	EXPECT_EQ(waitid(P_PID, third, &info, WEXITED | WNOHANG), 0);
	EXPECT_EQ(info.si_status, 3);
}

TEST(sleeps_until_child_ends, PROMISED("waitid(2)")
     DESCRIBE("a wait that began before the end returns with it"))
{
	siginfo_t info = { 0 };
	pid_t other = zombie_child(5), pid = ASSERT_OK(kc_fork());

	if (pid == 0) {
		usleep(50000);
		_exit(9);
	}
	EXPECT_EQ(waitid(P_PIDFD_, open_child(pid), &info, WEXITED), 0);
	EXPECT_EQ(info.si_pid, pid);
	EXPECT_EQ(info.si_status, 9);
	EXPECT_EQ(waitid(P_PID, other, &info, WEXITED | WNOHANG), 0);
}

TEST(reports_stop_and_continue, PROMISED("waitid(2), WSTOPPED, WCONTINUED")
     DESCRIBE("CLD_STOPPED and CLD_CONTINUED, each once"))
{
	siginfo_t info = { 0 };
	pid_t pid = sleeping_child();
	int pidfd = open_child(pid);

	ASSERT_OK(kill(pid, SIGSTOP));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WSTOPPED), 0);
	EXPECT_EQ(info.si_code, CLD_STOPPED);
	EXPECT_EQ(info.si_status, SIGSTOP);
	ASSERT_OK(kill(pid, SIGCONT));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WCONTINUED), 0);
	EXPECT_EQ(info.si_code, CLD_CONTINUED);
	EXPECT_EQ(info.si_status, SIGCONT);
	memset(&info, 0, sizeof(info));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WSTOPPED | WCONTINUED | WNOHANG), 0);
	EXPECT_EQ(info.si_pid, 0);
}

TEST(continues_only_who_was_stopped, PROMISED("waitid(2), WCONTINUED")
     DESCRIBE("SIGCONT to a child that sleeps: nothing to tell; after a stop there is"))
{
	int pidfd = open_child(sleeping_child());
	siginfo_t info = { .si_pid = -1 };

	EXPECT_OK(pidfd_send_signal_(pidfd, SIGCONT, NULL, 0));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WSTOPPED | WCONTINUED | WNOHANG), 0);
	EXPECT_EQ(info.si_pid, 0);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGSTOP, NULL, 0));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WSTOPPED), 0);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGCONT, NULL, 0));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WCONTINUED | WNOHANG), 0);
	EXPECT_EQ(info.si_code, CLD_CONTINUED);
}

/* A process that sends a signal soon: who waits is asleep by then, if all goes well. */
static pid_t send_soon(int pidfd, int sig)
{
	pid_t pid = ASSERT_OK(kc_fork());

	if (pid == 0) {
		usleep(50000);
		_exit(pidfd_send_signal_(pidfd, sig, NULL, 0) ? KC_FAIL : KC_PASS);
	}
	return pid;
}

/* SA_NOCLDSTOP takes the signal away, and not the status (sigaction(2)). */
TEST(sleeper_hears_of_stop_and_continue, PROMISED("waitid(2), WSTOPPED, WCONTINUED; sigaction(2), SA_NOCLDSTOP")
     DESCRIBE("who sleeps in waitid(2) wakes for a stop and a continue, with SA_NOCLDSTOP as well"))
{
	const struct sigaction ways[] = {
		{ .sa_handler = SIG_DFL },
		{ .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP },
	};
	int pidfd = open_child(sleeping_child());
	siginfo_t info = { 0 };
	pid_t sender;

	for (size_t n = 0; n < sizeof(ways) / sizeof(ways[0]); n++) {
		ASSERT_OK(sigaction(SIGCHLD, &ways[n], NULL));
		sender = send_soon(pidfd, SIGSTOP);
		EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WSTOPPED), 0);
		EXPECT_EQ(info.si_code, CLD_STOPPED);
		kc_join(sender);
		sender = send_soon(pidfd, SIGCONT);
		EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WCONTINUED), 0);
		EXPECT_EQ(info.si_code, CLD_CONTINUED);
		kc_join(sender);
	}
}

/* kernel/signal.c, signal_set_stop_flags(): what a process did last is what there is to tell. */
TEST(stop_takes_the_continue_before_it_back, PROMISED("waitid(2), WCONTINUED")
     DESCRIBE("continued, which nobody asks for, and stopped again: the stop is told, no continue after it"))
{
	int pidfd = open_child(sleeping_child());
	siginfo_t info = { 0 };

	EXPECT_OK(pidfd_send_signal_(pidfd, SIGSTOP, NULL, 0));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WSTOPPED), 0);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGCONT, NULL, 0));
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGSTOP, NULL, 0));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WSTOPPED), 0);
	EXPECT_EQ(info.si_code, CLD_STOPPED);
	memset(&info, 0, sizeof(info));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WCONTINUED | WNOHANG), 0);
	EXPECT_EQ(info.si_pid, 0);
}

TEST(process_without_leader_stops_and_continues, PROMISED("waitid(2), WSTOPPED, WCONTINUED")
     DESCRIBE("the leader has exited, a thread goes on: its stop and its continue are the process's"))
{
	pid_t pid = process_without_leader();
	int pidfd = open_child(pid);
	siginfo_t info = { 0 };

	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WSTOPPED | WNOHANG), 0);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGSTOP, NULL, 0));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WSTOPPED), 0);
	EXPECT_EQ(info.si_pid, pid);
	EXPECT_EQ(info.si_code, CLD_STOPPED);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGCONT, NULL, 0));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WCONTINUED), 0);
	EXPECT_EQ(info.si_code, CLD_CONTINUED);
}

TEST(peek_leaves_stop_and_continue, PROMISED("waitid(2), WNOWAIT, si_status")
     DESCRIBE("two stops, two continues: told twice with WNOWAIT, then once for good"))
{
	static const struct {
		int signal, option, code;
	} changes[] = {
		{ SIGSTOP, WSTOPPED, CLD_STOPPED },
		{ SIGCONT, WCONTINUED, CLD_CONTINUED },
		{ SIGTSTP, WSTOPPED, CLD_STOPPED },
		{ SIGCONT, WCONTINUED, CLD_CONTINUED },
	};
	siginfo_t info;
	pid_t pid = sleeping_child();
	int pidfd = open_child(pid);

	/* SIGTSTP is nothing to a process group that is orphaned (setpgid(2)). */
	ASSERT_OK(setpgid(pid, pid));
	for (size_t c = 0; c < sizeof(changes) / sizeof(changes[0]); c++) {
		ASSERT_OK(kill(pid, changes[c].signal));
		for (int n = 0; n < 3; n++) {
			/* The first one waits for it. */
			int options = (n ? WNOHANG : 0) | (n < 2 ? WNOWAIT : 0);

			memset(&info, 0, sizeof(info));
			EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, changes[c].option | options), 0);
			EXPECT_EQ(info.si_pid, pid);
			EXPECT_EQ(info.si_code, changes[c].code);
			EXPECT_EQ(info.si_status, changes[c].signal);
		}
		EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, changes[c].option | WNOHANG), 0);
		EXPECT_EQ(info.si_pid, 0);
	}
}

TEST(reports_only_what_was_asked_for, PROMISED("waitid(2), options")
     DESCRIBE("WEXITED does not see a stop, WSTOPPED no end"))
{
	siginfo_t info = { 0 };
	pid_t stopped = sleeping_child();
	int pidfd = open_child(stopped);

	ASSERT_OK(kill(stopped, SIGSTOP));
	ASSERT_OK(waitid(P_PIDFD_, pidfd, &info, WSTOPPED | WNOWAIT));
	memset(&info, 0, sizeof(info));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED | WNOHANG), 0);
	EXPECT_EQ(info.si_pid, 0);
	/* Nothing that is left to come of it was asked for (kernel/exit.c, wait_consider_task()). */
	EXPECT_ERRNO(waitid(P_PIDFD_, open_child(zombie_child(0)), &info, WSTOPPED | WNOHANG),
		     ECHILD);
}

TEST(leaves_child_with_wnowait, PROMISED("waitid(2), WNOWAIT")
     DESCRIBE("the same status twice, then for good"))
{
	siginfo_t info = { 0 };
	pid_t pid = zombie_child(7);
	int pidfd = open_child(pid);

	for (int n = 0; n < 2; n++) {
		memset(&info, 0, sizeof(info));
		EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED | WNOWAIT), 0);
		EXPECT_EQ(info.si_status, 7);
		EXPECT_OK(is_there(pidfd));
	}
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED), 0);
	EXPECT_ERRNO(is_there(pidfd), ESRCH);
}

TEST(does_not_wait_with_wnohang, PROMISED("waitid(2), WNOHANG")
     DESCRIBE("a live child: 0, and the siginfo says nobody"))
{
	siginfo_t info;

	memset(&info, 0xff, sizeof(info));
	EXPECT_EQ(waitid(P_PIDFD_, open_child(sleeping_child()), &info, WEXITED | WNOHANG), 0);
	EXPECT_EQ(info.si_pid, 0);
	EXPECT_EQ(info.si_signo, 0);
}

TEST(works_without_siginfo, PROMISED("waitid(2)") DESCRIBE("a null pointer takes the child all the same"))
{
	pid_t pid = zombie_child(0);
	int pidfd = open_child(pid);

	EXPECT_EQ(waitid_(P_PIDFD_, pidfd, NULL, WEXITED, NULL), 0);
	EXPECT_ERRNO(is_there(pidfd), ESRCH);
}

TEST(rejects_bad_siginfo_pointer, PROMISED("kernel/exit.c, waitid()") DESCRIBE("EFAULT"))
{
	EXPECT_ERRNO(waitid_(P_PIDFD_, open_child(zombie_child(0)), (siginfo_t *)8,
			     WEXITED | WNOWAIT, NULL), EFAULT);
}

TEST(fills_resource_usage, PROMISED("waitid(2), C library/kernel differences")
     DESCRIBE("the kernel's fifth argument has the child's usage"))
{
	struct rusage usage;
	siginfo_t info;
	pid_t pid = zombie_child(0);

	memset(&usage, 0xff, sizeof(usage));
	EXPECT_EQ(waitid_(P_PIDFD_, open_child(pid), &info, WEXITED, &usage), 0);
	/* ru_maxrss may be 0: memory is counted per CPU, and by dozens of pages (linux/mm.h, since 6.2). */
	EXPECT_GE(usage.ru_maxrss, 0);
	EXPECT_GT(usage.ru_minflt, 0);
	EXPECT_LT(usage.ru_utime.tv_sec, 60);
	EXPECT_GE(usage.ru_utime.tv_sec, 0);
}

TEST(refuses_what_is_no_child, PROMISED("waitid(2), ECHILD")
     DESCRIBE("itself, the parent, a grandchild, a brother: ECHILD"))
{
	siginfo_t info;
	pid_t brother = sleeping_child();
	int pidfd, pipes[2];

	EXPECT_ERRNO(waitid(P_PIDFD_, open_child(getpid()), &info, WEXITED), ECHILD);
	EXPECT_ERRNO(waitid(P_PIDFD_, open_child(getppid()), &info, WEXITED), ECHILD);
	EXPECT_ERRNO(waitid(P_PIDFD_, open_child(getpid()), &info, WEXITED | WNOHANG), ECHILD);
	pidfd = open_child(brother);
	IN_CHILD {
		EXPECT_ERRNO(waitid(P_PIDFD_, pidfd, &info, WEXITED | WNOHANG), ECHILD);
	}
	ASSERT_OK(pipe(pipes));
	pidfd = ASSERT_OK(kc_fork());
	if (pidfd == 0) {
		pid_t grandchild = sleeping_child();

		if (write(pipes[1], &grandchild, sizeof(grandchild)) != sizeof(grandchild))
			_exit(1);
		pause();
	}
	CLEANUP(kill_and_reap, pidfd);
	ASSERT_EQ(read(pipes[0], &brother, sizeof(brother)), (ssize_t)sizeof(brother));
	EXPECT_ERRNO(waitid(P_PIDFD_, open_child(brother), &info, WEXITED | WNOHANG), ECHILD);
}

TEST(descriptor_zero_is_a_descriptor, PROMISED("waitid(2), P_PIDFD")
     DESCRIBE("a pidfd with the number 0 is as good as another"))
{
	siginfo_t info = { 0 };
	pid_t pid = zombie_child(7);

	ASSERT_EQ(dup2(ASSERT_OK(pidfd_open_(pid, 0)), 0), 0);
	ASSERT_OK(waitid(P_PIDFD_, 0, &info, WEXITED));
	EXPECT_EQ(info.si_pid, pid);
	EXPECT_EQ(info.si_status, 7);
}

TEST(refuses_bad_descriptor, PROMISED("waitid(2), EBADF")
     DESCRIBE("no pidfd: EBADF; negative: EINVAL"))
{
	siginfo_t info;
	int pipes[2], proc;

	ASSERT_OK(pipe(pipes));
	EXPECT_ERRNO(waitid(P_PIDFD_, 9999, &info, WEXITED), EBADF);
	EXPECT_ERRNO(waitid(P_PIDFD_, pipes[0], &info, WEXITED), EBADF);
	EXPECT_ERRNO(waitid(P_PIDFD_, ASSERT_OK(open("/tmp", O_RDONLY)), &info, WEXITED), EBADF);
	/* Only pidfd_send_signal() takes these. */
	proc = open("/proc/self", O_DIRECTORY | O_RDONLY);
	if (proc >= 0)
		EXPECT_ERRNO(waitid(P_PIDFD_, proc, &info, WEXITED), EBADF);
	EXPECT_ERRNO(waitid(P_PIDFD_, -1, &info, WEXITED), EINVAL);
	EXPECT_ERRNO(waitid(P_PIDFD_, INT_MIN, &info, WEXITED), EINVAL);
}

TEST(rejects_invalid_options, PROMISED("waitid(2), EINVAL")
     DESCRIBE("nothing to wait for, and every undefined bit: EINVAL, before the descriptor"))
{
	const unsigned int known = WNOHANG | WSTOPPED | WEXITED | WCONTINUED | WNOWAIT |
				   0x20000000 /* __WNOTHREAD */ | 0x40000000 /* __WALL */ |
				   0x80000000 /* __WCLONE */;
	siginfo_t info;
	int pidfd = open_child(zombie_child(0));

	EXPECT_ERRNO(waitid(P_PIDFD_, pidfd, &info, 0), EINVAL);
	EXPECT_ERRNO(waitid(P_PIDFD_, pidfd, &info, WNOHANG), EINVAL);
	EXPECT_ERRNO(waitid(P_PIDFD_, 9999, &info, WNOHANG), EINVAL);
	for (int bit = 0; bit < 32; bit++)
		if (!(known & 1u << bit))
			EXPECT_ERRNO(waitid(P_PIDFD_, pidfd, &info, WEXITED | 1u << bit), EINVAL);
	EXPECT_OK(is_there(pidfd));
}

TEST(is_interrupted_by_signal, PROMISED("waitid(2), EINTR")
     DESCRIBE("a handler without SA_RESTART ends the wait: EINTR"))
{
	struct sigaction action = { .sa_handler = nothing };
	pid_t parent = getpid(), pid;
	int pidfd = open_child(sleeping_child());
	siginfo_t info;

	ASSERT_OK(sigaction(SIGUSR1, &action, NULL));
	pid = ASSERT_OK(kc_fork());
	if (pid == 0)
		/* Until it is killed: the first may come before the wait. */
		for (;;) {
			usleep(20000);
			kill(parent, SIGUSR1);
		}
	CLEANUP(kill_and_reap, pid);
	EXPECT_ERRNO(waitid(P_PIDFD_, pidfd, &info, WEXITED), EINTR);
}

TEST(goes_on_after_handler_that_restarts, PROMISED("signal(7), SA_RESTART")
     DESCRIBE("handlers with SA_RESTART run meanwhile: the wait ends with the child"))
{
	struct sigaction action = { .sa_handler = nothing, .sa_flags = SA_RESTART };
	pid_t parent = getpid(), pid;
	siginfo_t info = { 0 };

	ASSERT_OK(sigaction(SIGUSR1, &action, NULL));
	pid = ASSERT_OK(kc_fork());
	if (pid == 0) {
		for (int n = 0; n < 4; n++) {
			usleep(20000);
			kill(parent, SIGUSR1);
		}
		usleep(20000);
		_exit(3);
	}
	CLEANUP(kill_and_reap, pid);
	EXPECT_EQ(waitid(P_PIDFD_, open_child(pid), &info, WEXITED), 0);
	EXPECT_EQ(info.si_pid, pid);
	EXPECT_EQ(info.si_status, 3);
}

/* waitid(2): a pidfd with O_NONBLOCK does not wait. */
TEST(nonblocking_pidfd_does_not_wait, NEEDS_PROBE(pidfd_nonblock) PROMISED("waitid(2), EAGAIN")
     DESCRIBE("EAGAIN while the child lives, to peek as well; with WNOHANG 0; its status at its end"))
{
	siginfo_t info = { 0 };
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, PIDFD_NONBLOCK_));

	EXPECT_ERRNO(waitid(P_PIDFD_, pidfd, &info, WEXITED), EAGAIN);
	EXPECT_ERRNO(waitid(P_PIDFD_, pidfd, &info, WEXITED | WNOWAIT), EAGAIN);
	EXPECT_ERRNO(waitid(P_PIDFD_, pidfd, &info, WSTOPPED | WCONTINUED | WNOWAIT), EAGAIN);
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED | WNOHANG), 0);
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED | WNOHANG | WNOWAIT), 0);
	EXPECT_EQ(info.si_pid, 0);
	ASSERT_OK(kill(pid, SIGKILL));
	ASSERT_OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED), 0);
	EXPECT_EQ(info.si_pid, pid);
	EXPECT_ERRNO(waitid(P_PIDFD_, pidfd, &info, WEXITED), ECHILD);
}

TEST(fcntl_makes_pidfd_nonblocking, NEEDS_PROBE(pidfd_nonblock) PROMISED("pidfd_open(2), PIDFD_NONBLOCK")
     DESCRIBE("O_NONBLOCK set and cleared by fcntl(2) has its effect"))
{
	siginfo_t info = { 0 };
	pid_t pid = sleeping_child();
	int pidfd = open_child(pid);

	ASSERT_OK(fcntl(pidfd, F_SETFL, O_NONBLOCK));
	EXPECT_ERRNO(waitid(P_PIDFD_, pidfd, &info, WEXITED), EAGAIN);
	ASSERT_OK(fcntl(pidfd, F_SETFL, 0));
	ASSERT_OK(kill(pid, SIGKILL));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED), 0);
	EXPECT_EQ(info.si_pid, pid);
}

static void wait_for_recycled(void)
{
	struct recycled r = recycle_pid();
	siginfo_t info = { 0 };

	kill(r.pid, SIGKILL);
	ASSERT_OK(waitid(P_PID, r.pid, &info, WEXITED | WNOWAIT));
	EXPECT_ERRNO(waitid(P_PIDFD_, r.pidfd, &info, WEXITED | WNOHANG), ECHILD);
	EXPECT_EQ(waitid(P_PIDFD_, open_child(r.pid), &info, WEXITED), 0);
}

TEST(spares_recycled_pid, NEEDS_KERNEL(5, 5) NEEDS_CONFIG(PID_NS) NEEDS_ROOT
     PROMISED("waitid(2), ECHILD") DESCRIBE("a child that has the number now is not taken"))
{
	in_pid_namespace(wait_for_recycled);
}

/* A child without an exit signal is waited for only with __WCLONE or __WALL. */
TEST(heeds_wclone, PROMISED("waitid(2), __WCLONE") DESCRIBE("a child that sends no SIGCHLD: ECHILD without __WALL"))
{
	struct clone_args args = { 0 };
	siginfo_t info = { 0 };
	pid_t pid = ASSERT_OK(clone_sleeper(&args));
	int pidfd = open_child(pid);

	ASSERT_OK(kill(pid, SIGKILL));
	EXPECT_ERRNO(waitid(P_PIDFD_, pidfd, &info, WEXITED), ECHILD);
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED | (int)0x80000000), 0);
	EXPECT_EQ(info.si_pid, pid);
}

struct waiter {
	int pidfd, options, result, error;
	siginfo_t info;
};

static void *wait_beside(void *arg)
{
	struct waiter *w = arg;

	w->result = waitid(P_PIDFD_, w->pidfd, &w->info, w->options);
	w->error = errno;
	return NULL;
}

TEST(another_thread_may_wait, PROMISED("waitid(2); clone(2), CLONE_THREAD")
     DESCRIBE("a thread sleeps for a child that another one made; with __WNOTHREAD: ECHILD"))
{
	pid_t pid = sleeping_child();
	struct waiter w = { .pidfd = open_child(pid), .options = WEXITED | 0x20000000 };
	pthread_t thread;

	ASSERT_EQ(pthread_create(&thread, NULL, wait_beside, &w), 0);
	pthread_join(thread, NULL);
	EXPECT_EQ(w.result, -1);
	EXPECT_EQ(w.error, ECHILD);
	w.options = WEXITED;
	ASSERT_EQ(pthread_create(&thread, NULL, wait_beside, &w), 0);
	usleep(50000);
	ASSERT_OK(kill(pid, SIGTERM));
	pthread_join(thread, NULL);
	EXPECT_EQ(w.result, 0);
	EXPECT_EQ(w.info.si_pid, pid);
}

static void stop_continue_and_end(void)
{
	siginfo_t info = { 0 };
	pid_t pid = sleeping_child();
	int pidfd = open_child(pid);

	ASSERT_OK(kill(pid, SIGSTOP));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WSTOPPED), 0);
	EXPECT_EQ(info.si_pid, pid);
	ASSERT_OK(kill(pid, SIGCONT));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WCONTINUED), 0);
	EXPECT_EQ(info.si_pid, pid);
	ASSERT_OK(kill(pid, SIGKILL));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED), 0);
	EXPECT_EQ(info.si_pid, pid);
}

TEST(numbers_are_the_caller_s, NEEDS_CONFIG(PID_NS) NEEDS_ROOT
     PROMISED("waitid(2), si_pid; pid_namespaces(7)")
     DESCRIBE("in a pid namespace stop, continue and end are told of the number in there"))
{
	in_pid_namespace(stop_continue_and_end);
}

TEST(tracer_waits_for_thread, NEEDS_PROBE(pidfd_thread)
     PROMISED("waitid(2); ptrace(2), PTRACE_SEIZE; pidfd_open(2), PIDFD_THREAD")
     DESCRIBE("the stop and the end of a traced thread, through a pidfd of that thread"))
{
	struct traced *t = traced_child();
	siginfo_t info = { 0 };
	int pidfd = ASSERT_OK(pidfd_open_(t->tid, PIDFD_THREAD_));

	ASSERT_OK(ptrace(PTRACE_SEIZE, t->tid, 0, 0));
	ASSERT_OK(ptrace(PTRACE_INTERRUPT, t->tid, 0, 0));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WSTOPPED | __WALL), 0);
	EXPECT_EQ(info.si_pid, t->tid);
	EXPECT_EQ(info.si_code, CLD_TRAPPED);
	ASSERT_OK(ptrace(PTRACE_CONT, t->tid, 0, 0));
	close(t->go[1]);
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED | __WALL), 0);
	EXPECT_EQ(info.si_code, CLD_EXITED);
}

TEST(thread_of_a_child_is_no_child, NEEDS_PROBE(pidfd_thread)
     PROMISED("waitid(2), ECHILD; kernel/exit.c, do_wait_pid()")
     DESCRIBE("a thread that is not traced, with __WALL and __WCLONE too: ECHILD, at once"))
{
	struct traced *t = child_with_thread(NULL);
	int pidfd = ASSERT_OK(pidfd_open_(t->tid, PIDFD_THREAD_));

	EXPECT_ERRNO(waitid(P_PIDFD_, pidfd, NULL, WEXITED), ECHILD);
	EXPECT_ERRNO(waitid(P_PIDFD_, pidfd, NULL, WEXITED | __WALL), ECHILD);
	EXPECT_ERRNO(waitid(P_PIDFD_, pidfd, NULL, WEXITED | __WCLONE), ECHILD);
	EXPECT_ERRNO(waitid(P_PIDFD_, pidfd, NULL, WEXITED | WNOHANG | __WALL), ECHILD);
}

/* clone(2): who executes a program is a child like any other (fs/exec.c, de_thread()). */
TEST(program_ends_like_any_child, PROMISED("clone(2), The child termination signal")
     DESCRIBE("a child that sends no signal at its end executes a program: waited for without __WALL"))
{
	int pidfd = -1;
	siginfo_t info = { 0 };
	struct clone_args args = { .flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)&pidfd };
	struct pollfd end = { .events = POLLIN };
	pid_t pid = syscall(NR_clone3, &args, sizeof(args));

	if (pid == 0)
		execute("true", NULL, -1);
	ASSERT_OK(pid);
	end.fd = pidfd;
	ASSERT_EQ(poll(&end, 1, -1), 1);
	ASSERT_OK(waitid(P_PIDFD_, pidfd, &info, WEXITED | WNOWAIT | __WALL));
	if (info.si_status == KC_SKIP)
		SKIP("needs a program to execute");
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED), 0);
	EXPECT_EQ(info.si_pid, pid);
	EXPECT_EQ(info.si_status, 0);
}

static void *end_process_when_told(void *go)
{
	char c;

	if (read(*(int *)go, &c, 1) < 0)
		abort();
	_exit(7);
}

/* waitid(2): the status of the process, which its leader need not have been the last to give. */
TEST(status_is_the_last_thread_s, PROMISED("waitid(2), si_status; exit_group(2)")
     DESCRIBE("the leader exits with 3, then a thread ends the process with 7: 7, with WNOWAIT as well"))
{
	int leader[2], rest[2], pidfd;
	siginfo_t info = { 0 };
	pid_t pid;

	ASSERT_OK(pipe2(leader, O_CLOEXEC));
	ASSERT_OK(pipe2(rest, O_CLOEXEC));
	pid = process_with_thread(leader, 3, end_process_when_told, rest);
	pidfd = open_child(pid);
	end_leader(pid, leader);
	close(rest[1]);
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED | WNOWAIT), 0);
	EXPECT_EQ(info.si_code, CLD_EXITED);
	EXPECT_EQ(info.si_status, 7);
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED), 0);
	EXPECT_EQ(info.si_code, CLD_EXITED);
	EXPECT_EQ(info.si_status, 7);
}

static void seize(void *pid)
{
	ASSERT_OK(ptrace(PTRACE_SEIZE, (pid_t)(intptr_t)pid, 0, 0));
}

/* ptrace(2): a tracer acts as the parent, and the parent stays one. */
TEST(child_of_another_s_tracing_is_a_child, NEEDS_ROOT PROMISED("waitid(2), ECHILD; ptrace(2)")
     DESCRIBE("a child that somebody else traces: WNOHANG finds nothing yet, no ECHILD; then its end"))
{
	pid_t pid = sleeping_child(), tracer = child_after(seize, (void *)(intptr_t)pid);
	siginfo_t info = { .si_pid = -1 };
	int pidfd = open_child(pid);

	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED | WNOHANG), 0);
	EXPECT_EQ(info.si_pid, 0);
	ASSERT_OK(kill(tracer, SIGKILL));
	reap(tracer);
	ASSERT_OK(kill(pid, SIGKILL));
	EXPECT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED), 0);
	EXPECT_EQ(info.si_pid, pid);
}

/* No process of the pidfd's is left behind by a failed wait. */
TEST(pidfd_outlives_the_wait, PROMISED("pidfd_open(2)")
     DESCRIBE("a pidfd opened before and one opened twice both say that the process is gone"))
{
	siginfo_t info;
	pid_t pid = zombie_child(0);
	int a = open_child(pid), b = open_child(pid), c = ASSERT_OK(dup(a));

	EXPECT_EQ(waitid(P_PIDFD_, a, &info, WEXITED), 0);
	EXPECT_ERRNO(is_there(a), ESRCH);
	EXPECT_ERRNO(is_there(b), ESRCH);
	EXPECT_ERRNO(is_there(c), ESRCH);
	EXPECT_ERRNO(pidfd_open_(pid, 0), ESRCH);
}

KCASE_MAIN
