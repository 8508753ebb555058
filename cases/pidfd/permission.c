// SPDX-License-Identifier: GPL-2.0-only
/* By which ids and capabilities a pidfd's process may be signalled (kill(2)) or looked into (ptrace(2)). */
#include "pidfd.h"

EVERY_CASE(NEEDS_KERNEL(5, 3) NEEDS_ROOT TIMEOUT(20))
PROBE_PIDFD_GETFD
PROBE_PIDFD_THREAD
PROBE_SETNS_PIDFD
PROBE_SIGNAL_SCOPES

/*
 * kill(2): "the real or effective user ID of the sending process must equal the real or saved
 * set-user-ID of the target process". Each of the four alone.
 */
TEST(each_pair_of_ids_is_enough, PROMISED("kill(2)")
     DESCRIBE("the sender's real or effective uid alone is the target's real or saved one alone: 0"))
{
	uid_t targets[2][3] = { { 1000, 4000, 4000 }, { 4000, 4000, 1000 } };
	uid_t senders[2][3] = { { 1000, 3000, 3000 }, { 3000, 1000, 3000 } };
	int pidfd[2];

	for (int n = 0; n < 2; n++)
		pidfd[n] = ASSERT_OK(pidfd_open_(child_after(set_ids, targets[n]), 0));
	for (int n = 0; n < 2; n++)
		IN_CHILD {
			set_ids(senders[n]);
			EXPECT_OK(is_there(pidfd[0]));
			EXPECT_OK(is_there(pidfd[1]));
		}
}

/* A siginfo of one's own is no way round (kernel/signal.c, check_kill_permission()). */
TEST(siginfo_gives_no_permission, PROMISED("kill(2), EPERM; pidfd_send_signal(2), EPERM")
     DESCRIBE("SI_QUEUE to another user's process, a signal that ends it and none: EPERM"))
{
	pid_t pid = sleeping_child();
	int pidfd = ASSERT_OK(pidfd_open_(pid, 0));

	IN_CHILD {
		siginfo_t info = { .si_signo = SIGKILL, .si_code = SI_QUEUE };

		become((void *)NOBODY);
		EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGKILL, &info, 0), EPERM);
		info.si_signo = 0;
		EXPECT_ERRNO(pidfd_send_signal_(pidfd, 0, &info, 0), EPERM);
	}
	EXPECT_EQ(waitpid(pid, NULL, WNOHANG), 0);
}

TEST(thread_needs_permission_too, NEEDS_PROBE(signal_scopes) NEEDS_PROBE(pidfd_thread)
     PROMISED("tgkill(2), EPERM, EINVAL")
     DESCRIBE("another user's thread, by its pidfd and by flag: EPERM; a signal that is none: EINVAL"))
{
	pid_t pid = sleeping_child();
	int process = ASSERT_OK(pidfd_open_(pid, 0));
	int thread = ASSERT_OK(pidfd_open_(pid, PIDFD_THREAD_));

	EXPECT_ERRNO(pidfd_send_signal_(thread, 65, NULL, 0), EINVAL);
	EXPECT_ERRNO(pidfd_send_signal_(process, 65, NULL, SIGNAL_THREAD), EINVAL);
	IN_CHILD {
		become((void *)NOBODY);
		EXPECT_ERRNO(is_there(thread), EPERM);
		EXPECT_ERRNO(pidfd_send_signal_(thread, SIGKILL, NULL, 0), EPERM);
		EXPECT_ERRNO(pidfd_send_signal_(process, SIGKILL, NULL, SIGNAL_THREAD), EPERM);
		EXPECT_ERRNO(pidfd_send_signal_(thread, SIGKILL, NULL, SIGNAL_THREAD_GROUP), EPERM);
	}
	EXPECT_EQ(waitpid(pid, NULL, WNOHANG), 0);
}

static void drop_all_capabilities_but(int number)
{
	for (int n = 0; n < 64; n++)
		if (n != number)
			drop_capability(n);
}

TEST(cap_kill_is_the_capability, PROMISED("kill(2); capabilities(7), CAP_KILL")
     DESCRIBE("all capabilities but this one: EPERM; this one alone: 0"))
{
	int pidfd = ASSERT_OK(pidfd_open_(child_of_user(NOBODY), 0));

	IN_CHILD {
		drop_capability(CAP_KILL);
		EXPECT_ERRNO(is_there(pidfd), EPERM);
	}
	IN_CHILD {
		drop_all_capabilities_but(CAP_KILL);
		EXPECT_OK(is_there(pidfd));
	}
}

/* kill(2): "have the CAP_KILL capability in the user namespace of the target process". */
TEST(capability_in_an_own_namespace_is_none_outside, NEEDS_CONFIG(USER_NS)
     PROMISED("kill(2); user_namespaces(7), Capabilities")
     DESCRIBE("a user with all capabilities in an own user namespace: EPERM for others outside"))
{
	int of_root = ASSERT_OK(pidfd_open_(sleeping_child(), 0));
	int of_1000 = ASSERT_OK(pidfd_open_(child_of_user(1000), 0));

	IN_CHILD {
		become((void *)NOBODY);
		own_user_namespace(0);
		EXPECT_ERRNO(is_there(of_root), EPERM);
		EXPECT_ERRNO(is_there(of_1000), EPERM);
		EXPECT_ERRNO(pidfd_send_signal_(of_1000, SIGKILL, NULL, 0), EPERM);
	}
	EXPECT_OK(is_there(of_1000));
}

static void signal_inner_user(void *arg)
{
	(void)arg;
	EXPECT_OK(is_there(ASSERT_OK(pidfd_open_(child_of_user(1000), 0))));
}

static void copy_from_inner_user(void *arg)
{
	(void)arg;
	EXPECT_OK(pidfd_getfd_(ASSERT_OK(pidfd_open_(child_of_user(1000), 0)), 0, 0));
}

#define SAME_IDS "0 0 65535\n"

TEST(capability_counts_in_its_namespace, NEEDS_CONFIG(USER_NS)
     PROMISED("kill(2); user_namespaces(7), Capabilities")
     DESCRIBE("CAP_KILL of a user namespace: another user's process in there is signalled"))
{
	kc_join(start_in_user_namespace(SAME_IDS, signal_inner_user, NULL));
}

TEST(access_by_capability_of_its_namespace, NEEDS_CONFIG(USER_NS) NEEDS_PROBE(pidfd_getfd)
     PROMISED("ptrace(2), Ptrace access mode checking; user_namespaces(7), Capabilities")
     DESCRIBE("CAP_SYS_PTRACE of a user namespace: a descriptor of another user's process in there"))
{
	kc_join(start_in_user_namespace(SAME_IDS, copy_from_inner_user, NULL));
}

struct own {
	int process, other;
};

static void *signal_as_user(void *arg)
{
	struct own *own = arg;

	set_uid_alone(1000);
	EXPECT_OK(is_there(own->process));
	EXPECT_ERRNO(is_there(own->other), EPERM);
	return NULL;
}

/* A process needs no permission for itself, whichever ids its threads have. */
TEST(thread_may_signal_its_own_process, PROMISED("kernel/signal.c, check_kill_permission(); nptl(7)")
     DESCRIBE("a thread with ids of its own signals its process, and no other one of those ids"))
{
	struct own own = {
		.process = ASSERT_OK(pidfd_open_(getpid(), 0)),
		.other = ASSERT_OK(pidfd_open_(sleeping_child(), 0)),
	};
	pthread_t thread;

	ASSERT_EQ(pthread_create(&thread, NULL, signal_as_user, &own), 0);
	ASSERT_EQ(pthread_join(thread, NULL), 0);
}

struct ids {
	uid_t uid[3];	/* real, effective, saved */
	gid_t gid[3];
};

/* What it did before stays readable, see become(). */
static void take_ids(void *arg)
{
	const struct ids *to = arg;

	ASSERT_OK(setresgid(to->gid[0], to->gid[1], to->gid[2]));
	ASSERT_OK(setresuid(to->uid[0], to->uid[1], to->uid[2]));
	ASSERT_OK(prctl(PR_SET_DUMPABLE, 1));
	allow_all_tracers();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static const struct ids nobody = { { NOBODY, NOBODY, NOBODY }, { NOBODY, NOBODY, NOBODY } };

/* "the real, effective, and saved-set user IDs of the target match the caller's", and so the group IDs. */
TEST(access_needs_each_id_of_the_target, NEEDS_PROBE(pidfd_getfd)
     PROMISED("pidfd_getfd(2), EPERM; ptrace(2), Ptrace access mode checking")
     DESCRIBE("real, effective or saved uid or gid of the target is another one: EPERM; none: a descriptor"))
{
	struct ids ids[7];
	int pidfd[7];

	for (int n = 0; n < 7; n++) {
		ids[n] = nobody;
		if (n < 3)
			ids[n].uid[n] = 1000;
		else if (n < 6)
			ids[n].gid[n - 3] = 1000;
		pidfd[n] = ASSERT_OK(pidfd_open_(child_after(take_ids, &ids[n]), 0));
	}
	IN_CHILD {
		become((void *)NOBODY);
		for (int n = 0; n < 6; n++)
			EXPECT_ERRNO(pidfd_getfd_(pidfd[n], 0, 0), EPERM);
		EXPECT_OK(pidfd_getfd_(pidfd[6], 0, 0));
	}
}

TEST(access_goes_by_the_caller_s_real_gid, NEEDS_PROBE(pidfd_getfd)
     PROMISED("ptrace(2), PTRACE_MODE_REALCREDS")
     DESCRIBE("the caller's real gid counts, its effective and saved ones do not"))
{
	struct ids other_gid = nobody, real_gid = nobody;
	int pidfd = ASSERT_OK(pidfd_open_(child_of_user(NOBODY), 0));

	other_gid.gid[0] = 1000;
	real_gid.gid[1] = real_gid.gid[2] = 1000;
	IN_CHILD {
		take_ids(&other_gid);
		EXPECT_ERRNO(pidfd_getfd_(pidfd, 0, 0), EPERM);
	}
	IN_CHILD {
		take_ids(&real_gid);
		EXPECT_OK(pidfd_getfd_(pidfd, 0, 0));
	}
}

/* All capabilities stay permitted, and none is effective (capabilities(7), prctl(2), PR_SET_KEEPCAPS). */
static void take_ids_and_keep_capabilities(void *ids)
{
	ASSERT_OK(prctl(PR_SET_KEEPCAPS, 1));
	take_ids(ids);
}

/* "the caller's capabilities are a superset of the target process's permitted capabilities" */
TEST(access_needs_the_target_s_capabilities, NEEDS_PROBE(pidfd_getfd)
     PROMISED("ptrace(2), Ptrace access mode checking: the commoncap LSM")
     DESCRIBE("same ids, but the target may use capabilities: EPERM; if the caller may as well: a descriptor"))
{
	struct ids ids = nobody;
	int pidfd = ASSERT_OK(pidfd_open_(child_after(take_ids_and_keep_capabilities, &ids), 0));

	IN_CHILD {
		take_ids(&ids);
		EXPECT_ERRNO(pidfd_getfd_(pidfd, 0, 0), EPERM);
	}
	IN_CHILD {
		take_ids_and_keep_capabilities(&ids);
		EXPECT_OK(pidfd_getfd_(pidfd, 0, 0));
	}
}

static void *take_ids_and_wait(void *thread)
{
	set_ids_alone(NOBODY);
	return wait_in_thread(thread);
}

/* What a process of two threads shares with the case. */
struct two {
	bool leader_changes;
	volatile pid_t tid;
};

static void take_ids_in_one_thread(void *arg)
{
	static struct thread t;
	struct two *two = arg;

	start_thread_with(&t, two->leader_changes ? wait_in_thread : take_ids_and_wait);
	if (two->leader_changes)
		set_ids_alone(NOBODY);
	/* Both are the process's, see become(). */
	ASSERT_OK(prctl(PR_SET_DUMPABLE, 1));
	allow_all_tracers();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	two->tid = t.tid;
}

/* Pidfds of the two threads of a process: of the one that has become NOBODY, and of root's. */
struct of_two {
	int nobody, root;
};

static struct of_two open_two(bool leader_changes)
{
	struct two *two = mmap(NULL, sizeof(*two), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			       -1, 0);
	int process, thread;

	ASSERT_TRUE(two != MAP_FAILED);
	two->leader_changes = leader_changes;
	process = ASSERT_OK(pidfd_open_(child_after(take_ids_in_one_thread, two), 0));
	thread = ASSERT_OK(pidfd_open_(two->tid, PIDFD_THREAD_));
	return leader_changes ? (struct of_two){ process, thread } : (struct of_two){ thread, process };
}

/* setresuid(2): "At the kernel level, user IDs and group IDs are a per-thread attribute." */
TEST(descriptor_goes_by_ids_of_the_thread, NEEDS_PROBE(pidfd_thread) NEEDS_PROBE(pidfd_getfd)
     PROMISED("pidfd_getfd(2), EPERM; setresuid(2); ptrace(2), Ptrace access mode checking")
     DESCRIBE("of two threads one has the caller's ids: a descriptor by its pidfd, by the other's EPERM"))
{
	for (int leader = 0; leader < 2; leader++) {
		struct of_two of = open_two(leader);

		IN_CHILD {
			become((void *)NOBODY);
			EXPECT_OK(pidfd_getfd_(of.nobody, 0, 0));
			EXPECT_ERRNO(pidfd_getfd_(of.root, 0, 0), EPERM);
		}
		EXPECT_OK(pidfd_getfd_(of.root, 0, 0));
	}
}

TEST(namespace_goes_by_ids_of_the_thread, NEEDS_PROBE(pidfd_thread) NEEDS_KERNEL(6, 11) NEEDS_CONFIG(UTS_NS)
     PROMISED("setresuid(2); ptrace(2), PTRACE_MODE_READ_FSCREDS; fs/pidfs.c, pidfd_ioctl()")
     DESCRIBE("of two threads one has the caller's ids: its namespace by its pidfd, by the other's EACCES"))
{
	for (int leader = 0; leader < 2; leader++) {
		struct of_two of = open_two(leader);

		IN_CHILD {
			become((void *)NOBODY);
			EXPECT_OK(ioctl(of.nobody, GET_UTS, 0));
			EXPECT_ERRNO(ioctl(of.root, GET_UTS, 0), EACCES);
		}
		EXPECT_OK(ioctl(of.root, GET_UTS, 0));
	}
}

TEST(entering_goes_by_ids_of_the_thread, NEEDS_PROBE(pidfd_thread) NEEDS_PROBE(setns_pidfd)
     NEEDS_CONFIG(UTS_NS)
     PROMISED("setns(2), EPERM; setresuid(2); ptrace(2), PTRACE_MODE_READ_REALCREDS")
     DESCRIBE("with CAP_SYS_ADMIN and the ids of one of two threads: 0 by its pidfd, by the other's EPERM"))
{
	for (int leader = 0; leader < 2; leader++) {
		struct of_two of = open_two(leader);

		IN_CHILD {
			ASSERT_OK(setresgid(NOBODY, NOBODY, NOBODY));
			/* Real; the effective one keeps the capabilities. */
			ASSERT_OK(setresuid(NOBODY, 0, 0));
			drop_capability(CAP_SYS_PTRACE);
			EXPECT_OK(setns(of.nobody, CLONE_NEWUTS));
			EXPECT_ERRNO(setns(of.root, CLONE_NEWUTS), EPERM);
		}
		EXPECT_OK(setns(of.root, CLONE_NEWUTS));
	}
}

static void change_ids(void *arg)
{
	(void)arg;
	ASSERT_OK(setresgid(NOBODY, NOBODY, NOBODY));
	ASSERT_OK(setresuid(NOBODY, NOBODY, NOBODY));
	allow_all_tracers();
}

/* Unlike become(): what it had as root may be in its memory still. */
static int open_changed(void)
{
	set_limit("/proc/sys/fs/suid_dumpable", "0", "needs /proc");
	return ASSERT_OK(pidfd_open_(child_after(change_ids, NULL), 0));
}

TEST(changed_ids_keep_descriptors_from_the_new_user, NEEDS_PROBE(pidfd_getfd)
     PROMISED("prctl(2), PR_SET_DUMPABLE; pidfd_getfd(2), EPERM")
     DESCRIBE("of a process that was root's and took the caller's ids: EPERM; with CAP_SYS_PTRACE it works"))
{
	int pidfd = open_changed();

	IN_CHILD {
		become((void *)NOBODY);
		EXPECT_OK(is_there(pidfd));
		EXPECT_ERRNO(pidfd_getfd_(pidfd, 0, 0), EPERM);
	}
	EXPECT_OK(pidfd_getfd_(pidfd, 0, 0));
}

TEST(changed_ids_keep_namespaces_from_the_new_user, NEEDS_KERNEL(6, 11) NEEDS_CONFIG(UTS_NS)
     PROMISED("prctl(2), PR_SET_DUMPABLE; fs/pidfs.c, pidfd_ioctl()")
     DESCRIBE("of a process that was root's and took the caller's ids: EACCES; with CAP_SYS_PTRACE it works"))
{
	int pidfd = open_changed();

	IN_CHILD {
		become((void *)NOBODY);
		EXPECT_ERRNO(ioctl(pidfd, GET_UTS, 0), EACCES);
	}
	EXPECT_OK(ioctl(pidfd, GET_UTS, 0));
}

/*
 * ptrace(2): "If the calling thread and the target thread are in the same thread group, access is
 * always allowed."
 */
static void *use_own_process(void *other)
{
	int pidfd = ASSERT_OK(pidfd_open_(getpid(), 0));

	if (other)
		set_uid_alone(1000);
	EXPECT_OK(pidfd_getfd_(pidfd, pidfd, 0));
	return NULL;
}

TEST(own_descriptors_need_no_permission, NEEDS_PROBE(pidfd_getfd)
     PROMISED("ptrace(2), Ptrace access mode checking, 1")
     DESCRIBE("an undumpable process's own pidfd, also by a thread of other ids: a descriptor"))
{
	IN_CHILD {
		become((void *)NOBODY);
		ASSERT_OK(prctl(PR_SET_DUMPABLE, 0));
		use_own_process(NULL);
	}
	IN_CHILD {
		pthread_t thread;

		drop_capability(CAP_SYS_PTRACE);
		ASSERT_EQ(pthread_create(&thread, NULL, use_own_process, "as another user"), 0);
		ASSERT_EQ(pthread_join(thread, NULL), 0);
	}
}

TEST(own_namespaces_need_no_permission, NEEDS_KERNEL(6, 11) NEEDS_CONFIG(UTS_NS)
     PROMISED("ptrace(2), Ptrace access mode checking, 1")
     DESCRIBE("an undumpable process's own pidfd: its namespace"))
{
	IN_CHILD {
		become((void *)NOBODY);
		ASSERT_OK(prctl(PR_SET_DUMPABLE, 0));
		EXPECT_OK(ioctl(ASSERT_OK(pidfd_open_(getpid(), 0)), GET_UTS, 0));
	}
}

KCASE_MAIN
