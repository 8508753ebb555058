/* SPDX-License-Identifier: GPL-2.0-only */
/* Starting a program: its standard streams, its mounts, and what the child does before it. */
#ifndef KH_SPAWN_H
#define KH_SPAWN_H

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>

#include "plan.h"

static void close_all_but(int keep)
{
	/* 5.9 and later; older kernels get the loop. */
	if (syscall(SYS_close_range, 3u, keep - 1u, 0u) == 0 &&
	    syscall(SYS_close_range, keep + 1u, ~0u, 0u) == 0)
		return;
	for (int fd = 3; fd < 4096; fd++)
		if (fd != keep)
			close(fd);
}

/* Mounts made by the program go with it, and what others see stays as it was. */
static void own_mounts(uint32_t flags)
{
	if (!(flags & RUN_DISPOSABLE) && unshare(CLONE_NEWNS) != 0)
		return;
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	if (!(flags & RUN_WRITABLE_ROOT))
		mount(NULL, "/", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL);
}

/* What the child does before the program; a failure goes up the pipe `report`. */
static void __attribute__((noreturn))
become(const struct plan *p, int in, int out, int err, int report)
{
	struct rlimit none = { 0, 0 };
	sigset_t all;
	int error;

	setsid();
	setpriority(PRIO_PROCESS, 0, 0);
	for (int n = 1; n < NSIG; n++)
		signal(n, SIG_DFL);
	sigemptyset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (report < 10) {
		report = fcntl(report, F_DUPFD_CLOEXEC, 10);
	}
	dup2(in, 0);
	dup2(out, 1);
	dup2(p->flags & RUN_MERGED ? out : err, 2);
	close_all_but(report);
	if (p->flags & RUN_PTY)
		ioctl(0, TIOCSCTTY, 0);
	setrlimit(RLIMIT_CORE, &none);
	if (!(p->flags & RUN_STANDBY))
		own_mounts(p->flags);
	if (chdir(p->cwd) != 0 && chdir("/") != 0)
		goto failed;
	if (p->gid || p->uid)
		if (setgroups(0, NULL) != 0 || setgid(p->gid) != 0 || setuid(p->uid) != 0)
			goto failed;
	execve(p->argv[0], p->argv, p->env);
failed:
	error = errno;
	if (write(report, &error, sizeof(error)) < 0)
		_exit(126);
	_exit(127);
}

/* Opens a terminal pair; the child's end comes back, the agent's in *ours. */
static int open_terminal(const struct plan *p, int *ours)
{
	struct winsize size = { .ws_row = p->rows, .ws_col = p->cols };
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	char *name;

	if (fd < 0)
		return -1;
	name = grantpt(fd) == 0 && unlockpt(fd) == 0 ? ptsname(fd) : NULL;
	*ours = fd;
	ioctl(fd, TIOCSWINSZ, &size);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return name ? open(name, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
}

/* A program's ends: what it was given, and the agent's ends of the same. */
struct ends {
	int in[2], out[2], err[2];	/* read end, write end; in: ours is [1] */
};

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int open_ends(const struct plan *p, struct ends *e)
{
	if (p->flags & RUN_PTY) {
		e->in[0] = e->out[1] = e->err[1] = open_terminal(p, &e->in[1]);
		e->out[0] = e->in[1];
		return e->in[0] < 0 ? errno : 0;
	}
	if (pipe2(e->out, O_CLOEXEC) != 0 || pipe2(e->err, O_CLOEXEC) != 0)
		return errno;
	fcntl(e->out[0], F_SETFL, O_NONBLOCK);
	fcntl(e->err[0], F_SETFL, O_NONBLOCK);
	if (!(p->flags & RUN_STDIN)) {
		e->in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		return 0;
	}
	if (pipe2(e->in, O_CLOEXEC) != 0)
		return errno;
	fcntl(e->in[1], F_SETFL, O_NONBLOCK);
	return 0;
}

/* Starts a program; the agent's ends are left in `e`. 0, or an errno, and then nothing is left. */
static int spawn(const struct plan *p, struct ends *e, pid_t *pid)
{
	int report[2] = { -1, -1 }, error;

	*e = (struct ends){ { -1, -1 }, { -1, -1 }, { -1, -1 } };
	*pid = -1;
	error = pipe2(report, O_CLOEXEC) == 0 ? open_ends(p, e) : errno;
	if (!error) {
		*pid = fork();
		error = *pid < 0 ? errno : 0;
	}
	if (*pid == 0)
		become(p, e->in[0], e->out[1], e->err[1], report[1]);
	close_end(&report[1]);
	if (p->flags & RUN_PTY)
		e->out[1] = e->err[1] = -1;
	close_end(&e->in[0]);
	close_end(&e->out[1]);
	close_end(&e->err[1]);
	/* The pipe closes when the program has taken over, or brings what failed. */
	if (!error && read(report[0], &error, sizeof(error)) != sizeof(error))
		error = 0;
	close_end(&report[0]);
	if (error) {
		if (*pid > 0)
			waitpid(*pid, NULL, 0);
		if (p->flags & RUN_PTY)
			e->out[0] = -1;
		close_end(&e->in[1]);
		close_end(&e->out[0]);
		close_end(&e->err[0]);
	}
	return error;
}

#endif
