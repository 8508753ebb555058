/* SPDX-License-Identifier: GPL-2.0-only */
/* One program at a time: started, listened to, ended with all that it left. */
#ifndef KH_JOB_H
#define KH_JOB_H

#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "setup.h"
#include "wire.h"

#define RUN_PTY 1
#define RUN_WRITABLE_ROOT 2
#define RUN_KEEP_TMP 4
#define RUN_STDIN 8
#define RUN_DISPOSABLE 16
#define RUN_STANDBY 32
#define STANDBY_MAX 64
#define EXITED_MARKED 2
#define TAIL_MAX 65536
#define CHUNK 16384
#define STUCK_NS 5000000000ull	/* without any process that ends */
#define ARGS_MAX 256

/* One output stream: the first bytes go out at once, of the rest the last are kept. */
struct stream {
	int fd;
	uint8_t type;
	uint64_t total;
	uint32_t head;		/* bytes that may still go out at once */
	uint32_t tail;		/* size of the ring in use */
	uint64_t ringed;	/* bytes that went into the ring */
	uint8_t ring[TAIL_MAX];
};

static struct job {
	int active, killed, status, ended, disposable;
	uint32_t seq;
	pid_t pid;
	int in;			/* standard input's write end, or the terminal */
	uint32_t leftovers;
	uint64_t started;
	struct rusage usage;
	struct stream out, err;
} job = { .in = -1, .out = { .fd = -1, .type = STDOUT }, .err = { .fd = -1, .type = STDERR } };

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void stream_start(struct stream *s, int fd, uint32_t head, uint32_t tail)
{
	s->fd = fd;
	s->total = s->ringed = 0;
	s->head = head;
	s->tail = tail < TAIL_MAX ? tail : TAIL_MAX;
}

static void stream_keep(struct stream *s, const uint8_t *p, size_t n)
{
	if (!s->tail)
		return;
	while (n) {
		size_t at = s->ringed % s->tail, k = s->tail - at < n ? s->tail - at : n;

		memcpy(s->ring + at, p, k);
		s->ringed += k;
		p += k;
		n -= k;
	}
}

/* 1 something came, 0 nothing now, -1 the end. */
static int stream_read(struct stream *s)
{
	uint8_t *p = wire_payload();
	ssize_t n = read(s->fd, p, CHUNK);
	size_t first;

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
	s->total += n;
	first = (size_t)n < s->head ? (size_t)n : s->head;
	s->head -= first;
	stream_keep(s, p + first, n - first);
	if (first && wire_send(s->type, job.seq, first) != 0)
		return -1;
	return 1;
}

static void stream_end(struct stream *s)
{
	uint64_t kept = s->ringed < s->tail ? s->ringed : s->tail;

	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	for (uint64_t i = s->ringed - kept; i < s->ringed;) {
		size_t at = i % s->tail, n = s->tail - at;

		if (n > s->ringed - i)
			n = s->ringed - i;
		if (n > CHUNK)
			n = CHUNK;
		memcpy(wire_payload(), s->ring + at, n);
		wire_send(s->type, job.seq, n);
		i += n;
	}
}

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

struct plan {
	uint32_t flags, head, tail, uid, gid;
	uint16_t rows, cols;
	char *cwd, *argv[ARGS_MAX + 1], *env[ARGS_MAX + 1];
};

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
job_child(const struct plan *p, int in, int out, int err, int report)
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
	dup2(err, 2);
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

static int job_plan(struct plan *p, const struct frame *f)
{
	static char text[WIRE_MAX + 2 * ARGS_MAX + 16];
	static char *usual[] = { "PATH=/bin:/sbin:/usr/bin:/usr/sbin", "HOME=/tmp", "TERM=dumb" };
	struct cursor c = { f->data, f->data + f->len, 0 };
	char *at = text, *end = text + sizeof(text);
	unsigned int n;

	p->flags = take32(&c);
	p->head = take32(&c);
	p->tail = take32(&c);
	p->uid = take32(&c);
	p->gid = take32(&c);
	p->rows = take16(&c);
	p->cols = take16(&c);
	p->cwd = take_string(&c, &at, end);
	n = take16(&c);
	if (n < 1 || n > ARGS_MAX)
		return -1;
	for (unsigned int i = 0; i < n; i++)
		p->argv[i] = take_string(&c, &at, end);
	p->argv[n] = NULL;
	n = take16(&c);
	if (n > ARGS_MAX)
		return -1;
	for (unsigned int i = 0; i < n; i++)
		p->env[i] = take_string(&c, &at, end);
	p->env[n] = NULL;
	if (n == 0)
		memcpy(p->env, usual, sizeof(usual)), p->env[3] = NULL;
	return c.bad ? -1 : 0;
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
static int job_spawn(const struct plan *p, struct ends *e, pid_t *pid)
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
		job_child(p, e->in[0], e->out[1], e->err[1], report[1]);
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

/* From here on the program is what the agent listens to. */
static void job_adopt(const struct plan *p, uint32_t seq, const struct ends *e, pid_t pid)
{
	job.active = 1;
	job.killed = job.ended = 0;
	job.leftovers = 0;
	job.disposable = !!(p->flags & RUN_DISPOSABLE);
	job.pid = pid;
	job.seq = seq;
	job.in = e->in[1];
	stream_start(&job.out, e->out[0], p->head, p->tail);
	stream_start(&job.err, e->err[0], p->head, p->tail);
	put32(wire_payload(), pid);
	wire_send(STARTED, seq, 4);
}

/*
 * Programs that were started while the template was made and wait for the name
 * of a case on standard input: a fork has no exec to do, whose code QEMU would
 * have to translate anew.
 */
static struct standby {
	char path[128];
	struct ends ends;
	pid_t pid;
} standbys[STANDBY_MAX];

static struct {
	sem_t wanted, done;
	struct plan plan;
	struct ends ends;
	pid_t pid;
	int error;
} starter;

/*
 * They are children of a thread of their own: so wait4() with __WNOTHREAD tells
 * the main thread whether a case left anybody, and whom nobody else owns is
 * the main thread's child (kernel/exit.c, find_new_reaper).
 */
static void *starter_main(void *unused)
{
	(void)unused;
	/* This thread's mounts outlive every program, so none has them to dismantle. */
	own_mounts(0);
	for (;;) {
		if (sem_wait(&starter.wanted) != 0)
			continue;
		starter.error = job_spawn(&starter.plan, &starter.ends, &starter.pid);
		sem_post(&starter.done);
	}
	return NULL;
}

static int starter_begin(void)
{
	static uint8_t stack[65536] __attribute__((aligned(4096)));
	pthread_attr_t attr;
	pthread_t thread;

	sem_init(&starter.wanted, 0, 0);
	sem_init(&starter.done, 0, 0);
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, stack, sizeof(stack));
	return pthread_create(&thread, &attr, starter_main, NULL);
}

static struct standby *standby_by_pid(pid_t pid)
{
	for (struct standby *s = standbys; s < standbys + STANDBY_MAX; s++)
		if (s->pid == pid)
			return s;
	return NULL;
}

static void standby_start(const struct frame *f)
{
	struct standby *s = standby_by_pid(0);
	static int started;

	if (job_plan(&starter.plan, f) != 0 ||
	    strlen(starter.plan.argv[0]) >= sizeof(s->path)) {
		wire_error(f->seq, EINVAL, "STANDBY is malformed");
		return;
	}
	if (!s || (!started && starter_begin() != 0)) {
		wire_error(f->seq, ENOSPC, "no room for another program");
		return;
	}
	started = 1;
	starter.plan.flags = RUN_STDIN | RUN_STANDBY;
	sem_post(&starter.wanted);
	while (sem_wait(&starter.done) != 0)
		;
	if (starter.error) {
		wire_error(f->seq, starter.error, starter.plan.argv[0]);
		return;
	}
	strcpy(s->path, starter.plan.argv[0]);
	s->pid = starter.pid;
	s->ends = starter.ends;
	put32(wire_payload(), s->pid);
	wire_send(STARTED, f->seq, 4);
}

/* Hands a case to the program that waits for it; 0 when none does. */
static int standby_take(const struct plan *p, uint32_t seq)
{
	for (struct standby *s = standbys; s < standbys + STANDBY_MAX; s++) {
		char name[256];
		int n;

		if (s->pid <= 0 || strcmp(s->path, p->argv[0]) != 0)
			continue;
		n = snprintf(name, sizeof(name), "%s\n", p->argv[1]);
		if (n >= (int)sizeof(name) || write(s->ends.in[1], name, n) != n)
			return 0;
		close_end(&s->ends.in[1]);
		job.started = now_ns();
		job_adopt(p, seq, &s->ends, s->pid);
		s->pid = -1;
		return 1;
	}
	return 0;
}

static void job_start(const struct frame *f)
{
	static struct plan plan;
	struct ends ends;
	int error;
	pid_t pid;

	if (job.active) {
		wire_error(f->seq, EBUSY, "a program runs already");
		return;
	}
	if (job_plan(&plan, f) != 0) {
		wire_error(f->seq, EINVAL, "RUN is malformed");
		return;
	}
	if (plan.flags == (RUN_STANDBY | RUN_DISPOSABLE) && plan.argv[1] && !plan.argv[2] &&
	    standby_take(&plan, f->seq))
		return;
	plan.flags &= ~RUN_STANDBY;
	if (!(plan.flags & (RUN_KEEP_TMP | RUN_DISPOSABLE)))
		fresh_tmp();
	job.started = now_ns();
	error = job_spawn(&plan, &ends, &pid);
	if (error)
		wire_error(f->seq, error, plan.argv[0]);
	else
		job_adopt(&plan, f->seq, &ends, pid);
}

/* Takes the status of every process that ended; 0 when no child is left at all. */
static int job_reap(void)
{
	struct rusage usage;
	int status;
	pid_t pid;

	while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
		if (job.active && pid == job.pid) {
			job.ended = 1;
			job.status = status;
			job.usage = usage;
		} else if (standby_by_pid(pid)) {
			standby_by_pid(pid)->pid = -1;
		} else if (job.active && job.ended) {
			job.leftovers++;
		}
	}
	return pid == 0;
}

static uint64_t microseconds(struct timeval t)
{
	return t.tv_sec * 1000000ull + t.tv_usec;
}

/*
 * Kills everybody. Process 1 itself is not signalled by this (kill(2)), and
 * whoever loses its parent becomes our child: no child means that nobody is
 * left. Returns 1 when somebody does not die.
 */
static int job_kill_all(void)
{
	struct timespec nap = { .tv_nsec = 2000000 };
	uint64_t until = now_ns() + STUCK_NS;
	uint32_t before = job.leftovers;

	for (;;) {
		kill(-1, SIGKILL);
		if (!job_reap())
			return 0;
		/* Hundreds may have to go; as long as some do, it goes on. */
		if (job.leftovers != before)
			until = now_ns() + STUCK_NS;
		before = job.leftovers;
		if (now_ns() > until)
			return 1;
		nanosleep(&nap, NULL);
		/* A writer that dies may be waiting for room. */
		stream_read(&job.out);
		if (job.err.fd >= 0)
			stream_read(&job.err);
	}
}

/* Whether the program left anybody; programs that stand by do not count. */
static int job_left_somebody(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WNOTHREAD) == 0;
}

/*
 * The console may be behind what the kernel has said: whoever holds its lock
 * prints for all, later, and a line without its end waits for the next. If anything was said since the last time, a mark goes
 * after it, and the host waits until it has seen that. Returns EXITED's flag.
 */
static uint32_t mark_console(void)
{
	static char record[8192];
	static int fd = -2;
	int n;

	if (fd == -2) {
		fd = open("/dev/kmsg", O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0)
			lseek(fd, 0, SEEK_END);
		return 0;
	}
	/* EAGAIN: nothing. EPIPE: so much that the first of it is lost already. */
	if (fd < 0 || (read(fd, record, sizeof(record)) < 0 && errno != EPIPE))
		return 0;
	n = snprintf(record, sizeof(record), "<1>kharness: end of job %u\n", job.seq);
	if (write(fd, record, n) != n)
		return 0;
	lseek(fd, 0, SEEK_END);
	return EXITED_MARKED;
}

/* The program has ended: kill what it left, send what it wrote, report. */
static void job_finish(void)
{
	uint64_t wall = now_ns() - job.started;
	uint32_t stuck = 0, marked;
	uint8_t *p;

	if (!job.disposable || job_left_somebody())
		stuck = job_kill_all();
	while (stream_read(&job.out) > 0)
		;
	while (job.err.fd >= 0 && stream_read(&job.err) > 0)
		;
	if (job.in >= 0 && job.in != job.out.fd)
		close(job.in);
	job.in = -1;
	stream_end(&job.out);
	stream_end(&job.err);
	marked = mark_console();
	p = wire_payload();
	p = put32(put32(p, job.status), job.killed | marked);
	p = put64(put64(p, microseconds(job.usage.ru_utime)), microseconds(job.usage.ru_stime));
	p = put64(put64(p, job.usage.ru_maxrss), wall);
	p = put64(put64(p, job.out.total), job.err.total);
	p = put32(put32(p, job.leftovers), stuck);
	job.active = 0;
	wire_send(EXITED, job.seq, p - wire_payload());
}

static void job_input(const struct frame *f)
{
	const uint8_t *p = f->data;
	size_t n = f->len;

	if (!job.active || job.in < 0)
		return;
	if (n == 0 && job.in != job.out.fd) {
		close(job.in);
		job.in = -1;
	}
	while (n) {
		ssize_t w = write(job.in, p, n);

		if (w <= 0)
			break; /* the program does not read: what it does not take is lost */
		p += w;
		n -= w;
	}
}

#endif
