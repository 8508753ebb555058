/* SPDX-License-Identifier: GPL-2.0-only */
/* One program at a time: started, listened to, ended with all that it left. */
#ifndef KH_JOB_H
#define KH_JOB_H

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "plan.h"
#include "setup.h"
#include "spawn.h"
#include "standby.h"
#include "stream.h"
#include "wire.h"
#include "witness.h"

#define STUCK_NS 5000000000ull	/* without any process that ends */

static struct job {
	int active, killed, status, ended, disposable;
	uint32_t seq;
	pid_t pid;
	int in;			/* standard input's write end, or the terminal */
	uint32_t leftovers, settle_ms;
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

/* From here on the program is what the agent listens to. */
static void job_adopt(const struct plan *p, uint32_t seq, const struct ends *e, pid_t pid)
{
	job.active = 1;
	job.killed = job.ended = 0;
	job.leftovers = 0;
	job.disposable = !!(p->flags & RUN_DISPOSABLE);
	job.pid = pid;
	job.seq = seq;
	job.settle_ms = p->settle_ms;
	job.in = e->in[1];
	stream_start(&job.out, e->out[0], seq, p->head, p->tail);
	stream_start(&job.err, e->err[0], seq, p->head, p->tail);
	put32(wire_payload(), pid);
	wire_send(STARTED, seq, 4);
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
	if (plan_take(&plan, f) != 0) {
		wire_error(f->seq, EINVAL, "RUN is malformed");
		return;
	}
	if (plan.flags == (RUN_STANDBY | RUN_DISPOSABLE) && plan.argv[1] && !plan.argv[2] &&
	    standby_take(&plan, &ends, &pid)) {
		job.started = now_ns();
		job_adopt(&plan, f->seq, &ends, pid);
		return;
	}
	plan.flags &= ~RUN_STANDBY;
	if (!(plan.flags & (RUN_KEEP_TMP | RUN_DISPOSABLE)))
		fresh_tmp();
	job.started = now_ns();
	error = spawn(&plan, &ends, &pid);
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

/* The program has ended: kill what it left, send what it wrote, report. */
static void job_finish(void)
{
	uint64_t wall = now_ns() - job.started;
	uint32_t stuck = 0, marked, tainted;
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
	/* A report may come after the end of what caused it. */
	if (job.settle_ms) {
		struct timespec nap = { job.settle_ms / 1000, job.settle_ms % 1000 * 1000000 };

		nanosleep(&nap, NULL);
	}
	marked = mark_console(job.seq);
	tainted = taint();
	p = wire_payload();
	p = put32(put32(p, job.status), job.killed | marked);
	p = put64(put64(p, microseconds(job.usage.ru_utime)), microseconds(job.usage.ru_stime));
	p = put64(put64(p, job.usage.ru_maxrss), wall);
	p = put64(put64(p, job.out.total), job.err.total);
	p = put32(put32(p, job.leftovers), stuck);
	p = put32(put32(p, taint_told), tainted);
	taint_told = tainted;
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
