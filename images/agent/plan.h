/* SPDX-License-Identifier: GPL-2.0-only */
/* What the host asks for with RUN and STANDBY: a program and how it is to run. */
#ifndef KH_PLAN_H
#define KH_PLAN_H

#include "wire.h"

#define RUN_PTY 1
#define RUN_WRITABLE_ROOT 2
#define RUN_KEEP_TMP 4
#define RUN_STDIN 8
#define RUN_DISPOSABLE 16
#define RUN_STANDBY 32
#define RUN_MERGED 64
#define ARGS_MAX 256

struct plan {
	uint32_t flags, head, tail, uid, gid, settle_ms;
	uint16_t rows, cols;
	char *cwd, *argv[ARGS_MAX + 1], *env[ARGS_MAX + 1];
};

/* 0, or -1 where the frame is malformed. */
static int plan_take(struct plan *p, const struct frame *f)
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
	p->settle_ms = take32(&c);
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

#endif
