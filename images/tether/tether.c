// SPDX-License-Identifier: GPL-2.0-only
/*
 * tether PARENT PROGRAM ARGUMENT...
 *
 * Runs PROGRAM so that it dies with its parent, whatever kills the parent
 * (prctl(2), PR_SET_PDEATHSIG). The signal is tied to the parent's thread:
 * the thread that starts a tether must live as long as the program may.
 *
 * Exit: 125 the parent had gone already, 126 PROGRAM cannot be run, 127 there
 * is none, 2 wrong usage; else PROGRAM's own.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: tether PARENT PROGRAM ARGUMENT...\n");
		return 2;
	}
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
		fprintf(stderr, "tether: prctl: %s\n", strerror(errno));
		return 126;
	}
	/* A parent that died before prctl sends no signal. */
	if (getppid() != (pid_t)strtol(argv[1], NULL, 10))
		return 125;
	execvp(argv[2], argv + 2);
	fprintf(stderr, "tether: %s: %s\n", argv[2], strerror(errno));
	return errno == ENOENT ? 127 : 126;
}
