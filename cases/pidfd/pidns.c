// SPDX-License-Identifier: GPL-2.0-only
/* Pidfds across pid namespaces: who may signal whom, and which numbers are shown. */
#include <sys/reboot.h>

#include "pidfd.h"
#include "signals.h"

EVERY_CASE(NEEDS_KERNEL(5, 3) NEEDS_CONFIG(PID_NS) NEEDS_ROOT TIMEOUT(20))

static pid_t new_namespace(void)
{
	struct clone_args args = { .exit_signal = SIGCHLD, .flags = CLONE_NEWPID };
	pid_t pid = ASSERT_OK(syscall(NR_clone3, &args, sizeof(args)));

	if (pid == 0) {
		kc_cleanup_count = 0;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	}
	return pid;
}

/*
 * The numbers from the procfs instance's namespace inwards (fs/pidfs.c, pidfd_show_fdinfo());
 * since 5.5 (commit 15d42eb26bec).
 */
static void expect_nspid_in(const char *process, int pidfd, const char *wanted)
{
	char path[64], text[1024], *line;

	snprintf(path, sizeof(path), "/proc/%s/fdinfo/%d", process, pidfd);
	if (read_text(AT_FDCWD, path, text, sizeof(text)) < 0)
		SKIP("needs /proc");
	line = strstr(text, "NSpid:\t");
	ASSERT_TRUE(line != NULL);
	line[strcspn(line, "\n")] = '\0';
	EXPECT_STREQ(line + strlen("NSpid:\t"), wanted);
}

static void expect_nspid(int pidfd, const char *wanted)
{
	expect_nspid_in("self", pidfd, wanted);
}

/* access_pidfd_pidns(): a process of the own namespace or of one below. */
TEST(ancestor_is_out_of_reach, PROMISED("pidfd_send_signal(2), EINVAL")
     DESCRIBE("from inside to a process outside, by an inherited pidfd: EINVAL"))
{
	int parent = ASSERT_OK(pidfd_open_(getpid(), 0));
	int brother = ASSERT_OK(pidfd_open_(sleeping_child(), 0));
	siginfo_t info = { .si_signo = SIGKILL, .si_code = SI_QUEUE };
	pid_t pid = new_namespace();

	if (pid == 0) {
		EXPECT_ERRNO(is_there(parent), EINVAL);
		EXPECT_ERRNO(pidfd_send_signal_(brother, SIGKILL, NULL, 0), EINVAL);
		EXPECT_ERRNO(pidfd_send_signal_(brother, SIGKILL, &info, 0), EINVAL);
		EXPECT_ERRNO(pidfd_send_signal_(brother, SIGKILL, (siginfo_t *)8, 0), EINVAL);
		EXPECT_OK(is_there(ASSERT_OK(pidfd_open_(getpid(), 0))));
		kc_leave(KC_PASS);
	}
	kc_join(pid);
	EXPECT_OK(is_there(brother));
}

TEST(descendant_is_in_reach, NEEDS_CONFIG(UNIX) PROMISED("pidfd_send_signal(2)")
     DESCRIBE("from outside into a namespace, and into one below that"))
{
	int sockets[2], deep, status;
	pid_t pid;

	ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	pid = new_namespace();
	if (pid == 0) {
		pid_t below = new_namespace();

		if (below == 0)
			for (;;)
				pause();
		pass_descriptor(sockets[1], ASSERT_OK(pidfd_open_(below, 0)));
		ASSERT_EQ(waitpid(below, &status, 0), below);
		EXPECT_EQ(WTERMSIG(status), SIGKILL);
		kc_leave(KC_PASS);
	}
	deep = take_descriptor(sockets[0]);
	EXPECT_OK(is_there(ASSERT_OK(pidfd_open_(pid, 0))));
	EXPECT_OK(is_there(deep));
	EXPECT_OK(pidfd_send_signal_(deep, SIGKILL, NULL, 0));
	kc_join(pid);
}

TEST(unrelated_namespace_is_out_of_reach, NEEDS_CONFIG(UNIX) PROMISED("pidfd_send_signal(2), EINVAL")
     DESCRIBE("between two namespaces side by side, by a passed pidfd: EINVAL; fdinfo says 0"))
{
	int sockets[2], go[2];
	pid_t first, second;
	char c;

	ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	ASSERT_OK(pipe(go));
	first = new_namespace();
	if (first == 0) {
		pid_t below;

		close(go[1]);
		below = new_namespace();
		if (below == 0)
			for (;;)
				pause();
		pass_descriptor(sockets[1], ASSERT_OK(pidfd_open_(1, 0)));
		pass_descriptor(sockets[1], ASSERT_OK(pidfd_open_(below, 0)));
		if (read(go[0], &c, 1) < 0)
			_exit(1);
		kc_leave(KC_PASS);
	}
	second = new_namespace();
	if (second == 0) {
		int pidfd = take_descriptor(sockets[0]), below = take_descriptor(sockets[0]);

		EXPECT_ERRNO(is_there(pidfd), EINVAL);
		EXPECT_ERRNO(is_there(below), EINVAL);
		EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGKILL, NULL, 0), EINVAL);
		ASSERT_OK(unshare(CLONE_NEWNS));
		ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
		/* fs/pidfs.c: "0 will be shown as its pid" to a namespace that is no ancestor. */
		if (mount("proc", "/proc", "proc", 0, NULL) == 0) {
			EXPECT_EQ(fdinfo_pid(pidfd), 0);
			EXPECT_EQ(fdinfo_pid(below), 0);
			/* "... and no others", although it has numbers further in; with 5.5. */
			if (kc_kernel_since(5, 5)) {
				expect_nspid(pidfd, "0");
				expect_nspid(below, "0");
			}
		}
		kc_leave(KC_PASS);
	}
	kc_join(second);
	close(go[1]);
	kc_join(first);
}

TEST(sender_from_outside_has_no_pid, PROMISED("pid_namespaces(7)")
     DESCRIBE("si_pid is 0 for a signal from an outer namespace, the number for one from inside"))
{
	int ready[2];
	pid_t pid;
	char c;

	ASSERT_OK(pipe2(ready, O_CLOEXEC));
	block(SIGUSR1);
	block(SIGUSR2);
	pid = new_namespace();
	if (pid == 0) {
		siginfo_t info = { 0 };
		sigset_t set;
		pid_t child;
		int own = ASSERT_OK(pidfd_open_(1, 0));

		close(ready[0]);
		close(ready[1]);
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		ASSERT_EQ(sigwaitinfo(&set, &info), SIGUSR1);
		EXPECT_EQ(info.si_pid, 0);
		EXPECT_EQ(info.si_code, SI_USER);
		child = ASSERT_OK(fork());
		if (child == 0)
			_exit(pidfd_send_signal_(own, SIGUSR2, NULL, 0) ? 1 : 0);
		sigaddset(&set, SIGUSR2);
		ASSERT_EQ(sigwaitinfo(&set, &info), SIGUSR2);
		EXPECT_EQ(info.si_pid, child);
		kc_leave(KC_PASS);
	}
	close(ready[1]);
	ASSERT_EQ(read(ready[0], &c, 1), 0);
	EXPECT_OK(pidfd_send_signal_(ASSERT_OK(pidfd_open_(pid, 0)), SIGUSR1, NULL, 0));
	kc_join(pid);
}

/* pid_namespaces(7): process 1 gets only the signals that it has a handler for, from inside. */
TEST(first_process_is_spared_from_inside, PROMISED("pid_namespaces(7), The namespace init process")
     DESCRIBE("SIGKILL and SIGTERM to process 1 from inside have no effect, from outside they do"))
{
	int status = 0, spared[2];
	pid_t pid;
	char c;

	ASSERT_OK(pipe2(spared, O_CLOEXEC));
	pid = new_namespace();
	if (pid == 0) {
		int own = ASSERT_OK(pidfd_open_(1, 0));
		pid_t child = ASSERT_OK(fork());

		if (child == 0)
			_exit(pidfd_send_signal_(own, SIGKILL, NULL, 0) ||
			      pidfd_send_signal_(own, SIGTERM, NULL, 0));
		ASSERT_EQ(waitpid(child, &status, 0), child);
		EXPECT_EQ(status, 0);
		EXPECT_OK(pidfd_send_signal_(own, SIGKILL, NULL, 0));
		ASSERT_EQ(write(spared[1], "x", 1), 1);
		for (;;)
			pause();
	}
	close(spared[1]);
	EXPECT_EQ(read(spared[0], &c, 1), 1);
	EXPECT_EQ(waitpid(pid, &status, WNOHANG), 0);
	EXPECT_OK(pidfd_send_signal_(ASSERT_OK(pidfd_open_(pid, 0)), SIGKILL, NULL, 0));
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

/* pid_namespaces(7): "SIGKILL or SIGSTOP are treated exceptionally" from an ancestor namespace. */
TEST(first_process_is_stopped_from_outside_alone, PROMISED("pid_namespaces(7), The namespace init process")
     DESCRIBE("SIGTERM and SIGSTOP from inside and SIGTERM from outside: no effect; SIGSTOP from outside: stops"))
{
	int ready[2], pidfd;
	siginfo_t info = { 0 };
	pid_t pid;
	char c;

	ASSERT_OK(pipe2(ready, O_CLOEXEC));
	pid = new_namespace();
	if (pid == 0) {
		int own = ASSERT_OK(pidfd_open_(1, 0));

		EXPECT_OK(pidfd_send_signal_(own, SIGTERM, NULL, 0));
		EXPECT_OK(pidfd_send_signal_(own, SIGSTOP, NULL, 0));
		ASSERT_EQ(write(ready[1], "x", 1), 1);
		for (;;)
			pause();
	}
	CLEANUP(kill_and_reap, pid);
	close(ready[1]);
	/* It came so far: it was not stopped. */
	ASSERT_EQ(read(ready[0], &c, 1), 1);
	pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGTERM, NULL, 0));
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGUSR1, NULL, 0));
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGSTOP, NULL, 0));
	ASSERT_OK(waitid(P_PID, pid, &info, WSTOPPED));
	EXPECT_EQ(info.si_code, CLD_STOPPED);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGCONT, NULL, 0));
	ASSERT_OK(waitid(P_PID, pid, &info, WCONTINUED));
	EXPECT_EQ(waitpid(pid, NULL, WNOHANG), 0);
}

/* What the sender says of itself counts in its own namespace (kernel/signal.c, send_signal_locked()). */
TEST(queued_signal_comes_from_nobody_inside, PROMISED("pid_namespaces(7); rt_sigqueueinfo(2)")
     DESCRIBE("a siginfo from outside: si_pid 0 inside, its value as sent; and SIGKILL ends process 1"))
{
	siginfo_t info = { .si_signo = SIGRTMIN, .si_code = SI_QUEUE };
	int status = 0, pidfd, taken[2];
	sigset_t set;
	pid_t pid;
	char c;

	ASSERT_OK(pipe2(taken, O_CLOEXEC));
	block(SIGRTMIN);
	pid = new_namespace();
	if (pid == 0) {
		sigemptyset(&set);
		sigaddset(&set, SIGRTMIN);
		ASSERT_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
		EXPECT_EQ(info.si_pid, 0);
		EXPECT_EQ(info.si_value.sival_int, 4711);
		ASSERT_EQ(write(taken[1], "x", 1), 1);
		for (;;)
			pause();
	}
	close(taken[1]);
	pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	info.si_pid = getpid();
	info.si_value.sival_int = 4711;
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGRTMIN, &info, 0));
	EXPECT_EQ(read(taken[0], &c, 1), 1);
	info.si_signo = SIGKILL;
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGKILL, &info, 0));
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

TEST(fdinfo_lists_numbers_inwards, NEEDS_KERNEL(5, 5) PROMISED("proc(5), NSpid")
     DESCRIBE("NSpid: the number outside, then 1; of oneself the one number; -1 when reaped"))
{
	char wanted[32];
	pid_t pid = new_namespace();
	int pidfd;

	if (pid == 0)
		for (;;)
			pause();
	CLEANUP(kill_and_reap, pid);
	pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	snprintf(wanted, sizeof(wanted), "%d\t1", pid);
	expect_nspid(pidfd, wanted);
	EXPECT_EQ(fdinfo_pid(pidfd), pid);
	snprintf(wanted, sizeof(wanted), "%d", getpid());
	expect_nspid(ASSERT_OK(pidfd_open_(getpid(), 0)), wanted);
	kill(pid, SIGKILL);
	reap(pid);
	expect_nspid(pidfd, "-1");
	EXPECT_EQ(fdinfo_pid(pidfd), -1);
}

TEST(fdinfo_lists_every_level, NEEDS_KERNEL(5, 5) NEEDS_CONFIG(UNIX)
     PROMISED("proc(5), NSpid; fs/pidfs.c, pidfd_show_fdinfo()")
     DESCRIBE("NSpid of a process two namespaces below: the number out here, the one between, then 1"))
{
	char wanted[64];
	int sockets[2], pidfd;
	pid_t pid, between;

	ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	pid = new_namespace();
	if (pid == 0) {
		between = new_namespace();
		if (between == 0)
			for (;;)
				pause();
		pass_descriptor(sockets[1], ASSERT_OK(pidfd_open_(between, 0)));
		ASSERT_EQ(write(sockets[1], &between, sizeof(between)), (ssize_t)sizeof(between));
		for (;;)
			pause();
	}
	CLEANUP(kill_and_reap, pid);
	pidfd = take_descriptor(sockets[0]);
	ASSERT_EQ(read(sockets[0], &between, sizeof(between)), (ssize_t)sizeof(between));
	ASSERT_NE(between, 1);
	snprintf(wanted, sizeof(wanted), "%d\t%d\t1", fdinfo_pid(pidfd), between);
	expect_nspid(pidfd, wanted);
}

TEST(fdinfo_shows_zombie, PROMISED("fs/pidfs.c, pidfd_show_fdinfo()")
     DESCRIBE("a process that has ended keeps its number until it is reaped"))
{
	pid_t pid = zombie_child(0);
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	EXPECT_EQ(fdinfo_pid(pidfd), pid);
	reap(pid);
	EXPECT_EQ(fdinfo_pid(pidfd), -1);
}

/* Who reads has no part in it: not every reader of a procfs is of its namespace. */
TEST(fdinfo_is_as_its_procfs_counts, NEEDS_KERNEL(5, 5) PROMISED("proc(5), NSpid; fs/pidfs.c, pidfd_show_fdinfo()")
     DESCRIBE("a procfs of an inner namespace, read from outside, has the inner number alone"))
{
	int ready[2], own = next_descriptor() + 2;
	char process[64], text[1024], c;
	pid_t pid;

	ASSERT_OK(pipe2(ready, O_CLOEXEC));
	pid = new_namespace();
	if (pid == 0) {
		ASSERT_OK(unshare(CLONE_NEWNS));
		ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
		if (mount("proc", "/proc", "proc", 0, NULL) != 0)
			SKIP("needs /proc");
		ASSERT_EQ(pidfd_open_(1, 0), own);
		ASSERT_EQ(write(ready[1], "x", 1), 1);
		for (;;)
			pause();
	}
	CLEANUP(kill_and_reap, pid);
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1) {
		kc_join(pid);
		return;
	}
	snprintf(process, sizeof(process), "%d/root/proc/1", pid);
	expect_nspid_in(process, own, "1");
	snprintf(process, sizeof(process), "/proc/%d/root/proc/1/fdinfo/%d", pid, own);
	ASSERT_OK(read_text(AT_FDCWD, process, text, sizeof(text)));
	EXPECT_EQ(pid_in(text), 1);
}

TEST(fdinfo_of_an_outer_process_is_zero, NEEDS_KERNEL(5, 5) PROMISED("fs/pidfs.c, pidfd_show_fdinfo()")
     DESCRIBE("by the procfs of an inner namespace the parent has no number: 0"))
{
	int parent = ASSERT_OK(pidfd_open_(getpid(), 0));
	pid_t pid = new_namespace();

	if (pid == 0) {
		ASSERT_OK(unshare(CLONE_NEWNS));
		ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
		if (mount("proc", "/proc", "proc", 0, NULL) != 0)
			SKIP("needs /proc");
		EXPECT_EQ(fdinfo_pid(parent), 0);
		expect_nspid(parent, "0");
		EXPECT_EQ(fdinfo_pid(ASSERT_OK(pidfd_open_(1, 0))), 1);
		kc_leave(KC_PASS);
	}
	kc_join(pid);
}

/* What is counted and never given back is at its limit before long (proc_sys_user(5)). */
TEST(dead_namespace_is_dropped, NEEDS_CONFIG(PID_NS) NEEDS_ROOT
     PROMISED("clone(2), ENOMEM; proc_sys_user(5), max_pid_namespaces")
     DESCRIBE("10 namespaces whose process 1 ended: no further process, ENOMEM, and they are freed"))
{
	set_limit("/proc/sys/user/max_pid_namespaces", "4", "needs /proc/sys/user");
	for (int n = 0; n < 10; n++) {
		IN_CHILD {
			struct clone_args args = { .exit_signal = SIGCHLD, .flags = CLONE_PIDFD };
			int pidfd = -7;
			pid_t first;

			args.pidfd = (uint64_t)(uintptr_t)&pidfd;
			for (int tries = 0; unshare(CLONE_NEWPID) != 0; tries++) {
				/* They are freed a little later. */
				ASSERT_EQ(errno, ENOSPC);
				ASSERT_LT(tries, 200);
				usleep(10000);
			}
			first = ASSERT_OK(fork());
			if (first == 0)
				_exit(0);
			reap(first);
			EXPECT_ERRNO(clone_sleeper(&args), ENOMEM);
			EXPECT_EQ(pidfd, -7);
		}
	}
}

#define NUMBER_INSIDE 500

static void choose_numbers(void)
{
	/* From the innermost namespace outwards, where 1 is taken. */
	pid_t numbers[] = { NUMBER_INSIDE, 1 };
	int pidfd = -7;
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)numbers,
		.set_tid_size = 2,
	};

	EXPECT_ERRNO(clone_sleeper(&args), EEXIST);
	EXPECT_EQ(pidfd, -7);
	EXPECT_ERRNO(pidfd_open_(NUMBER_INSIDE, 0), ESRCH);
	args.set_tid_size = 1;
	EXPECT_EQ(ASSERT_OK(clone_sleeper(&args)), NUMBER_INSIDE);
	EXPECT_OK(is_there(pidfd));
}

TEST(refused_number_takes_none_inside, NEEDS_KERNEL(5, 5) PROMISED("clone(2), set_tid, EEXIST")
     DESCRIBE("a number inside, and one outside that is taken: EEXIST, and the one inside is free"))
{
	in_pid_namespace(choose_numbers);
}

static pid_t clone_with_numbers(int *pidfd, const pid_t *numbers, size_t count)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)numbers,
		.set_tid_size = count,
	};

	return clone_sleeper(&args);
}

/* clone(2): "The first entry defines the PID in the most deeply nested PID namespace". */
TEST(numbers_are_chosen_outwards, NEEDS_KERNEL(5, 5) PROMISED("clone(2), The set_tid array, EINVAL")
     DESCRIBE("a number inside, then one outside: the child has both; one more than there are namespaces: EINVAL"))
{
	int made[2], pidfd = -7, status, next;
	char text[32], c;
	pid_t pid, child, outside;

	if (read_text(AT_FDCWD, "/proc/sys/kernel/pid_max", text, sizeof(text)) <= 0)
		SKIP("needs /proc");
	outside = atoi(text) - 2;
	ASSERT_OK(pipe2(made, O_CLOEXEC));
	pid = new_namespace();
	if (pid == 0) {
		const pid_t numbers[] = { NUMBER_INSIDE, outside, outside - 1 };

		next = next_descriptor();
		EXPECT_ERRNO(clone_with_numbers(&pidfd, numbers, 3), EINVAL);
		EXPECT_EQ(pidfd, -7);
		EXPECT_EQ(next_descriptor(), next);
		child = clone_with_numbers(&pidfd, numbers, 2);
		if (child < 0 && errno == EEXIST)
			SKIP("inconclusive: somebody has the number %d", outside);
		ASSERT_EQ(child, NUMBER_INSIDE);
		EXPECT_OK(is_there(pidfd));
		ASSERT_EQ(write(made[1], "x", 1), 1);
		ASSERT_EQ(waitpid(child, &status, 0), child);
		EXPECT_EQ(WTERMSIG(status), SIGTERM);
		kc_leave(KC_PASS);
	}
	close(made[1]);
	if (read(made[0], &c, 1) != 1) {
		kc_join(pid);
		return;
	}
	pidfd = ASSERT_OK(pidfd_open_(outside, 0));
	snprintf(text, sizeof(text), "%d\t%d", outside, NUMBER_INSIDE);
	expect_nspid(pidfd, text);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGTERM, NULL, 0));
	kc_join(pid);
}

/* clone(2): the capability "in all owning user namespaces of the target PID namespaces". */
TEST(own_namespace_chooses_no_number_outside, NEEDS_KERNEL(5, 5) NEEDS_CONFIG(USER_NS)
     PROMISED("clone(2), The set_tid array, EPERM")
     DESCRIBE("a user that owns the inner pid namespace: with a number outside EPERM; with one inside it works"))
{
	IN_CHILD {
		pid_t pid;

		become((void *)NOBODY);
		own_user_namespace(CLONE_NEWPID);
		pid = ASSERT_OK(kc_fork());
		if (pid == 0) {
			const pid_t numbers[] = { NUMBER_INSIDE, 4000 };
			int pidfd = -7, next = next_descriptor();

			EXPECT_ERRNO(clone_with_numbers(&pidfd, numbers, 2), EPERM);
			EXPECT_EQ(pidfd, -7);
			EXPECT_EQ(next_descriptor(), next);
			EXPECT_ERRNO(pidfd_open_(NUMBER_INSIDE, 0), ESRCH);
			EXPECT_EQ(ASSERT_OK(clone_with_numbers(&pidfd, numbers, 1)), NUMBER_INSIDE);
			EXPECT_OK(is_there(pidfd));
			kc_leave(KC_PASS);
		}
		kc_join(pid);
	}
}

static pid_t clone_sibling(int *pidfd)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_PARENT,
		.pidfd = (uint64_t)(uintptr_t)pidfd,
	};

	return clone_sleeper(&args);
}

/*
 * It would be nobody's to reap inside (kernel/fork.c, copy_process()). By a bad place for
 * the pidfd no sibling is made where that is not refused: process 1 could not end before it.
 */
TEST(first_process_has_no_sibling, PROMISED("clone(2), CLONE_PARENT, EINVAL")
     DESCRIBE("CLONE_PARENT by process 1 of a namespace: EINVAL, no descriptor; its child may make its own sibling"))
{
	pid_t pid = new_namespace();

	if (pid == 0) {
		int pidfd = -7, next = next_descriptor();
		siginfo_t info = { 0 };

		EXPECT_ERRNO(clone_sibling((int *)8), EINVAL);
		EXPECT_EQ(next_descriptor(), next);
		IN_CHILD {
			EXPECT_ERRNO(clone_sibling((int *)8), EFAULT);
			ASSERT_OK(clone_sibling(&pidfd));
			EXPECT_ERRNO(waitid(P_ALL, 0, &info, WEXITED | WNOHANG), ECHILD);
			EXPECT_OK(pidfd_send_signal_(pidfd, SIGTERM, NULL, 0));
		}
		ASSERT_OK(waitid(P_ALL, 0, &info, WEXITED));
		EXPECT_EQ(info.si_status, SIGTERM);
		kc_leave(KC_PASS);
	}
	kc_join(pid);
}

/* reboot(2), Behavior inside PID namespaces. */
TEST(reboot_inside_is_told_outside, NEEDS_KERNEL(5, 4) PROMISED("reboot(2); waitid(2), P_PIDFD")
     DESCRIBE("process 1 of a namespace restarts it: killed by SIGHUP; powers it off: by SIGINT"))
{
	static const struct {
		int command, signal;
	} ends[] = {
		{ RB_AUTOBOOT, SIGHUP },
		{ RB_POWER_OFF, SIGINT },
	};

	for (size_t n = 0; n < sizeof(ends) / sizeof(ends[0]); n++) {
		siginfo_t info = { 0 };
		pid_t pid = new_namespace();

		if (pid == 0) {
			if (getpid() == 1)
				reboot(ends[n].command);
			_exit(KC_FAIL);
		}
		ASSERT_OK(waitid(P_PIDFD_, ASSERT_OK(pidfd_open_(pid, 0)), &info, WEXITED));
		EXPECT_EQ(info.si_pid, pid);
		EXPECT_EQ(info.si_code, CLD_KILLED);
		EXPECT_EQ(info.si_status, ends[n].signal);
	}
}

static void close_it(void *fd)
{
	close((int)(intptr_t)fd);
}

/*
 * Process 1 ends with the last of its threads, and waits then for all in its
 * namespace, those too that others have to reap (kernel/pid_namespace.c,
 * zap_pid_ns_processes(); kernel/pid.c, free_pid()).
 */
TEST(first_process_ends_after_those_that_joined, NEEDS_KERNEL(5, 8) NEEDS_CONFIG(PID_NS) NEEDS_ROOT
     PROMISED("pid_namespaces(7)")
     DESCRIBE("its leader gone, a process from outside in it: reaped, and its pidfd wakes"))
{
	int go[2], joined[2], pidfd, own;
	pid_t pid, guest;
	pthread_t thread;
	struct pollfd fd;
	char c;

	ASSERT_OK(pipe2(go, O_CLOEXEC));
	ASSERT_OK(pipe2(joined, O_CLOEXEC));
	pid = new_namespace();
	if (pid == 0) {
		close(go[1]);
		close(joined[1]);
		/* A leader that is gone has no namespaces to join any more. */
		if (pthread_create(&thread, NULL, end_when_closed, go) || read(joined[0], &c, 1) < 0)
			_exit(1);
		/* The thread alone, not exit_group(2). */
		syscall(SYS_exit, 0);
	}
	pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	own = ASSERT_OK(pidfd_open_(getpid(), 0));
	ASSERT_OK(setns(pidfd, CLONE_NEWPID));
	close(joined[1]);
	guest = child_after(close_it, (void *)(intptr_t)go[1]);
	ASSERT_OK(setns(own, CLONE_NEWPID));
	usleep(50000);
	close(go[1]);
	/* Killed by the end of process 1, which goes on once it is reaped here. */
	reap(guest);
	fd = (struct pollfd){ pidfd, POLLIN, 0 };
	EXPECT_EQ(poll(&fd, 1, -1), 1);
	reap(pid);
}

/* kernel/pid_namespace.c: when process 1 is reaped, all processes of its namespace are gone. */
TEST(lone_first_process_waits_for_those_that_joined, NEEDS_KERNEL(5, 8)
     PROMISED("pid_namespaces(7); kernel/pid_namespace.c, zap_pid_ns_processes()")
     DESCRIBE("killed, it ends when one from outside is reaped that was in it: its pidfd wakes then"))
{
	struct pollfd fd = { .events = POLLIN };
	siginfo_t info;
	pid_t guest, pid = new_namespace();
	int own;

	if (pid == 0)
		for (;;)
			pause();
	CLEANUP(kill_and_reap, pid);
	fd.fd = ASSERT_OK(pidfd_open_(pid, 0));
	own = ASSERT_OK(pidfd_open_(getpid(), 0));
	ASSERT_OK(setns(fd.fd, CLONE_NEWPID));
	guest = sleeping_child();
	ASSERT_OK(setns(own, CLONE_NEWPID));
	ASSERT_OK(kill(pid, SIGKILL));
	ASSERT_OK(waitid(P_PID, guest, &info, WEXITED | WNOWAIT));
	EXPECT_EQ(poll(&fd, 1, 100), 0);
	reap(guest);
	EXPECT_EQ(poll(&fd, 1, -1), 1);
}

KCASE_MAIN
