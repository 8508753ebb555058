# SPDX-License-Identifier: GPL-2.0-only
"""kcase.h: small programs, compiled and run as they are."""

import subprocess
from pathlib import Path

import pytest

from harness.cases.elf import read_records
from harness.errors import UsageError
from harness.resources import resource
from harness.toolchain import compile_program

SOURCE = """
#include "kcase.h"
PROBE(never, 0, 0) { return false; }
PROBE(missing, 2, 6) { return false; }
PROBE(future, 99, 0) { return false; }
PROBE(there, 99, 0) { return true; }
static void say(void *text) { printf("# cleanup %s\\n", (char *)text); }
TEST(good) { EXPECT_EQ(2, 1 + 1); ASSERT_OK(0); }
TEST(bad_errno) { EXPECT_ERRNO(close(-1), EINVAL); }
TEST(bad_call_before) { int fd = close(-1); EXPECT_OK(fd); errno = EPERM; EXPECT_ERRNO(-1, EPERM); }
TEST(bad_value) { EXPECT_EQ(1 + 1, 3); EXPECT_EQ(4, 5); }
TEST(no_error) { EXPECT_ERRNO(getpid() * 0, EBADF); }
TEST(asserts) { CLEANUP(say, "first"); CLEANUP(say, "second"); ASSERT_TRUE(0); EXPECT_EQ(1, 2); }
TEST(unchecked) { }
TEST(child_fails)
{
	pid_t pid = kc_fork();

	if (pid == 0) {
		EXPECT_LT(2, 1);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}
TEST(killed) { EXPECT_EQ(1, 1); raise(SIGSEGV); }
TEST(exits) { EXPECT_EQ(1, 1); exit(3); }
TEST(prints_ok) { printf("ok 1 prints_ok\\n"); EXPECT_EQ(1, 2); }
TEST(skips) { SKIP("no %s", "way"); }
TEST(fails_then_skips) { EXPECT_EQ(1, 2); SKIP("late"); }
TEST(needs_never, NEEDS_PROBE(never)) { EXPECT_EQ(1, 2); }
TEST(needs_missing, NEEDS_PROBE(missing)) { EXPECT_EQ(1, 1); }
TEST(needs_future, NEEDS_PROBE(future)) { EXPECT_EQ(1, 2); }
TEST(needs_backport, NEEDS_PROBE(there)) { EXPECT_EQ(1, 1); }
TEST(needs_newer, NEEDS_KERNEL(99, 0)) { EXPECT_EQ(1, 2); }
TEST(forks_plainly)
{
	pid_t pid;

	CLEANUP(say, "of the parent");
	pid = fork();
	if (pid == 0) {
		CLEANUP(say, "of the child");
		ASSERT_EQ(1, 1);
		kc_leave(KC_PASS);
	}
	ASSERT_EQ(waitpid(pid, NULL, 0), pid);
	if (fork() == 0)
		kc_leave(KC_PASS);
	wait(NULL);
}
TEST(joins_nobody) { kc_join(getpid()); }
TEST(cleans_too_much)
{
	for (int n = 0; n <= KC_CLEANUPS; n++)
		CLEANUP(say, "once");
	EXPECT_EQ(1, 1);
}
KCASE_MAIN
"""


def compiled(folder: Path, text: str) -> Path:
    source = folder / "sample.c"
    source.write_text(text)
    return compile_program(source, include=(resource("cases/include"),))


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("kcase"), SOURCE)


def run(program: Path, name: str) -> tuple[int, list[str]]:
    done = subprocess.run([program, name], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


def test_a_pass_is_ktap(program: Path) -> None:
    assert run(program, "good") == (0, ["KTAP version 1", "1..1", "ok 1 good"])


def test_a_wrong_errno_names_both(program: Path) -> None:
    code, lines = run(program, "bad_errno")
    assert code == 1
    assert lines[2:] == [
        "# FAIL sample.c:9: EXPECT_ERRNO(close(-1), EINVAL)",
        "#   expected: -1 EINVAL (Invalid argument)",
        "#   got: -1 EBADF (Bad file descriptor)",
        "not ok 1 bad_errno",
    ]


def test_the_errno_of_a_call_before_is_told_and_never_taken_for_one_of_now(program: Path) -> None:
    code, lines = run(program, "bad_call_before")
    assert code == 1
    assert lines[2:] == [
        "# FAIL sample.c:10: EXPECT_OK(fd)",
        "#   expected: success",
        "#   got: -1 EBADF (Bad file descriptor)",
        "# FAIL sample.c:10: EXPECT_ERRNO(-1, EPERM)",
        "#   expected: -1 EPERM (Operation not permitted)",
        "#   got: -1 0 (Success)",
        "not ok 1 bad_call_before",
    ]


def test_cleanups_are_their_own_process_s(program: Path) -> None:
    """A child of a plain fork() must not kill what its parent's case has started."""
    code, lines = run(program, "forks_plainly")
    assert (code, lines[2:]) == (
        0,
        ["# cleanup of the child", "# cleanup of the parent", "ok 1 forks_plainly"],
    )


def test_a_child_that_cannot_be_waited_for_is_no_pass(program: Path) -> None:
    code, lines = run(program, "joins_nobody")
    assert code == 1
    assert "#   got: waitpid: No child processes" in lines


def test_a_kernel_that_does_not_tell_how_it_ended_fails_it(program: Path) -> None:
    """As one whose waitpid(2) is broken: where SIGCHLD is ignored, children leave no status."""
    done = subprocess.run(
        ["env", "--ignore-signal=CHLD", program, "good"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "# waitpid(2) failed: No child processes\nnot ok 1 good\n" in done.stdout


def test_too_many_cleanups_say_so(program: Path) -> None:
    code, lines = run(program, "cleans_too_much")
    assert code == 1
    assert "# more than 32 cleanups" in lines


def test_expect_goes_on_and_gives_both_values(program: Path) -> None:
    code, lines = run(program, "bad_value")
    assert code == 1
    assert [line for line in lines if "expected" in line or "got" in line] == [
        "#   expected: 3",
        "#   got: 2",
        "#   expected: 5",
        "#   got: 4",
    ]


def test_success_where_an_error_was_promised(program: Path) -> None:
    assert "#   got: 0" in run(program, "no_error")[1]


def test_assert_ends_and_cleanups_run_backwards(program: Path) -> None:
    code, lines = run(program, "asserts")
    assert code == 1
    assert lines[5:] == ["# cleanup second", "# cleanup first", "not ok 1 asserts"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("unchecked", "no check was made"),
        ("child_fails", "FAIL sample.c"),
        ("killed", "SIGSEGV"),
        ("exits", "exited with 3"),
        ("fails_then_skips", "FAIL"),
        ("needs_missing", "in mainline since 2.6"),
    ],
)
def test_what_must_not_pass(program: Path, name: str, words: str) -> None:
    code, lines = run(program, name)
    assert code == 1
    assert lines[-1] == f"not ok 1 {name}"
    assert any(words in line for line in lines)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("skips", "no way"),
        ("needs_never", "needs never, which mainline never had"),
        ("needs_future", "needs future (kernel 99.0)"),
        ("needs_newer", "needs kernel 99.0 or later"),
    ],
)
def test_a_skip_says_why(program: Path, name: str, reason: str) -> None:
    assert run(program, name) == (4, ["KTAP version 1", "1..1", f"ok 1 {name} # SKIP {reason}"])


def test_a_backport_runs(program: Path) -> None:
    assert run(program, "needs_backport")[0] == 0


def test_an_unknown_name_is_an_error(program: Path) -> None:
    assert run(program, "nothing")[0] == 64


def test_the_host_reads_every_case(program: Path) -> None:
    names = [record.name for record in read_records(program)]
    assert names[:3] == ["good", "bad_errno", "bad_call_before"]
    assert len(names) == SOURCE.count("\nTEST(")


def test_needs_are_read(tmp_path: Path) -> None:
    text = (
        '#include "kcase.h"\n'
        "PROBE(p, 5, 10) { return true; }\n"
        "TEST(a, NEEDS_KERNEL(5, 3) NEEDS_CONFIG(PID_NS) NEEDS_PROBE(p) NEEDS_ROOT NEEDS_CPUS(2)"
        ' NEEDS_MEMORY(256) TIMEOUT(2.5) DESCRIBE("one = two")) { }\n'
        "KCASE_MAIN\n"
    )
    (record,) = read_records(compiled(tmp_path, text))
    assert record.needs.kernel == (5, 3)
    assert record.needs.config == ("PID_NS",)
    assert record.needs.probes == (("p", (5, 10)),)
    assert (record.needs.root, record.needs.cpus, record.needs.memory_mib) == (True, 2, 256)
    assert (record.timeout_s, record.description, record.line) == (2.5, "one = two", 3)


def test_a_probe_that_is_not_there_is_named(tmp_path: Path) -> None:
    text = '#include "kcase.h"\nTEST(a, NEEDS_PROBE(q)) { }\nKCASE_MAIN\n'
    with pytest.raises(UsageError, match="probe q"):
        read_records(compiled(tmp_path, text))


def test_what_does_not_compile_says_where(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"sample\.c does not compile: .*sample\.c:2") as caught:
        compiled(tmp_path, '#include "kcase.h"\nTEST(a) { nonsense(); }\nKCASE_MAIN\n')
    assert "nonsense" in caught.value.detail


def test_a_changed_header_is_noticed(tmp_path: Path) -> None:
    header = tmp_path / "value.h"
    text = '#include "kcase.h"\n#include "value.h"\nTEST(a) { EXPECT_EQ(V, 1); }\nKCASE_MAIN\n'
    header.write_text("#define V 1\n")
    first = compiled(tmp_path, text)
    assert run(first, "a")[0] == 0
    assert compiled(tmp_path, text) == first
    header.write_text("#define V 2\n")
    assert run(compiled(tmp_path, text), "a")[0] == 1


def test_the_guide_s_example_works(tmp_path: Path) -> None:
    guide = resource("docs/writing-a-case.md").read_text()
    text = guide.partition("```c\n")[2].partition("```")[0]
    records = read_records(compiled(tmp_path, text))
    assert records
    for record in records:
        assert run(compiled(tmp_path, text), record.name)[0] in (0, 4)


def test_a_child_that_gets_ready_may_skip_its_case(tmp_path: Path) -> None:
    source = tmp_path / "sample.c"
    source.write_text("""
#include "process.h"
static void refuse(void *reason) { SKIP("no %s", (char *)reason); }
static void fail(void *arg) { (void)arg; ASSERT_EQ(1, 2); }
TEST(skips) { child_after(refuse, "way"); EXPECT_EQ(1, 2); }
TEST(fails) { child_after(fail, NULL); SKIP("never said"); }
KCASE_MAIN
""")
    include = (resource("cases/include"), resource("cases/pidfd"))
    program = compile_program(source, include=include)
    assert run(program, "skips") == (
        4,
        ["KTAP version 1", "1..1", "ok 1 skips # SKIP no way"],
    )
    code, lines = run(program, "fails")
    assert (code, lines[-1]) == (1, "not ok 1 fails")
