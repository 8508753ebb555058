// SPDX-License-Identifier: GPL-2.0-only
/* The namespaces that a process leaves with setns(2) for a pidfd's are freed when they were the last. */
#include "pidfd.h"

EVERY_CASE(NEEDS_PROBE(setns_pidfd) NEEDS_ROOT TIMEOUT(60))
PROBE_SETNS_PIDFD

#define AT_MOST "10"
#define AT_MOST_TWICE 24

/* In the first round nothing was left yet. */
static void unshare_where_there_is_room(int kind, int round)
{
	for (int tries = 0; unshare(kind) != 0; tries++) {
		if (round == 0 && errno == ENOSPC && tries == ROOM_TRIES)
			SKIP("inconclusive: as many namespaces as may be are there already");
		await_room(tries);
	}
}

/* namespaces(7), Namespace lifetime: "torn down when the last process (...) leaves the namespace". */
static void leave_often(int kind, const char *limit)
{
	int own = ASSERT_OK(pidfd_open_(getpid(), 0));

	set_limit(limit, AT_MOST, "needs /proc/sys/user");
	IN_CHILD
		for (int n = 0; n < AT_MOST_TWICE; n++) {
			unshare_where_there_is_room(kind, n);
			ASSERT_OK(setns(own, kind));
		}
}

TEST(left_uts_namespace_is_freed, NEEDS_CONFIG(UTS_NS)
     PROMISED("namespaces(7), Namespace lifetime; proc_sys_user(5), max_uts_namespaces")
     DESCRIBE("24 UTS namespaces that a process left, one after the other, where 10 may be: freed"))
{
	leave_often(CLONE_NEWUTS, "/proc/sys/user/max_uts_namespaces");
}

TEST(left_ipc_namespace_is_freed, NEEDS_CONFIG(IPC_NS)
     PROMISED("namespaces(7), Namespace lifetime; proc_sys_user(5), max_ipc_namespaces")
     DESCRIBE("24 IPC namespaces that a process left, one after the other, where 10 may be: freed"))
{
	leave_often(CLONE_NEWIPC, "/proc/sys/user/max_ipc_namespaces");
}

TEST(left_network_namespace_is_freed, NEEDS_CONFIG(NET_NS)
     PROMISED("namespaces(7), Namespace lifetime; proc_sys_user(5), max_net_namespaces")
     DESCRIBE("24 network namespaces that a process left, one after the other, where 10 may be: freed"))
{
	leave_often(CLONE_NEWNET, "/proc/sys/user/max_net_namespaces");
}

TEST(left_mount_namespace_is_freed,
     PROMISED("namespaces(7), Namespace lifetime; proc_sys_user(5), max_mnt_namespaces")
     DESCRIBE("24 mount namespaces that a process left, one after the other, where 10 may be: freed"))
{
	leave_often(CLONE_NEWNS, "/proc/sys/user/max_mnt_namespaces");
}

TEST(left_cgroup_namespace_is_freed, NEEDS_CONFIG(CGROUPS)
     PROMISED("namespaces(7), Namespace lifetime; proc_sys_user(5), max_cgroup_namespaces")
     DESCRIBE("24 cgroup namespaces that a process left, one after the other, where 10 may be: freed"))
{
	leave_often(CLONE_NEWCGROUP, "/proc/sys/user/max_cgroup_namespaces");
}

/* The one for children to come, which never came. */
TEST(left_pid_namespace_is_freed, NEEDS_CONFIG(PID_NS)
     PROMISED("namespaces(7), Namespace lifetime; proc_sys_user(5), max_pid_namespaces")
     DESCRIBE("24 pid namespaces that a process left, one after the other, where 10 may be: freed"))
{
	leave_often(CLONE_NEWPID, "/proc/sys/user/max_pid_namespaces");
}

/* These take processes, which are dear. */
#define FEW "6"
#define FEW_TWICE 12

/* Left are the one that a child is in, and the one of its children to come. */
TEST(left_time_namespace_is_freed, NEEDS_KERNEL(5, 9) NEEDS_CONFIG(TIME_NS)
     PROMISED("namespaces(7), Namespace lifetime; proc_sys_user(5), max_time_namespaces")
     DESCRIBE("12 time namespaces that their processes left, one after the other, where 6 may be: freed"))
{
	int own = ASSERT_OK(pidfd_open_(getpid(), 0));

	set_limit("/proc/sys/user/max_time_namespaces", FEW, "needs /proc/sys/user");
	for (int n = 0; n < FEW_TWICE; n++)
		IN_CHILD {
			unshare_where_there_is_room(CLONE_NEWTIME, n);
			IN_CHILD
				EXPECT_OK(setns(own, CLONE_NEWTIME));
		}
}

/* Out of a user namespace there is no way but further in. */
TEST(left_user_namespace_is_freed, NEEDS_CONFIG(USER_NS)
     PROMISED("namespaces(7), Namespace lifetime; proc_sys_user(5), max_user_namespaces")
     DESCRIBE("12 user namespaces that were left for one below, one after the other, where 6 may be: freed"))
{
	set_limit("/proc/sys/user/max_user_namespaces", FEW, "needs /proc/sys/user");
	for (int n = 0; n < FEW_TWICE; n++) {
		pid_t pid = clone_where_there_is_room(CLONE_NEWUSER);
		int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

		/* Who has no name in there makes no other (user_namespaces(7)). */
		write_ids(pid, "uid_map", "0 0 1");
		write_ids(pid, "gid_map", "0 0 1");
		IN_CHILD {
			pid_t below;

			ASSERT_OK(setns(pidfd, CLONE_NEWUSER));
			below = clone_where_there_is_room(CLONE_NEWUSER);
			CLEANUP(kill_and_reap, below);
			EXPECT_OK(setns(ASSERT_OK(pidfd_open_(below, 0)), CLONE_NEWUSER));
		}
		kill_and_reap((void *)(intptr_t)pid);
		close(pidfd);
	}
}

KCASE_MAIN
