// SPDX-License-Identifier: GPL-2.0-only
/*
 * PIDFD_GET_PROCFD, the ioctl of the series. Cover letter: "If PIDFD_GET_PROCFD
 * is passed as a command to an ioctl() taking a pidfd and an fd referring to a
 * procfs directory as an argument a corresponding dirfd to /proc/<pid> can be
 * retrieved. The ioctl() makes very sure that the struct pid associated with
 * the /proc/<pid> fd is identical to the struct pid stashed in the pidfd."
 *
 * What the cover letter leaves open is as images/kernels/procfd has it.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>

#include "pidfd.h"

EVERY_CASE(NEEDS_KERNEL(5, 3) TIMEOUT(20)
	   PROMISED("pid: add pidfd_open() v2, PIDFD_GET_PROCFD; docs/kernels.md"))

PROBE(pidfd_get_procfd, 0, 0, "pid: add pidfd_open() v2, 2/5")
{
	return has_get_procfd();
}

static int by_ioctl(int pidfd)
{
	int proc = open_proc(), fd = ioctl(pidfd, PIDFD_GET_PROCFD, proc), error = errno;

	close(proc);
	errno = error;
	return fd;
}

/* The right process. */

TEST(gives_own_folder, NEEDS_PROBE(pidfd_get_procfd)
     DESCRIBE("status through the descriptor has the own Pid"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	expect_status_of(ASSERT_OK(by_ioctl(pidfd)), getpid());
}

TEST(gives_folder_of_child, NEEDS_PROBE(pidfd_get_procfd)
     DESCRIBE("status through the descriptor has the child's Pid"))
{
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	expect_status_of(ASSERT_OK(by_ioctl(pidfd)), pid);
}

TEST(gives_the_folder_that_open_gives, NEEDS_PROBE(pidfd_get_procfd)
     DESCRIBE("device and inode are those of /proc/<pid>"))
{
	pid_t pid = sleeping_child();
	int fd = ASSERT_OK(by_ioctl(ASSERT_OK(pidfd_open_(pid, 0))));
	struct stat here, there;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", pid);
	ASSERT_OK(fstat(fd, &here));
	ASSERT_OK(stat(path, &there));
	EXPECT_EQ(here.st_dev, there.st_dev);
	EXPECT_EQ(here.st_ino, there.st_ino);
}

TEST(takes_folder_opened_as_path, NEEDS_PROBE(pidfd_get_procfd)
     DESCRIBE("O_PATH is enough for the procfs descriptor, as for openat(2)"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0)), proc;

	close(open_proc());
	proc = ASSERT_OK(open("/proc", O_PATH | O_CLOEXEC));
	expect_status_of(ASSERT_OK(ioctl(pidfd, PIDFD_GET_PROCFD, proc)), getpid());
}

static void *report_tid(void *arg)
{
	atomic_store((_Atomic pid_t *)arg, syscall(SYS_gettid));
	for (;;)
		pause();
	return NULL;
}

PROBE_PIDFD_THREAD

/* Cover letter: "file descriptors for processes and file descriptors for threads". */
TEST(gives_folder_of_thread, NEEDS_PROBE(pidfd_get_procfd) NEEDS_PROBE(pidfd_thread)
     DESCRIBE("a thread's pidfd leads to /proc/<tid>, its process's to /proc/<pid>"))
{
	_Atomic pid_t tid = 0;
	pthread_t thread;

	ASSERT_EQ(pthread_create(&thread, NULL, report_tid, &tid), 0);
	while (!atomic_load(&tid))
		sched_yield();
	expect_status_of(
		ASSERT_OK(by_ioctl(ASSERT_OK(pidfd_open_(tid, PIDFD_THREAD_)))), tid);
	expect_status_of(ASSERT_OK(by_ioctl(ASSERT_OK(pidfd_open_(getpid(), 0)))), getpid());
}

TEST(gives_folder_of_zombie, NEEDS_PROBE(pidfd_get_procfd)
     DESCRIBE("a process that is not waited for yet still has its folder"))
{
	pid_t pid = zombie_child(0);
	char text[4096] = "";
	int fd = ASSERT_OK(by_ioctl(ASSERT_OK(pidfd_open_(pid, 0))));

	ASSERT_OK(read_text(fd, "status", text, sizeof(text)));
	EXPECT_TRUE(strstr(text, "\nState:\tZ") != NULL);
	EXPECT_EQ(pid_in(text), pid);
}

/* What the descriptor is. */

TEST(descriptor_is_close_on_exec_folder, NEEDS_PROBE(pidfd_get_procfd)
     DESCRIBE("a directory, read-only, close-on-exec"))
{
	struct stat about;
	int fd = ASSERT_OK(by_ioctl(ASSERT_OK(pidfd_open_(getpid(), 0))));

	EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	EXPECT_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_DIRECTORY | O_PATH), O_RDONLY | O_DIRECTORY);
	EXPECT_OK(fstat(fd, &about));
	EXPECT_TRUE(S_ISDIR(about.st_mode));
}

TEST(descriptor_dies_with_process, NEEDS_PROBE(pidfd_get_procfd)
     DESCRIBE("after the process is reaped, reading through the descriptor is ESRCH"))
{
	pid_t pid = sleeping_child();
	int fd = ASSERT_OK(by_ioctl(ASSERT_OK(pidfd_open_(pid, 0))));
	int status = ASSERT_OK(openat(fd, "status", O_RDONLY | O_CLOEXEC));
	char byte;

	kill(pid, SIGKILL);
	reap(pid);
	EXPECT_ERRNO(read(status, &byte, 1), ESRCH);
	/* fs/proc/base.c, proc_pid_permission() */
	EXPECT_ERRNO(openat(fd, "status", O_RDONLY | O_CLOEXEC), ESRCH);
}

/* What is refused, and how. */

TEST(refuses_what_is_no_descriptor, NEEDS_PROBE(pidfd_get_procfd) DESCRIBE("EBADF"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));
	int closed = ASSERT_OK(dup(pidfd));

	close(closed);
	EXPECT_ERRNO(ioctl(pidfd, PIDFD_GET_PROCFD, -1), EBADF);
	EXPECT_ERRNO(ioctl(pidfd, PIDFD_GET_PROCFD, closed), EBADF);
	EXPECT_ERRNO(ioctl(pidfd, PIDFD_GET_PROCFD, 1 << 20), EBADF);
	EXPECT_ERRNO(ioctl(pidfd, PIDFD_GET_PROCFD, AT_FDCWD), EBADF);
}

TEST(refuses_what_is_no_procfs, NEEDS_PROBE(pidfd_get_procfd)
     DESCRIBE("EINVAL for other folders, files, pipes, sockets and the pidfd itself"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0)), ends[2], pair[2];

	close(open_proc());
	EXPECT_ERRNO(ioctl(pidfd, PIDFD_GET_PROCFD, pidfd), EINVAL);
	EXPECT_ERRNO(ioctl(pidfd, PIDFD_GET_PROCFD, ASSERT_OK(open("/tmp", O_RDONLY))), EINVAL);
	EXPECT_ERRNO(ioctl(pidfd, PIDFD_GET_PROCFD, ASSERT_OK(open("/sys", O_RDONLY))), EINVAL);
	EXPECT_ERRNO(ioctl(pidfd, PIDFD_GET_PROCFD, ASSERT_OK(open("/", O_RDONLY))), EINVAL);
	EXPECT_ERRNO(ioctl(pidfd, PIDFD_GET_PROCFD, ASSERT_OK(open("/dev/null", O_RDWR))), EINVAL);
	ASSERT_OK(pipe(ends));
	EXPECT_ERRNO(ioctl(pidfd, PIDFD_GET_PROCFD, ends[0]), EINVAL);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0)
		EXPECT_ERRNO(ioctl(pidfd, PIDFD_GET_PROCFD, pair[0]), EINVAL);
}

TEST(refuses_procfs_below_its_root, NEEDS_PROBE(pidfd_get_procfd)
     DESCRIBE("EINVAL for folders and files of procfs that are not its root"))
{
	static const char *const names[] = { "self", "thread-self", "self/task", "sys", "version",
					     "1", "self/fd", "self/status" };
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0)), proc = open_proc();

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int fd = openat(proc, names[i], O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			continue;	/* not in every configuration */
		EXPECT_ERRNO(ioctl(pidfd, PIDFD_GET_PROCFD, fd), EINVAL);
		close(fd);
	}
}

TEST(is_no_ioctl_of_procfs, NEEDS_PROBE(pidfd_get_procfd)
     DESCRIBE("ENOTTY on a descriptor that is no pidfd"))
{
	int proc = open_proc();

	EXPECT_ERRNO(ioctl(proc, PIDFD_GET_PROCFD, proc), ENOTTY);
	EXPECT_ERRNO(ioctl(ASSERT_OK(openat(proc, "self", O_RDONLY)), PIDFD_GET_PROCFD, proc),
		     ENOTTY);
}

TEST(refuses_reaped_process, NEEDS_PROBE(pidfd_get_procfd) DESCRIBE("ESRCH"))
{
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	kill(pid, SIGKILL);
	reap(pid);
	EXPECT_ERRNO(by_ioctl(pidfd), ESRCH);
}

TEST(checks_the_descriptor_first, NEEDS_PROBE(pidfd_get_procfd)
     DESCRIBE("a bad descriptor is EBADF, no procfs EINVAL, also for a process that is gone"))
{
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	close(open_proc());
	kill(pid, SIGKILL);
	reap(pid);
	EXPECT_ERRNO(ioctl(pidfd, PIDFD_GET_PROCFD, -1), EBADF);
	EXPECT_ERRNO(ioctl(pidfd, PIDFD_GET_PROCFD, ASSERT_OK(open("/", O_RDONLY))), EINVAL);
}

static void on_recycled(void)
{
	struct recycled r = recycle_pid();

	EXPECT_ERRNO(by_ioctl(r.pidfd), ESRCH);
	expect_status_of(ASSERT_OK(by_ioctl(ASSERT_OK(pidfd_open_(r.pid, 0)))), r.pid);
}

/* Cover letter: "a pidfd retrieved based on a pid that has been recycled cannot be converted". */
TEST(refuses_recycled_pid, NEEDS_PROBE(pidfd_get_procfd) NEEDS_CONFIG(PID_NS) NEEDS_ROOT
     DESCRIBE("ESRCH although the number is in use again"))
{
	in_pid_namespace(on_recycled);
}

TEST(needs_procfs_in_the_kernel, NEEDS_PROBE(pidfd_get_procfd)
     DESCRIBE("without CONFIG_PROC_FS: EOPNOTSUPP"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	if (access("/proc/self", F_OK) == 0)
		SKIP("this kernel has procfs");
	EXPECT_ERRNO(ioctl(pidfd, PIDFD_GET_PROCFD, -1), EBADF);
	EXPECT_ERRNO(ioctl(pidfd, PIDFD_GET_PROCFD, ASSERT_OK(open("/", O_RDONLY))), EOPNOTSUPP);
}

/* What the kernel does not know is no matter of its argument. */
TEST(is_refused_where_unknown,
     DESCRIBE("without the series: ENOTTY, from 6.11 to 6.14 EINVAL, whatever the descriptor is"))
{
	static const struct kc_since refused[] = {
		{ 6, 15, ENOTTY, "ioctl(2)" },
		{ 6, 11, EINVAL, "fs/pidfs.c, pidfd_ioctl()" },
		{ 0, 0, ENOTTY, "ioctl(2)" },
	};
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0)), root = ASSERT_OK(open("/", O_RDONLY));

	if (has_get_procfd())
		SKIP("this kernel has PIDFD_GET_PROCFD");
	EXPECT_ERRNO_SINCE(ioctl(pidfd, PIDFD_GET_PROCFD, open_proc()), refused);
	EXPECT_ERRNO_SINCE(ioctl(pidfd, PIDFD_GET_PROCFD, root), refused);
	EXPECT_ERRNO_SINCE(ioctl(pidfd, PIDFD_GET_PROCFD, -1), refused);
}

/* Pid namespaces: the procfs instance decides which number counts. */

static int outer_proc, outer_pidfd;

static void in_inner_namespace(void)
{
	int self = ASSERT_OK(pidfd_open_(getpid(), 0)), inner = open_proc();
	char outside[16] = "";

	EXPECT_EQ(getpid(), 1);
	/* The own process has number 1 here and another one outside. */
	expect_status_of(ASSERT_OK(ioctl(self, PIDFD_GET_PROCFD, inner)), 1);
	ASSERT_GT(readlinkat(outer_proc, "self", outside, sizeof(outside) - 1), 0);
	EXPECT_NE(atoi(outside), 1);
	expect_status_of(ASSERT_OK(ioctl(self, PIDFD_GET_PROCFD, outer_proc)), atoi(outside));
	/* A process of outside has no number here. */
	EXPECT_ERRNO(ioctl(outer_pidfd, PIDFD_GET_PROCFD, inner), ESRCH);
	EXPECT_OK(ioctl(outer_pidfd, PIDFD_GET_PROCFD, outer_proc));
}

TEST(uses_the_namespace_of_the_procfs, NEEDS_PROBE(pidfd_get_procfd) NEEDS_CONFIG(PID_NS) NEEDS_ROOT
     DESCRIBE("the number is that of the procfs instance; ESRCH where there is none"))
{
	outer_proc = open_proc();
	outer_pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));
	in_pid_namespace(in_inner_namespace);
}

/* Access: what opening /proc/<pid> gives, no more. */

static int mount_proc(const char *options)
{
	ASSERT_OK(unshare(CLONE_NEWNS));
	ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	close(open_proc());
	ASSERT_OK(mount("proc", "/tmp", "proc", 0, options));
	return ASSERT_OK(open("/tmp", O_DIRECTORY | O_RDONLY | O_CLOEXEC));
}

static void expect_hidden(const char *options, int error)
{
	int proc = mount_proc(options);
	int other = ASSERT_OK(pidfd_open_(sleeping_child(), 0));
	pid_t pid;

	expect_status_of(ASSERT_OK(ioctl(other, PIDFD_GET_PROCFD, proc)),
			 fdinfo_pid(other));
	pid = ASSERT_OK(kc_fork());
	if (pid == 0) {
		int self;

		set_ids_alone(NOBODY);
		self = ASSERT_OK(pidfd_open_(getpid(), 0));
		EXPECT_ERRNO(ioctl(other, PIDFD_GET_PROCFD, proc), error);
		expect_status_of(ASSERT_OK(ioctl(self, PIDFD_GET_PROCFD, proc)), getpid());
		kc_leave(KC_PASS);
	}
	kc_join(pid);
}

/* proc(5), hidepid=2: "users may not see /proc/<pid> directories but their own". */
TEST(finds_nothing_under_hidepid_2, NEEDS_PROBE(pidfd_get_procfd) NEEDS_ROOT
     DESCRIBE("another user's process is ESRCH, the own is found"))
{
	expect_hidden("hidepid=2", ESRCH);
}

TEST(finds_nothing_under_hidepid_4, NEEDS_PROBE(pidfd_get_procfd) NEEDS_ROOT
     DESCRIBE("a process that the caller may not ptrace is ESRCH"))
{
	expect_hidden("hidepid=4", ESRCH);
}

/* proc(5), hidepid=1: "users may not access files and subdirectories inside". */
TEST(is_refused_under_hidepid_1, NEEDS_PROBE(pidfd_get_procfd) NEEDS_ROOT
     DESCRIBE("another user's process is EPERM, as for open(2)"))
{
	expect_hidden("hidepid=1", EPERM);
}

TEST(gives_no_more_than_open, NEEDS_PROBE(pidfd_get_procfd) NEEDS_ROOT
     DESCRIBE("another user reads status through the descriptor, but not mem or environ"))
{
	int other = ASSERT_OK(pidfd_open_(sleeping_child(), 0));
	pid_t pid;

	close(open_proc());
	pid = ASSERT_OK(kc_fork());
	if (pid == 0) {
		int fd;

		set_ids_alone(NOBODY);
		fd = ASSERT_OK(by_ioctl(other));
		EXPECT_OK(openat(fd, "status", O_RDONLY | O_CLOEXEC));
		EXPECT_ERRNO(openat(fd, "mem", O_RDONLY | O_CLOEXEC), EACCES);
		EXPECT_ERRNO(openat(fd, "environ", O_RDONLY | O_CLOEXEC), EACCES);
		kc_leave(KC_PASS);
	}
	kc_join(pid);
}

TEST(does_not_reach_below_another_mount, NEEDS_PROBE(pidfd_get_procfd) NEEDS_ROOT
     DESCRIBE("where something else, or another process's folder, is mounted over /proc/<pid>: ESRCH"))
{
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0)), proc = mount_proc(NULL);
	char path[32], from[32];

	snprintf(path, sizeof(path), "/tmp/%d", pid);
	EXPECT_OK(ioctl(pidfd, PIDFD_GET_PROCFD, proc));
	ASSERT_OK(mount("/sys", path, NULL, MS_BIND, NULL));
	EXPECT_ERRNO(ioctl(pidfd, PIDFD_GET_PROCFD, proc), ESRCH);
	/* What was opened and refused is not kept: the mount is not busy. */
	EXPECT_OK(umount(path));
	snprintf(from, sizeof(from), "/tmp/%d", sleeping_child());
	ASSERT_OK(mount(from, path, NULL, MS_BIND, NULL));
	EXPECT_ERRNO(ioctl(pidfd, PIDFD_GET_PROCFD, proc), ESRCH);
	EXPECT_OK(umount(path));
	snprintf(path, sizeof(path), "/tmp/%d/task/%d", pid, pid);
	EXPECT_OK(ioctl(pidfd, PIDFD_GET_PROCFD, proc));
}

/* Limits. */

static int open_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

TEST(runs_out_of_descriptors, NEEDS_PROBE(pidfd_get_procfd)
     DESCRIBE("EMFILE at RLIMIT_NOFILE, and neither it nor other errors leak a descriptor"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0)), proc = open_proc();
	int lowest = ASSERT_OK(dup(0)), before;
	struct rlimit limit;

	close(lowest);
	before = open_descriptors();
	ASSERT_OK(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = lowest;
	ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
	for (int i = 0; i < 500; i++) {
		EXPECT_ERRNO(ioctl(pidfd, PIDFD_GET_PROCFD, proc), EMFILE);
		EXPECT_ERRNO(ioctl(pidfd, PIDFD_GET_PROCFD, -1), EBADF);
	}
	EXPECT_EQ(open_descriptors(), before);
	limit.rlim_cur = lowest + 1;
	ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(ioctl(pidfd, PIDFD_GET_PROCFD, proc), lowest);
}

TEST(keeps_no_file_without_descriptor, NEEDS_PROBE(pidfd_get_procfd) NEEDS_ROOT
     DESCRIBE("after EMFILE nothing of procfs is open: it can be unmounted"))
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0)), proc = mount_proc(NULL);
	struct rlimit limit;

	ASSERT_OK(getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = next_descriptor();
	ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_ERRNO(ioctl(pidfd, PIDFD_GET_PROCFD, proc), EMFILE);
	close(proc);
	EXPECT_OK(umount("/tmp"));
}

/* Against a number that changes hands all the time. */

#define INCARNATIONS 4096
#define CONVERSIONS 10000

static int incarnation[INCARNATIONS];
static _Atomic int born;
static atomic_bool enough;

/*
 * The exit signal of each incarnation tells it from those before and after;
 * it is set when the process is made, and stands in /proc/<pid>/stat.
 */
static int tag_of(int number)
{
	return SIGRTMIN + number % 24;
}

static void *recycle_all_the_time(void *arg)
{
	pid_t wanted = RECYCLED_PID;

	while (!atomic_load(&enough) && atomic_load(&born) < INCARNATIONS) {
		int number = atomic_load(&born);
		struct clone_args args = {
			.flags = CLONE_PIDFD,
			.pidfd = (uint64_t)(uintptr_t)&incarnation[number],
			.exit_signal = tag_of(number),
			.set_tid = (uint64_t)(uintptr_t)&wanted,
			.set_tid_size = 1,
		};
		pid_t pid = clone_sleeper(&args);

		if (pid < 0) {
			atomic_store(&enough, true);
			break;
		}
		atomic_store(&born, number + 1);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, __WALL);
	}
	return arg;
}

/* proc(5), /proc/pid/stat, field 38: exit_signal; -1 when the process is gone. */
static int exit_signal_in(int procfd)
{
	char text[1024];
	const char *at;
	int value = -1;

	if (read_text(procfd, "stat", text, sizeof(text)) <= 0)
		return -1;
	at = strrchr(text, ')');
	for (int field = 2; at && field < 38; field++)
		at = strchr(at + 1, ' ');
	return at && sscanf(at, "%d", &value) == 1 ? value : -1;
}

/* A number that changed hands a few times only proves little: up to two seconds more. */
static bool more_lives(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return atomic_load(&born) < INCARNATIONS / 8 && !atomic_load(&enough) &&
	       now.tv_sec - start->tv_sec < 2;
}

static void against_recycler(void)
{
	struct rlimit limit = { INCARNATIONS + 256, INCARNATIONS + 256 };
	int proc = open_proc(), found = 0, gone = 0, lives;
	struct timespec start;
	pthread_t thread;

	for (int i = 0; i < 24; i++)
		signal(tag_of(i), SIG_IGN);
	ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
	ASSERT_EQ(pthread_create(&thread, NULL, recycle_all_the_time, NULL), 0);
	while (atomic_load(&born) < 2 && !atomic_load(&enough))
		sched_yield();
	ASSERT_OK(clock_gettime(CLOCK_MONOTONIC, &start));
	for (int i = 0; i < CONVERSIONS || more_lives(&start); i++) {
		int number = atomic_load(&born) - 1 - i % 2, fd;

		ASSERT_GE(number, 0);
		fd = ioctl(incarnation[number], PIDFD_GET_PROCFD, proc);
		if (fd >= 0) {
			int tag = exit_signal_in(fd);

			if (tag >= 0)
				ASSERT_EQ(tag, tag_of(number));
			found++;
			close(fd);
		} else {
			ASSERT_EQ(errno, ESRCH);
			gone++;
		}
	}
	atomic_store(&enough, true);
	pthread_join(thread, NULL);
	lives = atomic_load(&born);
	EXPECT_GT(lives, 2);
	printf("# %d found, %d gone, %d incarnations\n", found, gone, lives);
	if (!found)
		SKIP("inconclusive: none of %d conversions met a process that lives", gone);
}

TEST(never_gives_the_wrong_process, NEEDS_PROBE(pidfd_get_procfd) NEEDS_CONFIG(PID_NS) NEEDS_ROOT
     NEEDS_CPUS(2) TIMEOUT(120)
     DESCRIBE("10,000 conversions while the number changes hands beside them"))
{
	in_pid_namespace(against_recycler);
}

KCASE_MAIN
