// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is opened and closed, or fails, leaves nothing behind: open files as the
 * kernel counts them (fs.file-nr), its memory, and numbers of processes.
 */
#include <time.h>

#include "pidfd.h"
#include "signals.h"
#include "sockets.h"

EVERY_CASE(NEEDS_KERNEL(5, 3) TIMEOUT(90))
PROBE_PEER_PIDFD

#define ROUNDS 8000
#define PROCESSES 1000
/* Those that are asked for much. */
#define ASKED 500
#define LOOK_UPS 2000
/* So many of them before anything is counted, and 200 at least. */
#define WARM(rounds) ((rounds) / 8 > 200 ? (rounds) / 8 : 200)
/* Twenty times what a batch takes on a machine that has other work as well. */
#define BATCH_S 20
/* Less than this may be a pause of the machine. */
#define MEASURED_S 2
/* Where memory cannot be judged, less must do of both. */
#define UNJUDGED_S 5
#define UNJUDGED_MEASURED_S 1
/* Then nothing can be said any more: well before the time limit. */
#define BUDGET_S 60
/* The smallest thing that could stay, a struct pid, has more bytes than this. */
#define BYTES 64
/* But for a struct fs_struct. */
#define FEW_BYTES 40

/* Kernel memory that is in use and not for the taking, in KiB; what is freed is given time. */
static long kernel_kib(void)
{
	char text[8192], *line;
	long slab = 0;

	if (read_text(AT_FDCWD, "/proc/meminfo", text, sizeof(text)) < 0)
		SKIP("needs /proc");
	line = strstr(text, "SUnreclaim:");
	ASSERT_TRUE(line && sscanf(line, "SUnreclaim: %ld", &slab) == 1);
	return slab;
}

static long open_files(void)
{
	char text[128];
	long files = 0;

	if (read_text(AT_FDCWD, "/proc/sys/fs/file-nr", text, sizeof(text)) < 0)
		SKIP("needs /proc");
	ASSERT_EQ(sscanf(text, "%ld", &files), 1);
	return files;
}

static double seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - start->tv_sec + (now.tv_nsec - start->tv_nsec) / 1e9;
}

static void end_in_time(const struct timespec *start)
{
	if (seconds_since(start) > BUDGET_S)
		SKIP("inconclusive: no end after %d s here", BUDGET_S);
}

static long files_at_rest, kib_at_rest;

/*
 * RCU frees later, a few things at a time: what is still to be freed when
 * counting starts would hide what stays. So it starts when less does not come.
 */
static void start_counting(void)
{
	long kib;

	files_at_rest = open_files();
	kib_at_rest = kernel_kib();
	for (int calm = 0, tries = 0; calm < 10 && tries < 150; calm++, tries++) {
		usleep(20000);
		kib = kernel_kib();
		if (kib < kib_at_rest) {
			kib_at_rest = kib;
			calm = 0;
		}
	}
	if (open_files() < files_at_rest)
		files_at_rest = open_files();
}

/* What is freed may take its time again. */
static bool has_grown(long files, long kib)
{
	for (int tries = 0; tries < 20; tries++) {
		if (kernel_kib() - kib_at_rest < kib && open_files() - files_at_rest < files)
			return false;
		usleep(50000);
	}
	return true;
}

/* KASAN's quarantine (mm/kasan/quarantine.c): what was freed stays, and its place with it. */
static bool keeps_what_is_freed(void)
{
	static int known = -1;
	FILE *symbols = known < 0 ? fopen("/proc/kallsyms", "re") : NULL;
	char line[512];

	known = known > 0;
	while (symbols && !known && fgets(line, sizeof(line), symbols))
		known = strstr(line, "quarantine_put") != NULL;
	if (symbols)
		fclose(symbols);
	return known;
}

/* A kernel that checks itself is slow. */
static bool takes_too_long(double took_s, double all_s)
{
	if (took_s > UNJUDGED_MEASURED_S && keeps_what_is_freed())
		return all_s > UNJUDGED_S;
	return took_s > MEASURED_S && all_s > BATCH_S;
}

/*
 * Runs what must leave nothing behind, often. The kernel's caches grow by
 * themselves now and then; what leaks grows every time.
 */
static void expect_no_leak_of(int bytes, void (*once)(void *), void *arg, int rounds)
{
	const long slack_files = 512;	/* kept per CPU (lib/percpu_counter.c) */
	const long limit_kib = (long)rounds * bytes / 1024;
	struct timespec start;
	bool grown = true;
	double took_s, all_s;
	int warm = 0;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		once(arg);
		took_s = seconds_since(&start);
		all_s = took_s * rounds / ++warm;
	} while (warm < WARM(rounds) && took_s < MEASURED_S && !takes_too_long(took_s, all_s));
	if (takes_too_long(took_s, all_s))
		SKIP("inconclusive: %d rounds would take %.0f s here", rounds, all_s);
	for (int tries = 0; tries < 4 && grown; tries++) {
		start_counting();
		for (int n = 0; n < rounds; n++) {
			once(arg);
			end_in_time(&start);
		}
		grown = has_grown(slack_files, limit_kib);
		if (grown && open_files() - files_at_rest < slack_files && keeps_what_is_freed())
			SKIP("inconclusive: KASAN keeps what is freed");
	}
	if (grown) {
		EXPECT_LT(open_files() - files_at_rest, slack_files);
		EXPECT_LT(kernel_kib() - kib_at_rest, limit_kib);
	}
	EXPECT_FALSE(grown);
}

static void expect_no_leak(void (*once)(void *), void *arg, int rounds)
{
	expect_no_leak_of(BYTES, once, arg, rounds);
}

static void open_and_close(void *arg)
{
	(void)arg;
	close(ASSERT_OK(pidfd_open_(getpid(), 0)));
}

TEST(open_leaves_nothing, PROMISED("pidfd_open(2)")
     DESCRIBE("100,000 pidfds opened and closed: open files and kernel memory as before"))
{
	expect_no_leak(open_and_close, NULL, 100000);
}

static void fail_to_open(void *tid)
{
	pidfd_open_((pid_t)(intptr_t)tid, 0);
	pidfd_open_(INT_MAX, 0);
	pidfd_open_(getpid(), 1);
}

TEST(failed_open_leaves_nothing, PROMISED("pidfd_open(2)")
     DESCRIBE("a thread's number, nobody's, bad flags: nothing stays"))
{
	struct thread t;

	start_thread(&t);
	expect_no_leak(fail_to_open, (void *)(intptr_t)t.tid, ROUNDS);
	end_thread(&t);
}

/* Each time another one: what is kept of it is more than a count. */
static void fail_to_open_thread(void *arg)
{
	struct thread t;

	(void)arg;
	start_thread(&t);
	ASSERT_EQ(pidfd_open_(t.tid, 0), -1);
	end_thread(&t);
}

TEST(refused_thread_is_freed, PROMISED("pidfd_open(2), EINVAL")
     DESCRIBE("1,000 threads that pidfd_open(2) refused, and that ended: freed"))
{
	expect_no_leak(fail_to_open_thread, NULL, PROCESSES);
}

static void fail_to_open_child(void *arg)
{
	struct rlimit was, none;
	pid_t pid = ASSERT_OK(vfork());

	(void)arg;
	if (pid == 0)
		_exit(0);
	ASSERT_OK(getrlimit(RLIMIT_NOFILE, &was));
	none = was;
	none.rlim_cur = 0;
	ASSERT_OK(setrlimit(RLIMIT_NOFILE, &none));
	ASSERT_ERRNO(pidfd_open_(pid, 0), EMFILE);
	ASSERT_OK(setrlimit(RLIMIT_NOFILE, &was));
	reap(pid);
}

TEST(process_that_found_no_room_is_freed, PROMISED("pidfd_open(2), EMFILE")
     DESCRIBE("1,000 processes whose pidfd found the table full, and that ended: freed"))
{
	expect_no_leak(fail_to_open_child, NULL, PROCESSES);
}

/* A struct pid that a pidfd keeps is freed with the last of them. */
static void open_child_and_reap(void *arg)
{
	pid_t pid = ASSERT_OK(vfork());
	int pidfd;

	(void)arg;
	if (pid == 0)
		_exit(0);
	pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	is_there(pidfd);
	reap(pid);
	is_there(pidfd);
	close(pidfd);
}

TEST(process_is_freed_with_its_last_pidfd, PROMISED("pidfd_open(2)")
     DESCRIBE("1,000 processes opened, signalled, reaped and closed: kernel memory as before"))
{
	expect_no_leak(open_child_and_reap, NULL, PROCESSES);
}

static void wait_through_pidfd(void *arg)
{
	siginfo_t info;
	pid_t pid = ASSERT_OK(vfork());
	int pidfd;

	(void)arg;
	if (pid == 0)
		_exit(0);
	pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	ASSERT_OK(waitid(P_PIDFD_, pidfd, &info, WEXITED | WNOWAIT));
	ASSERT_OK(waitid(P_PIDFD_, pidfd, &info, WEXITED));
	ASSERT_EQ(waitid(P_PIDFD_, pidfd, &info, WEXITED), -1);
	close(pidfd);
}

TEST(waitid_leaves_nothing, NEEDS_KERNEL(5, 4) PROMISED("waitid(2), P_PIDFD")
     DESCRIBE("1,000 processes waited for through pidfds: kernel memory as before"))
{
	expect_no_leak(wait_through_pidfd, NULL, PROCESSES);
}

static void fail_to_clone(void *arg)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = 8,
		.exit_signal = SIGCHLD,
	};

	(void)arg;
	if (syscall(NR_clone3, &args, sizeof(args)) == 0)
		_exit(0);
}

TEST(failed_clone_leaves_nothing, PROMISED("clone(2), CLONE_PIDFD")
     DESCRIBE("1,000 clones that fail when the pidfd cannot be stored: nothing stays"))
{
	expect_no_leak(fail_to_clone, NULL, PROCESSES);
}

static void find_no_room_to_clone(void *arg)
{
	int pidfd = -1;
	/* As vfork(2) does: no memory is copied for a child that does not come. */
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_VM | CLONE_VFORK,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	struct rlimit was, none;

	(void)arg;
	ASSERT_OK(getrlimit(RLIMIT_NOFILE, &was));
	none = was;
	none.rlim_cur = 0;
	ASSERT_OK(setrlimit(RLIMIT_NOFILE, &none));
	ASSERT_ERRNO(syscall(NR_clone3, &args, sizeof(args)), EMFILE);
	ASSERT_OK(setrlimit(RLIMIT_NOFILE, &was));
}

TEST(clone_that_found_no_room_leaves_nothing, PROMISED("clone(2), CLONE_PIDFD; getrlimit(2), EMFILE")
     DESCRIBE("1,000 clones that find no descriptor for the pidfd: nothing stays"))
{
	expect_no_leak(find_no_room_to_clone, NULL, PROCESSES);
}

struct target {
	int pidfd, fd;
};

static void copy_and_close(void *arg)
{
	struct target *target = arg;

	close(ASSERT_OK(pidfd_getfd_(target->pidfd, target->fd, 0)));
	pidfd_getfd_(target->pidfd, 9999, 0);
}

TEST(getfd_leaves_nothing, NEEDS_KERNEL(5, 6) PROMISED("pidfd_getfd(2)")
     DESCRIBE("8,000 descriptors copied and closed: nothing stays"))
{
	struct target target = { ASSERT_OK(pidfd_open_(getpid(), 0)), 0 };

	expect_no_leak(copy_and_close, &target, ROUNDS);
}

static void copy_from_ended(void *pidfd)
{
	pidfd_getfd_((int)(intptr_t)pidfd, 0, 0);
	is_there((int)(intptr_t)pidfd);
}

/* A task that something still refers to has its stack and more: 16 KiB each. */
static void getfd_of_child(void *arg)
{
	pid_t pid = ASSERT_OK(vfork());
	int pidfd;

	(void)arg;
	if (pid == 0)
		_exit(0);
	pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	copy_from_ended((void *)(intptr_t)pidfd);
	reap(pid);
	copy_from_ended((void *)(intptr_t)pidfd);
	close(pidfd);
}

TEST(getfd_keeps_no_task, NEEDS_KERNEL(5, 6) PROMISED("pidfd_getfd(2)")
     DESCRIBE("1,000 processes that were asked for descriptors after their end: freed"))
{
	expect_no_leak(getfd_of_child, NULL, PROCESSES);
}

static void refuse_signal(void *arg)
{
	siginfo_t info = { .si_signo = SIGUSR1, .si_code = SI_USER };
	struct target *target = arg;
	int pidfd = ASSERT_OK(pidfd_open_(target->fd, 0));

	pidfd_send_signal_(pidfd, SIGUSR1, &info, 0);
	pidfd_send_signal_(pidfd, SIGUSR2, &info, 0);
	pidfd_send_signal_(pidfd, SIGUSR1, (siginfo_t *)8, 0);
	close(pidfd);
}

/* With threads a call takes a reference to the descriptor's file (fs/file.c, fdget()). */
TEST(refused_signal_leaves_nothing, PROMISED("pidfd_send_signal(2), EPERM, EINVAL, EFAULT")
     DESCRIBE("8,000 signals that are refused, in a process with threads: nothing stays"))
{
	struct target target = { .fd = sleeping_child() };
	struct thread t;

	start_thread(&t);
	expect_no_leak(refuse_signal, &target, ROUNDS);
	end_thread(&t);
}

static void signal_in_every_way(void *arg)
{
	int pipes[2], pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	(void)arg;
	ASSERT_OK(pipe(pipes));
	ASSERT_ERRNO(is_there(pipes[0]), EBADF);
	ASSERT_OK(is_there(pidfd));
	/* EINVAL before 6.9. */
	pidfd_send_signal_(pidfd, 0, NULL, SIGNAL_PROCESS_GROUP);
	pidfd_send_signal_(pidfd, 0, NULL, SIGNAL_THREAD);
	close(pipes[0]);
	close(pipes[1]);
	close(pidfd);
}

TEST(signal_keeps_no_file, PROMISED("pidfd_send_signal(2)")
     DESCRIBE("2,000 signals to process, thread, group, and by a pipe, in a process with threads: nothing stays"))
{
	struct thread t;

	ASSERT_OK(setpgid(0, 0));
	start_thread(&t);
	expect_no_leak(signal_in_every_way, NULL, LOOK_UPS);
	end_thread(&t);
}

static void signal_outside(void *proc)
{
	int fd = ASSERT_OK(openat((int)(intptr_t)proc, "1", O_DIRECTORY | O_RDONLY | O_CLOEXEC));

	ASSERT_ERRNO(is_there(fd), EINVAL);
	close(fd);
}

static int outer_proc;

static void signal_outside_often(void)
{
	struct thread t;

	start_thread(&t);
	expect_no_leak(signal_outside, (void *)(intptr_t)outer_proc, LOOK_UPS);
	end_thread(&t);
}

TEST(signal_out_of_the_namespace_keeps_no_file, NEEDS_ROOT NEEDS_CONFIG(PID_NS)
     PROMISED("pidfd_send_signal(2), EINVAL")
     DESCRIBE("2,000 signals by the outer /proc/1, in a pid namespace and with threads: nothing stays"))
{
	outer_proc = open("/proc", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (outer_proc < 0 || faccessat(outer_proc, "1", F_OK, 0) != 0)
		SKIP("needs /proc");
	in_pid_namespace(signal_outside_often);
}

static void look_up(void *arg)
{
	int pipes[2], pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	(void)arg;
	ASSERT_OK(pipe(pipes));
	close(ASSERT_OK(pidfd_getfd_(pidfd, 0, 0)));
	ASSERT_ERRNO(pidfd_getfd_(pidfd, 9999, 0), EBADF);
	ASSERT_ERRNO(pidfd_getfd_(pipes[0], 0, 0), EBADF);
	ASSERT_ERRNO(waitid(P_PIDFD_, pidfd, NULL, WEXITED), ECHILD);
	ASSERT_ERRNO(waitid(P_PIDFD_, pipes[0], NULL, WEXITED), EBADF);
	close(pipes[0]);
	close(pipes[1]);
	close(pidfd);
}

/* As above: a descriptor that is looked up in a process with threads is held meanwhile. */
TEST(looking_up_keeps_no_file, NEEDS_KERNEL(5, 6) PROMISED("pidfd_getfd(2); waitid(2), P_PIDFD")
     DESCRIBE("2,000 times pidfd_getfd(2), waitid(2), by pidfds and pipes, in a process with threads"))
{
	struct thread t;

	start_thread(&t);
	expect_no_leak(look_up, NULL, LOOK_UPS);
	end_thread(&t);
}

/* What asks a process for its memory or namespaces gives the process back. */
static void ask_child(void *arg)
{
	struct iovec nothing = { NULL, 0 };
	int pipes[2], pidfd, waiting;
	pid_t pid;
	char c;

	(void)arg;
	ASSERT_OK(pipe(pipes));
	pid = ASSERT_OK(fork());
	if (pid == 0) {
		close(pipes[1]);
		_exit(read(pipes[0], &c, 1) != 0);
	}
	pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	process_madvise_(pidfd, &nothing, 1, MADV_COLD, 0);
	waiting = pidfd_open_(pid, PIDFD_NONBLOCK_);
	waitid(P_PIDFD_, waiting, NULL, WEXITED);	/* which lives: EAGAIN */
	close(waiting);
	for (int n = 1; n <= 10; n++)
		close(ioctl(pidfd, GET(n), 0));
	setns(pidfd, CLONE_NEWUSER);	/* which is the own one: EINVAL */
	close(pipes[0]);
	close(pipes[1]);
	reap(pid);
	close(pidfd);
}

TEST(asking_a_process_keeps_nothing_of_it, PROMISED("process_madvise(2), setns(2), ioctl(2)")
     DESCRIBE("500 processes asked for memory and namespaces, and ended: freed"))
{
	expect_no_leak(ask_child, NULL, ASKED);
}

/* Refused for each reason that comes after the process was found. */
static void be_refused(void *arg)
{
	struct iovec nothing = { NULL, 0 };
	pid_t pid = ASSERT_OK(sleeping_clone(0));
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	siginfo_t info;

	(void)arg;
	process_madvise_(pidfd, &nothing, 1, MADV_COLD, 0);
	process_madvise_(pidfd, &nothing, 1, MADV_DONTNEED, 0);
	ASSERT_OK(kill(pid, SIGKILL));
	ASSERT_OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	process_madvise_(pidfd, &nothing, 1, MADV_COLD, 0);
	reap(pid);
	close(pidfd);
}

TEST(refused_advice_keeps_nothing_of_the_process, NEEDS_KERNEL(5, 10) NEEDS_ROOT
     PROMISED("process_madvise(2), EPERM, EINVAL, ESRCH")
     DESCRIBE("500 processes: no CAP_SYS_NICE, an advice that is none, a zombie; reaped, they are freed"))
{
	IN_CHILD {
		drop_capability(CAP_SYS_NICE);
		expect_no_leak(be_refused, NULL, ASKED);
	}
}

/* More ranges than the kernel keeps on its stack (UIO_FASTIOV, linux/uio.h). */
static void refuse_advice(void *pidfd)
{
	struct iovec ranges[64] = { 0 };

	process_madvise_(9999, ranges, 64, MADV_COLD, 0);
	process_madvise_((int)(intptr_t)pidfd, ranges, 64, MADV_COLD, 0);
}

TEST(refused_advice_leaves_nothing, NEEDS_KERNEL(5, 10) PROMISED("process_madvise(2), EBADF, ESRCH")
     DESCRIBE("16,000 advices to no process, of 64 ranges: nothing stays"))
{
	pid_t pid = zombie_child(0);
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	reap(pid);
	expect_no_leak(refuse_advice, (void *)(intptr_t)pidfd, ROUNDS);
}

static void enter_two(void *pidfd)
{
	ASSERT_OK(setns((int)(intptr_t)pidfd, CLONE_NEWNS | CLONE_NEWUTS));
}

static void have_two(void *arg)
{
	(void)arg;
	ASSERT_OK(unshare(CLONE_NEWNS | CLONE_NEWUTS));
}

TEST(entering_leaves_nothing, NEEDS_KERNEL(5, 8) NEEDS_ROOT NEEDS_CONFIG(UTS_NS) PROMISED("setns(2)")
     DESCRIBE("8,000 times into a mount namespace and another one at once: nothing stays"))
{
	int pidfd = ASSERT_OK(pidfd_open_(child_after(have_two, NULL), 0));

	IN_CHILD
		expect_no_leak_of(FEW_BYTES, enter_two, (void *)(intptr_t)pidfd, ROUNDS);
}

/* The user is bound by fs.file-max, root counts (proc(5), file-max). */
static void find_no_file(void *arg)
{
	pid_t pid = ASSERT_OK(vfork());

	(void)arg;
	if (pid == 0)
		_exit(0);
	ASSERT_OK(seteuid(NOBODY));
	ASSERT_ERRNO(pidfd_open_(pid, 0), ENFILE);
	ASSERT_OK(seteuid(0));
	reap(pid);
}

TEST(process_that_found_no_file_is_freed, NEEDS_ROOT PROMISED("pidfd_open(2), ENFILE")
     DESCRIBE("1,000 processes whose pidfd found fs.file-max reached, and that ended: freed"))
{
	set_limit("/proc/sys/fs/file-max", "0", "needs /proc");
	expect_no_leak(find_no_file, NULL, PROCESSES);
}

/*
 * A namespace that only a leaked reference keeps has its memory, a few hundred
 * bytes, and counts: no more than max_uts_namespaces are to be had (proc_sys_user(5)).
 */
static void ask_child_with_namespace(void *arg)
{
	struct rlimit none = { 0, 0 };
	int pidfd, status;
	pid_t pid = ASSERT_OK(fork());

	(void)arg;
	if (pid == 0) {
		pidfd = pidfd_open_(getpid(), 0);
		for (int tries = 0; unshare(CLONE_NEWUTS) != 0; tries++) {
			/* Those of processes that ended may be freed a little later. */
			if (errno != ENOSPC || tries == 200)
				_exit(errno);
			usleep(10000);
		}
		for (int n = 1; n <= 10; n++)
			close(ioctl(pidfd, GET(n), 0));
		/* Nor where there is no room for the descriptor: EMFILE. */
		setrlimit(RLIMIT_NOFILE, &none);
		for (int n = 1; n <= 10; n++)
			if (ioctl(pidfd, GET(n), 0) >= 0)
				_exit(EEXIST);
		_exit(setns(pidfd, CLONE_NEWUTS) == 0 || errno == EINVAL ? 0 : errno);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	ASSERT_EQ(status, 0);
}

TEST(asking_for_namespaces_keeps_none, NEEDS_ROOT NEEDS_CONFIG(UTS_NS) SLOW
     PROMISED("setns(2), ioctl(2)")
     DESCRIBE("500 processes with a UTS namespace of their own, asked and entered: freed"))
{
	expect_no_leak(ask_child_with_namespace, NULL, ASKED);
}

static void stop_and_continue(void *arg)
{
	pid_t pid = ASSERT_OK(sleeping_clone(0));
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	siginfo_t info;

	(void)arg;
	ASSERT_OK(kill(pid, SIGSTOP));
	ASSERT_OK(waitid(P_PIDFD_, pidfd, &info, WSTOPPED));
	ASSERT_OK(kill(pid, SIGCONT));
	ASSERT_OK(waitid(P_PIDFD_, pidfd, &info, WCONTINUED));
	ASSERT_OK(kill(pid, SIGKILL));
	reap(pid);
	close(pidfd);
}

TEST(told_stop_keeps_no_task, NEEDS_KERNEL(5, 4) PROMISED("waitid(2), WSTOPPED, WCONTINUED")
     DESCRIBE("500 processes whose stop and continue were waited for, and that ended: freed"))
{
	expect_no_leak(stop_and_continue, NULL, ASKED);
}

/* Numbers come back, of dead processes whose pidfds are open: of more than there are numbers. */
static void use_up_numbers(void)
{
	struct timespec start;

	clock_gettime(CLOCK_MONOTONIC, &start);
	/* RESERVED_PIDS + 1 is the lowest, and more where there are many CPUs (kernel/pid.c). */
	set_limit("/proc/sys/kernel/pid_max", "768", "needs /proc");
	for (int n = 0; n < 800; n++) {
		pid_t pid = vfork();

		if (pid == 0)
			_exit(0);
		end_in_time(&start);
		ASSERT_OK(pid);
		ASSERT_OK(pidfd_open_(pid, 0));
		reap(pid);
	}
}

TEST(pidfd_keeps_no_number, NEEDS_ROOT PROMISED("pidfd_open(2); cover letter: recycled pids")
     DESCRIBE("800 processes through 768 numbers while the pidfds of all before are open"))
{
	use_up_numbers();
	EXPECT_OK(pidfd_open_(getpid(), 0));
}

static void queue_and_take(void *pidfd)
{
	siginfo_t info = { .si_signo = SIGRTMIN, .si_code = SI_QUEUE };

	ASSERT_OK(pidfd_send_signal_((int)(intptr_t)pidfd, SIGRTMIN, &info, 0));
	ASSERT_EQ(take(SIGRTMIN, &info), SIGRTMIN);
}

TEST(taken_signals_are_freed, PROMISED("signal(7), Real-time signals")
     DESCRIBE("8,000 signals with a siginfo queued and taken: nothing stays"))
{
	block(SIGRTMIN);
	expect_no_leak(queue_and_take, (void *)(intptr_t)ASSERT_OK(pidfd_open_(getpid(), 0)), ROUNDS);
}

struct ear {
	int listener;
	struct sockaddr_un name;
};

/* Its messages: one that is read, one that is left when the socket is closed. */
static void hear_of_child(void *arg)
{
	struct ear *ear = arg;
	char c, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec data = { &c, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	int fd, pidfd = -1;
	socklen_t size = sizeof(pidfd);
	pid_t pid = ASSERT_OK(vfork());

	if (pid == 0) {
		int own = socket(AF_UNIX, SOCK_STREAM, 0);

		_exit(connect(own, (struct sockaddr *)&ear->name, sizeof(ear->name)) ||
		      write(own, "x", 1) != 1 || write(own, "y", 1) != 1);
	}
	fd = ASSERT_OK(accept4(ear->listener, NULL, NULL, SOCK_CLOEXEC));
	ASSERT_OK(getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD_, &pidfd, &size));
	ASSERT_OK(close(pidfd));
	ASSERT_EQ(recvmsg(fd, &message, 0), 1);
	ASSERT_TRUE(CMSG_FIRSTHDR(&message) != NULL);
	memcpy(&pidfd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(pidfd));
	ASSERT_OK(close(pidfd));
	reap(pid);
	close(fd);
}

TEST(process_at_the_other_end_is_freed, PEERS PROMISED("commit 7b26952a91cf; commit 5e2ff6704a27")
     DESCRIBE("1,000 processes whose pidfds SO_PEERPIDFD and SCM_PIDFD gave, and that ended: freed"))
{
	struct ear ear;
	int on = 1;

	ear.listener = listening(&ear.name);
	ASSERT_OK(setsockopt(ear.listener, SOL_SOCKET, SO_PASSPIDFD_, &on, sizeof(on)));
	expect_no_leak(hear_of_child, &ear, PROCESSES);
}

KCASE_MAIN
