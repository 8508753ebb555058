// SPDX-License-Identifier: GPL-2.0-only
/* File handles of pidfds, name_to_handle_at(2) and open_by_handle_at(2), since 6.14. */
#include "pidfd.h"

EVERY_CASE(NEEDS_KERNEL(5, 3) NEEDS_CONFIG(FHANDLE) TIMEOUT(20))

struct handle {
	struct file_handle head;
	unsigned char bytes[MAX_HANDLE_SZ];
};

static int name(int pidfd, struct handle *handle)
{
	int mount;

	memset(handle, 0, sizeof(*handle));
	handle->head.handle_bytes = MAX_HANDLE_SZ;
	return name_to_handle_at(pidfd, "", &handle->head, &mount, AT_EMPTY_PATH);
}

PROBE(pidfd_handles, 6, 14, "commit b3caba8f7a34")
{
	struct handle handle;
	int pidfd = pidfd_open_(getpid(), 0);
	int result = name(pidfd, &handle);

	close(pidfd);
	return result == 0;
}

TEST(leads_back_to_the_process, NEEDS_PROBE(pidfd_handles) PROMISED("commit b3caba8f7a34")
     DESCRIBE("a handle gives a pidfd of the same inode, that signals the process"))
{
	struct handle handle;
	struct stat a, b;
	int other, pidfd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));

	ASSERT_OK(name(pidfd, &handle));
	other = ASSERT_OK(open_by_handle_at(pidfd, &handle.head, O_RDWR | O_CLOEXEC));
	ASSERT_OK(fstat(pidfd, &a));
	ASSERT_OK(fstat(other, &b));
	EXPECT_EQ(a.st_ino, b.st_ino);
	EXPECT_NE(other, pidfd);
	EXPECT_OK(is_there(other));
}

TEST(outlives_descriptors, NEEDS_PROBE(pidfd_handles) PROMISED("commit b3caba8f7a34")
     DESCRIBE("with every pidfd closed a handle still finds its process"))
{
	struct handle handle;
	int own = ASSERT_OK(pidfd_open_(getpid(), 0));
	int pidfd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));

	ASSERT_OK(name(pidfd, &handle));
	close(pidfd);
	EXPECT_OK(is_there(ASSERT_OK(open_by_handle_at(own, &handle.head, 0))));
}

TEST(is_stale_when_reaped, NEEDS_PROBE(pidfd_handles) PROMISED("open_by_handle_at(2), ESTALE")
     DESCRIBE("no pidfd of it is open and the process is reaped: ESTALE"))
{
	struct handle handle;
	int own = ASSERT_OK(pidfd_open_(getpid(), 0));
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	ASSERT_OK(name(pidfd, &handle));
	close(pidfd);
	kill(pid, SIGKILL);
	reap(pid);
	EXPECT_ERRNO(open_by_handle_at(own, &handle.head, 0), ESTALE);
}

TEST(needs_no_capability, NEEDS_PROBE(pidfd_handles) NEEDS_ROOT PROMISED("commit b3caba8f7a34")
     DESCRIBE("a user without CAP_DAC_READ_SEARCH opens a handle, as it may open a pid"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));
	struct handle handle;

	ASSERT_OK(name(pidfd, &handle));
	IN_CHILD {
		become((void *)(uintptr_t)NOBODY);
		EXPECT_OK(open_by_handle_at(pidfd, &handle.head, 0));
	}
}

TEST(rejects_flags_of_files, NEEDS_PROBE(pidfd_handles) PROMISED("fs/pidfs.c, pidfs_export_permission()")
     DESCRIBE("O_TRUNC, O_APPEND, O_DIRECT, O_CREAT: EINVAL"))
{
	static const int flags[] = { O_TRUNC, O_APPEND, O_DIRECT, O_CREAT };
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));
	struct handle handle;

	ASSERT_OK(name(pidfd, &handle));
	for (size_t n = 0; n < sizeof(flags) / sizeof(flags[0]); n++)
		EXPECT_ERRNO(open_by_handle_at(pidfd, &handle.head, flags[n]), EINVAL);
}

TEST(can_be_nonblocking, NEEDS_PROBE(pidfd_handles) PROMISED("commit b3caba8f7a34")
     DESCRIBE("O_NONBLOCK means what PIDFD_NONBLOCK means to pidfd_open(2)"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));
	struct handle handle;

	ASSERT_OK(name(pidfd, &handle));
	EXPECT_EQ(fcntl(ASSERT_OK(open_by_handle_at(pidfd, &handle.head, O_NONBLOCK)), F_GETFL) &
		  O_NONBLOCK, O_NONBLOCK);
	EXPECT_EQ(fcntl(ASSERT_OK(open_by_handle_at(pidfd, &handle.head, 0)), F_GETFL) &
		  O_NONBLOCK, 0);
}

KCASE_MAIN
