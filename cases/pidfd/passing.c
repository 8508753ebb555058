// SPDX-License-Identifier: GPL-2.0-only
/* Pidfds that change hands: fork, exec, dup, sockets (SCM_RIGHTS, SCM_PIDFD, SO_PEERPIDFD). */
#include "pidfd.h"
#include "sockets.h"

PIDFD_CASES
PROBE_PIDFS

PROBE_PEER_PIDFD

/* Ends a child by a pidfd: it was that child's. */
static void expect_pidfd_of(int pidfd, pid_t pid)
{
	int status;

	EXPECT_OK(pidfd_send_signal_(pidfd, SIGTERM, NULL, 0));
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

TEST(duplicate_is_the_same, PROMISED("dup(2)")
     DESCRIBE("dup, dup3 and F_DUPFD: as good as the original, also when that is closed"))
{
	pid_t pid = sleeping_child();
	int a = ASSERT_OK(pidfd_open_(pid, 0)), b = ASSERT_OK(dup(a));
	int c = ASSERT_OK(fcntl(a, F_DUPFD_CLOEXEC, 100));

	EXPECT_EQ(fcntl(b, F_GETFD), 0);
	EXPECT_GE(c, 100);
	EXPECT_OK(close(a));
	EXPECT_OK(is_there(b));
	EXPECT_OK(close(b));
	expect_pidfd_of(c, pid);
}

TEST(child_inherits_it, PROMISED("fork(2)")
     DESCRIBE("a child uses its parent's pidfd: for its parent, its brother, not itself"))
{
	int parent = ASSERT_OK(pidfd_open_(getpid(), 0));
	int brother = ASSERT_OK(pidfd_open_(sleeping_child(), 0));

	IN_CHILD {
		EXPECT_EQ(fdinfo_pid(parent), getppid());
		EXPECT_OK(is_there(parent));
		EXPECT_OK(is_there(brother));
	}
}

TEST(holder_may_end, PROMISED("pidfd_open(2)")
     DESCRIBE("a pidfd of a process that forked and ended does not turn to its child"))
{
	int pidfd, parent = ASSERT_OK(pidfd_open_(getppid(), 0));
	pid_t pid = ASSERT_OK(kc_fork());

	if (pid == 0) {
		if (fork() == 0) {
			usleep(200000);
			_exit(0);
		}
		_exit(0);
	}
	pidfd = ASSERT_OK(pidfd_open_(pid, 0));
	reap(pid);
	EXPECT_ERRNO(is_there(pidfd), ESRCH);
	EXPECT_OK(is_there(parent));
}

TEST(passes_over_socket, SOCKETS PROMISED("unix(7), SCM_RIGHTS")
     DESCRIBE("the receiver signals a process that it could not have opened by number"))
{
	int sockets[2], status;
	pid_t pid = sleeping_child();

	ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	pass_descriptor(sockets[0], ASSERT_OK(pidfd_open_(pid, 0)));
	IN_CHILD {
		EXPECT_OK(pidfd_send_signal_(take_descriptor(sockets[1]), SIGTERM, NULL, 0));
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

/* Needs no rights of the sender's: what may be done is checked against the receiver. */
TEST(gives_receiver_no_rights, SOCKETS NEEDS_ROOT PROMISED("pidfd_send_signal(2), EPERM")
     DESCRIBE("root passes a pidfd to a user: EPERM"))
{
	int sockets[2];

	ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	pass_descriptor(sockets[0], ASSERT_OK(pidfd_open_(sleeping_child(), 0)));
	IN_CHILD {
		int pidfd = take_descriptor(sockets[1]);

		become((void *)NOBODY);
		EXPECT_ERRNO(is_there(pidfd), EPERM);
		EXPECT_ERRNO(pidfd_send_signal_(pidfd, SIGKILL, NULL, 0), EPERM);
	}
}

TEST(socket_tells_its_peer, PEERS PROMISED("commit 7b26952a91cf")
     DESCRIBE("SO_PEERPIDFD: a pidfd of who connected, with close-on-exec"))
{
	struct sockaddr_un name;
	int fd, listener = listening(&name), pidfd = -1;
	socklen_t size = sizeof(pidfd);
	pid_t pid = child_after(connect_to, &name);

	fd = ASSERT_OK(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	ASSERT_OK(getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD_, &pidfd, &size));
	EXPECT_EQ(size, sizeof(pidfd));
	EXPECT_EQ(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
	expect_pidfd_of(pidfd, pid);
}

static void listen_again(void *listener)
{
	ASSERT_OK(listen((int)(intptr_t)listener, 4));
}

/* unix(7), SO_PEERCRED: "the credentials ... in effect at the time of the call to ... listen(2)". */
TEST(peer_is_who_listened_last, PEERS PROMISED("unix(7), SO_PEERCRED; commit 7b26952a91cf")
     DESCRIBE("a child listens anew on its parent's socket: who connects has the child as its peer"))
{
	struct sockaddr_un name;
	int listener = listening(&name), pidfd = -1, fd;
	socklen_t size = sizeof(pidfd);
	pid_t pid = child_after(listen_again, (void *)(intptr_t)listener);

	fd = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	ASSERT_OK(connect(fd, (struct sockaddr *)&name, sizeof(name)));
	ASSERT_OK(getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD_, &pidfd, &size));
	expect_pidfd_of(pidfd, pid);
}

static void *connect_in_thread(void *name)
{
	connect_to(name);
	return NULL;
}

TEST(peer_is_a_process, PEERS PROMISED("commit 7b26952a91cf; unix(7), SO_PEERCRED")
     DESCRIBE("a thread that is no leader connects: the peer is its process"))
{
	struct sockaddr_un name;
	struct ucred peer = { 0 };
	int fd, listener = listening(&name), pidfd = -1;
	socklen_t size = sizeof(pidfd), peer_size = sizeof(peer);
	pthread_t thread;

	ASSERT_EQ(pthread_create(&thread, NULL, connect_in_thread, &name), 0);
	ASSERT_EQ(pthread_join(thread, NULL), 0);
	fd = ASSERT_OK(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	ASSERT_OK(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size));
	EXPECT_EQ(peer.pid, getpid());
	ASSERT_OK(getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD_, &pidfd, &size));
	EXPECT_OK(is_there(pidfd));
	EXPECT_EQ(fcntl(pidfd, F_GETFL) & O_EXCL, 0);
}

TEST(peer_that_cannot_be_told_leaves_nothing, PEERS
     PROMISED("getsockopt(2), EFAULT; net/core/sock.c, SO_PEERPIDFD")
     DESCRIBE("no place for the pidfd, or one for the size that cannot be written: EFAULT, no descriptor"))
{
	long page = sysconf(_SC_PAGESIZE);
	socklen_t *size = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *nowhere = mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int sockets[2], pidfd = -1, next;

	ASSERT_TRUE(size != MAP_FAILED && nowhere != MAP_FAILED);
	*size = sizeof(pidfd);
	ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	next = next_descriptor();
	EXPECT_ERRNO(getsockopt(sockets[0], SOL_SOCKET, SO_PEERPIDFD_, nowhere, size), EFAULT);
	ASSERT_OK(mprotect(size, page, PROT_READ));
	EXPECT_ERRNO(getsockopt(sockets[0], SOL_SOCKET, SO_PEERPIDFD_, &pidfd, size), EFAULT);
	EXPECT_EQ(next_descriptor(), next);
}

/* net/core/sock.c: what a peer that is gone gives; since 6.16 its pidfd all the same. */
TEST(peer_that_is_gone, PEERS PROMISED("vfs-6.16-rc1.pidfs")
     DESCRIBE("reaped before it is asked for: an error until 6.16, then a pidfd of nobody"))
{
	struct sockaddr_un name;
	int fd, listener = listening(&name), pidfd = -1, next;
	socklen_t size = sizeof(pidfd);
	pid_t pid = child_after(connect_to, &name);

	fd = ASSERT_OK(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	kill(pid, SIGKILL);
	reap(pid);
	next = next_descriptor();
	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD_, &pidfd, &size) == 0) {
		EXPECT_ERRNO(is_there(pidfd), ESRCH);
	} else {
		EXPECT_FALSE(kc_kernel_since(6, 16));
		EXPECT_TRUE(errno == EINVAL || errno == ESRCH);
		EXPECT_EQ(next_descriptor(), next);
	}
}

TEST(message_brings_its_sender, PEERS PROMISED("commit 5e2ff6704a27")
     DESCRIBE("SO_PASSPIDFD: SCM_PIDFD with a pidfd of who sent"))
{
	int sockets[2], on = 1;
	pid_t pid;

	ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets));
	ASSERT_OK(setsockopt(sockets[0], SOL_SOCKET, SO_PASSPIDFD_, &on, sizeof(on)));
	pid = ASSERT_OK(kc_fork());
	if (pid == 0) {
		if (write(sockets[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	CLEANUP(kill_and_reap, pid);
	expect_pidfd_of(pidfd_with_byte(sockets[0]), pid);
}

TEST(message_without_room_leaves_nothing, PEERS PROMISED("recvmsg(2), MSG_CTRUNC")
     DESCRIBE("SO_PASSPIDFD and a byte too little for the pidfd: MSG_CTRUNC, no descriptor"))
{
	char c, control[CMSG_LEN(sizeof(int)) - 1];
	struct iovec data = { &c, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	int sockets[2], on = 1, next;

	ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets));
	ASSERT_OK(setsockopt(sockets[0], SOL_SOCKET, SO_PASSPIDFD_, &on, sizeof(on)));
	ASSERT_EQ(write(sockets[1], "x", 1), 1);
	next = next_descriptor();
	EXPECT_EQ(recvmsg(sockets[0], &message, 0), 1);
	EXPECT_EQ(message.msg_flags & MSG_CTRUNC, MSG_CTRUNC);
	EXPECT_EQ(next_descriptor(), next);
}

static void connect_and_write(void *name)
{
	int fd = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

	ASSERT_OK(connect(fd, (struct sockaddr *)name, sizeof(struct sockaddr_un)));
	ASSERT_EQ(write(fd, "x", 1), 1);
}

/* Who connects may write before anybody can set an option on what accept(2) is going to give. */
TEST(accepted_socket_tells_as_its_listener, PEERS
     PROMISED("commit 5e2ff6704a27; net/unix/af_unix.c, unix_sock_inherit_flags()")
     DESCRIBE("SO_PASSPIDFD of a listening socket is that of what it accepts, and brings pidfds"))
{
	struct sockaddr_un name;
	int fd, listener = listening(&name), on = 1;
	socklen_t size = sizeof(on);
	pid_t pid;

	ASSERT_OK(setsockopt(listener, SOL_SOCKET, SO_PASSPIDFD_, &on, sizeof(on)));
	pid = child_after(connect_and_write, &name);
	fd = ASSERT_OK(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	on = 0;
	ASSERT_OK(getsockopt(fd, SOL_SOCKET, SO_PASSPIDFD_, &on, &size));
	EXPECT_EQ(on, 1);
	expect_pidfd_of(pidfd_with_byte(fd), pid);
}

static void write_one(void *socket)
{
	ASSERT_EQ(write((int)(intptr_t)socket, "x", 1), 1);
}

/* unix(7), SO_PASSCRED: "receiving ... stops" where the sender changes. */
TEST(bytes_of_two_senders_are_told_apart, PEERS
     PROMISED("commit 5e2ff6704a27; net/unix/af_unix.c, unix_skb_scm_eq()")
     DESCRIBE("two processes write to one stream: each byte comes with its own sender's pidfd"))
{
	int sockets[2], on = 1;
	pid_t senders[2];

	ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	ASSERT_OK(setsockopt(sockets[0], SOL_SOCKET, SO_PASSPIDFD_, &on, sizeof(on)));
	for (int n = 0; n < 2; n++)
		senders[n] = child_after(write_one, (void *)(intptr_t)sockets[1]);
	for (int n = 0; n < 2; n++)
		expect_pidfd_of(pidfd_with_byte(sockets[0]), senders[n]);
}

/* execve(2): the process stays the process. */
TEST(exec_keeps_process, PROMISED("execve(2)")
     DESCRIBE("a pidfd of a process that executes a program goes on, and is not readable"))
{
	struct pollfd fd = { -1, POLLIN, 0 };
	int go[2], alone[2];
	pid_t pid;
	char c;

	ASSERT_OK(pipe2(go, O_CLOEXEC));
	ASSERT_OK(pipe2(alone, O_CLOEXEC));
	pid = ASSERT_OK(kc_fork());
	if (pid == 0) {
		close(go[1]);
		close(alone[0]);
		if (read(go[0], &c, 1) < 0)
			_exit(1);
		execute("sleep", "1000", alone[1]);
	}
	CLEANUP(kill_and_reap, pid);
	close(alone[1]);
	fd.fd = ASSERT_OK(pidfd_open_(pid, 0));
	close(go[1]);
	wait_for_program(alone[0]);
	EXPECT_EQ(poll(&fd, 1, 0), 0);
	expect_pidfd_of(fd.fd, pid);
}

KCASE_MAIN
