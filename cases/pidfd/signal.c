// SPDX-License-Identifier: GPL-2.0-only
/* pidfd_send_signal(2) through a pidfd of pidfd_open(2). */
#include "pidfd.h"
#include "signals.h"

PIDFD_CASES

TEST(null_signal_finds_process, PROMISED("kill(2)")
     DESCRIBE("signal 0 to a live process: 0"))
{
	EXPECT_EQ(pidfd_send_signal_(ASSERT_OK(pidfd_open_(sleeping_child(), 0)), 0, NULL, 0), 0);
}

TEST(kills_process, PROMISED("pidfd_send_signal(2)")
     DESCRIBE("SIGKILL through the pidfd ends the child"))
{
	int status = 0;
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	EXPECT_EQ(pidfd_send_signal_(pidfd, SIGKILL, NULL, 0), 0);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

/* Without a siginfo it is as by kill(2): SI_USER, the sender's pid and uid. */
TEST(default_siginfo_is_as_by_kill, PROMISED("pidfd_send_signal(2): as by kill(2)")
     DESCRIBE("SI_USER, si_pid, si_uid"))
{
	siginfo_t info = { 0 };
	sigset_t set;
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	ASSERT_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	ASSERT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, 0));
	ASSERT_EQ(sigwaitinfo(&set, &info), SIGUSR1);
	EXPECT_EQ(info.si_code, SI_USER);
	EXPECT_EQ(info.si_pid, getpid());
	EXPECT_EQ(info.si_uid, getuid());
}

TEST(carries_queued_value, PROMISED("pidfd_send_signal(2), info")
     DESCRIBE("SI_QUEUE with a value arrives unchanged"))
{
	siginfo_t info = { .si_signo = SIGRTMIN, .si_code = SI_QUEUE }, got = { 0 };
	sigset_t set;
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	info.si_value.sival_int = 4711;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	ASSERT_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	ASSERT_OK(pidfd_send_signal_(pidfd, SIGRTMIN, &info, 0));
	ASSERT_EQ(sigwaitinfo(&set, &got), SIGRTMIN);
	EXPECT_EQ(got.si_code, SI_QUEUE);
	EXPECT_EQ(got.si_value.sival_int, 4711);
}

/* pidfd_send_signal(2), EINVAL: "sig is not a valid signal". */
TEST(rejects_invalid_signal, PROMISED("pidfd_send_signal(2), EINVAL")
     DESCRIBE("-1 and 65 are EINVAL"))
{
	int pidfd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));

	EXPECT_ERRNO(pidfd_send_signal_(pidfd, -1, NULL, 0), EINVAL);
	EXPECT_ERRNO(pidfd_send_signal_(pidfd, 65, NULL, 0), EINVAL);
}

TEST(rejects_every_undefined_flag, PROMISED("pidfd_send_signal(2), EINVAL")
     DESCRIBE("each bit that is no flag is EINVAL"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));
	unsigned int known = pidfd_send_signal_(pidfd, 0, NULL, SIGNAL_THREAD) == 0 ? 7 : 0;

	for (int bit = 0; bit < 32; bit++)
		if (!(known & 1u << bit))
			EXPECT_ERRNO(pidfd_send_signal_(pidfd, 0, NULL, 1u << bit), EINVAL);
}

/* Two scopes at once make no sense (6.9), and are no flags before. */
TEST(rejects_two_scopes, PROMISED("pidfd_send_signal(2), EINVAL")
     DESCRIBE("thread and group scope together: EINVAL"))
{
	EXPECT_ERRNO(pidfd_send_signal_(ASSERT_OK(pidfd_open_(getpid(), 0)), 0, NULL, 3), EINVAL);
}

/* pidfd_send_signal(2), EBADF. */
TEST(rejects_what_is_no_pidfd, PROMISED("pidfd_send_signal(2), EBADF")
     DESCRIBE("closed descriptor, file, folder that is no process: EBADF"))
{
	EXPECT_ERRNO(pidfd_send_signal_(-1, 0, NULL, 0), EBADF);
	EXPECT_ERRNO(pidfd_send_signal_(9999, 0, NULL, 0), EBADF);
	EXPECT_ERRNO(pidfd_send_signal_(ASSERT_OK(open("/tmp", O_RDONLY)), 0, NULL, 0), EBADF);
}

/* A zombie can be signalled, as with kill(2). */
TEST(reaches_zombie, PROMISED("kill(2), NOTES")
     DESCRIBE("a zombie: 0"))
{
	int pidfd = ASSERT_OK(pidfd_open_(zombie_child(0), 0));

	EXPECT_EQ(pidfd_send_signal_(pidfd, SIGKILL, NULL, 0), 0);
}

/* pidfd_send_signal(2), ESRCH: "The target process has terminated and been waited on". */
TEST(misses_reaped_process, PROMISED("pidfd_send_signal(2), ESRCH")
     DESCRIBE("a reaped process: ESRCH"))
{
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	kill(pid, SIGKILL);
	reap(pid);
	EXPECT_ERRNO(pidfd_send_signal_(pidfd, 0, NULL, 0), ESRCH);
}

static void signal_recycled(void)
{
	struct recycled r = recycle_pid();
	int status = 0;

	EXPECT_ERRNO(pidfd_send_signal_(r.pidfd, SIGKILL, NULL, 0), ESRCH);
	EXPECT_EQ(waitpid(r.pid, &status, WNOHANG), 0);
}

/* What pidfds are for: a recycled pid is not hit. */
TEST(spares_recycled_pid, NEEDS_KERNEL(5, 5) NEEDS_CONFIG(PID_NS) NEEDS_ROOT PROMISED("pidfd_send_signal(2), ESRCH")
     DESCRIBE("ESRCH, and the process that has the number now lives"))
{
	in_pid_namespace(signal_recycled);
}

/* pidfd_send_signal(2), EINVAL: si_signo differs from sig. */
TEST(rejects_siginfo_of_other_signal, PROMISED("pidfd_send_signal(2), EINVAL")
     DESCRIBE("si_signo differs: EINVAL, and before EPERM for what may not be forged"))
{
	siginfo_t info = { .si_signo = SIGUSR2, .si_code = SI_QUEUE };
	siginfo_t forged = { .si_signo = SIGUSR2, .si_code = SI_USER };

	EXPECT_ERRNO(pidfd_send_signal_(ASSERT_OK(pidfd_open_(sleeping_child(), 0)), SIGUSR1,
					&forged, 0), EINVAL);
	EXPECT_ERRNO(pidfd_send_signal_(ASSERT_OK(pidfd_open_(getpid(), 0)), SIGUSR1, &info, 0),
		     EINVAL);
}

/* pidfd_send_signal(2), EPERM: kernel codes to another process cannot be forged. */
TEST(rejects_forged_kernel_signal, PROMISED("pidfd_send_signal(2), EPERM")
     DESCRIBE("si_code >= 0 or SI_TKILL to another process: EPERM"))
{
	siginfo_t info = { .si_signo = SIGUSR1, .si_code = SI_USER };
	int pidfd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));

	EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGUSR1, &info, 0), EPERM);
	info.si_code = SI_TKILL;
	EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGUSR1, &info, 0), EPERM);
}

TEST(rejects_bad_siginfo_pointer, PROMISED("pidfd_send_signal(2)")
     DESCRIBE("EFAULT"))
{
	EXPECT_ERRNO(pidfd_send_signal_(ASSERT_OK(pidfd_open_(getpid(), 0)), SIGUSR1,
					(siginfo_t *)8, 0), EFAULT);
}

/* pidfd_send_signal(2), EPERM: as kill(2). */
TEST(needs_permission, NEEDS_ROOT PROMISED("pidfd_send_signal(2), EPERM")
     DESCRIBE("another user's process: EPERM"))
{
	int pidfd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));
	pid_t pid = ASSERT_OK(kc_fork());

	if (pid == 0) {
		ASSERT_OK(setgid(65534));
		ASSERT_OK(setuid(65534));
		EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGKILL, NULL, 0), EPERM);
		kc_leave(KC_PASS);
	}
	kc_join(pid);
}

TEST(null_signal_needs_permission_too, NEEDS_ROOT PROMISED("kill(2); pidfd_send_signal(2), EPERM")
     DESCRIBE("signal 0 to another user's process: EPERM"))
{
	int pidfd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));

	IN_CHILD {
		become((void *)NOBODY);
		EXPECT_ERRNO(is_there(pidfd), EPERM);
	}
}

/* kill(2): real or effective id of the sender equals real or saved id of the target. */
TEST(compares_ids_as_kill_does, NEEDS_ROOT PROMISED("kill(2)")
     DESCRIBE("real or effective id of the sender, real or saved id of the target"))
{
	int of_1000 = ASSERT_OK(pidfd_open_(child_of_user(1000), 0));
	int of_2000 = ASSERT_OK(pidfd_open_(child_of_user(2000), 0));

	IN_CHILD {
		ASSERT_OK(setresuid(1000, 3000, 3000));
		EXPECT_OK(is_there(of_1000));
		EXPECT_ERRNO(is_there(of_2000), EPERM);
	}
	IN_CHILD {
		ASSERT_OK(setresuid(3000, 2000, 3000));
		EXPECT_ERRNO(is_there(of_1000), EPERM);
		EXPECT_OK(is_there(of_2000));
	}
	IN_CHILD {
		/* The sender's saved id gives nothing. */
		ASSERT_OK(setresuid(3000, 3000, 1000));
		EXPECT_ERRNO(is_there(of_1000), EPERM);
	}
}

TEST(looks_at_real_and_saved_id_of_target, NEEDS_ROOT PROMISED("kill(2)")
     DESCRIBE("the target's effective id alone gives no permission"))
{
	uid_t ids[3][3] = { { 1000, 4000, 4000 }, { 4000, 1000, 4000 }, { 4000, 4000, 1000 } };
	int pidfd[3];

	for (int n = 0; n < 3; n++)
		pidfd[n] = ASSERT_OK(pidfd_open_(child_after(set_ids, ids[n]), 0));
	IN_CHILD {
		ASSERT_OK(setresuid(1000, 1000, 1000));
		EXPECT_OK(is_there(pidfd[0]));
		EXPECT_ERRNO(is_there(pidfd[1]), EPERM);
		EXPECT_OK(is_there(pidfd[2]));
	}
}

TEST(capability_gives_permission, NEEDS_ROOT PROMISED("capabilities(7), CAP_KILL")
     DESCRIBE("uid 0 reaches every user's process"))
{
	EXPECT_OK(is_there(ASSERT_OK(pidfd_open_(child_of_user(NOBODY), 0))));
}

/* kill(2): SIGCONT may go to any process of the same session. */
TEST(continues_process_of_own_session, NEEDS_ROOT PROMISED("kill(2), SIGCONT")
     DESCRIBE("SIGCONT within the session, whatever the group, needs no permission, outside it does"))
{
	int inside = ASSERT_OK(pidfd_open_(sleeping_child(), 0));

	IN_CHILD {
		become((void *)NOBODY);
		ASSERT_OK(setpgid(0, 0));
		EXPECT_OK(pidfd_send_signal_(inside, SIGCONT, NULL, 0));
		EXPECT_ERRNO(pidfd_send_signal_(inside, SIGTERM, NULL, 0), EPERM);
	}
	IN_CHILD {
		become((void *)NOBODY);
		EXPECT_OK(pidfd_send_signal_(inside, SIGCONT, NULL, 0));
		EXPECT_ERRNO(pidfd_send_signal_(inside, SIGTERM, NULL, 0), EPERM);
		ASSERT_OK(setsid());
		EXPECT_ERRNO(pidfd_send_signal_(inside, SIGCONT, NULL, 0), EPERM);
	}
}

TEST(stops_and_continues, PROMISED("pidfd_send_signal(2)")
     DESCRIBE("SIGSTOP and SIGCONT reach the process and its parent hears of them"))
{
	siginfo_t info = { 0 };
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	EXPECT_OK(pidfd_send_signal_(pidfd, SIGSTOP, NULL, 0));
	ASSERT_OK(waitid(P_PID, pid, &info, WSTOPPED));
	EXPECT_EQ(info.si_code, CLD_STOPPED);
	EXPECT_EQ(info.si_status, SIGSTOP);
	EXPECT_OK(is_there(pidfd));
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGCONT, NULL, 0));
	ASSERT_OK(waitid(P_PID, pid, &info, WCONTINUED));
	EXPECT_EQ(info.si_code, CLD_CONTINUED);
}

TEST(kills_stopped_process, PROMISED("kill(2)") DESCRIBE("SIGKILL ends a stopped process"))
{
	siginfo_t info = { 0 };
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	ASSERT_OK(kill(pid, SIGSTOP));
	ASSERT_OK(waitid(P_PID, pid, &info, WSTOPPED));
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGKILL, NULL, 0));
	ASSERT_OK(waitid(P_PID, pid, &info, WEXITED));
	EXPECT_EQ(info.si_code, CLD_KILLED);
}

TEST(null_signal_does_nothing, PROMISED("kill(2)")
     DESCRIBE("signal 0 leaves no signal pending, whatever is passed along"))
{
	siginfo_t info = { .si_code = SI_QUEUE };
	sigset_t set;
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	sigfillset(&set);
	ASSERT_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	EXPECT_OK(pidfd_send_signal_(pidfd, 0, NULL, 0));
	EXPECT_OK(pidfd_send_signal_(pidfd, 0, &info, 0));
	ASSERT_OK(sigpending(&set));
	for (int sig = 1; sig < 32; sig++)
		EXPECT_EQ(sigismember(&set, sig), 0);
}

/* Every signal arrives as the one that was sent. */
TEST(sends_every_signal, PROMISED("pidfd_send_signal(2)")
     DESCRIBE("1 to 64 without SIGKILL and SIGSTOP each arrive as themselves"))
{
	siginfo_t info;
	sigset_t set;
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	sigfillset(&set);
	/* By number, since the library keeps 32 and 33 to itself. */
	ASSERT_OK(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &(uint64_t){ ~0ull }, NULL, 8));
	for (int sig = 1; sig <= 64; sig++) {
		static const struct timespec now = { 0, 0 };

		if (sig == SIGKILL || sig == SIGSTOP)
			continue;
		EXPECT_OK(pidfd_send_signal_(pidfd, sig, NULL, 0));
		memset(&info, 0, sizeof(info));
		EXPECT_EQ(syscall(SYS_rt_sigtimedwait, &(uint64_t){ 1ull << (sig - 1) }, &info,
				  &now, 8), sig);
		EXPECT_EQ(info.si_signo, sig);
		EXPECT_EQ(info.si_pid, getpid());
	}
}

TEST(blocked_signal_stays_pending, PROMISED("signal(7)")
     DESCRIBE("a standard signal sent twice while blocked arrives once"))
{
	siginfo_t info;
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	block(SIGUSR1);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, 0));
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, 0));
	EXPECT_EQ(take(SIGUSR1, &info), SIGUSR1);
	EXPECT_ERRNO(take(SIGUSR1, &info), EAGAIN);
}

TEST(realtime_signals_queue, PROMISED("signal(7), Real-time signals")
     DESCRIBE("three with values arrive three times, in order"))
{
	siginfo_t info = { .si_signo = SIGRTMIN, .si_code = SI_QUEUE };
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	block(SIGRTMIN);
	for (int n = 1; n <= 3; n++) {
		info.si_value.sival_int = n;
		EXPECT_OK(pidfd_send_signal_(pidfd, SIGRTMIN, &info, 0));
	}
	for (int n = 1; n <= 3; n++) {
		ASSERT_EQ(take(SIGRTMIN, &info), SIGRTMIN);
		EXPECT_EQ(info.si_value.sival_int, n);
	}
	EXPECT_ERRNO(take(SIGRTMIN, &info), EAGAIN);
}

/* rt_sigqueueinfo(2), EAGAIN: RLIMIT_SIGPENDING. Root is bound as well. */
TEST(reports_full_signal_queue, PROMISED("rt_sigqueueinfo(2), EAGAIN")
     DESCRIBE("a queued value beyond RLIMIT_SIGPENDING: EAGAIN"))
{
	siginfo_t info = { .si_signo = SIGRTMIN, .si_code = SI_QUEUE };
	struct rlimit none = { 0, 0 };
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	block(SIGRTMIN);
	ASSERT_OK(setrlimit(RLIMIT_SIGPENDING, &none));
	EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGRTMIN, &info, 0), EAGAIN);
	/* As kill(2): a signal without a value is never lost for want of room. */
	block(SIGUSR1);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, 0));
}

/* rt_sigqueueinfo(2): only the codes of the kernel and of tgkill() are out of reach. */
TEST(passes_every_code_below_zero, PROMISED("rt_sigqueueinfo(2)")
     DESCRIBE("negative si_code but SI_TKILL to another process, with pid, uid and errno as given"))
{
	static const int codes[] = { SI_QUEUE, SI_TIMER, SI_MESGQ, SI_ASYNCIO, SI_SIGIO, -60 };
	siginfo_t info = { .si_signo = SIGRTMIN };
	sigset_t set;
	pid_t pid;
	int pidfd;

	block(SIGRTMIN);
	pid = ASSERT_OK(kc_fork());
	if (pid == 0) {
		sigemptyset(&set);
		sigaddset(&set, SIGRTMIN);
		for (size_t n = 0; n < sizeof(codes) / sizeof(codes[0]); n++) {
			ASSERT_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
			EXPECT_EQ(info.si_code, codes[n]);
			EXPECT_EQ(info.si_pid, 4242);
			EXPECT_EQ(info.si_uid, 1234);
			EXPECT_EQ(info.si_errno, 42);
		}
		kc_leave(KC_PASS);
	}
	pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	for (size_t n = 0; n < sizeof(codes) / sizeof(codes[0]); n++) {
		info.si_code = codes[n];
		info.si_pid = 4242;
		info.si_uid = 1234;
		info.si_errno = 42;
		EXPECT_OK(pidfd_send_signal_(pidfd, SIGRTMIN, &info, 0));
	}
	kc_join(pid);
}

TEST(rejects_every_kernel_code, PROMISED("pidfd_send_signal(2), EPERM")
     DESCRIBE("SI_USER, SI_KERNEL, CLD_EXITED, SI_TKILL to another process: EPERM"))
{
	static const int codes[] = { SI_USER, SI_KERNEL, CLD_EXITED, 1, 127, INT_MAX, SI_TKILL };
	siginfo_t info = { .si_signo = SIGCONT };
	int pidfd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));

	for (size_t n = 0; n < sizeof(codes) / sizeof(codes[0]); n++) {
		info.si_code = codes[n];
		EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGCONT, &info, 0), EPERM);
	}
}

/* kernel/signal.c: "Only allow sending arbitrary signals to yourself." */
TEST(own_process_may_forge_to_itself, PROMISED("pidfd_send_signal(2), EPERM")
     DESCRIBE("any si_code, pid and uid to the own process"))
{
	static const int codes[] = { SI_USER, SI_KERNEL, SI_TKILL, SI_QUEUE };
	siginfo_t got;
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	block(SIGUSR1);
	for (size_t n = 0; n < sizeof(codes) / sizeof(codes[0]); n++) {
		siginfo_t info = { .si_signo = SIGUSR1, .si_code = codes[n] };

		info.si_pid = 4242;
		info.si_uid = 4343;
		EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, &info, 0));
		ASSERT_EQ(take(SIGUSR1, &got), SIGUSR1);
		EXPECT_EQ(got.si_code, codes[n]);
		EXPECT_EQ(got.si_pid, 4242);
		EXPECT_EQ(got.si_uid, 4343);
	}
}

static void *forge_from_thread(void *arg)
{
	siginfo_t info = { .si_signo = SIGUSR1, .si_code = SI_USER };
	struct thread *t = arg;
	int process = ASSERT_OK(pidfd_open_(getpid(), 0));
	int own = pidfd_open_(gettid(), PIDFD_THREAD_);

	EXPECT_ERRNO(pidfd_send_signal_(process, SIGUSR1, &info, 0), EPERM);
	if (own >= 0)
		EXPECT_OK(pidfd_send_signal_(own, SIGUSR1, &info, 0));
	return wait_in_thread(t);
}

/* "yourself" is the calling thread (kernel/signal.c: task_pid(current) is compared). */
TEST(thread_may_forge_to_itself_alone, PROMISED("kernel/signal.c, pidfd_send_signal()")
     DESCRIBE("SI_USER by a thread that is no leader: to its process EPERM, to itself 0"))
{
	struct thread t;

	block(SIGUSR1);
	start_thread_with(&t, forge_from_thread);
	end_thread(&t);
}

TEST(descriptor_zero_is_a_descriptor, PROMISED("pidfd_send_signal(2)")
     DESCRIBE("a pidfd with the number 0 is as good as another"))
{
	ASSERT_EQ(dup2(ASSERT_OK(pidfd_open_(sleeping_child(), 0)), 0), 0);
	EXPECT_OK(pidfd_send_signal_(0, 0, NULL, 0));
}

/* Checks stand in this order in kernel/signal.c. */
TEST(checks_flags_first, PROMISED("kernel/signal.c, pidfd_send_signal()")
     DESCRIBE("an undefined flag and a bad descriptor: EINVAL"))
{
	EXPECT_ERRNO(pidfd_send_signal_(-1, 0, NULL, 1u << 31), EINVAL);
	EXPECT_ERRNO(pidfd_send_signal_(9999, 65, (siginfo_t *)8, 1u << 3), EINVAL);
}

TEST(checks_descriptor_before_siginfo, PROMISED("kernel/signal.c, pidfd_send_signal()")
     DESCRIBE("a bad descriptor and a bad pointer: EBADF"))
{
	EXPECT_ERRNO(pidfd_send_signal_(9999, SIGUSR1, (siginfo_t *)8, 0), EBADF);
}

TEST(checks_signal_number_before_code, PROMISED("kernel/signal.c, pidfd_send_signal()")
     DESCRIBE("a siginfo of another signal with a kernel's code: EINVAL"))
{
	siginfo_t info = { .si_signo = SIGUSR2, .si_code = SI_USER };
	int pidfd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));

	EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGUSR1, &info, 0), EINVAL);
}

TEST(checks_siginfo_before_process, PROMISED("kernel/signal.c, pidfd_send_signal()")
     DESCRIBE("a reaped process: EFAULT, EINVAL and EPERM of the siginfo come first"))
{
	siginfo_t info = { .si_signo = SIGUSR2, .si_code = SI_QUEUE };
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	kill(pid, SIGKILL);
	reap(pid);
	EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGUSR1, (siginfo_t *)8, 0), EFAULT);
	EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGUSR1, &info, 0), EINVAL);
	info.si_code = SI_USER;
	EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGUSR2, &info, 0), EPERM);
	info.si_code = SI_QUEUE;
	EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGUSR2, &info, 0), ESRCH);
}

/* Since 5.1, before there was pidfd_open(). */
TEST(takes_proc_folder_as_pidfd, PROMISED("pidfd_send_signal(2), NOTES")
     DESCRIBE("an open /proc/<pid> signals its process; reaped: ESRCH"))
{
	char path[32];
	pid_t pid = sleeping_child();
	int proc = open_proc(), status = 0, fd;

	snprintf(path, sizeof(path), "%d", pid);
	fd = ASSERT_OK(openat(proc, path, O_DIRECTORY | O_RDONLY | O_CLOEXEC));
	EXPECT_OK(is_there(fd));
	EXPECT_OK(pidfd_send_signal_(fd, SIGTERM, NULL, 0));
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WTERMSIG(status), SIGTERM);
	EXPECT_ERRNO(is_there(fd), ESRCH);
}

TEST(refuses_other_parts_of_proc, PROMISED("pidfd_send_signal(2), EBADF")
     DESCRIBE("/proc, /proc/<pid>/fd, its status, its task folder and threads: EBADF"))
{
	static const char *const names[] = {
		".", "self/fd", "self/status", "self/task", "self/net", "sys", "thread-self",
	};
	int proc = open_proc();

	for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
		int fd = openat(proc, names[n], O_RDONLY | O_CLOEXEC);

		if (fd >= 0)
			EXPECT_ERRNO(is_there(fd), EBADF);
	}
}

TEST(refuses_descriptors_of_other_kinds, NEEDS_CONFIG(UNIX) PROMISED("pidfd_send_signal(2), EBADF")
     DESCRIBE("pipe, socket, O_PATH, closed pidfd: EBADF"))
{
	int pipes[2], sockets[2], closed = ASSERT_OK(pidfd_open_(getpid(), 0));

	ASSERT_OK(pipe(pipes));
	ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	EXPECT_ERRNO(is_there(pipes[0]), EBADF);
	EXPECT_ERRNO(is_there(sockets[0]), EBADF);
	EXPECT_ERRNO(is_there(ASSERT_OK(open("/", O_PATH))), EBADF);
	close(closed);
	EXPECT_ERRNO(is_there(closed), EBADF);
	EXPECT_ERRNO(is_there(INT_MIN), EBADF);
}

KCASE_MAIN
