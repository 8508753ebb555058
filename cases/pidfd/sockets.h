/* SPDX-License-Identifier: GPL-2.0-only */
/* Sockets that tell who is at the other end. */
#ifndef CASES_PIDFD_SOCKETS_H
#define CASES_PIDFD_SOCKETS_H

#include <sys/socket.h>
#include <sys/un.h>

#include "kcase.h"

#define SOCKETS NEEDS_CONFIG(UNIX)
#define PEERS SOCKETS NEEDS_PROBE(peer_pidfd)

/* asm-generic/socket.h, linux/socket.h; 6.5 */
#define SO_PASSPIDFD_ 76
#define SO_PEERPIDFD_ 77
#define SCM_PIDFD_ 4

#define PROBE_PEER_PIDFD							\
	PROBE(peer_pidfd, 6, 5, "commit 7b26952a91cf")				\
	{									\
		return tells_peer();						\
	}

static inline bool tells_peer(void)
{
	int sockets[2], fd = -1;
	socklen_t size = sizeof(fd);
	bool there;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0)
		return false;
	there = getsockopt(sockets[0], SOL_SOCKET, SO_PEERPIDFD_, &fd, &size) == 0;
	close(fd);
	close(sockets[0]);
	close(sockets[1]);
	return there;
}

/* A listening socket and who connects to it, in a child that stays. */
static inline void connect_to(void *name)
{
	int fd = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

	ASSERT_OK(connect(fd, (struct sockaddr *)name, sizeof(struct sockaddr_un)));
}

static inline int listening(struct sockaddr_un *name)
{
	int fd = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

	memset(name, 0, sizeof(*name));
	name->sun_family = AF_UNIX;
	snprintf(name->sun_path + 1, sizeof(name->sun_path) - 1, "kharness-%d", getpid());
	ASSERT_OK(bind(fd, (struct sockaddr *)name, sizeof(*name)));
	ASSERT_OK(listen(fd, 4));
	return fd;
}

/* The pidfd that comes with one byte. */
static inline int pidfd_with_byte(int socket)
{
	char text[8], control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec data = { text, sizeof(text) };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	int pidfd = -1;

	ASSERT_EQ(recvmsg(socket, &message, 0), 1);
	ASSERT_TRUE(CMSG_FIRSTHDR(&message) != NULL);
	EXPECT_EQ(CMSG_FIRSTHDR(&message)->cmsg_type, SCM_PIDFD_);
	memcpy(&pidfd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(pidfd));
	/* As every pidfd, whatever the flags of recvmsg(2) say. */
	EXPECT_EQ(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
	return pidfd;
}

/* What of all that may come with one byte did come. */
struct brought {
	int pidfd, fd;		/* -1 where there is none */
	struct ucred who;	/* pid -1 where there are no credentials */
};

static inline struct brought take_all(int socket, int flags)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred)) +
					      2 * CMSG_SPACE(sizeof(int))];
	char c;
	struct iovec data = { &c, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct brought b = { -1, -1, { .pid = -1 } };

	ASSERT_EQ(ASSERT_OK(recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC)), 1);
	EXPECT_EQ(message.msg_flags & MSG_CTRUNC, 0);
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&message); h; h = CMSG_NXTHDR(&message, h)) {
		if (h->cmsg_type == SCM_PIDFD_)
			memcpy(&b.pidfd, CMSG_DATA(h), sizeof(b.pidfd));
		else if (h->cmsg_type == SCM_RIGHTS)
			memcpy(&b.fd, CMSG_DATA(h), sizeof(b.fd));
		else if (h->cmsg_type == SCM_CREDENTIALS)
			memcpy(&b.who, CMSG_DATA(h), sizeof(b.who));
	}
	return b;
}

#endif
