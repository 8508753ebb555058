// SPDX-License-Identifier: GPL-2.0-only
/* Programs that do what a case must not: hostile WAY. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	const char *way = argc > 1 ? argv[1] : "";
	static char block[65536];

	if (!strcmp(way, "close-all")) {
		for (int fd = 0; fd < 1024; fd++)
			close(fd);
		return 5;
	} else if (!strcmp(way, "fork-bomb")) {
		for (;;)
			if (fork() < 0)
				usleep(1000);
	} else if (!strcmp(way, "fill-memory")) {
		for (;;) {
			char *p = malloc(1 << 20);

			if (p)
				memset(p, 1, 1 << 20);
		}
	} else if (!strcmp(way, "fill-tmp")) {
		int fd = open("/tmp/full", O_CREAT | O_WRONLY, 0600);

		while (write(fd, block, sizeof(block)) > 0)
			;
		return errno == ENOSPC ? 0 : 1;
	} else if (!strcmp(way, "output")) {
		memset(block, 'x', sizeof(block));
		for (int n = 0; n < 1600; n++)
			if (write(1, block, sizeof(block)) != sizeof(block))
				return 1;
		puts("END");
		return 0;
	} else if (!strcmp(way, "kill-all")) {
		kill(-1, SIGKILL);
		return 6;
	} else if (!strcmp(way, "protocol")) {
		/* EXITED with status 0, as the agent would send it. */
		char frame[] = "\xc5K\x02\x44\x01\0\0\0\0\0\0\0\0\0\0\0";

		fwrite(frame, 1, sizeof(frame) - 1, stdout);
		return 3;
	} else if (!strcmp(way, "orphan")) {
		if (fork() == 0) {
			setsid();
			if (fork() == 0)
				for (;;)
					pause();
			return 0;
		}
		return 0;
	} else if (!strcmp(way, "spin")) {
		for (;;)
			;
	} else if (!strcmp(way, "reboot")) {
		reboot(RB_AUTOBOOT);
	} else if (!strcmp(way, "crash")) {
		int fd = open("/proc/sysrq-trigger", O_WRONLY);

		if (write(fd, "c", 1) != 1)
			return 1;
	} else if (!strcmp(way, "mark")) {
		/* Leaves a trace in the kernel, and tells whether there was one. */
		char name[65] = "";
		FILE *f = fopen("/proc/sys/kernel/domainname", "r+");

		if (!f || fscanf(f, "%64s", name) != 1)
			return 1;
		printf("%s\n", name);
		rewind(f);
		fputs("marked", f);
		return fclose(f) ? 1 : 0;
	}
	return 64;
}
