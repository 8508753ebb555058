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

KCASE_MAIN
