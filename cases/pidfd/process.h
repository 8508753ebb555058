/* SPDX-License-Identifier: GPL-2.0-only */
/* Processes and threads in known states, and namespaces to put them in. */
#ifndef CASES_PIDFD_PROCESS_H
#define CASES_PIDFD_PROCESS_H

#include <linux/capability.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "calls.h"
#include "proc.h"

#define NOBODY 65534

static inline void kill_and_reap(void *arg)
{
	pid_t pid = (pid_t)(intptr_t)arg;

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* A child that sleeps until it is killed. */
static inline pid_t sleeping_child(void)
{
	pid_t pid = ASSERT_OK(kc_fork());

	if (pid == 0)
		for (;;)
			pause();
	CLEANUP(kill_and_reap, pid);
	return pid;
}

/* A child that has ended and is not waited for. */
static inline pid_t zombie_child(int status)
{
	siginfo_t info;
	pid_t pid = ASSERT_OK(kc_fork());

	if (pid == 0)
		_exit(status);
	CLEANUP(kill_and_reap, pid);
	ASSERT_OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	return pid;
}

static inline void reap(pid_t pid)
{
	ASSERT_EQ(waitpid(pid, NULL, 0), pid);
}

static inline void __attribute__((noreturn)) stay(void)
{
	for (;;)
		pause();
}

/* clone3; the child sleeps. */
static inline pid_t clone_sleeper(struct clone_args *args)
{
	pid_t pid = syscall(NR_clone3, args, sizeof(*args));

	if (pid == 0)
		stay();
	return pid;
}

/* A usual child, with flags; without any it is as of fork(2). */
static inline pid_t sleeping_clone(uint64_t flags)
{
	struct clone_args args = { .exit_signal = SIGCHLD, .flags = flags };

	return clone_sleeper(&args);
}

/*
 * Those of processes that ended are freed a little later, see dead_namespace_is_dropped in pidns.c;
 * where RCU is lazy that can be 10 s (kernel/rcu/tree_nocb.h, LAZY_FLUSH_JIFFIES).
 */
#define ROOM_TRIES 1500

static inline void await_room(int tries)
{
	ASSERT_EQ(errno, ENOSPC);
	ASSERT_LT(tries, ROOM_TRIES);
	usleep(10000);
}

/* The same after a clone; where there are none of a kind at all, the case is skipped. */
static inline void await_room_to_clone(int tries)
{
	if (errno == EPERM || errno == EACCES || errno == EINVAL)
		SKIP("needs namespaces (%s)", strerror(errno));
	await_room(tries);
}

/* sleeping_clone() where few namespaces may be. */
static inline pid_t clone_where_there_is_room(uint64_t flags)
{
	pid_t pid;

	for (int tries = 0; (pid = sleeping_clone(flags)) < 0; tries++)
		await_room_to_clone(tries);
	return pid;
}

/* Sleeps until it is killed; for clone(2). */
static inline int sleep_beside(void *arg)
{
	(void)arg;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	stay();
}

/* With a chosen pid (5.5, set_tid in clone(2)). */
static inline pid_t sleeping_child_with_pid(pid_t wanted)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)&wanted,
		.set_tid_size = 1,
	};

	return clone_sleeper(&args);
}

/*
 * Runs fn as process 1 of a pid namespace of its own with a /proc of its own:
 * numbers can be chosen there, and all that is in it goes with it.
 */
static inline void in_pid_namespace(void (*fn)(void))
{
	pid_t pid;

	if (unshare(CLONE_NEWPID) != 0) {
		if (errno == EINVAL || errno == EPERM)
			SKIP("needs pid namespaces (%s)", strerror(errno));
		ASSERT_OK(-1);
	}
	pid = ASSERT_OK(kc_fork());
	if (pid == 0) {
		ASSERT_OK(unshare(CLONE_NEWNS));
		ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
		/* A kernel without procfs: what needs it finds out itself. */
		if (mount("proc", "/proc", "proc", 0, NULL) != 0)
			ASSERT_EQ(errno, ENODEV);
		fn();
		kc_leave(KC_PASS);
	}
	kc_join(pid);
}

#define RECYCLED_PID 300

struct recycled {
	int pidfd;	/* of the process that had the number first, and is reaped */
	pid_t pid;	/* the process that has it now, asleep */
};

/* Two children that have the number one after the other; nobody else has it. */
static inline struct recycled recycle_number(pid_t number)
{
	struct recycled r;
	pid_t first = sleeping_child_with_pid(number);

	if (first < 0 && (errno == ENOSYS || errno == EINVAL || errno == E2BIG))
		SKIP("needs clone3 with set_tid (kernel 5.5)");
	ASSERT_EQ(first, number);
	r.pidfd = ASSERT_OK(pidfd_open_(first, 0));
	ASSERT_OK(kill(first, SIGKILL));
	reap(first);
	r.pid = sleeping_child_with_pid(number);
	ASSERT_EQ(r.pid, number);
	return r;
}

/* For use inside in_pid_namespace(). */
static inline struct recycled recycle_pid(void)
{
	return recycle_number(RECYCLED_PID);
}

/* A child that sleeps after setup(arg), which may make checks of its own. */
static inline pid_t child_after(void (*setup)(void *), void *arg)
{
	int ready[2];
	pid_t pid;
	char c;

	ASSERT_OK(pipe2(ready, O_CLOEXEC));
	pid = ASSERT_OK(kc_fork());
	if (pid == 0) {
		setup(arg);
		if (write(ready[1], "x", 1) != 1)
			_exit(KC_FAIL);
		close(ready[0]);
		close(ready[1]);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1) {
		kc_join(pid);	/* it skipped the case, or failed */
		kc_leave(KC_FAIL);
	}
	CLEANUP(kill_and_reap, pid);
	close(ready[0]);
	return pid;
}

/* Where YAMA asks more of who attaches than ptrace(2) does, it is waived (prctl(2), PR_SET_PTRACER). */
static inline void allow_all_tracers(void)
{
	/* EINVAL without YAMA. */
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
}

/* Of the calling thread alone (nptl(7)); i386's plain calls take 16 bits (setresuid(2)). */
#ifdef SYS_setresuid32
#define NR_setresuid SYS_setresuid32
#define NR_setresgid SYS_setresgid32
#else
#define NR_setresuid SYS_setresuid
#define NR_setresgid SYS_setresgid
#endif

static inline void set_uid_alone(uid_t id)
{
	ASSERT_OK(syscall(NR_setresuid, id, id, id));
}

static inline void set_ids_alone(uid_t id)
{
	ASSERT_OK(syscall(NR_setresgid, id, id, id));
	set_uid_alone(id);
}

/* Becomes a user without capabilities; what it did before stays readable to that user. */
static inline void become(void *uid)
{
	uid_t id = (uid_t)(uintptr_t)uid;

	ASSERT_OK(setresgid(id, id, id));
	ASSERT_OK(setresuid(id, id, id));
	/* A change of ids makes a process undumpable (prctl(2), PR_SET_DUMPABLE). */
	ASSERT_OK(prctl(PR_SET_DUMPABLE, 1));
	allow_all_tracers();
	/* And it takes the wish back to die with the parent (prctl(2), PR_SET_PDEATHSIG). */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* The same, of which YAMA lets nobody but ancestors attach, where it restricts that. */
static inline void become_unattachable(void *uid)
{
	become(uid);
	/* EINVAL without YAMA. */
	prctl(PR_SET_PTRACER, 0, 0, 0, 0);
}

/* Real, effective and saved uid. */
static inline void set_ids(void *ids)
{
	const uid_t *id = ids;

	ASSERT_OK(setresuid(id[0], id[1], id[2]));
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* Other namespaces than that of the users. */
static inline void unshare_some(void *flags)
{
	if (unshare((int)(intptr_t)flags) != 0) {
		if (errno == EINVAL)
			SKIP("needs namespaces that this kernel has not");
		ASSERT_OK(-1);
	}
}

/*
 * A user namespace, and more: what an administrator may forbid to users, or to all. EACCES is a
 * security module's (security/apparmor/lsm.c, apparmor_userns_create()).
 */
static inline void own_user_namespace(int more)
{
	if (unshare(CLONE_NEWUSER | more) != 0) {
		if (errno == EPERM || errno == EACCES || errno == ENOSPC || errno == EINVAL)
			SKIP("needs user namespaces (%s)", strerror(errno));
		ASSERT_OK(-1);
	}
}

static inline void write_ids(pid_t pid, const char *file, const char *ids)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		SKIP("needs /proc");
	ASSERT_EQ(write(fd, ids, strlen(ids)), (ssize_t)strlen(ids));
	close(fd);
}

/*
 * Runs fn in a user namespace whose users and groups are those of a line of uid_map
 * (user_namespaces(7)), in a child that has all capabilities in there; see kc_join().
 */
static inline pid_t start_in_user_namespace(const char *ids, void (*fn)(void *), void *arg)
{
	int ready[2], go[2];
	pid_t pid;
	char c;

	ASSERT_OK(pipe2(ready, O_CLOEXEC));
	ASSERT_OK(pipe2(go, O_CLOEXEC));
	pid = ASSERT_OK(kc_fork());
	if (pid == 0) {
		close(ready[0]);
		close(go[1]);
		own_user_namespace(0);
		if (write(ready[1], "x", 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(KC_FAIL);
		fn(arg);
		kc_leave(KC_PASS);
	}
	close(ready[1]);
	close(go[0]);
	if (read(ready[0], &c, 1) != 1) {
		kc_join(pid);	/* it skipped the case, or failed */
		kc_leave(KC_FAIL);
	}
	write_ids(pid, "uid_map", ids);
	write_ids(pid, "gid_map", ids);
	ASSERT_EQ(write(go[1], "x", 1), 1);
	close(ready[0]);
	close(go[1]);
	return pid;
}

/* Gives one capability up for good (capset(2)); the others stay as they are. */
static inline void drop_capability(int number)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[2];

	ASSERT_OK(syscall(SYS_capget, &head, sets));
	sets[CAP_TO_INDEX(number)].effective &= ~CAP_TO_MASK(number);
	sets[CAP_TO_INDEX(number)].permitted &= ~CAP_TO_MASK(number);
	sets[CAP_TO_INDEX(number)].inheritable &= ~CAP_TO_MASK(number);
	ASSERT_OK(syscall(SYS_capset, &head, sets));
}

/* A sleeping child of another user. */
static inline pid_t child_of_user(uid_t uid)
{
	return child_after(become, (void *)(uintptr_t)uid);
}

/* A pidfd of one whom its brothers of the same user may read, and not attach to (ptrace(2), ptrace_scope). */
static inline int open_unattachable(void)
{
	int pidfd = ASSERT_OK(pidfd_open_(child_after(become_unattachable, (void *)NOBODY), 0));

	set_limit("/proc/sys/kernel/yama/ptrace_scope", "1", "needs YAMA, and /proc");
	return pidfd;
}

/*
 * Becomes a program; the process ends with KC_SKIP where there is none: the case says so.
 * pipe: -1, or the end to write to of a pipe, which no other process has. The execution closes
 * it (pipe2(2), O_CLOEXEC); where there is no program it gets a byte. See wait_for_program().
 */
static inline void __attribute__((noreturn)) execute(const char *name, const char *argument, int pipe)
{
	char path[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/bin/%s", name);
	execl(path, name, argument, NULL);
	execl("/bin/busybox", name, argument, NULL);
	n = write(pipe, "x", 1);
	(void)n;
	_exit(KC_SKIP);
}

/* By the other end of execute()'s pipe: returns when the program runs. */
static inline void wait_for_program(int pipe)
{
	char c;

	if (read(pipe, &c, 1) == 1)
		SKIP("needs a program to execute");
}

/* The pipes of a program that says when it is one, which is some steps after wait_for_program(). */
struct program {
	int alone[2], in[2], out[2];
};

static inline struct program program_to_be(void)
{
	struct program p;

	ASSERT_OK(pipe2(p.alone, O_CLOEXEC));
	ASSERT_OK(pipe2(p.in, O_CLOEXEC));
	ASSERT_OK(pipe2(p.out, O_CLOEXEC));
	return p;
}

static inline void __attribute__((noreturn)) become_program(struct program p)
{
	ASSERT_EQ(dup2(p.in[0], 0), 0);
	ASSERT_EQ(dup2(p.out[1], 1), 1);
	execute("cat", NULL, p.alone[1]);
}

/* Of the ends that are the program's alone: everybody else closes them. */
static inline void leave_to_program(struct program p)
{
	close(p.alone[1]);
	close(p.out[1]);
}

/* It has done something itself. */
static inline void wait_until_it_runs(struct program p)
{
	char c;

	wait_for_program(p.alone[0]);
	ASSERT_EQ(write(p.in[1], "x", 1), 1);
	ASSERT_EQ(read(p.out[0], &c, 1), 1);
}

/* A child that waits until it is told to execute a program, which ends with 0. */
struct executor {
	pid_t pid;
	int pidfd, go[2];
};

static inline struct executor start_executor(void)
{
	struct executor e;
	char c;

	ASSERT_OK(pipe2(e.go, O_CLOEXEC));
	e.pid = ASSERT_OK(kc_fork());
	if (e.pid == 0) {
		close(e.go[1]);
		if (read(e.go[0], &c, 1) < 0)
			_exit(KC_FAIL);
		execute("true", NULL, -1);
	}
	CLEANUP(kill_and_reap, e.pid);
	e.pidfd = ASSERT_OK(pidfd_open_(e.pid, 0));
	return e;
}

/* Executing takes exec_update_lock (fs/exec.c): it hangs where somebody kept that. */
static inline void check_program_ends(pid_t pid)
{
	int status;

	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == KC_SKIP)
		SKIP("needs a program to execute");
	EXPECT_EQ(status, 0);
}

static inline void check_executes(struct executor e)
{
	close(e.go[0]);
	close(e.go[1]);
	check_program_ends(e.pid);
}

/* By a thread of a process when the pipe's other end is closed; see process_with_thread(). */
static inline void *execute_when_closed(void *pipe)
{
	char c;

	if (read(*(int *)pipe, &c, 1) < 0)
		abort();
	execute("true", NULL, -1);
}

/* The number that the next descriptor gets: what it was before when none has leaked. */
static inline int next_descriptor(void)
{
	int fd = ASSERT_OK(dup(0));

	close(fd);
	return fd;
}

/* A thread that waits until it is told to end. */
struct thread {
	pthread_t thread;
	pid_t tid;
	int ready[2], done[2];
};

static inline void *wait_in_thread(void *arg)
{
	struct thread *t = arg;
	char c;

	t->tid = gettid();
	if (write(t->ready[1], "x", 1) != 1 || read(t->done[0], &c, 1) < 0)
		abort();
	return NULL;
}

static inline void start_thread_with(struct thread *t, void *(*run)(void *))
{
	char c;

	ASSERT_OK(pipe2(t->ready, O_CLOEXEC));
	ASSERT_OK(pipe2(t->done, O_CLOEXEC));
	ASSERT_EQ(pthread_create(&t->thread, NULL, run, t), 0);
	ASSERT_EQ(read(t->ready[0], &c, 1), 1);
}

static inline void start_thread(struct thread *t)
{
	start_thread_with(t, wait_in_thread);
}

/* When this returns the thread is gone, its number free. */
static inline void end_thread(struct thread *t)
{
	close(t->done[1]);
	pthread_join(t->thread, NULL);
	/*
	 * The join waits for a futex that the kernel clears before the thread is unhashed. A nap
	 * lets it run at once: sched_yield() before 6.6 comes back to who called it until a tick.
	 */
	while (syscall(SYS_tgkill, getpid(), t->tid, 0) == 0)
		usleep(1);
	close(t->ready[0]);
	close(t->ready[1]);
	close(t->done[0]);
}

/* What a child and its thread share with the case. */
struct traced {
	pid_t pid;
	volatile pid_t tid;
	int go[2];	/* when its other end is closed the thread ends */
	void *(*last)(void *);	/* or does this with this struct, where it is set */
	int alone[2];	/* of the second end only the child has one: for execute() */
};

static inline void *end_when_told(void *arg)
{
	struct traced *t = arg;
	char c;

	t->tid = gettid();
	if (read(t->go[0], &c, 1) < 0)
		abort();
	return t->last ? t->last(t) : NULL;
}

static inline void start_traced(void *arg)
{
	struct traced *t = arg;
	pthread_t thread;

	close(t->go[1]);
	close(t->alone[0]);
	ASSERT_EQ(pthread_create(&thread, NULL, end_when_told, t), 0);
	while (!t->tid)
		sched_yield();
}

/* A child with a thread beside its leader, which does `last` when it is told. */
static inline struct traced *child_with_thread(void *(*last)(void *))
{
	struct traced *t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				-1, 0);

	ASSERT_TRUE(t != MAP_FAILED);
	ASSERT_OK(pipe2(t->go, O_CLOEXEC));
	ASSERT_OK(pipe2(t->alone, O_CLOEXEC));
	t->last = last;
	t->pid = child_after(start_traced, t);
	close(t->alone[1]);
	return t;
}

/* A child with a thread beside its leader, to be traced. */
static inline struct traced *traced_child(void)
{
	return child_with_thread(NULL);
}

/* Descriptors through a socket (unix(7), SCM_RIGHTS). */
static inline void pass_descriptor(int socket, int fd)
{
	char c = 'x', control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec data = { &c, 1 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	ASSERT_EQ(sendmsg(socket, &message, 0), 1);
}

static inline int take_descriptor(int socket)
{
	char c, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec data = { &c, 1 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	int fd = -1;

	ASSERT_EQ(recvmsg(socket, &message, MSG_CMSG_CLOEXEC), 1);
	ASSERT_TRUE(CMSG_FIRSTHDR(&message) != NULL);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

#endif
