// SPDX-License-Identifier: GPL-2.0-only
/* What a pidfd is as a file: its inode, its names, and what cannot be done with it. */
#include "pidfd.h"

PIDFD_CASES
PROBE_PIDFD_THREAD
PROBE_PIDFS

static struct stat about(int fd)
{
	struct stat found;

	ASSERT_OK(fstat(fd, &found));
	return found;
}

TEST(file_system_has_its_number, NEEDS_PROBE(pidfs) PROMISED("commit cb12fd8e0dab")
     DESCRIBE("fstatfs: PID_FS_MAGIC"))
{
	EXPECT_EQ(filesystem_of_pidfd(), PID_FS_MAGIC_);
}

TEST(inode_is_the_process_s, NEEDS_PROBE(pidfs) PROMISED("pidfd_open(2); commit cb12fd8e0dab")
     DESCRIBE("two pidfds of one process have one inode, those of two have two"))
{
	pid_t pid = sleeping_child();
	struct stat a = about(ASSERT_OK(pidfd_open_(pid, 0)));
	struct stat b = about(ASSERT_OK(pidfd_open_(pid, PIDFD_NONBLOCK_)));
	struct stat other = about(ASSERT_OK(pidfd_open_(getpid(), 0)));

	EXPECT_EQ(a.st_ino, b.st_ino);
	EXPECT_EQ(a.st_dev, b.st_dev);
	EXPECT_NE(a.st_ino, other.st_ino);
	EXPECT_EQ(a.st_dev, other.st_dev);
}

TEST(inode_lasts, NEEDS_PROBE(pidfs) PROMISED("commit cb12fd8e0dab")
     DESCRIBE("the same while it lives, as a zombie, reaped, and after closing and opening again"))
{
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	ino_t inode = about(pidfd).st_ino;
	siginfo_t info;

	close(pidfd);
	pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	EXPECT_EQ(about(pidfd).st_ino, inode);
	kill(pid, SIGKILL);
	ASSERT_OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	EXPECT_EQ(about(pidfd).st_ino, inode);
	reap(pid);
	EXPECT_EQ(about(pidfd).st_ino, inode);
}

/* What the kernel kept of a pidfd goes with the last one (fs/libfs.c, stashed_dentry_prune()). */
TEST(opened_again_it_is_a_new_file, NEEDS_PROBE(pidfs) PROMISED("pidfd_open(2); commit b28ddcc32d8f")
     DESCRIBE("closed for good, its memory taken by 200 pipes, opened again: it is the process's"))
{
	pid_t pid = sleeping_child();
	int pipes[2], pidfd;

	close(ASSERT_OK(pidfd_open_(pid, 0)));
	/* RCU frees it a little later. */
	usleep(200000);
	for (int n = 0; n < 200; n++)
		ASSERT_OK(pipe2(pipes, O_CLOEXEC));
	pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	EXPECT_OK(is_there(pidfd));
	EXPECT_EQ(about(pidfd).st_ino, about(ASSERT_OK(pidfd_open_(pid, 0))).st_ino);
}

static void compare_inodes(void)
{
	struct recycled r = recycle_pid();

	EXPECT_NE(about(r.pidfd).st_ino, about(ASSERT_OK(pidfd_open_(r.pid, 0))).st_ino);
}

TEST(inode_is_not_recycled, NEEDS_PROBE(pidfs) NEEDS_CONFIG(PID_NS) NEEDS_ROOT
     PROMISED("commit cb12fd8e0dab")
     DESCRIBE("who gets the number later has another inode"))
{
	in_pid_namespace(compare_inodes);
}

TEST(inode_is_not_recycled_outside, NEEDS_PROBE(pidfs) NEEDS_ROOT
     PROMISED("commit cb12fd8e0dab")
     DESCRIBE("nor where the number is the one in the first pid namespace"))
{
	pid_t gone = ASSERT_OK(kc_fork());
	struct recycled r;

	if (gone == 0)
		_exit(0);
	reap(gone);
	r = recycle_number(gone);
	EXPECT_NE(about(r.pidfd).st_ino, about(ASSERT_OK(pidfd_open_(r.pid, 0))).st_ino);
}

TEST(inodes_of_many_differ, NEEDS_PROBE(pidfs) PROMISED("commit cb12fd8e0dab")
     DESCRIBE("64 processes, one after the other: 64 inodes"))
{
	ino_t seen[64];

	for (int n = 0; n < 64; n++) {
		pid_t pid = ASSERT_OK(kc_fork());
		int pidfd;

		if (pid == 0)
			_exit(0);
		pidfd = ASSERT_OK(pidfd_open_(pid, 0));
		seen[n] = about(pidfd).st_ino;
		for (int earlier = 0; earlier < n; earlier++)
			EXPECT_NE(seen[n], seen[earlier]);
		close(pidfd);
		reap(pid);
	}
}

TEST(thread_has_inode_of_its_own, NEEDS_PROBE(pidfs) NEEDS_PROBE(pidfd_thread)
     PROMISED("commit 64bef697d33b")
     DESCRIBE("a thread's inode is not its process's; the leader's is, by either flag"))
{
	struct thread t;
	ino_t process = about(ASSERT_OK(pidfd_open_(getpid(), 0))).st_ino;

	start_thread(&t);
	EXPECT_NE(about(ASSERT_OK(pidfd_open_(t.tid, PIDFD_THREAD_))).st_ino, process);
	EXPECT_EQ(about(ASSERT_OK(pidfd_open_(getpid(), PIDFD_THREAD_))).st_ino, process);
	end_thread(&t);
}

/* fs/pidfs.c, pidfs_getattr(): lsof tells pidfds by a mode without a type. */
TEST(mode_has_no_type, NEEDS_PROBE(pidfs) PROMISED("fs/pidfs.c, pidfs_getattr()")
     DESCRIBE("st_mode is 0700 without a file type, the owner is root"))
{
	struct stat found = about(ASSERT_OK(pidfd_open_(getpid(), 0)));

	EXPECT_EQ(found.st_mode & S_IFMT, 0);
	EXPECT_EQ(found.st_mode & 07777, 0700);
	EXPECT_EQ(found.st_uid, 0);
	EXPECT_EQ(found.st_gid, 0);
}

TEST(link_says_what_it_is, PROMISED("pidfd_open(2); fs/pidfs.c, pidfs_dname()")
     DESCRIBE("/proc/self/fd: anon_inode:[pidfd]"))
{
	char path[64], text[64] = "";
	int fd = ASSERT_OK(pidfd_open_(getpid(), 0));

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (readlink(path, text, sizeof(text) - 1) < 0 && errno == ENOENT)
		SKIP("needs /proc");
	EXPECT_STREQ(text, "anon_inode:[pidfd]");
}

TEST(attributes_cannot_be_changed, NEEDS_PROBE(pidfs) PROMISED("fs/pidfs.c, pidfs_setattr()")
     DESCRIBE("fchmod, fchown, futimens: EOPNOTSUPP, or EPERM where the inode is immutable"))
{
	static const struct kc_since refused[] = {
		/* fs/libfs.c, path_from_stashed(), sets S_IMMUTABLE on some versions. */
		{ 999, 0, EPERM, "fs/attr.c, notify_change()" },
		{ 0, 0, EOPNOTSUPP, "fs/pidfs.c, pidfs_setattr()" },
	};
	int fd = ASSERT_OK(pidfd_open_(getpid(), 0));
	struct stat found;

	EXPECT_ERRNO_SINCE(fchmod(fd, 0777), refused);
	EXPECT_ERRNO_SINCE(fchown(fd, 1, 1), refused);
	EXPECT_ERRNO_SINCE(futimens(fd, NULL), refused);
	found = about(fd);
	EXPECT_EQ(found.st_mode & 07777, 0700);
	EXPECT_EQ(found.st_uid, 0);
}

TEST(has_no_content, PROMISED("pidfd_open(2): no read, no write")
     DESCRIBE("read, write and sync: EINVAL, map: ENODEV, and no size to change"))
{
	int fd = ASSERT_OK(pidfd_open_(getpid(), 0));
	char c = 0;

	EXPECT_ERRNO(read(fd, &c, 1), EINVAL);
	EXPECT_ERRNO(write(fd, &c, 1), EINVAL);
	EXPECT_EQ(pread(fd, &c, 1, 0), -1);
	EXPECT_EQ(lseek(fd, 1, SEEK_SET) <= 0, 1);
	EXPECT_EQ(ftruncate(fd, 0), -1);
	EXPECT_ERRNO(fsync(fd), EINVAL);
	EXPECT_TRUE(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
	EXPECT_EQ(errno, ENODEV);
}

TEST(is_no_folder_and_no_program, PROMISED("cover letter: they are not dirfds")
     DESCRIBE("openat through it, fchdir, getdents: ENOTDIR; execveat: EACCES"))
{
	char *const none[] = { NULL };
	char buffer[256];
	int fd = ASSERT_OK(pidfd_open_(getpid(), 0));

	EXPECT_ERRNO(openat(fd, "status", O_RDONLY), ENOTDIR);
	EXPECT_ERRNO(openat(fd, ".", O_RDONLY), ENOTDIR);
	EXPECT_ERRNO(fchdir(fd), ENOTDIR);
	EXPECT_ERRNO(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)), ENOTDIR);
	EXPECT_ERRNO(execveat(fd, "", none, none, AT_EMPTY_PATH), EACCES);
}

TEST(flags_can_be_changed, PROMISED("fcntl(2), F_SETFL")
     DESCRIBE("O_NONBLOCK comes and goes; close-on-exec as well"))
{
	int fd = ASSERT_OK(pidfd_open_(getpid(), 0));

	ASSERT_OK(fcntl(fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	ASSERT_OK(fcntl(fd, F_SETFL, 0));
	EXPECT_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	ASSERT_OK(fcntl(fd, F_SETFD, 0));
	EXPECT_EQ(fcntl(fd, F_GETFD), 0);
}

TEST(thread_flag_stays, NEEDS_PROBE(pidfd_thread) PROMISED("fcntl(2), F_SETFL")
     DESCRIBE("fcntl(2) neither takes nor gives the kind of a pidfd"))
{
	int thread = ASSERT_OK(pidfd_open_(getpid(), PIDFD_THREAD_));
	int process = ASSERT_OK(pidfd_open_(getpid(), 0));

	ASSERT_OK(fcntl(thread, F_SETFL, 0));
	EXPECT_EQ(fcntl(thread, F_GETFL) & O_EXCL, O_EXCL);
	ASSERT_OK(fcntl(process, F_SETFL, O_EXCL));
	EXPECT_EQ(fcntl(process, F_GETFL) & O_EXCL, 0);
}

/* kcmp(2), KCMP_FILE. */
TEST(compares_as_files_do, NEEDS_CONFIG(KCMP) PROMISED("kcmp(2), KCMP_FILE")
     DESCRIBE("a duplicate is the same open file, a second pidfd is another"))
{
	int a = ASSERT_OK(pidfd_open_(getpid(), 0)), b = ASSERT_OK(pidfd_open_(getpid(), 0));
	int copy = ASSERT_OK(dup(a));

	EXPECT_EQ(syscall(SYS_kcmp, getpid(), getpid(), 0, a, copy), 0);
	EXPECT_NE(syscall(SYS_kcmp, getpid(), getpid(), 0, a, b), 0);
	close(a);
	EXPECT_OK(is_there(copy));
}

KCASE_MAIN
