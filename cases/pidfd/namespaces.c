// SPDX-License-Identifier: GPL-2.0-only
/* ioctl(2) on a pidfd: descriptors of the process's namespaces, since 6.11. */
#include <limits.h>

#include "pidfd.h"

EVERY_CASE(NEEDS_PROBE(pidfd_namespaces) TIMEOUT(20))
PROBE_PIDFD_THREAD

#define GET_CGROUP GET(1)
#define GET_PID GET(5)
#define GET_PID_FOR_CHILDREN GET(6)
#define GET_TIME GET(7)
#define GET_TIME_FOR_CHILDREN GET(8)

static const struct {
	unsigned long command;
	int flag;	/* of unshare(2), as NS_GET_NSTYPE says it */
	const char *name;
} kinds[] = {
	{ GET(1), CLONE_NEWCGROUP, "cgroup" },
	{ GET(2), CLONE_NEWIPC, "ipc" },
	{ GET(3), CLONE_NEWNS, "mnt" },
	{ GET(4), CLONE_NEWNET, "net" },
	{ GET(5), CLONE_NEWPID, "pid" },
	{ GET(6), CLONE_NEWPID, "pid_for_children" },
	{ GET(7), CLONE_NEWTIME, "time" },
	{ GET(8), CLONE_NEWTIME, "time_for_children" },
	{ GET(9), CLONE_NEWUSER, "user" },
	{ GET(10), CLONE_NEWUTS, "uts" },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))
#define NS_GET_NSTYPE_ _IO(0xb7, 3)	/* ioctl_ns(2) */

PROBE(pidfd_namespaces, 6, 11, "commit 5b08bd408534")
{
	int pidfd = pidfd_open_(getpid(), 0);
	int fd = ioctl(pidfd, GET(3), 0);
	bool there = fd >= 0;

	close(fd);
	close(pidfd);
	return there;
}

/* A namespace by its descriptor; -1 where the kernel was built without that kind. */
static int get(int pidfd, size_t kind)
{
	int fd = ioctl(pidfd, kinds[kind].command, 0);

	if (fd < 0 && errno != EOPNOTSUPP)
		EXPECT_OK(fd);
	return fd;
}

/* Numbers are procfs's: in a kernel without it all namespaces have one (linux/proc_ns.h). */
static ino_t identity(int fd)
{
	struct stat about;

	ASSERT_OK(fstat(fd, &about));
	if (about.st_ino == 1)
		SKIP("needs a kernel with procfs, which gives namespaces their numbers");
	return about.st_ino;
}

TEST(each_is_of_its_kind, PROMISED("commit 5b08bd408534; ioctl_ns(2), NS_GET_NSTYPE")
     DESCRIBE("each of the ten commands gives a descriptor of the kind that it names"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0)), given = 0;

	for (size_t n = 0; n < KINDS; n++) {
		int fd = get(pidfd, n);

		if (fd < 0)
			continue;
		given++;
		EXPECT_EQ(ioctl(fd, NS_GET_NSTYPE_), kinds[n].flag);
		EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
		EXPECT_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
		close(fd);
	}
	EXPECT_GT(given, 0);
}

TEST(each_is_as_proc_has_it, PROMISED("commit 5b08bd408534; namespaces(7)")
     DESCRIBE("the same inode as /proc/<pid>/ns has, for itself and for a child"))
{
	pid_t pids[] = { getpid(), sleeping_child() };

	close(open_proc());
	for (size_t n = 0; n < 2 * KINDS; n++) {
		int pidfd = ASSERT_OK(pidfd_open_(pids[n & 1], 0)), fd = get(pidfd, n / 2);
		char path[64];
		struct stat about;

		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pids[n & 1], kinds[n / 2].name);
		if (fd >= 0) {
			ASSERT_OK(stat(path, &about));
			EXPECT_EQ(identity(fd), about.st_ino);
		}
		close(fd);
		close(pidfd);
	}
}

static void leave(void *arg)
{
	(void)arg;
	for (size_t n = 0; n < KINDS; n++)
		if (unshare(kinds[n].flag) != 0 && errno != EINVAL)
			ASSERT_OK(-1);
}

TEST(each_is_the_process_s_own, NEEDS_ROOT PROMISED("commit 5b08bd408534")
     DESCRIBE("of a process with namespaces of its own: other ones than the caller's"))
{
	int own = ASSERT_OK(pidfd_open_(getpid(), 0));
	int other = ASSERT_OK(pidfd_open_(child_after(leave, NULL), 0));

	for (size_t n = 0; n < KINDS; n++) {
		int a = get(own, n), b = get(other, n);

		if (a < 0)
			continue;
		/* These two are the process's from its start on. */
		if (kinds[n].command == GET_PID || kinds[n].command == GET_TIME)
			EXPECT_EQ(identity(a), identity(b));
		else
			EXPECT_NE(identity(a), identity(b));
		close(a);
		close(b);
	}
}

/* unshare(2) cannot change these two; clone3() starts a process in new ones. */
TEST(those_of_its_start_are_its_own, NEEDS_ROOT NEEDS_CONFIG(PID_NS) NEEDS_CONFIG(TIME_NS)
     PROMISED("commit 5b08bd408534; namespaces(7)")
     DESCRIBE("of a child started in new pid and time namespaces: not the caller's, and as /proc/<pid>/ns has them"))
{
	pid_t first = ASSERT_OK(sleeping_clone(CLONE_NEWPID | CLONE_NEWTIME));
	int own = ASSERT_OK(pidfd_open_(getpid(), 0)), inside;

	CLEANUP(kill_and_reap, first);
	inside = ASSERT_OK(pidfd_open_(first, 0));
	close(open_proc());
	for (size_t n = 0; n < KINDS; n++) {
		struct stat about;
		char path[64];
		ino_t given;

		if (!(kinds[n].flag & (CLONE_NEWPID | CLONE_NEWTIME)))
			continue;
		given = identity(ASSERT_OK(ioctl(inside, kinds[n].command, 0)));
		EXPECT_NE(given, identity(ASSERT_OK(ioctl(own, kinds[n].command, 0))));
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", first, kinds[n].name);
		ASSERT_OK(stat(path, &about));
		EXPECT_EQ(given, about.st_ino);
	}
}

TEST(tells_own_from_children_s, NEEDS_ROOT NEEDS_CONFIG(PID_NS) NEEDS_CONFIG(TIME_NS)
     PROMISED("namespaces(7), pid_for_children, time_for_children")
     DESCRIBE("after unshare(2) of pid and time the two of a kind differ"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));
	pid_t pid;

	EXPECT_EQ(identity(ioctl(pidfd, GET_PID, 0)), identity(ioctl(pidfd, GET_PID_FOR_CHILDREN, 0)));
	EXPECT_EQ(identity(ioctl(pidfd, GET_TIME, 0)),
		  identity(ioctl(pidfd, GET_TIME_FOR_CHILDREN, 0)));
	ASSERT_OK(unshare(CLONE_NEWPID | CLONE_NEWTIME));
	EXPECT_NE(identity(ioctl(pidfd, GET_TIME, 0)),
		  identity(ioctl(pidfd, GET_TIME_FOR_CHILDREN, 0)));
	/* A pid namespace is there with its first process. */
	pid = ASSERT_OK(kc_fork());
	if (pid == 0)
		_exit(0);
	reap(pid);
	EXPECT_NE(identity(ioctl(pidfd, GET_PID, 0)), identity(ioctl(pidfd, GET_PID_FOR_CHILDREN, 0)));
}

TEST(can_be_entered, NEEDS_ROOT NEEDS_CONFIG(UTS_NS) PROMISED("setns(2)")
     DESCRIBE("setns(2) takes the descriptor"))
{
	struct utsname names;
	int fd;

	ASSERT_OK(unshare(CLONE_NEWUTS));
	ASSERT_OK(sethostname("outside", 7));
	fd = ASSERT_OK(ioctl(ASSERT_OK(pidfd_open_(sleeping_child(), 0)), GET_UTS, 0));
	ASSERT_OK(unshare(CLONE_NEWUTS));
	ASSERT_OK(sethostname("inside", 6));
	EXPECT_OK(setns(fd, CLONE_NEWUTS));
	ASSERT_OK(uname(&names));
	EXPECT_STREQ(names.nodename, "outside");
}

TEST(outlives_the_process, NEEDS_ROOT NEEDS_CONFIG(UTS_NS) PROMISED("namespaces(7)")
     DESCRIBE("a descriptor keeps the namespace when its process is gone"))
{
	pid_t pid = child_after(leave, NULL);
	int fd = ASSERT_OK(ioctl(ASSERT_OK(pidfd_open_(pid, 0)), GET_UTS, 0));

	kill(pid, SIGKILL);
	reap(pid);
	EXPECT_OK(setns(fd, CLONE_NEWUTS));
}

/* The argument is kept for later. */
static const struct kc_since argument_errno[] = {
	{ 0, 0, EINVAL, "fs/pidfs.c, pidfd_ioctl()" },
};

TEST(rejects_an_argument, PROMISED("fs/pidfs.c, pidfd_ioctl()")
     DESCRIBE("anything but 0 is EINVAL, for each command"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	for (size_t n = 0; n < KINDS; n++) {
		EXPECT_ERRNO_SINCE(ioctl(pidfd, kinds[n].command, 1), argument_errno);
		EXPECT_ERRNO_SINCE(ioctl(pidfd, kinds[n].command, -1), argument_errno);
	}
}

TEST(rejects_other_commands, PROMISED("ioctl(2), ENOTTY")
     DESCRIBE("numbers beside the ten, other types, the same numbers with a size: ENOTTY"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	EXPECT_ERRNO(ioctl(pidfd, GET(0), 0), ENOTTY);
	EXPECT_ERRNO(ioctl(pidfd, GET(200), 0), ENOTTY);
	EXPECT_ERRNO(ioctl(pidfd, GET(255), 0), ENOTTY);
	for (int n = 1; n <= 10; n++)
		EXPECT_ERRNO(ioctl(pidfd, _IO(0xb7, n), 0), ENOTTY);
	EXPECT_ERRNO(ioctl(pidfd, _IOR(0xFF, 1, int), 0), ENOTTY);
	EXPECT_ERRNO(ioctl(pidfd, 0x5401 /* TCGETS */, 0), ENOTTY);
}

TEST(misses_process_that_ended, PROMISED("fs/pidfs.c, pidfd_ioctl()")
     DESCRIBE("a zombie and a reaped process: ESRCH; until 6.12 an argument is EINVAL before that"))
{
	static const struct kc_since order[] = {
		{ 6, 13, ESRCH, "commit cdda1f26e74b" },
		{ 0, 0, EINVAL, "fs/pidfs.c, pidfd_ioctl()" },
	};
	pid_t pid = zombie_child(0);
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	for (size_t n = 0; n < KINDS; n++)
		EXPECT_ERRNO(ioctl(pidfd, kinds[n].command, 0), ESRCH);
	reap(pid);
	for (size_t n = 0; n < KINDS; n++)
		EXPECT_ERRNO(ioctl(pidfd, kinds[n].command, 0), ESRCH);
	EXPECT_ERRNO_SINCE(ioctl(pidfd, GET_UTS, 1), order);
}

TEST(needs_ptrace_access, NEEDS_ROOT PROMISED("ptrace(2), PTRACE_MODE_READ_FSCREDS")
     DESCRIBE("another user's process: EACCES; one of the same user: a descriptor"))
{
	int of_root = ASSERT_OK(pidfd_open_(sleeping_child(), 0));
	int own = ASSERT_OK(pidfd_open_(child_of_user(NOBODY), 0));

	IN_CHILD {
		become((void *)NOBODY);
		for (size_t n = 0; n < KINDS; n++) {
			EXPECT_ERRNO(ioctl(of_root, kinds[n].command, 0), EACCES);
			get(own, n);
		}
	}
}

TEST(uses_file_system_id_of_caller, NEEDS_ROOT PROMISED("ptrace(2), PTRACE_MODE_FSCREDS")
     DESCRIBE("the file-system uid counts, which follows the effective one"))
{
	int pidfd = ASSERT_OK(pidfd_open_(child_of_user(NOBODY), 0));

	IN_CHILD {
		ASSERT_OK(setresgid(NOBODY, NOBODY, NOBODY));
		ASSERT_OK(setresuid(1000, NOBODY, 1000));
		EXPECT_OK(ioctl(pidfd, GET(3), 0));
	}
	IN_CHILD {
		ASSERT_OK(setresgid(NOBODY, NOBODY, NOBODY));
		ASSERT_OK(setresuid(NOBODY, 1000, NOBODY));
		EXPECT_ERRNO(ioctl(pidfd, GET(3), 0), EACCES);
	}
}

TEST(leave_to_read_is_enough, NEEDS_ROOT PROMISED("ptrace(2), PTRACE_MODE_READ_FSCREDS, ptrace_scope")
     DESCRIBE("where YAMA lets only ancestors attach: a descriptor of a brother of the same user"))
{
	int brother = open_unattachable();

	IN_CHILD {
		become((void *)NOBODY);
		EXPECT_OK(ioctl(brother, GET(3), 0));
	}
}

/* Whether it has ended is told to those who may look into it. */
TEST(zombie_of_a_stranger_is_refused, NEEDS_ROOT PROMISED("fs/pidfs.c, pidfd_ioctl()")
     DESCRIBE("another user's zombie: EACCES, as while it ran"))
{
	int pidfd = ASSERT_OK(pidfd_open_(zombie_child(0), 0));

	IN_CHILD {
		become((void *)NOBODY);
		EXPECT_ERRNO(ioctl(pidfd, GET(3), 0), EACCES);
	}
	EXPECT_ERRNO(ioctl(pidfd, GET(3), 0), ESRCH);
}

TEST(reports_full_descriptor_table, PROMISED("getrlimit(2), EMFILE")
     DESCRIBE("EMFILE at RLIMIT_NOFILE"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));
	struct rlimit few;

	few.rlim_cur = few.rlim_max = next_descriptor();
	ASSERT_OK(setrlimit(RLIMIT_NOFILE, &few));
	EXPECT_ERRNO(ioctl(pidfd, GET(3), 0), EMFILE);
}

TEST(takes_no_descriptor_when_it_fails, PROMISED("ioctl(2), RETURN VALUE")
     DESCRIBE("after EINVAL, ENOTTY and ESRCH the next descriptor is what it was"))
{
	int zombie = ASSERT_OK(pidfd_open_(zombie_child(0), 0));
	int own = ASSERT_OK(pidfd_open_(getpid(), 0)), next = next_descriptor();

	EXPECT_ERRNO(ioctl(zombie, GET(3), 0), ESRCH);
	EXPECT_ERRNO(ioctl(own, GET(200), 0), ENOTTY);
	EXPECT_EQ(next_descriptor(), next);
}

/* What a leaked reference keeps is still counted, and the limit is reached. */
TEST(drops_namespaces_when_closed, NEEDS_ROOT NEEDS_CONFIG(UTS_NS) NEEDS_CONFIG(USER_NS)
     PROMISED("namespaces(7); proc_sys_user(5), max_uts_namespaces")
     DESCRIBE("32 processes with a namespace of their own, asked and ended: none stays counted"))
{
	/* Beside the first, which is not counted, and some that are still being dropped. */
	set_limit("/proc/sys/user/max_uts_namespaces", "12", "needs /proc/sys/user");
	for (int n = 0; n < 32; n++) {
		int status = 0, pidfd;
		pid_t pid = ASSERT_OK(kc_fork());

		if (pid == 0) {
			for (int tries = 0; unshare(CLONE_NEWUTS) != 0; tries++) {
				if (errno != ENOSPC || tries == 200)
					_exit(1);
				usleep(10000);
			}
			pidfd = pidfd_open_(getpid(), 0);
			for (size_t k = 0; k < KINDS; k++)
				close(ioctl(pidfd, kinds[k].command, 0));
			_exit(0);
		}
		ASSERT_EQ(waitpid(pid, &status, 0), pid);
		ASSERT_EQ(status, 0);
	}
}

TEST(works_on_pidfd_of_thread, NEEDS_ROOT NEEDS_PROBE(pidfd_thread) NEEDS_CONFIG(UTS_NS)
     PROMISED("fs/pidfs.c, pidfd_ioctl()")
     DESCRIBE("namespaces of that thread, which may differ from the leader's"))
{
	struct thread t;
	int thread, process = ASSERT_OK(pidfd_open_(getpid(), 0));

	start_thread(&t);
	thread = ASSERT_OK(pidfd_open_(t.tid, PIDFD_THREAD_));
	EXPECT_EQ(identity(ioctl(thread, GET_UTS, 0)), identity(ioctl(process, GET_UTS, 0)));
	/* The leader leaves alone. */
	ASSERT_OK(unshare(CLONE_NEWUTS));
	EXPECT_NE(identity(ioctl(thread, GET_UTS, 0)), identity(ioctl(process, GET_UTS, 0)));
	end_thread(&t);
}

TEST(leaves_process_free_to_execute, NEEDS_ROOT PROMISED("fs/pidfs.c, pidfd_ioctl()")
     DESCRIBE("after a descriptor, ENOTTY, EACCES and EMFILE the process executes a program"))
{
	struct executor e = start_executor();
	struct rlimit few = { 0, 0 };

	get(e.pidfd, 0);
	EXPECT_ERRNO(ioctl(e.pidfd, GET(200), 0), ENOTTY);
	IN_CHILD {
		few.rlim_cur = few.rlim_max = next_descriptor();
		ASSERT_OK(setrlimit(RLIMIT_NOFILE, &few));
		EXPECT_ERRNO(ioctl(e.pidfd, GET(3), 0), EMFILE);
	}
	IN_CHILD {
		become((void *)NOBODY);
		EXPECT_ERRNO(ioctl(e.pidfd, GET(3), 0), EACCES);
	}
	check_executes(e);
}

TEST(leaves_thread_beside_dead_leader_free_to_execute, PROMISED("fs/pidfs.c, pidfd_ioctl()")
     DESCRIBE("the leader has exited, and no namespace is to be had of it: the thread executes a program"))
{
	int rest[2];
	pid_t pid = executor_without_leader(rest);

	EXPECT_EQ(ioctl(ASSERT_OK(pidfd_open_(pid, 0)), GET(3), 0), -1);
	close(rest[1]);
	check_program_ends(pid);
}

KCASE_MAIN
