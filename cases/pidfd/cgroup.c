// SPDX-License-Identifier: GPL-2.0-only
/* CLONE_INTO_CGROUP of clone3() beside CLONE_PIDFD, since 5.7 (commit ef2c41cf38a7). */
#include "pidfd.h"

EVERY_CASE(NEEDS_KERNEL(5, 7) NEEDS_CONFIG(CGROUPS) NEEDS_ROOT TIMEOUT(60))

/* Since 5.2, the same on every architecture but alpha. */
#define NR_fsopen 430
#define NR_fsconfig 431
#define NR_fsmount 432
#define FSOPEN_CLOEXEC_ 1
#define FSCONFIG_CMD_CREATE_ 6
#define FSMOUNT_CLOEXEC_ 1

/* A mount of cgroup2 that stands nowhere, and in it the cgroups of a case: "top" with two below. */
static struct {
	int mount;
	char top[32], from[40], to[40];
} groups;

/* Its last process may take a moment to leave it after it has been waited for. */
static int remove_group(const char *group)
{
	int result;

	for (int tries = 0; (result = unlinkat(groups.mount, group, AT_REMOVEDIR)) != 0; tries++) {
		if (errno != EBUSY || tries == 500)
			break;
		usleep(10000);
	}
	return result;
}

static void remove_left_group(void *group)
{
	if (remove_group(group) != 0)
		EXPECT_EQ(errno, ENOENT);
}

static void make_group(char *group)
{
	ASSERT_OK(mkdirat(groups.mount, group, 0755));
	CLEANUP(remove_left_group, group);
}

static void make_groups(void)
{
	int fs;

	/* A mount in the first cgroup namespace sets options for all (kernel/cgroup/cgroup.c). */
	ASSERT_OK(unshare(CLONE_NEWCGROUP));
	fs = syscall(NR_fsopen, "cgroup2", FSOPEN_CLOEXEC_);
	if (fs < 0 && errno == ENODEV)
		SKIP("needs cgroup2");
	ASSERT_OK(fs);
	ASSERT_OK(syscall(NR_fsconfig, fs, FSCONFIG_CMD_CREATE_, NULL, NULL, 0));
	groups.mount = ASSERT_OK(syscall(NR_fsmount, fs, FSMOUNT_CLOEXEC_, 0));
	close(fs);
	snprintf(groups.top, sizeof(groups.top), "kharness-%d", getpid());
	snprintf(groups.from, sizeof(groups.from), "%s/from", groups.top);
	snprintf(groups.to, sizeof(groups.to), "%s/to", groups.top);
	make_group(groups.top);
	make_group(groups.from);
	make_group(groups.to);
}

static int open_group(const char *group, int how)
{
	return ASSERT_OK(openat(groups.mount, group, how | O_DIRECTORY | O_CLOEXEC));
}

static const char *file_of(const char *group, const char *file)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/%s", group, file);
	return path;
}

/* clone3 with CLONE_PIDFD; the child, which sleeps, is born into a cgroup. */
static pid_t clone_into(int group, int *pidfd)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_INTO_CGROUP_,
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = group,
	};

	return clone_sleeper(&args);
}

/* Asked after the number of the pidfd is stored, which then is no descriptor's (kernel/fork.c). */
static void expect_no_child_in(int group, int error)
{
	int pidfd = -7, next = next_descriptor();
	pid_t pid = EXPECT_ERRNO(clone_into(group, &pidfd), error);

	if (pid > 0)
		CLEANUP(kill_and_reap, pid);
	EXPECT_EQ(next_descriptor(), next);
	EXPECT_ERRNO(waitpid(-1, NULL, WNOHANG | (int)__WALL), ECHILD);
}

static void expect_child_in(const char *group, int fd)
{
	char text[64], wanted[32];
	int pidfd = -7, status = 0;
	pid_t pid = ASSERT_OK(clone_into(fd, &pidfd));

	CLEANUP(kill_and_reap, pid);
	ASSERT_OK(read_text(groups.mount, file_of(group, "cgroup.procs"), text, sizeof(text)));
	snprintf(wanted, sizeof(wanted), "%d\n", pid);
	EXPECT_STREQ(text, wanted);
	EXPECT_OK(pidfd_send_signal_(pidfd, SIGTERM, NULL, 0));
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WTERMSIG(status), SIGTERM);
	EXPECT_ERRNO(is_there(pidfd), ESRCH);
	close(pidfd);
}

TEST(child_is_born_in_a_cgroup, PROMISED("clone(2), CLONE_INTO_CGROUP")
     DESCRIBE("by a descriptor of O_RDONLY and of O_PATH: cgroup.procs has the child alone, whose pidfd it is"))
{
	static const int hows[] = { O_RDONLY, O_PATH };

	make_groups();
	for (size_t n = 0; n < sizeof(hows) / sizeof(hows[0]); n++)
		expect_child_in(groups.to, open_group(groups.to, hows[n]));
}

static void enter(const char *group)
{
	int fd = openat(groups.mount, file_of(group, "cgroup.procs"), O_WRONLY | O_CLOEXEC);

	ASSERT_OK(fd);
	ASSERT_EQ(write(fd, "0", 1), 1);
	close(fd);
}

static void give(const char *group, uid_t uid)
{
	ASSERT_OK(fchownat(groups.mount, group, uid, uid, 0));
	ASSERT_OK(fchownat(groups.mount, file_of(group, "cgroup.procs"), uid, uid, 0));
}

/* cgroups(7): that of the "nearest common ancestor of the source and destination cgroups" counts too. */
TEST(cgroup_of_another_is_refused, PROMISED("clone(2), EACCES; cgroups(7), Cgroup delegation containment rules")
     DESCRIBE("a user to whom the cgroup, or that above both, is not delegated: EACCES, no child; else it works"))
{
	static const struct {
		uid_t top, to;
	} owners[] = { { 0, NOBODY }, { NOBODY, 0 }, { NOBODY, NOBODY } };

	make_groups();
	for (size_t n = 0; n < sizeof(owners) / sizeof(owners[0]); n++) {
		give(groups.top, owners[n].top);
		give(groups.to, owners[n].to);
		IN_CHILD {
			int group = open_group(groups.to, O_RDONLY);

			enter(groups.from);
			become((void *)NOBODY);
			if (owners[n].top && owners[n].to)
				expect_child_in(groups.to, group);
			else
				expect_no_child_in(group, EACCES);
		}
	}
}

/* The "nr_dying_descendants" of a cgroup's cgroup.stat. */
static int dying_below(const char *group)
{
	char text[1024], *line;

	ASSERT_OK(read_text(groups.mount, file_of(group, "cgroup.stat"), text, sizeof(text)));
	line = strstr(text, "nr_dying_descendants ");
	ASSERT_TRUE(line != NULL);
	return atoi(line + strlen("nr_dying_descendants "));
}

/* A cgroup that is removed dies when nothing refers to it any more, which is a little later. */
TEST(cgroup_of_a_dead_child_is_freed, PROMISED("cgroup-v2.rst, cgroup.stat, nr_dying_descendants")
     DESCRIBE("a child born in it and one that was refused, both gone: removed, it dies"))
{
	int group;

	make_groups();
	group = open_group(groups.to, O_RDONLY);
	IN_CHILD {
		become((void *)NOBODY);
		expect_no_child_in(group, EACCES);
	}
	expect_child_in(groups.to, group);
	close(group);
	ASSERT_OK(remove_group(groups.to));
	for (int tries = 0; dying_below(groups.top) != 0 && tries < ROOM_TRIES; tries++)
		usleep(10000);
	EXPECT_EQ(dying_below(groups.top), 0);
}

KCASE_MAIN
