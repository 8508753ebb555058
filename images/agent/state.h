/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel tells of itself and of a case's processes, where there is a /proc. */
#ifndef KH_STATE_H
#define KH_STATE_H

#include <stdlib.h>

#include "job.h"
#include "wire.h"

#define TASKS_MAX 64

struct task {
	int pid, tid;
};

static int read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	return n;
}

/* Calls `each` for every entry of a folder whose name is a number; nothing is allocated. */
static void each_number(const char *path, void (*each)(int number, void *arg), void *arg)
{
	static char rooms[2][4096] __attribute__((aligned(8)));
	static int depth;
	char *room = rooms[depth];
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long n;

	if (fd < 0)
		return;
	depth++;
	while ((n = syscall(SYS_getdents64, fd, room, sizeof(rooms[0]))) > 0)
		for (long at = 0; at < n;) {
			/* struct linux_dirent64: u64, s64, u16 length, u8 type, name (getdents(2)). */
			unsigned short size;
			int number = atoi(room + at + 19);

			memcpy(&size, room + at + 16, sizeof(size));
			if (number > 0)
				each(number, arg);
			at += size;
		}
	depth--;
	close(fd);
}

static struct task tasks[TASKS_MAX];
static int task_count;

/* "task TID of PID STATE USER SYSTEM WCHAN NAME": one line, for the host. */
static void tell_task(int tid, void *arg)
{
	int pid = *(int *)arg;
	char path[64], text[1024], wchan[64], *name, *end;
	unsigned long user = 0, system = 0;
	char state = '?';
	int parent = 0, n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	if (read_file(path, text, sizeof(text)) <= 0)
		return;
	name = strchr(text, '(');
	end = strrchr(text, ')');
	if (!name || !end || end < name)
		return;
	*end = 0;
	for (char *c = ++name; *c; c++)
		if (*c < '!' || *c > '~')
			*c = '?';
	/* Fields 3, 4, 14 and 15 (proc(5), /proc/pid/stat). */
	sscanf(end + 2, "%c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &state, &parent, &user,
	       &system);
	if (parent == 2 || task_count == TASKS_MAX)
		return;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/wchan", pid, tid);
	if (read_file(path, wchan, sizeof(wchan)) <= 0 || wchan[0] == '0')
		strcpy(wchan, "-");
	tasks[task_count++] = (struct task){ pid, tid };
	n = sprintf((char *)wire_payload(), "task %d of %d %c %lu %lu %s %s\n", tid, pid, state, user,
		    system, wchan, *name ? name : "?");
	wire_send(STATE, job.seq, n);
}

static void tell_process(int pid, void *unused)
{
	char path[64];

	(void)unused;
	if (pid <= 2 || standby_by_pid(pid))
		return;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	each_number(path, tell_task, &pid);
}

static void tell_stack(const struct task *t)
{
	char path[64], *text = (char *)wire_payload();
	int n = sprintf(text, "stack %d\n", t->tid), m;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stack", t->pid, t->tid);
	m = read_file(path, text + n, 4096);
	if (m > 0)
		wire_send(STATE, job.seq, n + m);
}

/*
 * What the processes of the case do. Their states go out before anything is
 * asked whose answer may wait for a lock that one of them holds.
 */
static void tell_state(const struct frame *f)
{
	if (!job.active || job.seq != f->seq)
		return;
	task_count = 0;
	each_number("/proc", tell_process, NULL);
	/* The first empty one: all tasks are told. The second: all stacks. */
	wire_send(STATE, job.seq, 0);
	for (int n = 0; n < task_count; n++)
		tell_stack(&tasks[n]);
	wire_send(STATE, job.seq, 0);
}

#endif
