// SPDX-License-Identifier: GPL-2.0-only
/* process_madvise(2), since 5.10, and process_mrelease(2), since 5.15: the memory of a pidfd's process. */
#include <sys/fsuid.h>
#include <sys/ptrace.h>

#include "pidfd.h"

EVERY_CASE(NEEDS_CONFIG(ADVISE_SYSCALLS) NEEDS_PROBE(process_madvise) TIMEOUT(20))

PROBE(process_madvise, 5, 10, "commit ecb8ac8b1f14")
{
	return process_madvise_(-1, NULL, 0, MADV_COLD, 0) < 0 && errno != ENOSYS;
}

PROBE(process_mrelease, 5, 15, "commit 884a7e5964e0")
{
	return process_mrelease_(-1, 0) < 0 && errno != ENOSYS;
}

#define PAGES 4

/* The same address in the child, which is a copy. */
static struct iovec area(void)
{
	size_t size = PAGES * (size_t)sysconf(_SC_PAGESIZE);
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_TRUE(at != MAP_FAILED);
	memset(at, 1, size);
	return (struct iovec){ at, size };
}

TEST(advises_on_child, NEEDS_ROOT PROMISED("process_madvise(2), RETURN VALUE")
     DESCRIBE("MADV_COLD and MADV_PAGEOUT: the number of bytes advised, over all ranges"))
{
	struct iovec whole = area(), parts[2] = { whole, whole };
	int pidfd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));

	EXPECT_EQ(process_madvise_(pidfd, &whole, 1, MADV_COLD, 0), whole.iov_len);
	EXPECT_EQ(process_madvise_(pidfd, &whole, 1, MADV_PAGEOUT, 0), whole.iov_len);
	parts[0].iov_len /= 2;
	EXPECT_EQ(process_madvise_(pidfd, parts, 2, MADV_COLD, 0), whole.iov_len * 3 / 2);
}

/* "partial advice may be applied if one of its elements points to an invalid memory region" */
TEST(counts_ranges_before_a_bad_one, NEEDS_ROOT PROMISED("process_madvise(2), RETURN VALUE")
     DESCRIBE("a later range is not mapped, or not on a page: the bytes of those before it"))
{
	struct iovec whole = area(), parts[3] = { whole, area(), whole };
	int pidfd;

	ASSERT_OK(munmap(parts[1].iov_base, parts[1].iov_len));
	pidfd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));
	EXPECT_EQ(process_madvise_(pidfd, parts, 3, MADV_COLD, 0), whole.iov_len);
	parts[1].iov_base = (char *)whole.iov_base + 1;
	EXPECT_EQ(process_madvise_(pidfd, parts, 3, MADV_COLD, 0), whole.iov_len);
}

TEST(rejects_every_flag, NEEDS_ROOT PROMISED("process_madvise(2), EINVAL")
     DESCRIBE("each of the 32 bits is EINVAL, before the descriptor is looked at"))
{
	struct iovec whole = area();
	int pidfd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));

	for (int bit = 0; bit < 32; bit++)
		EXPECT_ERRNO(process_madvise_(pidfd, &whole, 1, MADV_COLD, 1u << bit), EINVAL);
	EXPECT_ERRNO(process_madvise_(9999, &whole, 1, MADV_COLD, 1), EINVAL);
}

TEST(rejects_other_descriptors, PROMISED("process_madvise(2), EBADF")
     DESCRIBE("closed, negative, a file: EBADF"))
{
	struct iovec whole = area();

	EXPECT_ERRNO(process_madvise_(9999, &whole, 1, MADV_COLD, 0), EBADF);
	EXPECT_ERRNO(process_madvise_(-1, &whole, 1, MADV_COLD, 0), EBADF);
	EXPECT_ERRNO(process_madvise_(ASSERT_OK(open("/", O_RDONLY)), &whole, 1, MADV_COLD, 0),
		     EBADF);
}

TEST(misses_process_that_ended, NEEDS_ROOT PROMISED("process_madvise(2), ESRCH")
     DESCRIBE("a zombie, whose memory is gone, and a reaped process: ESRCH"))
{
	struct iovec whole = area();
	pid_t pid = zombie_child(0);
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	EXPECT_ERRNO(process_madvise_(pidfd, &whole, 1, MADV_COLD, 0), ESRCH);
	reap(pid);
	EXPECT_ERRNO(process_madvise_(pidfd, &whole, 1, MADV_COLD, 0), ESRCH);
}

TEST(rejects_advice_that_destroys, NEEDS_ROOT PROMISED("process_madvise(2), EINVAL")
     DESCRIBE("MADV_DONTNEED, MADV_REMOVE, MADV_DONTFORK and unknown ones to another process: EINVAL"))
{
	static const int advices[] = {
		MADV_NORMAL, MADV_DONTNEED, MADV_REMOVE, MADV_DONTFORK, MADV_HWPOISON, 9999,
	};
	struct iovec whole = area();
	int pidfd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));

	for (size_t n = 0; n < sizeof(advices) / sizeof(advices[0]); n++)
		EXPECT_ERRNO(process_madvise_(pidfd, &whole, 1, advices[n], 0), EINVAL);
}

TEST(checks_ranges, NEEDS_ROOT PROMISED("process_madvise(2), EINVAL, ENOMEM, EFAULT")
     DESCRIBE("not on a page: EINVAL; not mapped: ENOMEM; over IOV_MAX: EINVAL; bad pointer: EFAULT"))
{
	struct iovec whole = area(), crooked = whole, hole = whole;
	int pidfd;

	ASSERT_OK(munmap(hole.iov_base, hole.iov_len));
	pidfd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));
	EXPECT_ERRNO(process_madvise_(pidfd, &hole, 1, MADV_COLD, 0), ENOMEM);
	crooked.iov_base = (char *)crooked.iov_base + 1;
	EXPECT_ERRNO(process_madvise_(pidfd, &crooked, 1, MADV_COLD, 0), EINVAL);
	EXPECT_ERRNO(process_madvise_(pidfd, &whole, 1025, MADV_COLD, 0), EINVAL);
	EXPECT_ERRNO(process_madvise_(pidfd, (struct iovec *)8, 1, MADV_COLD, 0), EFAULT);
}

TEST(rejects_advice_that_writes, NEEDS_ROOT PROMISED("process_madvise(2), EINVAL")
     DESCRIBE("MADV_FREE, MADV_WIPEONFORK, MADV_DONTNEED_LOCKED and what fills or offlines pages: EINVAL"))
{
	/* linux/mman.h; a C library may not have them all. */
	static const int advices[] = {
		8 /* FREE */, 18 /* WIPEONFORK */, 23 /* POPULATE_WRITE */,
		24 /* DONTNEED_LOCKED */, 101 /* SOFT_OFFLINE */,
	};
	struct iovec whole = area();
	int pidfd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));

	for (size_t n = 0; n < sizeof(advices) / sizeof(advices[0]); n++)
		EXPECT_ERRNO(process_madvise_(pidfd, &whole, 1, advices[n], 0), EINVAL);
}

/* Of a file, since what is to be read of other memory is in swap, which a kernel may not have. */
TEST(advises_to_read_ahead, NEEDS_KERNEL(5, 15) NEEDS_ROOT
     PROMISED("process_madvise(2), MADV_WILLNEED; commit d5fffc5aff26")
     DESCRIBE("MADV_WILLNEED of a file that the child has mapped: the number of bytes"))
{
	char path[] = "/tmp/madvise-XXXXXX";
	struct iovec whole = { NULL, PAGES * (size_t)sysconf(_SC_PAGESIZE) };
	int fd = ASSERT_OK(mkstemp(path));

	ASSERT_OK(unlink(path));
	ASSERT_OK(ftruncate(fd, whole.iov_len));
	whole.iov_base = mmap(NULL, whole.iov_len, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_TRUE(whole.iov_base != MAP_FAILED);
	EXPECT_EQ(process_madvise_(ASSERT_OK(pidfd_open_(sleeping_child(), 0)), &whole, 1,
				   MADV_WILLNEED, 0), (long)whole.iov_len);
}

TEST(memory_is_that_of_the_process, NEEDS_ROOT PROMISED("process_madvise(2)")
     DESCRIBE("a range that only the process has: its bytes; one that only the caller has: ENOMEM"))
{
	struct iovec its = area(), own;
	int pidfd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));

	own = area();
	/* Afterwards, so that it is another one. */
	ASSERT_OK(munmap(its.iov_base, its.iov_len));
	EXPECT_EQ(process_madvise_(pidfd, &its, 1, MADV_COLD, 0), (long)its.iov_len);
	EXPECT_ERRNO(process_madvise_(pidfd, &own, 1, MADV_COLD, 0), ENOMEM);
}

TEST(takes_as_many_ranges_as_there_may_be, NEEDS_ROOT PROMISED("process_madvise(2), EINVAL: IOV_MAX")
     DESCRIBE("1,024 ranges: all their bytes; 1,025: EINVAL"))
{
	struct iovec whole = area(), ranges[1025];
	int pidfd = ASSERT_OK(pidfd_open_(sleeping_child(), 0));

	whole.iov_len /= PAGES;
	for (int n = 0; n < 1025; n++)
		ranges[n] = whole;
	EXPECT_EQ(process_madvise_(pidfd, ranges, 1024, MADV_COLD, 0), 1024 * (long)whole.iov_len);
	EXPECT_ERRNO(process_madvise_(pidfd, ranges, 1025, MADV_COLD, 0), EINVAL);
}

#define OWN_KIB 2048

/* Room for a mapping of its own: with pages that nobody may touch on either side. */
static struct iovec room(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct iovec own = { NULL, OWN_KIB * 1024 };
	char *at = mmap(NULL, own.iov_len + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_TRUE(at != MAP_FAILED);
	own.iov_base = at + page;
	ASSERT_OK(mprotect(own.iov_base, own.iov_len, PROT_READ | PROT_WRITE));
	return own;
}

static void fill(void *room)
{
	const struct iovec *own = room;

	memset(own->iov_base, 1, own->iov_len);
}

/* What smaps (proc_pid_smaps(5)) says of the mapping that begins there. */
static long kib_of(pid_t pid, const struct iovec *own, const char *field)
{
	char path[32], line[512];
	unsigned long long begin, end;
	bool here = false;
	long kib = -1;
	FILE *smaps;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	smaps = fopen(path, "re");
	if (!smaps)
		SKIP("needs /proc/<pid>/smaps (%s)", strerror(errno));
	while (kib < 0 && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%llx-%llx", &begin, &end) == 2)
			here = begin == (uintptr_t)own->iov_base;
		else if (here && strncmp(line, field, strlen(field)) == 0)
			kib = atol(line + strlen(field));
	}
	fclose(smaps);
	ASSERT_GE(kib, 0);
	return kib;
}

/* A kernel that is short of memory takes pages, and looks whether they are in use, by itself. */
static void need_most_of_it(pid_t pid, const struct iovec *own, const char *field)
{
	long kib = kib_of(pid, own, field);

	if (kib < OWN_KIB * 3 / 4)
		SKIP("inconclusive: %s %ld of %d KiB before anything is done", field, kib, OWN_KIB);
}

/* Of pages that wait to be listed the call sees those of its CPU (mm/swap.c, lru_add_drain()). */
static void stay_on_this_cpu(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(ASSERT_OK(sched_getcpu()), &one);
	ASSERT_OK(sched_setaffinity(0, sizeof(one), &one));
}

TEST(whole_range_is_advised, NEEDS_ROOT NEEDS_CONFIG(PROC_PAGE_MONITOR)
     PROMISED("process_madvise(2), RETURN VALUE; madvise(2), MADV_COLD; proc_pid_smaps(5), Referenced")
     DESCRIBE("MADV_COLD of 2 MiB that a child has just written: less than a quarter stays referenced"))
{
	struct iovec own = room();
	int pidfd;
	pid_t pid;

	stay_on_this_cpu();
	pid = child_after(fill, &own);
	pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	need_most_of_it(pid, &own, "Referenced:");
	EXPECT_EQ(process_madvise_(pidfd, &own, 1, MADV_COLD, 0), (long)own.iov_len);
	EXPECT_LT(kib_of(pid, &own, "Referenced:"), OWN_KIB / 4);
}

static void lock(void *range)
{
	const struct iovec *locked = range;

	ASSERT_OK(mlock(locked->iov_base, locked->iov_len));
}

/* madvise(2): "the specified address range includes locked [...] pages". */
TEST(locked_memory_is_not_advised, NEEDS_ROOT PROMISED("madvise(2), EINVAL; process_madvise(2), RETURN VALUE")
     DESCRIBE("MADV_COLD and MADV_PAGEOUT of what a child has locked: EINVAL; of more: the bytes before that"))
{
	struct iovec whole = area(), halves[2] = { whole, whole };
	int locked, other = ASSERT_OK(pidfd_open_(sleeping_child(), 0));

	halves[0].iov_len = halves[1].iov_len = whole.iov_len / 2;
	halves[1].iov_base = (char *)whole.iov_base + whole.iov_len / 2;
	locked = ASSERT_OK(pidfd_open_(child_after(lock, &halves[1]), 0));
	for (int advice = MADV_COLD; advice <= MADV_PAGEOUT; advice++) {
		EXPECT_ERRNO(process_madvise_(locked, &halves[1], 1, advice, 0), EINVAL);
		EXPECT_EQ(process_madvise_(locked, halves, 2, advice, 0), (long)halves[0].iov_len);
		EXPECT_EQ(process_madvise_(other, halves, 2, advice, 0), (long)whole.iov_len);
	}
}

static void expect_no_access(int pidfd, const struct iovec *whole)
{
	/* mm_access() says EACCES (kernel/fork.c), the page says EPERM. */
	EXPECT_EQ(process_madvise_(pidfd, whole, 1, MADV_COLD, 0), -1);
	EXPECT_TRUE(errno == EACCES || errno == EPERM);
}

/* process_madvise(2): PTRACE_MODE_READ_FSCREDS, and CAP_SYS_NICE. */
TEST(needs_permission, NEEDS_ROOT PROMISED("process_madvise(2), EPERM")
     DESCRIBE("another user's process: refused; one's own without CAP_SYS_NICE: EPERM"))
{
	struct iovec whole = area();
	int of_root = ASSERT_OK(pidfd_open_(sleeping_child(), 0));
	int own = ASSERT_OK(pidfd_open_(child_of_user(NOBODY), 0));

	IN_CHILD {
		become((void *)NOBODY);
		expect_no_access(of_root, &whole);
		EXPECT_ERRNO(process_madvise_(own, &whole, 1, MADV_COLD, 0), EPERM);
	}
}

/*
 * Keeps CAP_SYS_NICE. Newer kernels let those who have CAP_PERFMON, or CAP_SYS_ADMIN instead of
 * it, read everybody's memory (kernel/fork.c, may_access_mm()).
 */
static void drop_access_by_capability(void)
{
	drop_capability(CAP_SYS_PTRACE);
	drop_capability(CAP_PERFMON);
	drop_capability(CAP_SYS_ADMIN);
}

/* What CAP_SYS_NICE is asked for beside, not instead (mm/madvise.c). */
TEST(capability_is_no_access, NEEDS_ROOT PROMISED("process_madvise(2), PTRACE_MODE_READ_FSCREDS")
     DESCRIBE("with CAP_SYS_NICE, without those that give access: another user's process is refused"))
{
	struct iovec whole = area();
	int pidfd = ASSERT_OK(pidfd_open_(child_of_user(1000), 0));

	IN_CHILD {
		drop_access_by_capability();
		expect_no_access(pidfd, &whole);
	}
	EXPECT_EQ(process_madvise_(pidfd, &whole, 1, MADV_COLD, 0), (long)whole.iov_len);
}

TEST(ids_for_files_count, NEEDS_ROOT PROMISED("process_madvise(2), PTRACE_MODE_READ_FSCREDS; ptrace(2)")
     DESCRIBE("without a capability for access the file-system ids decide, not the real ones"))
{
	struct iovec whole = area();
	int of_root = ASSERT_OK(pidfd_open_(sleeping_child(), 0));
	int of_1000 = ASSERT_OK(pidfd_open_(child_of_user(1000), 0));

	IN_CHILD {
		drop_access_by_capability();
		/* They return what was before; CAP_SYS_NICE stays (capabilities(7)). */
		setfsgid(1000);
		setfsuid(1000);
		EXPECT_EQ(process_madvise_(of_1000, &whole, 1, MADV_COLD, 0), (long)whole.iov_len);
		expect_no_access(of_root, &whole);
	}
}

TEST(leave_to_read_is_enough, NEEDS_KERNEL(5, 12) NEEDS_ROOT
     PROMISED("process_madvise(2), PTRACE_MODE_READ_FSCREDS; commit 96cfe2c0fd23")
     DESCRIBE("with CAP_SYS_NICE alone, where YAMA lets only ancestors attach: a brother is advised"))
{
	struct iovec whole = area();
	int brother = open_unattachable();

	IN_CHILD {
		drop_access_by_capability();
		setfsgid(NOBODY);
		setfsuid(NOBODY);
		EXPECT_EQ(process_madvise_(brother, &whole, 1, MADV_COLD, 0), (long)whole.iov_len);
	}
}

TEST(looks_at_ranges_then_process_then_advice, NEEDS_ROOT
     PROMISED("process_madvise(2), EFAULT, EINVAL, EBADF, ESRCH; mm/madvise.c")
     DESCRIBE("bad ranges before a bad descriptor, and that, or a process that is gone, before a bad advice"))
{
	struct iovec whole = area();
	pid_t pid = zombie_child(0);
	int gone = ASSERT_OK(pidfd_open_(pid, 0));

	reap(pid);
	EXPECT_ERRNO(process_madvise_(9999, (struct iovec *)8, 1, MADV_COLD, 0), EFAULT);
	EXPECT_ERRNO(process_madvise_(9999, &whole, 1025, MADV_COLD, 0), EINVAL);
	EXPECT_ERRNO(process_madvise_(9999, &whole, 1, MADV_DONTNEED, 0), EBADF);
	EXPECT_ERRNO(process_madvise_(gone, &whole, 1, MADV_DONTNEED, 0), ESRCH);
}

/* Access is looked at under exec_update_lock (kernel/fork.c, mm_access()). */
TEST(leaves_process_free_to_execute, NEEDS_ROOT PROMISED("kernel/fork.c, mm_access()")
     DESCRIBE("after an advice, EINVAL and a refusal the process executes a program"))
{
	struct iovec whole = area();
	struct executor e = start_executor();

	EXPECT_EQ(process_madvise_(e.pidfd, &whole, 1, MADV_COLD, 0), (long)whole.iov_len);
	EXPECT_ERRNO(process_madvise_(e.pidfd, &whole, 1, MADV_DONTNEED, 0), EINVAL);
	IN_CHILD {
		become((void *)NOBODY);
		expect_no_access(e.pidfd, &whole);
	}
	check_executes(e);
}

static void *advise_self(void *whole)
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	return (void *)(intptr_t)process_madvise_(pidfd, whole, 1, MADV_COLD, 0);
}

/* The memory decides whose it is, and all threads have the same. */
TEST(thread_may_advise_what_its_leader_may, NEEDS_ROOT PROMISED("process_madvise(2), EPERM; mm/madvise.c")
     DESCRIBE("without capabilities, the own process: a thread gets what the leader gets"))
{
	struct iovec whole = area();

	IN_CHILD {
		pthread_t thread;
		void *of_thread = NULL;
		intptr_t of_leader;

		become((void *)NOBODY);
		of_leader = (intptr_t)advise_self(&whole);
		ASSERT_EQ(pthread_create(&thread, NULL, advise_self, &whole), 0);
		ASSERT_EQ(pthread_join(thread, &of_thread), 0);
		EXPECT_EQ((intptr_t)of_thread, of_leader);
	}
}

TEST(own_memory_needs_no_capability, NEEDS_KERNEL(6, 12) NEEDS_ROOT PROMISED("commit 22af8caff7d1")
     DESCRIBE("without capabilities, the own process: the number of bytes; an own child: EPERM"))
{
	struct iovec whole = area();

	IN_CHILD {
		become((void *)NOBODY);
		EXPECT_EQ(process_madvise_(ASSERT_OK(pidfd_open_(getpid(), 0)), &whole, 1, MADV_COLD, 0),
			  (long)whole.iov_len);
		EXPECT_ERRNO(process_madvise_(ASSERT_OK(pidfd_open_(sleeping_child(), 0)), &whole, 1,
					      MADV_COLD, 0), EPERM);
	}
}

/* capable(), not ns_capable(): the capability is the one of the first user namespace. */
TEST(capability_in_an_inner_namespace_is_none, NEEDS_ROOT NEEDS_CONFIG(USER_NS)
     PROMISED("process_madvise(2), EPERM; user_namespaces(7)")
     DESCRIBE("CAP_SYS_NICE in an own user namespace: EPERM for a process in there"))
{
	struct iovec whole = area();

	IN_CHILD {
		become((void *)NOBODY);
		own_user_namespace(0);
		EXPECT_ERRNO(process_madvise_(ASSERT_OK(pidfd_open_(sleeping_child(), 0)), &whole, 1,
					      MADV_COLD, 0), EPERM);
	}
}

TEST(release_needs_a_dying_process, NEEDS_ROOT NEEDS_PROBE(process_mrelease)
     PROMISED("process_mrelease(2), EINVAL")
     DESCRIBE("a process that lives: EINVAL; every flag: EINVAL; no pidfd: EBADF; gone: ESRCH"))
{
	pid_t pid = sleeping_child(), zombie = zombie_child(0);
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0)), gone = ASSERT_OK(pidfd_open_(zombie, 0));

	EXPECT_ERRNO(process_mrelease_(pidfd, 0), EINVAL);
	for (int bit = 0; bit < 32; bit++)
		EXPECT_ERRNO(process_mrelease_(gone, 1u << bit), EINVAL);
	EXPECT_ERRNO(process_mrelease_(9999, 0), EBADF);
	EXPECT_ERRNO(process_mrelease_(gone, 0), ESRCH);
	reap(zombie);
	EXPECT_ERRNO(process_mrelease_(gone, 0), ESRCH);
}

/* find_lock_task_mm(): the memory is the process's, whichever of its threads has it. */
TEST(memory_outlives_the_leader, NEEDS_ROOT NEEDS_PROBE(process_mrelease)
     PROMISED("process_mrelease(2), EINVAL; mm/oom_kill.c, process_mrelease()")
     DESCRIBE("the leader has exited, a thread lives: EINVAL as for every process that lives"))
{
	EXPECT_ERRNO(process_mrelease_(ASSERT_OK(pidfd_open_(process_without_leader(), 0)), 0), EINVAL);
}

static void let_go(void *pid)
{
	ptrace(PTRACE_CONT, (pid_t)(intptr_t)pid, 0, 0);
}

/* A child, on its way out, that still has its memory, until let_go() (ptrace(2), PTRACE_EVENT_EXIT). */
static void kill_and_hold(pid_t pid, int pidfd)
{
	int status;

	ASSERT_OK(ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEEXIT));
	ASSERT_OK(pidfd_send_signal_(pidfd, SIGKILL, NULL, 0));
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	/* ptrace(2), BUGS. */
	if (!WIFSTOPPED(status))
		SKIP("inconclusive: SIGKILL ends a process without a stop here");
	CLEANUP(let_go, pid);
	ASSERT_EQ(status >> 8, SIGTRAP | PTRACE_EVENT_EXIT << 8);
}

TEST(release_frees_memory, NEEDS_ROOT NEEDS_PROBE(process_mrelease) NEEDS_CONFIG(PROC_PAGE_MONITOR)
     PROMISED("process_mrelease(2); commit 884a7e5964e0")
     DESCRIBE("a process that is killed and held on its way out: 0, its 2 MiB are gone; once more: 0"))
{
	struct iovec own = room();
	pid_t pid = child_after(fill, &own);
	int status, pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	EXPECT_ERRNO(process_mrelease_(pidfd, 0), EINVAL);
	kill_and_hold(pid, pidfd);
	need_most_of_it(pid, &own, "Rss:");
	EXPECT_OK(process_mrelease_(pidfd, 0));
	EXPECT_LT(kib_of(pid, &own, "Rss:"), OWN_KIB / 4);
	EXPECT_OK(process_mrelease_(pidfd, 0));
	let_go((void *)(intptr_t)pid);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, SIGKILL);
	EXPECT_ERRNO(process_mrelease_(pidfd, 0), ESRCH);
}

/* "all threads and processes sharing the same mm have to be killed or exiting" (mm/oom_kill.c) */
TEST(release_spares_memory_that_others_have, NEEDS_ROOT NEEDS_PROBE(process_mrelease)
     PROMISED("process_mrelease(2), EINVAL; mm/oom_kill.c, task_will_free_mem()")
     DESCRIBE("a process that is killed, of CLONE_VM: EINVAL, and the other one has what it wrote"))
{
	IN_CHILD {
		struct iovec whole = area(), stack = room();
		int pidfd;
		pid_t pid = ASSERT_OK(clone(sleep_beside, (char *)stack.iov_base + stack.iov_len,
					    CLONE_VM | SIGCHLD, NULL));

		CLEANUP(kill_and_reap, pid);
		pidfd = ASSERT_OK(pidfd_open_(pid, 0));
		kill_and_hold(pid, pidfd);
		EXPECT_ERRNO(process_mrelease_(pidfd, 0), EINVAL);
		for (size_t n = 0; n < whole.iov_len; n++)
			ASSERT_EQ(((char *)whole.iov_base)[n], 1);
	}
}

PROBE_PIDFD_THREAD

/* kernel/pid.c, pidfd_get_task() looks for a thread-group leader. */
TEST(misses_thread_that_is_no_leader, NEEDS_PROBE(pidfd_thread) NEEDS_ROOT
     PROMISED("kernel/pid.c, pidfd_get_task()")
     DESCRIBE("a pidfd of a thread: ESRCH; the leader's by PIDFD_THREAD works"))
{
	struct iovec whole = area();
	struct thread t;

	start_thread(&t);
	EXPECT_ERRNO(process_madvise_(ASSERT_OK(pidfd_open_(t.tid, PIDFD_THREAD_)), &whole, 1,
				      MADV_COLD, 0), ESRCH);
	EXPECT_EQ(process_madvise_(ASSERT_OK(pidfd_open_(getpid(), PIDFD_THREAD_)), &whole, 1,
				   MADV_COLD, 0), (long)whole.iov_len);
	end_thread(&t);
}

KCASE_MAIN
