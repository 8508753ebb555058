// SPDX-License-Identifier: GPL-2.0-only
/* Pidfds of who is at the other end of a socket, at the edges: SO_PASSPIDFD, SCM_PIDFD, SO_PEERPIDFD. */
#include "pidfd.h"
#include "sockets.h"

PIDFD_CASES
PROBE_PEER_PIDFD

static int passes(int socket)
{
	int on = -1;
	socklen_t size = sizeof(on);

	ASSERT_OK(getsockopt(socket, SOL_SOCKET, SO_PASSPIDFD_, &on, &size));
	EXPECT_EQ(size, sizeof(on));
	return on;
}

static void set_passing(int socket, int on)
{
	ASSERT_OK(setsockopt(socket, SOL_SOCKET, SO_PASSPIDFD_, &on, sizeof(on)));
}

/* A byte, and what comes with it. */
static struct msghdr received(int socket, void *control, size_t size)
{
	static char c;
	static struct iovec data;
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = size };

	data = (struct iovec){ &c, 1 };
	ASSERT_EQ(recvmsg(socket, &message, 0), 1);
	return message;
}

TEST(passing_can_be_switched_off, PEERS PROMISED("commit 5e2ff6704a27; socket(7): boolean options")
     DESCRIBE("SO_PASSPIDFD is 0, then 1 whatever number is set, then 0 again; then nothing comes along"))
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	int sockets[2];

	ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets));
	EXPECT_EQ(passes(sockets[0]), 0);
	set_passing(sockets[0], 4711);
	EXPECT_EQ(passes(sockets[0]), 1);
	EXPECT_EQ(passes(sockets[1]), 0);
	set_passing(sockets[0], 0);
	EXPECT_EQ(passes(sockets[0]), 0);
	ASSERT_EQ(write(sockets[1], "x", 1), 1);
	EXPECT_EQ(received(sockets[0], control, sizeof(control)).msg_controllen, 0);
}

/* getsockopt(2): optlen is "modified on return to indicate the actual size of the value returned". */
TEST(peer_takes_the_room_of_a_number, PEERS PROMISED("getsockopt(2); commit 7b26952a91cf")
     DESCRIBE("SO_PEERPIDFD into a larger buffer: the size of an int, and what is behind stays"))
{
	int sockets[2], buffer[16];
	socklen_t size = sizeof(buffer);

	ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	memset(buffer, 0x55, sizeof(buffer));
	ASSERT_OK(getsockopt(sockets[0], SOL_SOCKET, SO_PEERPIDFD_, buffer, &size));
	EXPECT_EQ(size, sizeof(int));
	EXPECT_OK(is_there(buffer[0]));
	for (int n = 1; n < 16; n++)
		EXPECT_EQ(buffer[n], 0x55555555);
}

/* Where pidfd_open(2) would say ESRCH there was a process once. */
TEST(socket_without_peer_has_none, PEERS PROMISED("commit 7b26952a91cf; commit b6f79e826fbd")
     DESCRIBE("SO_PEERPIDFD of a socket that never was connected: ENODATA, no descriptor"))
{
	int fd = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), pidfd = -7;
	int next = next_descriptor();
	socklen_t size = sizeof(pidfd);

	EXPECT_ERRNO(getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD_, &pidfd, &size), ENODATA);
	EXPECT_EQ(pidfd, -7);
	EXPECT_EQ(next_descriptor(), next);
}

TEST(peer_may_be_asked_again, PEERS PROMISED("commit 7b26952a91cf")
     DESCRIBE("SO_PEERPIDFD twice: two descriptors of the same process, each closed by itself"))
{
	int sockets[2], pidfd[2] = { -1, -1 };
	socklen_t size = sizeof(int);

	ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	for (int n = 0; n < 2; n++)
		ASSERT_OK(getsockopt(sockets[0], SOL_SOCKET, SO_PEERPIDFD_, &pidfd[n], &size));
	EXPECT_NE(pidfd[0], pidfd[1]);
	ASSERT_OK(close(pidfd[0]));
	EXPECT_OK(is_there(pidfd[1]));
}

/* Where no pidfd can be had of who is gone, the number of an error stands there. */
TEST(sender_that_is_gone_is_no_other_descriptor, PEERS
     PROMISED("commit 5e2ff6704a27; include/net/scm.h, scm_pidfd_recv()")
     DESCRIBE("SCM_PIDFD of a process that was reaped: a negative number, or a new pidfd that finds nobody"))
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	int sockets[2], pidfd, next;
	struct msghdr message;

	ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets));
	set_passing(sockets[0], 1);
	IN_CHILD
		ASSERT_EQ(write(sockets[1], "x", 1), 1);
	next = next_descriptor();
	message = received(sockets[0], control, sizeof(control));
	if (!CMSG_FIRSTHDR(&message)) {
		EXPECT_EQ(next_descriptor(), next);
		SKIP("inconclusive: this kernel passes nothing of who is gone");
	}
	EXPECT_EQ(CMSG_FIRSTHDR(&message)->cmsg_type, SCM_PIDFD_);
	memcpy(&pidfd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(pidfd));
	if (pidfd < 0) {
		EXPECT_EQ(next_descriptor(), next);
	} else {
		EXPECT_EQ(pidfd, next);
		EXPECT_ERRNO(is_there(pidfd), ESRCH);
	}
}

TEST(message_to_no_control_buffer_is_truncated, PEERS PROMISED("recvmsg(2), MSG_CTRUNC")
     DESCRIBE("SO_PASSPIDFD and no control buffer: MSG_CTRUNC, no descriptor; the option off: no MSG_CTRUNC"))
{
	int sockets[2], next;

	ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets));
	set_passing(sockets[0], 1);
	next = next_descriptor();
	ASSERT_EQ(write(sockets[1], "x", 1), 1);
	EXPECT_EQ(received(sockets[0], NULL, 0).msg_flags & MSG_CTRUNC, MSG_CTRUNC);
	set_passing(sockets[0], 0);
	ASSERT_EQ(write(sockets[1], "x", 1), 1);
	EXPECT_EQ(received(sockets[0], NULL, 0).msg_flags & MSG_CTRUNC, 0);
	EXPECT_EQ(next_descriptor(), next);
}

/* What recvmsg(2) then returns is not told; what it leaves behind is. */
TEST(pidfd_that_cannot_be_told_leaves_nothing, PEERS
     PROMISED("recvmsg(2), EFAULT; include/net/scm.h, scm_pidfd_recv()")
     DESCRIBE("SO_PASSPIDFD and a control buffer that cannot be written: no descriptor"))
{
	long page = sysconf(_SC_PAGESIZE);
	void *control = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char c;
	struct iovec data = { &c, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = CMSG_SPACE(sizeof(int)) };
	int sockets[2], next;

	ASSERT_TRUE(control != MAP_FAILED);
	ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets));
	set_passing(sockets[0], 1);
	ASSERT_EQ(write(sockets[1], "x", 1), 1);
	next = next_descriptor();
	if (recvmsg(sockets[0], &message, 0) < 0)
		EXPECT_EQ(errno, EFAULT);
	EXPECT_EQ(next_descriptor(), next);
}

/* unix(7), Autobind: who passes credentials has a name, for the other side to answer. */
TEST(socket_that_passes_gets_a_name, PEERS PROMISED("unix(7), Autobind feature; commit 5e2ff6704a27")
     DESCRIBE("SO_PASSPIDFD set before connect(2): bound to a name of the abstract namespace; else to none"))
{
	struct sockaddr_un name, own;
	int listener = listening(&name);

	for (int on = 0; on < 2; on++) {
		int fd = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
		socklen_t size = sizeof(own);

		set_passing(fd, on);
		ASSERT_OK(connect(fd, (struct sockaddr *)&name, sizeof(name)));
		ASSERT_OK(getsockname(fd, (struct sockaddr *)&own, &size));
		if (on)
			EXPECT_GT(size, sizeof(sa_family_t));
		else
			EXPECT_EQ(size, sizeof(sa_family_t));
	}
	close(listener);
}

/* What sends its bytes, and what its messages, on ways of its own in net/unix/af_unix.c. */
static const int kinds[] = { SOCK_STREAM, SOCK_DGRAM };
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* A pair whose first end is told by number and by pidfd who writes to the second. */
static void pair_that_tells(int kind, int sockets[2])
{
	int on = 1;

	ASSERT_OK(socketpair(AF_UNIX, kind | SOCK_CLOEXEC, 0, sockets));
	set_passing(sockets[0], 1);
	ASSERT_OK(setsockopt(sockets[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
}

/* The end of a child is told by its pidfd alone; another process's is ECHILD, and stays unharmed. */
static void expect_child(int pidfd, pid_t pid)
{
	siginfo_t info = { 0 };

	EXPECT_OK(kill(pid, SIGKILL));
	EXPECT_OK(waitid(P_PIDFD_, pidfd, &info, WEXITED | WNOWAIT));
	EXPECT_EQ(info.si_pid, pid);
}

static void write_one(void *socket)
{
	ASSERT_EQ(write((int)(intptr_t)socket, "x", 1), 1);
}

struct writer {
	struct thread thread;
	int socket;
};

static void *write_in_thread(void *writer)
{
	write_one((void *)(intptr_t)((struct writer *)writer)->socket);
	return wait_in_thread(writer);
}

static void thread_writes(void *socket)
{
	static struct writer writer;

	writer.socket = (int)(intptr_t)socket;
	start_thread_with(&writer.thread, write_in_thread);
}

/* unix(7), SCM_CREDENTIALS: "Process ID of the sending process". */
TEST(sender_is_a_process, PEERS PROMISED("unix(7), SCM_CREDENTIALS; commit 5e2ff6704a27")
     DESCRIBE("a thread that is no leader writes, to a stream or a datagram: SCM_PIDFD of its process"))
{
	for (size_t n = 0; n < KINDS; n++) {
		int sockets[2];
		struct brought b;
		pid_t pid;

		pair_that_tells(kinds[n], sockets);
		pid = child_after(thread_writes, (void *)(intptr_t)sockets[1]);
		b = take_all(sockets[0], 0);
		EXPECT_EQ(b.who.pid, pid);
		EXPECT_EQ(fcntl(b.pidfd, F_GETFL) & O_EXCL, 0);
		expect_child(b.pidfd, pid);
	}
}

/* A byte from whom the sender says. */
static void send_as(int socket, struct ucred who)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(who))] = { 0 };
	char c = 'x';
	struct iovec data = { &c, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_CREDENTIALS;
	header->cmsg_len = CMSG_LEN(sizeof(who));
	memcpy(CMSG_DATA(header), &who, sizeof(who));
	ASSERT_OK(sendmsg(socket, &message, 0));
}

/* unix(7), SCM_CREDENTIALS: with CAP_SYS_ADMIN "the PID of any existing process may be specified". */
TEST(given_sender_is_told, PEERS NEEDS_ROOT
     PROMISED("unix(7), SCM_CREDENTIALS; net/unix/af_unix.c, maybe_add_creds()")
     DESCRIBE("root sends as a child of its, as another user: that child's number and pidfd, that user"))
{
	for (size_t n = 0; n < KINDS; n++) {
		int sockets[2];
		struct brought b;
		pid_t pid = sleeping_child();

		pair_that_tells(kinds[n], sockets);
		send_as(sockets[1], (struct ucred){ pid, NOBODY, NOBODY });
		b = take_all(sockets[0], 0);
		EXPECT_EQ(b.who.pid, pid);
		EXPECT_EQ(b.who.uid, NOBODY);
		EXPECT_EQ(b.who.gid, NOBODY);
		expect_child(b.pidfd, pid);
	}
}

/* So many pid namespaces may be, and so many are made, one after the other. */
#define AT_MOST "4"
#define AT_MOST_TWICE 8

/* As of fork(2); the child is process 1 of a namespace. Those that ended are freed a little later. */
static pid_t first_process(void)
{
	struct clone_args args = { .exit_signal = SIGCHLD, .flags = CLONE_NEWPID };
	pid_t pid;

	for (int tries = 0; (pid = syscall(NR_clone3, &args, sizeof(args))) < 0; tries++)
		await_room_to_clone(tries);
	if (pid == 0) {
		kc_cleanup_count = 0;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	}
	return pid;
}

TEST(number_given_inside_is_another_outside, PEERS NEEDS_CONFIG(PID_NS) NEEDS_ROOT
     PROMISED("unix(7), SCM_CREDENTIALS; pid_namespaces(7)")
     DESCRIBE("process 1 of a namespace sends as number 1: outside its number there, and its pidfd"))
{
	int sockets[2];
	struct brought b;
	pid_t pid;

	pair_that_tells(SOCK_STREAM, sockets);
	pid = first_process();
	if (pid == 0) {
		send_as(sockets[1], (struct ucred){ 1, getuid(), getgid() });
		stay();
	}
	CLEANUP(kill_and_reap, pid);
	/* The child's alone then: where it ends there is nothing to wait for. */
	close(sockets[1]);
	b = take_all(sockets[0], 0);
	EXPECT_EQ(b.who.pid, pid);
	expect_child(b.pidfd, pid);
}

struct passed {
	int socket, fd;
};

static void pass_one(void *passed)
{
	struct passed *p = passed;

	pass_descriptor(p->socket, p->fd);
}

TEST(pidfd_comes_beside_all_else, PEERS PROMISED("unix(7), Ancillary messages; commit 5e2ff6704a27")
     DESCRIBE("SO_PASSCRED as well, and a descriptor passed: credentials, descriptor and SCM_PIDFD"))
{
	for (size_t n = 0; n < KINDS; n++) {
		int sockets[2], end[2];
		struct brought b;
		pid_t pid;
		char c;

		ASSERT_OK(pipe2(end, O_CLOEXEC | O_NONBLOCK));
		pair_that_tells(kinds[n], sockets);
		pid = child_after(pass_one, &(struct passed){ sockets[1], end[1] });
		b = take_all(sockets[0], 0);
		EXPECT_EQ(b.who.pid, pid);
		EXPECT_OK(write(b.fd, "x", 1));
		EXPECT_EQ(EXPECT_OK(read(end[0], &c, 1)), 1);
		expect_child(b.pidfd, pid);
	}
}

/* recv(2), MSG_PEEK: "a subsequent receive call will return the same data". */
TEST(peeking_brings_a_pidfd_too, PEERS PROMISED("recv(2), MSG_PEEK; commit 5e2ff6704a27")
     DESCRIBE("a message that is looked at and then received: a pidfd of its sender each time"))
{
	for (size_t n = 0; n < KINDS; n++) {
		int sockets[2];
		struct brought peeked, received;
		pid_t pid;

		pair_that_tells(kinds[n], sockets);
		pid = child_after(write_one, (void *)(intptr_t)sockets[1]);
		peeked = take_all(sockets[0], MSG_PEEK);
		received = take_all(sockets[0], 0);
		EXPECT_EQ(peeked.who.pid, pid);
		EXPECT_EQ(received.who.pid, pid);
		EXPECT_NE(peeked.pidfd, received.pidfd);
		expect_child(peeked.pidfd, pid);
		EXPECT_OK(close(peeked.pidfd));
		expect_child(received.pidfd, pid);
	}
}

struct pair {
	int socket, kind;
};

static void make_pair(void *pair)
{
	struct pair *p = pair;
	int ends[2];

	ASSERT_OK(socketpair(AF_UNIX, p->kind, 0, ends));
	for (int n = 0; n < 2; n++)
		pass_descriptor(p->socket, ends[n]);
}

/* unix(7), SO_PEERCRED: "those that were in effect at the time of the call to ... socketpair(2)". */
TEST(both_ends_of_a_pair_have_a_peer, PEERS PROMISED("unix(7), SO_PEERCRED; commit 7b26952a91cf")
     DESCRIBE("a child makes a pair and passes it on: SO_PEERPIDFD of either end is the child's"))
{
	for (size_t n = 0; n < KINDS; n++) {
		int sockets[2];
		pid_t pid;

		ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
		pid = child_after(make_pair, &(struct pair){ sockets[1], kinds[n] });
		for (int end = 0; end < 2; end++) {
			int fd = take_descriptor(sockets[0]), pidfd = -1;
			struct ucred peer = { .pid = -1 };
			socklen_t size = sizeof(peer);

			EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size));
			EXPECT_EQ(peer.pid, pid);
			size = sizeof(pidfd);
			EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD_, &pidfd, &size));
			expect_child(pidfd, pid);
		}
	}
}

/* A struct pid that is kept keeps its namespace, which is counted. */
TEST(peer_that_found_no_room_is_freed, PEERS NEEDS_CONFIG(PID_NS) NEEDS_ROOT TIMEOUT(60)
     PROMISED("getrlimit(2), RLIMIT_NOFILE; proc_sys_user(5), max_pid_namespaces")
     DESCRIBE("8 peers, each of a pid namespace, where 4 may be: SO_PEERPIDFD is EMFILE, then not; freed"))
{
	struct sockaddr_un name;
	int listener = listening(&name);
	struct rlimit was, none;

	ASSERT_OK(getrlimit(RLIMIT_NOFILE, &was));
	none = was;
	none.rlim_cur = 0;
	set_limit("/proc/sys/user/max_pid_namespaces", AT_MOST, "needs /proc/sys/user");
	for (int n = 0; n < AT_MOST_TWICE; n++) {
		int fd, pidfd = -7;
		socklen_t size = sizeof(pidfd);
		pid_t pid = first_process();

		if (pid == 0) {
			connect_to(&name);
			stay();
		}
		fd = ASSERT_OK(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
		ASSERT_OK(setrlimit(RLIMIT_NOFILE, &none));
		EXPECT_ERRNO(getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD_, &pidfd, &size), EMFILE);
		ASSERT_OK(setrlimit(RLIMIT_NOFILE, &was));
		EXPECT_EQ(pidfd, -7);
		EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD_, &pidfd, &size));
		expect_child(pidfd, pid);
		kill_and_reap((void *)(intptr_t)pid);
		close(pidfd);
		close(fd);
	}
}

/* unix(7), SCM_RIGHTS: descriptors for which there is no buffer are closed; read(2) has none. */
TEST(sender_that_was_plainly_read_is_freed, PEERS NEEDS_CONFIG(PID_NS) NEEDS_ROOT TIMEOUT(60)
     PROMISED("unix(7), SCM_RIGHTS; proc_sys_user(5), max_pid_namespaces")
     DESCRIBE("SO_PASSPIDFD and read(2), 8 senders in pid namespaces where 4 may be: freed, files too"))
{
	struct sockaddr_un name;
	int listener = listening(&name);

	set_passing(listener, 1);
	set_limit("/proc/sys/user/max_pid_namespaces", AT_MOST, "needs /proc/sys/user");
	for (int n = 0; n < AT_MOST_TWICE; n++) {
		int fd, end[2];
		pid_t pid;
		char c;

		ASSERT_OK(pipe2(end, O_CLOEXEC | O_NONBLOCK));
		pid = first_process();
		if (pid == 0) {
			fd = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
			ASSERT_OK(connect(fd, (struct sockaddr *)&name, sizeof(name)));
			pass_descriptor(fd, end[1]);
			stay();
		}
		close(end[1]);
		fd = ASSERT_OK(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
		EXPECT_EQ(read(fd, &c, 1), 1);
		kill_and_reap((void *)(intptr_t)pid);
		/* The end of the file; EAGAIN where somebody could still write. */
		EXPECT_EQ(EXPECT_OK(read(end[0], &c, 1)), 0);
		close(end[0]);
		close(fd);
	}
}

KCASE_MAIN
