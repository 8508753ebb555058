// SPDX-License-Identifier: GPL-2.0-only
/* Process 1 of a guest that speaks the protocol, and lies: rdinit=/case/liar kh_lie=WAY. */
#include <stdlib.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "../../images/agent/setup.h"
#include "../../images/agent/wire.h"

static void hello(void)
{
	uint8_t *p = wire_payload();

	p = put32(put32(p, WIRE_MAX), 4096);
	p = put32(put64(p, 65536), 1);
	p = put_string(put_string(put_string(p, "virtio"), "Linux"), getenv("kh_release"));
	p = put_string(put_string(p, "#1"), "x86_64");
	wire_send(HELLO, 0, p - wire_payload());
}

static void started(uint32_t seq)
{
	put32(wire_payload(), 77);
	wire_send(STARTED, seq, 4);
}

static void ended(uint32_t seq)
{
	memset(wire_payload(), 0, 72);
	wire_send(EXITED, seq, 72);
}

static void text(uint8_t type, uint32_t seq, size_t size)
{
	memset(wire_payload(), 'x', size);
	wire_send(type, seq, size);
}

static void lie(const char *way, const struct frame *f)
{
	static const char names[] = "ok 1 \033]0;owned\007\033[2Jother\n";

	if (f->type != RUN && f->type != PULL)
		return;
	if (f->type == RUN)
		started(f->seq);
	if (!strcmp(way, "garbage")) {
		for (int n = 0; n < 300; n++)
			wire_payload()[n] = n * 7;
		wire_write(wire_payload(), 300);
	} else if (!strcmp(way, "replay")) {
		ended(f->seq);
		ended(f->seq);
	} else if (!strcmp(way, "other")) {
		ended(f->seq + 40);
	} else if (!strcmp(way, "unasked")) {
		text(PULL_DATA, f->seq, 10);
	} else if (!strcmp(way, "state")) {
		text(STATE, f->seq, 10);
	} else if (!strcmp(way, "hello")) {
		hello();
	} else if (!strcmp(way, "huge")) {
		uint8_t head[WIRE_HEADER] = { 0xc5, 'K', WIRE_VERSION, STDOUT };

		memset(head + 8, 0xff, 4);
		wire_write(head, sizeof(head));
	} else if (!strcmp(way, "short")) {
		wire_send(EXITED, f->seq, 5);
	} else if (!strcmp(way, "flood")) {
		for (;;)
			text(STDOUT, f->seq, WIRE_MAX);
	} else if (!strcmp(way, "names")) {
		memcpy(wire_payload(), names, sizeof(names) - 1);
		wire_send(STDOUT, f->seq, sizeof(names) - 1);
		ended(f->seq);
	} else if (!strcmp(way, "more")) {
		for (int n = 0; n < 40; n++)
			text(PULL_DATA, f->seq, 32768);
	} else if (!strcmp(way, "hash")) {
		text(PULL_DATA, f->seq, 100);
		memset(put64(wire_payload(), 100), 0, 36);
		wire_send(PULLED, f->seq, 44);
	}
}

int main(void)
{
	const char *channel;
	struct frame f;

	(void)fresh_tmp;
	mount_all();
	channel = open_channel(&wire_fd);
	if (!channel) {
		say("liar: no channel\n");
		return 1;
	}
	hello();
	for (;;) {
		struct pollfd fd = { .fd = wire_fd, .events = POLLIN };

		poll(&fd, 1, 100);
		if (wire_read() < 0)
			return 1;
		while (wire_next(&f) > 0)
			lie(getenv("kh_lie"), &f);
	}
}
