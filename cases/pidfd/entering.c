// SPDX-License-Identifier: GPL-2.0-only
/* What setns(2) with a pidfd asks of the caller, takes along, and leaves. See setns.c for where it leads. */
#include <sys/ipc.h>
#include <sys/sem.h>
#include <time.h>

#include "pidfd.h"

EVERY_CASE(NEEDS_PROBE(setns_pidfd) NEEDS_CONFIG(UTS_NS) NEEDS_ROOT TIMEOUT(30))
PROBE_SETNS_PIDFD

static void unshare_as_user(void *more)
{
	own_user_namespace((int)(intptr_t)more);
}

static int pidfd_with(int flags)
{
	return ASSERT_OK(pidfd_open_(child_after(unshare_some, (void *)(intptr_t)flags), 0));
}

/* setns(2), EINVAL: a pid namespace that is neither the own one nor a descendant of it. */
TEST(pid_namespace_beside_is_out_of_reach, NEEDS_CONFIG(PID_NS)
     PROMISED("setns(2), EINVAL; pid_namespaces(7)")
     DESCRIBE("from one inner pid namespace into another that is beside it: EINVAL"))
{
	struct clone_args args = { .exit_signal = SIGCHLD, .flags = CLONE_NEWPID };
	pid_t first = ASSERT_OK(sleeping_clone(CLONE_NEWPID)), second;
	int beside;

	CLEANUP(kill_and_reap, first);
	beside = ASSERT_OK(pidfd_open_(first, 0));
	second = ASSERT_OK(syscall(NR_clone3, &args, sizeof(args)));
	if (second == 0) {
		EXPECT_ERRNO(setns(beside, CLONE_NEWPID), EINVAL);
		kc_leave(KC_PASS);
	}
	kc_join(second);
}

/* setns(2): not while "sharing filesystem-related attributes (...) with another process". */
TEST(shared_folders_keep_out_of_mount_namespace, PROMISED("setns(2), EINVAL; commit 303cc571d107")
     DESCRIBE("CLONE_NEWNS beside a thread: EINVAL; once that has ended: 0"))
{
	int pidfd = pidfd_with(CLONE_NEWNS);
	struct thread t;

	start_thread(&t);
	EXPECT_ERRNO(setns(pidfd, CLONE_NEWNS), EINVAL);
	end_thread(&t);
	EXPECT_OK(setns(pidfd, CLONE_NEWNS));
}

TEST(process_with_the_same_folders_keeps_out_of_mount_namespace,
     PROMISED("setns(2), EINVAL; commit 303cc571d107")
     DESCRIBE("CLONE_NEWNS while a child shares the working directory: EINVAL; once that has ended: 0"))
{
	int pidfd = pidfd_with(CLONE_NEWNS | CLONE_NEWUTS);

	IN_CHILD {
		pid_t pid = ASSERT_OK(sleeping_clone(CLONE_FS));

		CLEANUP(kill_and_reap, pid);
		/* Alone: of more flags 6.1 asks whether its copy is shared (fs/namespace.c, mntns_install()). */
		EXPECT_ERRNO(setns(pidfd, CLONE_NEWNS), EINVAL);
		EXPECT_OK(setns(pidfd, CLONE_NEWUTS));
		kill_and_reap((void *)(intptr_t)pid);
		EXPECT_OK(setns(pidfd, CLONE_NEWNS | CLONE_NEWUTS));
	}
}

/* unshare(2), CLONE_FS: what threads share they need not share. */
TEST(thread_with_other_folders_enters_mount_namespace,
     PROMISED("setns(2), CLONE_NEWNS; unshare(2), CLONE_FS")
     DESCRIBE("CLONE_NEWNS beside a thread with a working directory of its own: 0"))
{
	int pidfd = pidfd_with(CLONE_NEWNS);

	IN_CHILD {
		struct thread t;

		start_thread(&t);
		ASSERT_OK(unshare(CLONE_FS));
		EXPECT_OK(setns(pidfd, CLONE_NEWNS));
		end_thread(&t);
	}
}

TEST(shared_folders_keep_out_of_user_namespace, NEEDS_CONFIG(USER_NS) PROMISED("setns(2), EINVAL, CLONE_FS")
     DESCRIBE("CLONE_NEWUSER while a child shares the working directory: EINVAL; once that has ended: 0"))
{
	int pidfd = ASSERT_OK(pidfd_open_(child_after(unshare_as_user, NULL), 0));

	IN_CHILD {
		pid_t pid = ASSERT_OK(sleeping_clone(CLONE_FS));

		EXPECT_ERRNO(setns(pidfd, CLONE_NEWUSER), EINVAL);
		kill_and_reap((void *)(intptr_t)pid);
		EXPECT_OK(setns(pidfd, CLONE_NEWUSER));
	}
}

/* setns(2): "A multithreaded process may not change user namespace with setns()", whatever it shares. */
TEST(thread_with_other_folders_keeps_out_of_user_namespace, NEEDS_CONFIG(USER_NS)
     PROMISED("setns(2), EINVAL; kernel/user_namespace.c, userns_install()")
     DESCRIBE("CLONE_NEWUSER beside a thread with a working directory of its own: EINVAL; once that has ended: 0"))
{
	int pidfd = ASSERT_OK(pidfd_open_(child_after(unshare_as_user, NULL), 0));

	IN_CHILD {
		struct thread t;

		start_thread(&t);
		ASSERT_OK(unshare(CLONE_FS));
		EXPECT_ERRNO(setns(pidfd, CLONE_NEWUSER), EINVAL);
		end_thread(&t);
		/* Waits for who is just taking the thread off the list (kernel/exit.c, release_task()). */
		ASSERT_OK(setpgid(0, 0));
		EXPECT_OK(setns(pidfd, CLONE_NEWUSER));
	}
}

static void unshare_as_nobody(void *more)
{
	become((void *)NOBODY);
	unshare_as_user(more);
}

/* setns(2), CLONE_NEWUSER: "must have the CAP_SYS_ADMIN capability in the target user namespace". */
TEST(user_namespace_needs_a_capability, NEEDS_CONFIG(USER_NS) PROMISED("setns(2), EPERM; user_namespaces(7)")
     DESCRIBE("a user's namespace: EPERM for root without CAP_SYS_ADMIN, which sees the process; with it: 0"))
{
	int pidfd = ASSERT_OK(pidfd_open_(child_after(unshare_as_nobody, NULL), 0));

	IN_CHILD {
		drop_capability(CAP_SYS_ADMIN);
		EXPECT_ERRNO(setns(pidfd, CLONE_NEWUSER), EPERM);
	}
	IN_CHILD
		EXPECT_OK(setns(pidfd, CLONE_NEWUSER));
}

TEST(user_namespace_beside_is_refused, NEEDS_CONFIG(USER_NS) PROMISED("setns(2), EPERM; user_namespaces(7)")
     DESCRIBE("from one user namespace into another of the same user beside it: EPERM; from outside: 0"))
{
	IN_CHILD {
		int beside;

		become((void *)NOBODY);
		beside = ASSERT_OK(pidfd_open_(child_after(unshare_as_user, NULL), 0));
		IN_CHILD {
			own_user_namespace(0);
			EXPECT_ERRNO(setns(beside, CLONE_NEWUSER), EPERM);
		}
		EXPECT_OK(setns(beside, CLONE_NEWUSER));
	}
}

/* setns(2): CAP_SYS_ADMIN "both in its own user namespace and in the user namespace that owns the target". */
TEST(each_needs_a_capability_in_the_own_namespace_too, NEEDS_CONFIG(USER_NS) NEEDS_CONFIG(PID_NS)
     NEEDS_CONFIG(IPC_NS) NEEDS_CONFIG(NET_NS) NEEDS_CONFIG(CGROUPS)
     PROMISED("setns(2), EPERM; user_namespaces(7)")
     DESCRIBE("a user without capabilities, namespaces of a user namespace of its own: EPERM for each alone"))
{
	static const int flags[] = { CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS,
				     CLONE_NEWCGROUP };
	int more = 0;

	for (size_t n = 0; n < sizeof(flags) / sizeof(flags[0]); n++)
		more |= flags[n];
	IN_CHILD {
		pid_t pid, first;
		int pidfd;

		become((void *)NOBODY);
		pid = child_after(unshare_as_user, (void *)(intptr_t)more);
		pidfd = ASSERT_OK(pidfd_open_(pid, 0));
		for (size_t n = 0; n < sizeof(flags) / sizeof(flags[0]); n++)
			EXPECT_ERRNO(setns(pidfd, flags[n]), EPERM);
		first = ASSERT_OK(sleeping_clone(CLONE_NEWUSER | CLONE_NEWPID));
		CLEANUP(kill_and_reap, first);
		EXPECT_ERRNO(setns(ASSERT_OK(pidfd_open_(first, 0)), CLONE_NEWPID), EPERM);
		/* The pidfds are as good as any, and the namespaces are this user's. */
		EXPECT_OK(setns(pidfd, CLONE_NEWUSER | more));
	}
}

/* setns(2), CLONE_NEWNS: "requires that the caller possess both CAP_SYS_CHROOT and CAP_SYS_ADMIN". */
TEST(mount_namespace_needs_one_more_capability, PROMISED("setns(2), CLONE_NEWNS, EPERM; capabilities(7)")
     DESCRIBE("without CAP_SYS_CHROOT: EPERM, alone and with others; the UTS namespace is entered"))
{
	int pidfd = pidfd_with(CLONE_NEWNS | CLONE_NEWUTS);

	IN_CHILD {
		drop_capability(CAP_SYS_CHROOT);
		EXPECT_ERRNO(setns(pidfd, CLONE_NEWNS), EPERM);
		EXPECT_ERRNO(setns(pidfd, CLONE_NEWNS | CLONE_NEWUTS), EPERM);
		EXPECT_OK(setns(pidfd, CLONE_NEWUTS));
	}
}

/* The mount namespace comes first of what is asked for, and what is refused after it undoes it. */
TEST(failed_call_leaves_the_working_directory, NEEDS_CONFIG(USER_NS) PROMISED("commit 303cc571d107")
     DESCRIBE("a mount namespace that may be entered, another that may not: EPERM, and no folder has changed"))
{
	IN_CHILD {
		char text[256] = "";
		struct stat before, after;
		int pidfd;

		become((void *)NOBODY);
		own_user_namespace(0);
		pidfd = pidfd_with(CLONE_NEWNS);
		ASSERT_OK(chdir("/dev"));
		ASSERT_OK(stat(".", &before));
		EXPECT_ERRNO(setns(pidfd, CLONE_NEWNS | CLONE_NEWUTS), EPERM);
		ASSERT_OK(stat(".", &after));
		EXPECT_EQ(after.st_ino, before.st_ino);
		ASSERT_OK(syscall(SYS_getcwd, text, sizeof(text)));
		EXPECT_STREQ(text, "/dev");
		EXPECT_OK(setns(pidfd, CLONE_NEWNS));
		ASSERT_OK(syscall(SYS_getcwd, text, sizeof(text)));
		EXPECT_STREQ(text, "/");
	}
}

#define OFFSET_S 1000000

/* A child of the child is in the time namespace: unshare(2) is for children to come. */
static void have_child_later(void *pid)
{
	static const char offset[] = "monotonic 1000000 0\n";
	int fd;

	unshare_some((void *)CLONE_NEWTIME);
	fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		SKIP("needs /proc");
	ASSERT_EQ(write(fd, offset, strlen(offset)), (ssize_t)strlen(offset));
	close(fd);
	*(volatile pid_t *)pid = sleeping_child();
}

static time_t monotonic(void)
{
	struct timespec now;

	ASSERT_OK(clock_gettime(CLOCK_MONOTONIC, &now));
	return now.tv_sec;
}

/* Most programs never ask the kernel: they read the clock in memory that it gives them (vdso(7)). */
TEST(clock_is_that_of_the_namespace, NEEDS_KERNEL(5, 9) NEEDS_CONFIG(TIME_NS)
     PROMISED("time_namespaces(7); setns(2), CLONE_NEWTIME; commit 76c12881a38a")
     DESCRIBE("a time namespace with an offset of a million seconds: the clock is ahead by them at once"))
{
	pid_t *pid = mmap(NULL, sizeof(*pid), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			  -1, 0);
	int pidfd;

	ASSERT_TRUE(pid != MAP_FAILED);
	child_after(have_child_later, pid);
	pidfd = ASSERT_OK(pidfd_open_(*pid, 0));
	IN_CHILD {
		time_t before = monotonic();

		EXPECT_OK(setns(pidfd, CLONE_NEWTIME));
		EXPECT_GE(monotonic() - before, OFFSET_S);
	}
}

static void remove_semaphores(void *id)
{
	semctl((int)(intptr_t)id, 0, IPC_RMID);
}

/* semop(2), SEM_UNDO: "automatically undone when the process terminates". */
TEST(semaphores_left_behind_are_undone, NEEDS_CONFIG(SYSVIPC) NEEDS_CONFIG(IPC_NS)
     PROMISED("semop(2), SEM_UNDO; kernel/nsproxy.c, commit_nsset()")
     DESCRIBE("who took a semaphore enters another IPC namespace and ends: the semaphore is free again"))
{
	struct sembuf take = { .sem_op = -1, .sem_flg = SEM_UNDO }, give = { .sem_op = 1 };
	int pidfd = pidfd_with(CLONE_NEWIPC), id = ASSERT_OK(semget(IPC_PRIVATE, 1, 0600));

	CLEANUP(remove_semaphores, id);
	ASSERT_OK(semop(id, &give, 1));
	IN_CHILD {
		ASSERT_OK(semop(id, &take, 1));
		EXPECT_OK(setns(pidfd, CLONE_NEWIPC));
	}
	EXPECT_EQ(semctl(id, 0, GETVAL), 1);
}

#define AT_MOST "10"
#define AT_MOST_TWICE 24

/* Refused after it was looked up: the user namespace is one's own, or threads share it. */
static void enter_namespaces_that_end(uint64_t kind, int flags)
{
	for (int n = 0; n < AT_MOST_TWICE; n++) {
		pid_t pid = clone_where_there_is_room(kind);
		int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

		EXPECT_ERRNO(setns(pidfd, flags), EINVAL);
		kill_and_reap((void *)(intptr_t)pid);
		close(pidfd);
	}
}

TEST(refused_pid_namespace_is_dropped, NEEDS_CONFIG(PID_NS) NEEDS_CONFIG(USER_NS)
     PROMISED("setns(2); proc_sys_user(5), max_pid_namespaces")
     DESCRIBE("24 pid namespaces that were not entered, one after the other, where 10 may be: freed"))
{
	set_limit("/proc/sys/user/max_pid_namespaces", AT_MOST, "needs /proc/sys/user");
	enter_namespaces_that_end(CLONE_NEWPID, CLONE_NEWPID | CLONE_NEWUSER);
}

TEST(refused_user_namespace_is_dropped, NEEDS_CONFIG(USER_NS)
     PROMISED("setns(2); proc_sys_user(5), max_user_namespaces")
     DESCRIBE("24 user namespaces that were not entered, one after the other, where 10 may be: freed"))
{
	struct thread t;

	set_limit("/proc/sys/user/max_user_namespaces", AT_MOST, "needs /proc/sys/user");
	start_thread(&t);
	enter_namespaces_that_end(CLONE_NEWUSER, CLONE_NEWUSER);
	end_thread(&t);
}

/* By those who may look into the process, and may enter nothing. */
TEST(refused_namespaces_are_dropped, NEEDS_CONFIG(UTS_NS) NEEDS_KERNEL(5, 9)
     PROMISED("setns(2), EPERM; proc_sys_user(5), max_uts_namespaces")
     DESCRIBE("24 processes with a UTS namespace, refused kind by kind without CAP_SYS_ADMIN: freed"))
{
	static const int kinds[] = { CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID,
				     CLONE_NEWCGROUP, CLONE_NEWNET, CLONE_NEWTIME };

	set_limit("/proc/sys/user/max_uts_namespaces", AT_MOST, "needs /proc/sys/user");
	for (int n = 0; n < AT_MOST_TWICE; n++) {
		pid_t pid = clone_where_there_is_room(CLONE_NEWUTS);
		int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

		IN_CHILD {
			drop_capability(CAP_SYS_ADMIN);
			/* EPERM, or EINVAL for what the kernel was built without. */
			for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
				EXPECT_EQ(setns(pidfd, kinds[k]), -1);
		}
		kill_and_reap((void *)(intptr_t)pid);
		close(pidfd);
	}
}

/* setns(2): as above, of time and pid namespaces. */
TEST(time_and_pid_namespaces_need_both_capabilities, NEEDS_KERNEL(5, 9) NEEDS_CONFIG(USER_NS)
     NEEDS_CONFIG(PID_NS) NEEDS_CONFIG(TIME_NS) PROMISED("setns(2), EPERM")
     DESCRIBE("a user without capabilities, with those in the target's namespace alone, in the own alone: EPERM"))
{
	IN_CHILD {
		pid_t inner;
		int pidfd;

		become((void *)NOBODY);
		pidfd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));
		EXPECT_ERRNO(setns(pidfd, CLONE_NEWTIME), EPERM);
		EXPECT_ERRNO(setns(pidfd, CLONE_NEWPID), EPERM);
		inner = clone_where_there_is_room(CLONE_NEWUSER | CLONE_NEWTIME);
		CLEANUP(kill_and_reap, inner);
		EXPECT_ERRNO(setns(ASSERT_OK(pidfd_open_(inner, 0)), CLONE_NEWTIME), EPERM);
		own_user_namespace(0);
		pidfd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));
		EXPECT_ERRNO(setns(pidfd, CLONE_NEWTIME), EPERM);
		EXPECT_ERRNO(setns(pidfd, CLONE_NEWPID), EPERM);
	}
}

static char beside_stack[16384] __attribute__((aligned(16)));

static void expect_kept_out_of_time(int pidfd)
{
	struct utsname names;

	EXPECT_ERRNO(setns(pidfd, CLONE_NEWTIME), EUSERS);
	EXPECT_ERRNO(setns(pidfd, CLONE_NEWUTS | CLONE_NEWTIME), EUSERS);
	ASSERT_OK(uname(&names));
	EXPECT_STREQ(names.nodename, "kept out");
}

/* The clock is in their memory, and the memory is one. */
TEST(shared_memory_keeps_out_of_time_namespace, NEEDS_KERNEL(5, 9) NEEDS_CONFIG(TIME_NS)
     PROMISED("kernel/time/namespace.c, timens_install(); commit 303cc571d107")
     DESCRIBE("beside a thread, and beside a process with the same memory: EUSERS, nothing entered; then 0"))
{
	pid_t pid = clone_where_there_is_room(CLONE_NEWTIME);
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	CLEANUP(kill_and_reap, pid);
	IN_CHILD {
		struct utsname names;
		struct thread t;
		pid_t beside;

		ASSERT_OK(unshare(CLONE_NEWUTS));
		ASSERT_OK(sethostname("kept out", 8));
		start_thread(&t);
		expect_kept_out_of_time(pidfd);
		end_thread(&t);
		beside = ASSERT_OK(clone(sleep_beside, beside_stack + sizeof(beside_stack),
					 CLONE_VM | SIGCHLD, NULL));
		CLEANUP(kill_and_reap, beside);
		expect_kept_out_of_time(pidfd);
		kill_and_reap((void *)(intptr_t)beside);
		EXPECT_OK(setns(pidfd, CLONE_NEWUTS | CLONE_NEWTIME));
		ASSERT_OK(uname(&names));
		EXPECT_NE(strcmp(names.nodename, "kept out"), 0);
	}
}

KCASE_MAIN
