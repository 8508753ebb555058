/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs that were started while the template was made and wait for the name
 * of a case on standard input: a fork has no exec to do, whose code QEMU would
 * have to translate anew.
 */
#ifndef KH_STANDBY_H
#define KH_STANDBY_H

#include <pthread.h>
#include <semaphore.h>

#include "spawn.h"
#include "witness.h"

#define STANDBY_MAX 64

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
		starter.error = spawn(&starter.plan, &starter.ends, &starter.pid);
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

	if (plan_take(&starter.plan, f) != 0 ||
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
	taint_told = taint();
	s->pid = starter.pid;
	s->ends = starter.ends;
	put32(wire_payload(), s->pid);
	wire_send(STARTED, f->seq, 4);
}

/* Hands a case to the program that waits for it, which is the caller's then; 0 when none does. */
static int standby_take(const struct plan *p, struct ends *e, pid_t *pid)
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
		*e = s->ends;
		*pid = s->pid;
		s->pid = -1;
		return 1;
	}
	return 0;
}

#endif
