// SPDX-License-Identifier: GPL-2.0-only
/* setns(2) with a pidfd, since 5.8: into the namespaces of a process, all of them or none. */
#include "pidfd.h"

EVERY_CASE(NEEDS_PROBE(setns_pidfd) NEEDS_CONFIG(UTS_NS) NEEDS_ROOT TIMEOUT(20))
PROBE_SETNS_PIDFD
PROBE_PIDFD_THREAD

#define ALL (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWPID |	\
	     CLONE_NEWCGROUP)

#define NEEDS_KINDS NEEDS_CONFIG(IPC_NS) NEEDS_CONFIG(NET_NS) NEEDS_CONFIG(CGROUPS)

static const struct {
	int flag;
	const char *name;
} kinds[] = {
	{ CLONE_NEWUTS, "uts" }, { CLONE_NEWIPC, "ipc" }, { CLONE_NEWNET, "net" },
	{ CLONE_NEWNS, "mnt" }, { CLONE_NEWCGROUP, "cgroup" },
};
#define KINDS ((int)(sizeof(kinds) / sizeof(kinds[0])))

static void enter_new(void *flags)
{
	if ((intptr_t)flags & CLONE_NEWUSER)
		own_user_namespace((int)(intptr_t)flags);
	else
		unshare_some(flags);
	if ((intptr_t)flags & CLONE_NEWUTS)
		ASSERT_OK(sethostname("inside", 6));
}

static int pidfd_inside(int flags)
{
	return ASSERT_OK(pidfd_open_(child_after(enter_new, (void *)(intptr_t)flags), 0));
}

static bool is_inside(void)
{
	struct utsname names;

	ASSERT_OK(uname(&names));
	return strcmp(names.nodename, "inside") == 0;
}

/* Identity of a namespace of a process; the case is skipped without /proc. */
static ino_t namespace_of(const char *process, const char *kind)
{
	char path[64];
	struct stat about;

	snprintf(path, sizeof(path), "/proc/%s/ns/%s", process, kind);
	if (stat(path, &about) != 0)
		SKIP("needs /proc with namespaces");
	return about.st_ino;
}

TEST(enters_uts_namespace, NEEDS_CONFIG(UTS_NS) PROMISED("setns(2)")
     DESCRIBE("the host name is the one of the process"))
{
	int pidfd = pidfd_inside(CLONE_NEWUTS);

	EXPECT_FALSE(is_inside());
	EXPECT_OK(setns(pidfd, CLONE_NEWUTS));
	EXPECT_TRUE(is_inside());
}

static void *enter_and_wait(void *thread)
{
	enter_new((void *)CLONE_NEWUTS);
	return wait_in_thread(thread);
}

static void have_thread_inside(void *tid)
{
	static struct thread t;

	start_thread_with(&t, enter_and_wait);
	*(volatile pid_t *)tid = t.tid;
}

/* Each thread has namespaces of its own (unshare(2)). */
TEST(enters_namespace_of_thread, NEEDS_PROBE(pidfd_thread)
     PROMISED("setns(2); kernel/nsproxy.c, validate_nsset()")
     DESCRIBE("by a thread's pidfd the namespace of that thread, by the process's its leader's"))
{
	pid_t *tid = mmap(NULL, sizeof(*tid), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			  -1, 0);
	pid_t pid;

	ASSERT_TRUE(tid != MAP_FAILED);
	pid = child_after(have_thread_inside, tid);
	IN_CHILD {
		EXPECT_OK(setns(ASSERT_OK(pidfd_open_(pid, 0)), CLONE_NEWUTS));
		EXPECT_FALSE(is_inside());
	}
	IN_CHILD {
		EXPECT_OK(setns(ASSERT_OK(pidfd_open_(*tid, PIDFD_THREAD_)), CLONE_NEWUTS));
		EXPECT_TRUE(is_inside());
	}
}

/* One after the other, each in a child of its own. */
TEST(enters_each_kind, NEEDS_KINDS PROMISED("setns(2)")
     DESCRIBE("each flag enters its own namespace and leaves the others"))
{
	pid_t pid = child_after(enter_new, (void *)(intptr_t)(ALL & ~CLONE_NEWPID));
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	char name[16];

	snprintf(name, sizeof(name), "%d", pid);
	for (int n = 0; n < KINDS; n++)
		IN_CHILD {
			ino_t inside[KINDS], outside[KINDS];

			for (int k = 0; k < KINDS; k++) {
				inside[k] = namespace_of(name, kinds[k].name);
				outside[k] = namespace_of("self", kinds[k].name);
				EXPECT_NE(inside[k], outside[k]);
			}
			EXPECT_OK(setns(pidfd, kinds[n].flag));
			for (int k = 0; k < KINDS; k++)
				EXPECT_EQ(namespace_of("self", kinds[k].name),
					  k == n ? inside[k] : outside[k]);
		}
}

TEST(enters_all_at_once, NEEDS_KINDS NEEDS_CONFIG(PID_NS) PROMISED("setns(2)")
     DESCRIBE("several flags: all of them in one call"))
{
	pid_t pid = child_after(enter_new, (void *)(intptr_t)ALL);
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	char process[16];
	ino_t inside[KINDS];

	snprintf(process, sizeof(process), "%d", pid);
	for (int n = 0; n < KINDS; n++)
		inside[n] = namespace_of(process, kinds[n].name);
	EXPECT_OK(setns(pidfd, ALL));
	for (int n = 0; n < KINDS; n++)
		EXPECT_EQ(namespace_of("self", kinds[n].name), inside[n]);
}

/* getcwd(2): of a folder that is not below the root it says "(unreachable)". */
TEST(working_directory_is_the_root, PROMISED("setns(2), CLONE_NEWNS")
     DESCRIBE("in a mount namespace, alone or with others: root and working directory are in there"))
{
	static const int flags[] = { CLONE_NEWNS, CLONE_NEWNS | CLONE_NEWUTS };
	int pidfd = pidfd_inside(CLONE_NEWNS | CLONE_NEWUTS);

	for (int n = 0; n < 2; n++)
		IN_CHILD {
			char text[256] = "";

			ASSERT_OK(chdir("/dev"));
			EXPECT_OK(setns(pidfd, flags[n]));
			ASSERT_OK(syscall(SYS_getcwd, text, sizeof(text)));
			EXPECT_STREQ(text, "/");
		}
}

static void be_first(void)
{
	EXPECT_EQ(getpid(), 1);
	/* Somebody may join while this lives. */
	for (;;)
		pause();
}

TEST(pid_namespace_is_for_children, NEEDS_CONFIG(PID_NS) PROMISED("setns(2); pid_namespaces(7)")
     DESCRIBE("the caller keeps its pid, its next child is in the process's namespace"))
{
	struct clone_args args = { .exit_signal = SIGCHLD, .flags = CLONE_NEWPID };
	pid_t own = getpid(), pid, first = syscall(NR_clone3, &args, sizeof(args));

	if (first == 0)
		be_first();
	ASSERT_OK(first);
	CLEANUP(kill_and_reap, first);
	EXPECT_OK(setns(ASSERT_OK(pidfd_open_(first, 0)), CLONE_NEWPID));
	EXPECT_EQ(getpid(), own);
	pid = ASSERT_OK(fork());
	if (pid == 0) {
		EXPECT_EQ(getpid(), 2);
		EXPECT_EQ(getppid(), 0);
		EXPECT_OK(pidfd_open_(1, 0));
		kc_leave(KC_PASS);
	}
	kc_join(pid);
}

/* setns(2), CLONE_NEWPID: "a descendant (child, grandchild, etc.)". */
TEST(enters_pid_namespace_two_levels_below, NEEDS_CONFIG(PID_NS) NEEDS_CONFIG(UNIX)
     PROMISED("setns(2), CLONE_NEWPID; pid_namespaces(7)")
     DESCRIBE("that of a pid namespace's pid namespace: the next child is number 2 in there"))
{
	struct clone_args args = { .exit_signal = SIGCHLD, .flags = CLONE_NEWPID };
	int sockets[2], pidfd;
	pid_t between;

	ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	between = ASSERT_OK(syscall(NR_clone3, &args, sizeof(args)));
	if (between == 0) {
		pid_t first = ASSERT_OK(sleeping_clone(CLONE_NEWPID));

		pass_descriptor(sockets[1], ASSERT_OK(pidfd_open_(first, 0)));
		stay();
	}
	CLEANUP(kill_and_reap, between);
	close(sockets[1]);
	pidfd = take_descriptor(sockets[0]);
	EXPECT_OK(setns(pidfd, CLONE_NEWPID));
	IN_CHILD {
		EXPECT_EQ(getpid(), 2);
		EXPECT_EQ(getppid(), 0);
	}
}

TEST(own_user_namespace_is_refused, NEEDS_CONFIG(USER_NS) PROMISED("setns(2), EINVAL")
     DESCRIBE("the user namespace that one is in already: EINVAL"))
{
	EXPECT_ERRNO(setns(ASSERT_OK(pidfd_open_(sleeping_child(), 0)), CLONE_NEWUSER), EINVAL);
}

/* setns(2): "If any ... cannot be joined, none is" (kernel/nsproxy.c, nsset). */
TEST(none_is_entered_when_one_fails, NEEDS_CONFIG(USER_NS) NEEDS_CONFIG(UTS_NS)
     PROMISED("commit 303cc571d107")
     DESCRIBE("UTS with a user namespace that cannot be entered: EINVAL, and still outside"))
{
	int pidfd = pidfd_inside(CLONE_NEWUTS);

	EXPECT_ERRNO(setns(pidfd, CLONE_NEWUTS | CLONE_NEWUSER), EINVAL);
	EXPECT_FALSE(is_inside());
	EXPECT_OK(setns(pidfd, CLONE_NEWUTS));
	EXPECT_TRUE(is_inside());
}

TEST(each_must_be_the_caller_s, NEEDS_CONFIG(USER_NS) NEEDS_KINDS
     PROMISED("setns(2), EPERM; commit 303cc571d107")
     DESCRIBE("of several one belongs to an outer user namespace: EPERM, and none is entered"))
{
	const int all = ALL & ~CLONE_NEWPID;

	IN_CHILD {
		become((void *)NOBODY);
		own_user_namespace(0);
		for (int n = 0; n < KINDS; n++) {
			pid_t pid = child_after(unshare_some,
						(void *)(intptr_t)(all & ~kinds[n].flag));
			int pidfd = ASSERT_OK(pidfd_open_(pid, 0));
			ino_t before[KINDS];

			for (int k = 0; k < KINDS; k++)
				before[k] = namespace_of("self", kinds[k].name);
			EXPECT_ERRNO(setns(pidfd, all), EPERM);
			for (int k = 0; k < KINDS; k++)
				EXPECT_EQ(namespace_of("self", kinds[k].name), before[k]);
		}
	}
}

TEST(enters_user_namespace_first, NEEDS_CONFIG(USER_NS) NEEDS_CONFIG(UTS_NS)
     PROMISED("setns(2); commit 303cc571d107")
     DESCRIBE("an unprivileged user enters the user namespace it owns and what that owns"))
{
	/* So that both are the same user, and the namespace is that user's. */
	IN_CHILD {
		int pidfd;

		become((void *)NOBODY);
		pidfd = pidfd_inside(CLONE_NEWUSER | CLONE_NEWUTS);
		EXPECT_ERRNO(setns(pidfd, CLONE_NEWUTS), EPERM);
		EXPECT_FALSE(is_inside());
		EXPECT_OK(setns(pidfd, CLONE_NEWUSER | CLONE_NEWUTS));
		EXPECT_TRUE(is_inside());
	}
}

TEST(rejects_flags_that_name_no_namespace, PROMISED("setns(2), EINVAL")
     DESCRIBE("0 and every bit that is no namespace: EINVAL"))
{
	const unsigned int known = ALL | CLONE_NEWUSER | CLONE_NEWTIME;
	int pidfd = pidfd_inside(CLONE_NEWUTS);

	EXPECT_ERRNO(setns(pidfd, 0), EINVAL);
	for (int bit = 0; bit < 32; bit++)
		if (!(known & 1u << bit)) {
			EXPECT_ERRNO(setns(pidfd, 1u << bit), EINVAL);
			EXPECT_ERRNO(setns(pidfd, CLONE_NEWUTS | 1u << bit), EINVAL);
		}
	EXPECT_FALSE(is_inside());
}

TEST(rejects_other_descriptors, PROMISED("setns(2), EBADF, EINVAL")
     DESCRIBE("closed: EBADF; a file, a pipe, /proc/<pid>: EINVAL"))
{
	int pipes[2], proc;

	ASSERT_OK(pipe(pipes));
	EXPECT_ERRNO(setns(9999, CLONE_NEWUTS), EBADF);
	EXPECT_ERRNO(setns(-1, CLONE_NEWUTS), EBADF);
	EXPECT_ERRNO(setns(pipes[0], CLONE_NEWUTS), EINVAL);
	EXPECT_ERRNO(setns(ASSERT_OK(open("/", O_RDONLY)), CLONE_NEWUTS), EINVAL);
	proc = open("/proc/self", O_DIRECTORY | O_RDONLY);
	if (proc >= 0)
		EXPECT_ERRNO(setns(proc, CLONE_NEWUTS), EINVAL);
}

TEST(misses_process_that_ended, PROMISED("setns(2), ESRCH")
     DESCRIBE("a zombie, which has no namespaces, and a reaped process: ESRCH"))
{
	pid_t pid = zombie_child(0);
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	EXPECT_ERRNO(setns(pidfd, CLONE_NEWUTS), ESRCH);
	EXPECT_ERRNO(setns(pidfd, CLONE_NEWPID), ESRCH);
	reap(pid);
	EXPECT_ERRNO(setns(pidfd, CLONE_NEWUTS), ESRCH);
	EXPECT_ERRNO(setns(pidfd, 0), EINVAL);
}

TEST(needs_capability, NEEDS_CONFIG(UTS_NS) PROMISED("setns(2), EPERM")
     DESCRIBE("without CAP_SYS_ADMIN: EPERM, for a process of the same user too"))
{
	int of_root = pidfd_inside(CLONE_NEWUTS);
	int own = ASSERT_OK(pidfd_open_(child_of_user(NOBODY), 0));

	IN_CHILD {
		become((void *)NOBODY);
		EXPECT_ERRNO(setns(of_root, CLONE_NEWUTS), EPERM);
		EXPECT_ERRNO(setns(own, CLONE_NEWUTS), EPERM);
		EXPECT_FALSE(is_inside());
	}
}

/* PTRACE_MODE_READ_REALCREDS: all capabilities, but in a user namespace of its own. */
TEST(needs_ptrace_access, NEEDS_CONFIG(USER_NS) NEEDS_CONFIG(UTS_NS) PROMISED("setns(2), EPERM")
     DESCRIBE("a process outside the caller's user namespace: EPERM"))
{
	int pidfd = pidfd_inside(CLONE_NEWUTS);

	IN_CHILD {
		become((void *)NOBODY);
		own_user_namespace(0);
		EXPECT_ERRNO(setns(pidfd, CLONE_NEWUTS), EPERM);
		EXPECT_FALSE(is_inside());
	}
}

TEST(threads_cannot_enter_user_namespace, NEEDS_CONFIG(USER_NS) PROMISED("setns(2), EINVAL")
     DESCRIBE("a process with several threads: EINVAL"))
{
	int pidfd = pidfd_inside(CLONE_NEWUSER);
	struct thread t;

	start_thread(&t);
	EXPECT_ERRNO(setns(pidfd, CLONE_NEWUSER), EINVAL);
	end_thread(&t);
}

TEST(outer_pid_namespace_is_out_of_reach, NEEDS_CONFIG(PID_NS) PROMISED("setns(2), EINVAL")
     DESCRIBE("a pid namespace that is no descendant of the own: EINVAL"))
{
	int outside = ASSERT_OK(pidfd_open_(sleeping_child(), 0));
	struct clone_args args = { .exit_signal = SIGCHLD, .flags = CLONE_NEWPID };
	pid_t pid = syscall(NR_clone3, &args, sizeof(args));

	if (pid == 0) {
		EXPECT_ERRNO(setns(outside, CLONE_NEWPID), EINVAL);
		kc_leave(KC_PASS);
	}
	kc_join(ASSERT_OK(pid));
}

/* Of what is asked for at once these come after the pid namespace (kernel/nsproxy.c, validate_nsset()). */
TEST(none_is_entered_beside_an_outer_pid_namespace, NEEDS_CONFIG(PID_NS) NEEDS_KINDS
     PROMISED("setns(2), EINVAL; commit 303cc571d107")
     DESCRIBE("an outer pid namespace with others that may be entered: EINVAL, and still outside of them"))
{
	static const int more[] = { CLONE_NEWCGROUP, CLONE_NEWNET };
	struct clone_args args = { .exit_signal = SIGCHLD, .flags = CLONE_NEWPID };
	int pidfd = pidfd_inside(CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWNET);
	pid_t pid = ASSERT_OK(syscall(NR_clone3, &args, sizeof(args)));

	if (pid == 0) {
		for (size_t n = 0; n < sizeof(more) / sizeof(more[0]); n++) {
			EXPECT_ERRNO(setns(pidfd, CLONE_NEWPID | more[n]), EINVAL);
			EXPECT_ERRNO(setns(pidfd, CLONE_NEWPID | CLONE_NEWUTS | more[n]), EINVAL);
			EXPECT_FALSE(is_inside());
		}
		EXPECT_OK(setns(pidfd, CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWNET));
		EXPECT_TRUE(is_inside());
		kc_leave(KC_PASS);
	}
	kc_join(pid);
}

/* unshare(2) of these two changes what children will be in, not what the process is in. */
static pid_t with_children_elsewhere(int flag)
{
	return child_after(unshare_some, (void *)(intptr_t)flag);
}

TEST(enters_time_namespace_of_process, NEEDS_KERNEL(5, 9) NEEDS_CONFIG(TIME_NS)
     PROMISED("setns(2); time_namespaces(7); commit 76c12881a38a")
     DESCRIBE("the one that the process is in, not the one of its children to come"))
{
	pid_t pid = with_children_elsewhere(CLONE_NEWTIME);
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	char name[16];

	snprintf(name, sizeof(name), "%d", pid);
	ASSERT_NE(namespace_of(name, "time"), namespace_of(name, "time_for_children"));
	IN_CHILD {
		ASSERT_OK(unshare(0x80));
		ASSERT_OK(setns(pidfd, 0x80));
		EXPECT_EQ(namespace_of("self", "time"), namespace_of(name, "time"));
		EXPECT_EQ(namespace_of("self", "time_for_children"), namespace_of(name, "time"));
	}
}

TEST(enters_pid_namespace_of_process, NEEDS_CONFIG(PID_NS) PROMISED("setns(2); pid_namespaces(7)")
     DESCRIBE("the one that the process is in, not the one of its children to come"))
{
	pid_t pid = with_children_elsewhere(CLONE_NEWPID);
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	char name[16];

	snprintf(name, sizeof(name), "%d", pid);
	IN_CHILD {
		ASSERT_OK(setns(pidfd, CLONE_NEWPID));
		/* No child of the process has made process 1 there yet: entering it would fail. */
		EXPECT_EQ(namespace_of("self", "pid_for_children"), namespace_of(name, "pid"));
		IN_CHILD
			EXPECT_GT(getpid(), 1);
	}
}

TEST(real_id_of_caller_counts, PROMISED("ptrace(2), PTRACE_MODE_READ_REALCREDS; commit 303cc571d107")
     DESCRIBE("with CAP_SYS_ADMIN and without CAP_SYS_PTRACE: the real uid decides"))
{
	int pidfd = ASSERT_OK(pidfd_open_(child_of_user(NOBODY), 0));

	IN_CHILD {
		drop_capability(CAP_SYS_PTRACE);
		ASSERT_OK(setresgid(NOBODY, 0, 0));
		ASSERT_OK(setresuid(NOBODY, 0, 0));
		EXPECT_OK(setns(pidfd, CLONE_NEWUTS));
	}
	IN_CHILD {
		drop_capability(CAP_SYS_PTRACE);
		EXPECT_ERRNO(setns(pidfd, CLONE_NEWUTS), EPERM);
	}
}

TEST(leave_to_read_is_enough, PROMISED("ptrace(2), PTRACE_MODE_READ_REALCREDS, ptrace_scope")
     DESCRIBE("without CAP_SYS_PTRACE, where YAMA lets only ancestors attach: into those of a brother"))
{
	int brother = open_unattachable();

	IN_CHILD {
		drop_capability(CAP_SYS_PTRACE);
		ASSERT_OK(setresgid(NOBODY, 0, 0));
		ASSERT_OK(setresuid(NOBODY, 0, 0));
		EXPECT_OK(setns(brother, CLONE_NEWUTS));
	}
}

/* Whether it has ended is told to those who may look into it (kernel/nsproxy.c, validate_nsset()). */
TEST(zombie_of_a_stranger_is_refused, PROMISED("setns(2), EPERM, ESRCH")
     DESCRIBE("another user's zombie: EPERM, as while it ran"))
{
	int pidfd = ASSERT_OK(pidfd_open_(zombie_child(0), 0));

	IN_CHILD {
		become((void *)NOBODY);
		EXPECT_ERRNO(setns(pidfd, CLONE_NEWUTS), EPERM);
	}
	EXPECT_ERRNO(setns(pidfd, CLONE_NEWUTS), ESRCH);
}

KCASE_MAIN
