/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kcase.h: cases for kharness. docs/writing-a-case.md is the introduction.
 *
 *	#include "kcase.h"
 *
 *	TEST(rejects_negative_pid, NEEDS_KERNEL(5, 3) DESCRIBE("EINVAL below 1"))
 *	{
 *		EXPECT_ERRNO(syscall(434, -1, 0), EINVAL);
 *	}
 *
 *	KCASE_MAIN
 *
 * A program runs one case, in a child of its own: `program NAME`. It prints
 * KTAP 1 and exits 0 (pass), 1 (fail) or 4 (skip). `program -` gets ready for
 * that and then waits for the name on standard input, which afterwards is
 * /dev/null. Without a name it lists its cases. The host reads name, place and
 * needs from the ELF section ".kharness.tests", without running anything.
 */
#ifndef KCASE_H
#define KCASE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define KC_PASS 0
#define KC_FAIL 1
#define KC_SKIP 4
#define KC_CLEANUPS 32

#define KC_STR_(x) #x
#define KC_STR(x) KC_STR_(x)
#define KC_RECORD __attribute__((section(".kharness.tests"), used, aligned(1)))

/* What a case needs; several stand beside each other without a comma. */
#define NEEDS_KERNEL(major, minor) "kernel=" #major "." #minor "\n"
#define NEEDS_CONFIG(option) "config=" #option "\n"
#define NEEDS_PROBE(name) "probe=" #name "\n"
#define NEEDS_ROOT "root=1\n"
#define NEEDS_CPUS(n) "cpus=" #n "\n"
#define NEEDS_MEMORY(mib) "memory=" #mib "\n"
/* ISOLATE(boot): a cold boot of its own, for a case that looks at boot itself. */
#define ISOLATE(how) "isolate=" #how "\n"
#define TIMEOUT(seconds) "timeout=" #seconds "\n"
/* So many milliseconds after its end the kernel may still report what the case did. */
#define SETTLE(ms) "settle=" #ms "\n"
#define DESCRIBE(text) "describe=" text "\n"
/* Where the promise stands: man page and section, commit, kernel file. */
#define PROMISED(text) "promised=" text "\n"
/*
 * EXPECT_SPLAT("WARNING in f"): the case makes the kernel print a splat whose title has
 * this regular expression in it; without it the case fails. docs/splats.md
 */
#define EXPECT_SPLAT(pattern) "splat=" pattern "\n"
/* Takes longer than three seconds on an idle machine. */
#define SLOW "slow=1\n"

/* EVERY_CASE(needs): what all cases of the file state that do not state it themselves. */
#define EVERY_CASE(needs_) const char kc_every_case[] KC_RECORD = "every-case=1\n" needs_;

struct kc_test {
	const char *name, *record;
	void (*run)(void);
};

struct kc_probe {
	const char *name;
	bool (*there)(void);
	int major, minor;	/* 0.0: mainline never had it */
};

/* What a version changed: rows from the newest to the oldest, the last one 0, 0. */
struct kc_since {
	int major, minor, value;
	const char *source;	/* commit or man page that says so */
};

/* TEST(name) or TEST(name, needs) */
#define TEST(...) KC_TEST_(__VA_ARGS__, "")
#define KC_TEST_(name_, needs_, ...)						\
	static void kc_run_##name_(void);					\
	static const char kc_record_##name_[] KC_RECORD =			\
		"test=" #name_ "\nfile=" __FILE__ "\nline=" KC_STR(__LINE__)	\
		"\n" needs_;							\
	static const struct kc_test kc_test_##name_				\
		__attribute__((section("kc_tests"), used,			\
			       aligned(__alignof__(struct kc_test)))) =		\
		{ #name_, kc_record_##name_, kc_run_##name_ };			\
	static void kc_run_##name_(void)

/*
 * PROBE(name, 5, 10) { return ...; } tells whether the kernel at hand has a
 * feature that mainline has since 5.10. A kernel that should have it and has
 * not fails the case; an older one skips it, or runs it where the feature was
 * backported. PROBE(name, 0, 0): mainline never had it. A fourth argument, a
 * text, says which commit or man page tells so.
 */
#define PROBE(...) KC_PROBE_(__VA_ARGS__, "")
#define KC_PROBE_(name_, major_, minor_, source_, ...)				\
	static bool kc_probe_run_##name_(void);					\
	static const char kc_probe_record_##name_[] KC_RECORD =			\
		"define-probe=" #name_ "\nsince=" #major_ "." #minor_		\
		"\nsource=" source_ "\n";					\
	static const struct kc_probe kc_probe_##name_				\
		__attribute__((section("kc_probes"), used,			\
			       aligned(__alignof__(struct kc_probe)))) =	\
		{ #name_, kc_probe_run_##name_, major_, minor_ };		\
	static bool kc_probe_run_##name_(void)

extern const struct kc_test __start_kc_tests[], __stop_kc_tests[];
extern const struct kc_probe __start_kc_probes[] __attribute__((weak));
extern const struct kc_probe __stop_kc_probes[] __attribute__((weak));
extern const char kc_every_case[] __attribute__((weak));

/* Shared with every child, so that what a child checks counts. */
struct kc_shared {
	unsigned int checks, failures;
	int skipped;
	const struct kc_test *test;
	char reason[512];
};

static struct kc_shared *kc_shared;
static struct {
	void (*fn)(void *arg);
	void *arg;
} kc_cleanups[KC_CLEANUPS];
static int kc_cleanup_count;
static pid_t kc_cleanup_owner;	/* who registered them */

static inline const char *kc_file(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static inline const char *kc_errno_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "?";
}

/* Runs cleanups, last registered first. Only the process that registered them does, no child of fork(). */
static inline void kc_run_cleanups(void)
{
	if (kc_cleanup_count > 0 && getpid() != kc_cleanup_owner)
		kc_cleanup_count = 0;
	while (kc_cleanup_count > 0) {
		kc_cleanup_count--;
		kc_cleanups[kc_cleanup_count].fn(kc_cleanups[kc_cleanup_count].arg);
	}
}

/* CLEANUP(fn, arg): fn(arg) is called when the case ends, also by ASSERT or SKIP. */
#define CLEANUP(fn_, arg_) kc_cleanup((void (*)(void *))(fn_), (void *)(intptr_t)(arg_))

static inline void kc_write(const char *a, const char *b, const char *c);

static inline void kc_cleanup(void (*fn)(void *), void *arg)
{
	if (getpid() != kc_cleanup_owner)
		kc_cleanup_count = 0;
	kc_cleanup_owner = getpid();
	if (kc_cleanup_count == KC_CLEANUPS) {
		kc_write("# more than ", KC_STR(KC_CLEANUPS), " cleanups\n");
		abort();
	}
	kc_cleanups[kc_cleanup_count].fn = fn;
	kc_cleanups[kc_cleanup_count++].arg = arg;
}

static inline void __attribute__((noreturn)) kc_leave(int status)
{
	kc_run_cleanups();
	fflush(stdout);
	_exit(status);
}

/* SKIP("reason %s", ...): this kernel or guest cannot be asked. */
#define SKIP(...) kc_skip(__VA_ARGS__)

static inline void __attribute__((noreturn, format(printf, 1, 2))) kc_skip(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(kc_shared->reason, sizeof(kc_shared->reason), fmt, args);
	va_end(args);
	kc_shared->skipped = 1;
	kc_leave(KC_SKIP);
}

/* A failed check: where, what, what was promised, what came. One write, so that children do not mix. */
static inline void __attribute__((format(printf, 5, 6)))
kc_failed(const char *file, int line, const char *what, const char *expected, const char *fmt, ...)
{
	char got[512], text[2048];
	va_list args;
	int n;

	va_start(args, fmt);
	vsnprintf(got, sizeof(got), fmt, args);
	va_end(args);
	__atomic_fetch_add(&kc_shared->failures, 1, __ATOMIC_SEQ_CST);
	fflush(stdout);
	n = snprintf(text, sizeof(text), "# FAIL %s:%d: %s\n#   expected: %s\n#   got: %s\n",
		     kc_file(file), line, what, expected, got);
	if (n > (int)sizeof(text) - 1)
		n = sizeof(text) - 1;
	if (write(1, text, n) != n)
		abort();
}

/* Without printf(): each instruction that a fork is the first to run has its price under TCG. */
static inline void kc_write(const char *a, const char *b, const char *c)
{
	char line[512];
	size_t n = 0;

	for (const char *parts[] = { a, b, c }, **part = parts; part < parts + 3; part++)
		for (const char *p = *part; *p && n < sizeof(line); p++)
			line[n++] = *p;
	fflush(stdout);
	if (write(1, line, n) != (ssize_t)n)
		abort();
}

static inline void kc_checked(void)
{
	__atomic_fetch_add(&kc_shared->checks, 1, __ATOMIC_SEQ_CST);
}

static inline bool kc_compare(const char *file, int line, const char *what, const char *op,
			      long long a, long long b, bool holds)
{
	char expected[64];

	kc_checked();
	if (holds)
		return true;
	snprintf(expected, sizeof(expected), "%s %lld", op, b);
	kc_failed(file, line, what, expected[0] == '=' ? expected + 3 : expected, "%lld", a);
	return false;
}

static inline bool kc_check_errno(const char *file, int line, const char *what, long long ret,
				  int got, int wanted)
{
	char expected[96];

	kc_checked();
	if (ret == -1 && got == wanted)
		return true;
	snprintf(expected, sizeof(expected), "-1 %s (%s)", kc_errno_name(wanted), strerror(wanted));
	if (ret == -1)
		kc_failed(file, line, what, expected, "-1 %s (%s)", kc_errno_name(got),
			  strerror(got));
	else
		kc_failed(file, line, what, expected, "%lld", ret);
	return false;
}

static inline bool kc_check_ok(const char *file, int line, const char *what, long long ret,
			       int error)
{
	kc_checked();
	if (ret >= 0)
		return true;
	if (ret == -1)
		kc_failed(file, line, what, "success", "-1 %s (%s)", kc_errno_name(error),
			  strerror(error));
	else
		kc_failed(file, line, what, "success", "%lld", ret);
	return false;
}

static inline bool kc_check_true(const char *file, int line, const char *what, bool holds)
{
	kc_checked();
	if (!holds)
		kc_failed(file, line, what, "true", "false");
	return holds;
}

static inline bool kc_check_text(const char *file, int line, const char *what, const char *a,
				 const char *b)
{
	kc_checked();
	if (strcmp(a, b) == 0)
		return true;
	kc_failed(file, line, what, b, "%s", a);
	return false;
}

#define KC_NUMBERS(what, a, op, b) ({						\
	long long kc_a = (long long)(a), kc_b = (long long)(b);			\
	kc_compare(__FILE__, __LINE__, what, #op, kc_a, kc_b, kc_a op kc_b); })
#define KC_CALL(kind, call, check, ...) ({					\
	long long kc_ret = (long long)(call);					\
	int kc_errno = errno;							\
	if (!check(__FILE__, __LINE__, kind, kc_ret, kc_errno, ##__VA_ARGS__))	\
		kc_stop(kind);							\
	errno = kc_errno;							\
	kc_ret; })

/* An ASSERT that fails ends the case; in a child it ends the child. */
static inline bool kc_stop(const char *kind)
{
	if (strncmp(kind, "ASSERT", 6) == 0)
		kc_leave(KC_FAIL);
	return false;
}

/* EXPECT_: note it and go on. Arguments are evaluated once. */
#define EXPECT_EQ(a, b) KC_NUMBERS("EXPECT_EQ(" #a ", " #b ")", a, ==, b)
#define EXPECT_NE(a, b) KC_NUMBERS("EXPECT_NE(" #a ", " #b ")", a, !=, b)
#define EXPECT_LT(a, b) KC_NUMBERS("EXPECT_LT(" #a ", " #b ")", a, <, b)
#define EXPECT_LE(a, b) KC_NUMBERS("EXPECT_LE(" #a ", " #b ")", a, <=, b)
#define EXPECT_GT(a, b) KC_NUMBERS("EXPECT_GT(" #a ", " #b ")", a, >, b)
#define EXPECT_GE(a, b) KC_NUMBERS("EXPECT_GE(" #a ", " #b ")", a, >=, b)
#define EXPECT_TRUE(x) kc_check_true(__FILE__, __LINE__, "EXPECT_TRUE(" #x ")", !!(x))
#define EXPECT_FALSE(x) kc_check_true(__FILE__, __LINE__, "EXPECT_FALSE(" #x ")", !(x))
#define EXPECT_STREQ(a, b) kc_check_text(__FILE__, __LINE__, "EXPECT_STREQ(" #a ", " #b ")", a, b)
/*
 * The call returns 0 or more; the value is the macro's. What is checked may as
 * well be the result of a call just before, whose errno is then the one to tell.
 */
#define EXPECT_OK(call) KC_CALL("EXPECT_OK(" #call ")", call, kc_check_ok)
/* The call returns -1 and sets exactly this errno. */
#define EXPECT_ERRNO(call, error)						\
	KC_CALL("EXPECT_ERRNO(" #call ", " #error ")", (errno = 0, (call)),	\
		kc_check_errno, error)

#define KC_ASSERT(check) ((check) || kc_stop("ASSERT"))
#define ASSERT_EQ(a, b)								\
	((void)KC_ASSERT(KC_NUMBERS("ASSERT_EQ(" #a ", " #b ")", a, ==, b)))
#define ASSERT_NE(a, b)								\
	((void)KC_ASSERT(KC_NUMBERS("ASSERT_NE(" #a ", " #b ")", a, !=, b)))
#define ASSERT_LT(a, b)								\
	((void)KC_ASSERT(KC_NUMBERS("ASSERT_LT(" #a ", " #b ")", a, <, b)))
#define ASSERT_LE(a, b)								\
	((void)KC_ASSERT(KC_NUMBERS("ASSERT_LE(" #a ", " #b ")", a, <=, b)))
#define ASSERT_GT(a, b)								\
	((void)KC_ASSERT(KC_NUMBERS("ASSERT_GT(" #a ", " #b ")", a, >, b)))
#define ASSERT_GE(a, b)								\
	((void)KC_ASSERT(KC_NUMBERS("ASSERT_GE(" #a ", " #b ")", a, >=, b)))
#define ASSERT_TRUE(x)								\
	((void)KC_ASSERT(kc_check_true(__FILE__, __LINE__, "ASSERT_TRUE(" #x ")", !!(x))))
#define ASSERT_OK(call) KC_CALL("ASSERT_OK(" #call ")", call, kc_check_ok)
#define ASSERT_ERRNO(call, error)						\
	KC_CALL("ASSERT_ERRNO(" #call ", " #error ")", (errno = 0, (call)),	\
		kc_check_errno, error)

/* fork() whose child dies with the case and has no cleanups of its parent's. */
static inline pid_t kc_fork(void)
{
	pid_t parent = getpid(), pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		kc_cleanup_count = 0;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* 0: the parent is in an outer pid namespace and cannot be seen. */
		if (getppid() != parent && getppid() != 0)
			_exit(KC_FAIL);
	}
	return pid;
}

/* Waits for a child of kc_fork() that makes checks of its own; its SKIP is the case's. */
static inline void kc_join(pid_t pid)
{
	int status = 0;
	pid_t ended;

	do
		ended = waitpid(pid, &status, 0);
	while (ended < 0 && errno == EINTR);
	if (kc_shared->skipped)
		kc_leave(KC_SKIP);
	kc_checked();
	if (ended != pid)
		kc_failed(__FILE__, __LINE__, "the case's child", "its end", "waitpid: %s",
			  strerror(errno));
	else if (WIFSIGNALED(status))
		kc_failed(__FILE__, __LINE__, "the case's child", "an exit", "killed by SIG%s",
			  sigabbrev_np(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != KC_PASS)
		kc_leave(KC_FAIL);
}

/* The running kernel is at least major.minor, by uname(2). */
static inline bool kc_kernel_since(int major, int minor)
{
	struct utsname names;
	int a = 0, b = 0;

	if (uname(&names) != 0 || sscanf(names.release, "%d.%d", &a, &b) != 2)
		return false;
	return a > major || (a == major && b >= minor);
}

/* The value of the first row that the running kernel is new enough for. */
static inline int kc_by_version(const struct kc_since *rows)
{
	while (!kc_kernel_since(rows->major, rows->minor))
		rows++;
	return rows->value;
}

/* Whether a value is that of the running kernel's version or, by a backport, of a later one. */
static inline bool kc_version_allows(const struct kc_since *rows, int value)
{
	for (; !kc_kernel_since(rows->major, rows->minor); rows++)
		if (rows->value == value)
			return true;
	return rows->value == value;
}

/* EXPECT_ERRNO for an errno that a version changed; a backported one is no failure. */
#define EXPECT_ERRNO_SINCE(call, rows) ({					\
	errno = 0;								\
	long long kc_got = (long long)(call);					\
	int kc_error = errno;							\
	kc_check_errno(__FILE__, __LINE__, "EXPECT_ERRNO_SINCE(" #call ")", kc_got, kc_error,	\
		       kc_got == -1 && kc_version_allows(rows, kc_error)	\
		       ? kc_error : kc_by_version(rows)); })

/* IN_CHILD { ... }: the block runs in a child, and the case goes on when that has ended. */
#define IN_CHILD for (bool kc_once = kc_in_child(); kc_once; kc_leave(KC_PASS))

static inline bool kc_in_child(void)
{
	pid_t pid = kc_fork();

	if (pid < 0) {
		kc_failed(__FILE__, __LINE__, "fork", "success", "%s", strerror(errno));
		kc_leave(KC_FAIL);
	}
	if (pid > 0)
		kc_join(pid);
	return pid == 0;
}

static inline void kc_check_probe(const struct kc_probe *probe)
{
	if (probe->there())
		return;
	if (!probe->major)
		SKIP("needs %s, which mainline never had", probe->name);
	if (!kc_kernel_since(probe->major, probe->minor))
		SKIP("needs %s (kernel %d.%d)", probe->name, probe->major, probe->minor);
	kc_checked();
	kc_failed(__FILE__, __LINE__, probe->name, "there since this kernel's version",
		  "missing (in mainline since %d.%d)", probe->major, probe->minor);
	kc_leave(KC_FAIL);
}

/* Looks at what a record states that a case needs; returns only when it may run. */
static inline void kc_check_needs(const char *record)
{
	char word[128];
	int a, b;

	for (const char *line = record; *line; line = strchr(line, '\n') + 1) {
		if (strncmp(line, "root=", 5) == 0 && geteuid() != 0)
			SKIP("needs root");
		if (strncmp(line, "kernel=", 7) == 0 &&
		    sscanf(line, "kernel=%d.%d", &a, &b) == 2 && !kc_kernel_since(a, b))
			SKIP("needs kernel %d.%d or later", a, b);
		if (strncmp(line, "probe=", 6) != 0 ||
		    sscanf(line, "probe=%127[^\n]", word) != 1)
			continue;
		for (const struct kc_probe *p = __start_kc_probes; p < __stop_kc_probes; p++)
			if (strcmp(p->name, word) == 0)
				kc_check_probe(p);
	}
}

static inline int kc_result(const char *name, int status)
{
	const char *why = NULL;

	if (WIFSIGNALED(status)) {
		printf("# the case was killed by signal %d (SIG%s)\n", WTERMSIG(status),
		       sigabbrev_np(WTERMSIG(status)));
		why = "killed";
	} else if (WEXITSTATUS(status) != KC_PASS && !kc_shared->failures &&
		   !kc_shared->skipped) {
		printf("# the case exited with %d\n", WEXITSTATUS(status));
		why = "exited";
	} else if (kc_shared->skipped && !kc_shared->failures) {
		printf("ok 1 %s # SKIP %s\n", name, kc_shared->reason);
		return KC_SKIP;
	} else if (!kc_shared->checks) {
		printf("# no check was made\n");
		why = "unchecked";
	}
	if (why || kc_shared->failures) {
		printf("not ok 1 %s\n", name);
		return KC_FAIL;
	}
	kc_write("ok 1 ", name, "\n");
	return KC_PASS;
}

static inline const struct kc_test *kc_find(const char *name)
{
	for (const struct kc_test *t = __start_kc_tests; t < __stop_kc_tests; t++)
		if (strcmp(t->name, name) == 0)
			return t;
	return NULL;
}

static inline void kc_list(void)
{
	for (const struct kc_test *t = __start_kc_tests; t < __stop_kc_tests; t++)
		printf("%s\n", t->name);
}

/* The kernel does not tell how a case ended, or that it began. */
static inline int kc_no_end_of(const struct kc_test *test, const char *call)
{
	printf("# %s failed: %s\n", call, strerror(errno));
	if (test)
		printf("not ok 1 %s\n", test->name);
	return KC_FAIL;
}

/* Waits for the name of a case on standard input. */
static inline const struct kc_test *kc_ordered(void)
{
	int null = open("/dev/null", O_RDONLY);
	char name[256];
	ssize_t n = read(0, name, sizeof(name) - 1);

	if (null > 0) {
		dup2(null, 0);
		close(null);
	}
	name[n > 0 ? n : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
	return kc_find(name);
}

/* Runs `test`, or the one that is named on standard input when it is NULL. */
static inline int kc_run(const struct kc_test *test)
{
	int status = 0;
	pid_t pid;

	kc_shared = mmap(NULL, sizeof(*kc_shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (kc_shared == MAP_FAILED) {
		perror("mmap");
		return KC_FAIL;
	}
	kc_shared->test = NULL;	/* the page is there before the fork */
	pid = fork();
	if (pid == 0) {
		kc_shared->test = test ? test : kc_ordered();
		if (!kc_shared->test)
			_exit(KC_FAIL);
		kc_write("KTAP version 1\n", "1..1\n", "");
		/* Only this process may end the case by returning or leaving. */
		if (kc_every_case)
			kc_check_needs(kc_every_case);
		kc_check_needs(kc_shared->test->record);
		kc_shared->test->run();
		kc_leave(KC_PASS);
	}
	if (pid < 0)
		return kc_no_end_of(test, "fork(2)");
	if (waitpid(pid, &status, 0) != pid)
		return kc_no_end_of(kc_shared->test, "waitpid(2)");
	if (!kc_shared->test) {
		fprintf(stderr, "no such case; there are:\n");
		kc_list();
		return 64;
	}
	return kc_result(kc_shared->test->name, status);
}

static inline int kc_main(int argc, char **argv)
{
	const struct kc_test *test = argc == 2 ? kc_find(argv[1]) : NULL;

	if (test || (argc == 2 && strcmp(argv[1], "-") == 0)) {
		int status = kc_run(test);

		fflush(stdout);
		_exit(status);
	}
	kc_list();
	if (argc == 1)
		return 0;
	fprintf(stderr, "usage: %s NAME, one of the above\n", argv[0]);
	return 64;
}

#define KCASE_MAIN								\
	int main(int argc, char **argv)						\
	{									\
		return kc_main(argc, argv);					\
	}

#endif
