// SPDX-License-Identifier: GPL-2.0-only
/* The pidfd that a program gets to which the kernel hands a core: %F of core_pattern. */
#include "pidfd.h"

PIDFD_CASES

/* fs/coredump.c, CORENAME_MAX_SIZE: what is longer is cut off. */
#define PATTERN_SIZE 128
/* A hundred times what it takes. */
#define ANSWER_MS 5000

#define CORE_PATTERN "/proc/sys/kernel/core_pattern"

static void write_pattern(const char *pattern)
{
	int fd = ASSERT_OK(open(CORE_PATTERN, O_WRONLY | O_CLOEXEC));

	ASSERT_EQ(ASSERT_OK(write(fd, pattern, strlen(pattern))), (ssize_t)strlen(pattern));
	close(fd);
}

static void restore_pattern(void *pattern)
{
	write_pattern(pattern);
}

/* For all of the guest; what was there comes back when the case ends. */
static void set_pattern(const char *pattern)
{
	static char before[PATTERN_SIZE + 2];

	if (read_text(AT_FDCWD, CORE_PATTERN, before, sizeof(before)) <= 0)
		SKIP("needs " CORE_PATTERN);
	CLEANUP(restore_pattern, before);
	write_pattern(pattern);
}

/*
 * A program for busybox's shell without a blank, where the kernel would part it: it writes %F, and that
 * descriptor's fdinfo, to a pipe that it finds by the case's number. It has the mounts of process 1.
 */
static void set_helper(int pipe)
{
	char pattern[PATTERN_SIZE];

	if (access("/bin/busybox", X_OK) != 0)
		SKIP("needs /bin/busybox");
	ASSERT_LT(snprintf(pattern, sizeof(pattern),
			   "|/bin/busybox sh -c exec>/proc/%d/fd/%d;echo${IFS}F=%%F;"
			   "cat</proc/self/fdinfo/%%F;echo${IFS}end", getpid(), pipe),
		  sizeof(pattern));
	set_pattern(pattern);
}

static void *dump_core(void *arg)
{
	(void)arg;
	syscall(SYS_tgkill, getpid(), gettid(), SIGQUIT);
	return outlive(NULL);
}

/* What the helper says, which the case waits for: nobody closes the pipe. */
static void take_answer(int pipe, char *text, size_t size)
{
	struct pollfd fd = { pipe, POLLIN, 0 };
	size_t have = 0;

	text[0] = '\0';
	while (!strstr(text, "end\n")) {
		ssize_t n;

		if (poll(&fd, 1, ANSWER_MS) != 1) {
			/* One that began to answer had a core. */
			ASSERT_EQ(have, 0);
			SKIP("inconclusive: no core was dumped to a program in %d ms", ANSWER_MS);
		}
		n = ASSERT_OK(read(pipe, text + have, size - 1 - have));
		ASSERT_GT(n, 0);
		have += n;
		text[have] = '\0';
	}
}

/* fs/coredump.c, format_corename(): "we'll install a pidfd for the thread-group leader". */
TEST(helper_gets_the_process, NEEDS_CONFIG(COREDUMP) NEEDS_CONFIG(ELF_CORE) NEEDS_ROOT
     PROMISED("commit b5325b2a270f; fs/coredump.c, format_corename()")
     DESCRIBE("a thread that is no leader dumps core to a program: %F is open there, of the process"))
{
	char text[2048];
	int answer[2], go[2];
	pid_t pid;

	ASSERT_OK(pipe2(answer, O_CLOEXEC));
	ASSERT_OK(pipe2(go, O_CLOEXEC));
	set_helper(answer[1]);
	pid = process_with_thread(go, 0, dump_core, NULL);
	take_answer(answer[0], text, sizeof(text));
	/* What a kernel does not know it leaves out. */
	if (strncmp(text, "F=\n", 3) == 0) {
		EXPECT_FALSE(kc_kernel_since(6, 16));
		SKIP("needs %%F in core_pattern (kernel 6.16)");
	}
	/* Not reaped, it still has its number, however far the dump is. */
	EXPECT_EQ(pid_in(text), pid);
}

KCASE_MAIN
