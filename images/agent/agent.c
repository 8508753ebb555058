// SPDX-License-Identifier: GPL-2.0-only
/*
 * The agent: process 1 of a guest. Runs one program at a time for the host
 * and reports; docs/protocol.md has the conversation.
 *
 * It needs nothing of the kernel that a case might be testing: no /proc, no
 * network, no disk, and no memory beyond what it starts with.
 */
#include <linux/random.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "job.h"
#include "setup.h"
#include "state.h"
#include "transfer.h"
#include "wire.h"

static void __attribute__((noreturn)) stop(const char *words)
{
	if (words)
		say(words);
	sync();
	/* QEMU runs with -no-reboot: this ends it. */
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

static void hello(const char *channel)
{
	struct utsname names = { 0 };
	struct sysinfo info = { 0 };
	uint8_t *p = wire_payload();

	uname(&names);
	sysinfo(&info);
	p = put32(put32(p, WIRE_MAX), sysconf(_SC_PAGESIZE));
	p = put64(p, (uint64_t)info.totalram * info.mem_unit / 1024);
	p = put32(p, get_nprocs_conf());
	p = put_string(p, channel);
	p = put_string(put_string(p, names.sysname), names.release);
	p = put_string(put_string(p, names.version), names.machine);
	wire_send(HELLO, 0, p - wire_payload());
}

/* The clock, and random numbers that no other guest of the same template draws. */
static void synchronise(const struct frame *f)
{
	struct { struct rand_pool_info info; uint8_t data[256]; } pool = { 0 };
	uint64_t ns = f->len >= 8 ? get64(f->data) : 0;
	size_t size = f->len >= 8 ? f->len - 8 : 0;
	struct timespec t = { ns / 1000000000, ns % 1000000000 };
	static int fd = -1;
	uint32_t done = 0;

	if (ns && clock_settime(CLOCK_REALTIME, &t) == 0)
		done |= 1;
	if (size > sizeof(pool.data))
		size = sizeof(pool.data);
	/* Kept open: the way to a file is long for a fork that has to translate it. */
	if (fd < 0)
		fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);
	if (fd >= 0 && size) {
		pool.info.buf_size = size;
		pool.info.entropy_count = size * 8;
		memcpy(pool.info.buf, f->data + 8, size);
		if (ioctl(fd, RNDADDENTROPY, &pool) == 0 && ioctl(fd, RNDRESEEDCRNG) == 0)
			done |= 2;
	}
	put32(put64(wire_payload(), now_ns()), done);
	wire_send(SYNCED, f->seq, 12);
}

static void resize(const struct frame *f)
{
	struct winsize size = { 0 };

	if (!job.active || job.in != job.out.fd || f->len != 4)
		return;
	size.ws_row = f->data[0] | f->data[1] << 8;
	size.ws_col = f->data[2] | f->data[3] << 8;
	ioctl(job.in, TIOCSWINSZ, &size);
}

static void dispatch(const struct frame *f)
{
	switch (f->type) {
	case RUN:
		job_start(f);
		break;
	case STANDBY:
		standby_start(f);
		break;
	case STDIN:
		job_input(f);
		break;
	case WINSIZE:
		resize(f);
		break;
	case KILL:
		if (job.active && job.seq == f->seq) {
			job.killed = 1;
			kill(-1, SIGKILL);
		}
		break;
	case PUSH:
		push_start(f);
		break;
	case PUSH_DATA:
		push_data(f);
		break;
	case PUSH_END:
		push_end(f);
		break;
	case PULL:
		pull(f);
		break;
	case SYNC:
		synchronise(f);
		break;
	case STATUS:
		tell_state(f);
		break;
	case POWEROFF:
		stop(NULL);
	default:
		stop("kharness-agent: the host sent an unknown frame\n");
	}
}

static void on_child(int sig)
{
	(void)sig; /* only there to end ppoll() */
}

static void serve(void)
{
	struct sigaction act = { .sa_handler = on_child };
	sigset_t blocked, open;
	struct frame f;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, &open);
	sigdelset(&open, SIGCHLD);
	sigaction(SIGCHLD, &act, NULL);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		struct pollfd fds[3] = {
			{ .fd = wire_fd, .events = POLLIN },
			{ .fd = job.out.fd, .events = POLLIN },
			{ .fd = job.err.fd, .events = POLLIN },
		};
		struct timespec nap = { .tv_nsec = 20000000 };
		int frames;

		ppoll(fds, 3, NULL, &open);
		job_reap();
		if (fds[1].revents && stream_read(&job.out) < 0) {
			/* A terminal is read until the program has ended: it is stdin too. */
			if (job.in != job.out.fd)
				close(job.out.fd);
			job.out.fd = -1;
		}
		if (fds[2].revents && stream_read(&job.err) < 0) {
			close(job.err.fd);
			job.err.fd = -1;
		}
		if (job.active && job.ended)
			job_finish();
		if (!fds[0].revents)
			continue;
		if (!(fds[0].revents & POLLIN))
			nanosleep(&nap, NULL); /* POLLHUP: the host's end is closed */
		if (wire_read() < 0)
			stop("kharness-agent: the channel broke\n");
		while ((frames = wire_next(&f)) > 0)
			dispatch(&f);
		if (frames < 0)
			stop("kharness-agent: the host broke the protocol\n");
	}
}

int main(void)
{
	const struct sched_param first = { .sched_priority = 1 };
	const char *channel;

	umask(0);
	mount_all();
	umask(022);
	/* The memory that a case fills, and the CPU that it burns, must not be the agent's. */
	mlockall(MCL_CURRENT | MCL_FUTURE);
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first) != 0)
		setpriority(PRIO_PROCESS, 0, -20);
	channel = open_channel(&wire_fd);
	if (!channel)
		stop("kharness-agent: no usable channel\n");
	hello(channel);
	mark_console(0);
	taint_told = taint();
	serve();
}
