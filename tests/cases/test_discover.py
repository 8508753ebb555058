# SPDX-License-Identifier: GPL-2.0-only
from pathlib import Path

import pytest

from harness.cases.case import Abi, Needs
from harness.cases.catalogue import markdown
from harness.cases.discover import classname, find_sources, load, of_abis
from harness.cases.elf import parse_records, read_features
from harness.cases.needs import unmet
from harness.cli_mutate import cases_digest
from harness.errors import UsageError
from harness.kernels.kernel import Arch, Kconfig, Kernel
from harness.resources import resource
from tests.judging import kharness


def a_kernel(config: Kconfig) -> Kernel:
    path = Path("/k")
    return Kernel("k", "k", path, path, "6.1.0", (6, 1, 0), Arch.X86_64, config, "0")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/x/cases/pidfd/open.c", "pidfd.open"),
        ("/x/cases/a/b/c.c", "a.b.c"),
        ("/x/other/thing.c", "other.thing"),
        ("/x/cases/top.c", "top"),
    ],
)
def test_classname_is_what_is_below_cases(path: str, name: str) -> None:
    assert classname(Path(path)) == name


def test_every_shipped_case_is_found() -> None:
    sources = find_sources(resource("cases"))
    cases = [case for source in sources for case in load(source, resource("cases").parent)]
    assert "cases/pidfd/open.c::rejects_every_undefined_flag" in [case.node for case in cases]
    assert len({case.node for case in cases}) == len(cases) > 50
    for case in cases:
        assert case.description, f"{case.node} has no DESCRIBE"
        assert case.promised, f"{case.node} has no PROMISED"
        assert case.timeout_s, f"{case.node} has no TIMEOUT"
        assert f"TEST({case.name}" in case.source.read_text().splitlines()[case.line - 1]


def test_a_path_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="/no/where"):
        find_sources(Path("/no/where"))


@pytest.mark.parametrize(
    "data", [b"nonsense\0", b"test=a\nline=x\n\0", b"\xff\xff\0", b"test=a\n\0"]
)
def test_malformed_records_are_refused(data: bytes) -> None:
    with pytest.raises(UsageError):
        parse_records(data, "p")


def test_two_cases_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="two cases called a"):
        parse_records(b"test=a\nline=1\n\0test=a\nline=2\n\0", "p")


def test_needs_are_compared_with_the_kernel() -> None:
    on = a_kernel(Kconfig({"CONFIG_PID_NS": "y", "CONFIG_M": "m"}))
    assert unmet(Needs(kernel=(6, 1), config=("PID_NS",)), on) is None
    assert "needs kernel 6.2" in str(unmet(Needs(kernel=(6, 2)), on))
    assert "is off" in str(unmet(Needs(config=("X",)), on))
    assert "is a module" in str(unmet(Needs(config=("CONFIG_M",)), on))
    assert unmet(Needs(config=("X",)), a_kernel(Kconfig(known=False))) is None


def test_the_catalogue_is_what_the_cases_say() -> None:
    sources = find_sources(resource("cases"))
    cases = [case for source in sources for case in load(source, resource("cases").parent)]
    features = [
        feature
        for program in dict.fromkeys(case.program for case in cases if case.program)
        for feature in read_features(program)
    ]
    assert all(feature.source for feature in features)
    page = (resource("docs") / "cases.md").read_text("utf-8")
    assert page == markdown(cases, features), "make catalogue"


# Python cases, and node ids where paths are given


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A project with C and Python cases, which its settings name by node id."""
    (tmp_path / "cases").mkdir()
    tests = "TEST(passes) {}\nTEST(passes_too) {}\n"
    (tmp_path / "cases" / "ok.c").write_text(f'#include "kcase.h"\n{tests}KCASE_MAIN\n')
    (tmp_path / "cases" / "test_py.py").write_text(
        "import helper\ndef test_one(guest): ...\ndef test_two(guest): ...\n"
    )
    (tmp_path / "cases" / "helper.py").write_text("A = 1\n")
    (tmp_path / "conftest.py").write_text("")
    nodes = ["cases/ok.c::passes", "cases/test_py.py::test_two"]
    (tmp_path / "harness.toml").write_text(f"[run]\ncases = {nodes}\n")
    return tmp_path


def test_a_python_test_is_no_c_source(mixed: Path) -> None:
    assert find_sources(mixed / "cases" / "test_py.py") == []
    assert [p.name for p in find_sources(mixed / "cases")] == ["ok.c"]
    with pytest.raises(UsageError, match=r"no cases in .*helper.py"):
        find_sources(mixed / "cases" / "helper.py")


@pytest.mark.parametrize(
    ("words", "nodes"),
    [
        ((), ["cases/ok.c::passes", "cases/test_py.py::test_two"]),
        (("cases/ok.c::passes_too",), ["cases/ok.c::passes_too"]),
        (("cases/ok.c::passes@compat32",), ["cases/ok.c::passes"]),
        (("cases/test_py.py",), ["cases/test_py.py::test_one", "cases/test_py.py::test_two"]),
    ],
)
def test_cases_of_node_ids_are_listed(
    mixed: Path, words: tuple[str, ...], nodes: list[str]
) -> None:
    done = kharness(mixed, "cases", *words)
    assert done.stdout.split() == nodes, done.stderr


BOTH = (Abi.NATIVE, Abi.COMPAT32)


@pytest.mark.parametrize(
    ("words", "abis", "meant"),
    [
        ("a.c::one", (Abi.COMPAT32,), ["a.c::one@compat32"]),
        ("a.c::one[debian-6.12]", (Abi.COMPAT32,), ["a.c::one@compat32[debian-6.12]"]),
        ("a.c::one@compat32", (Abi.COMPAT32,), ["a.c::one@compat32"]),
        ("a.c::one@compat32", BOTH, ["a.c::one@compat32"]),
        ("a.c", BOTH, ["a.c"]),
        ("test_a.py::test_one", BOTH, ["test_a.py::test_one"]),
        ("a.c::one", (Abi.NATIVE,), ["a.c::one"]),
        ("a.c::one", BOTH, ["a.c::one", "a.c::one@compat32"]),
        ("a.c::one[k]", BOTH, ["a.c::one[k]", "a.c::one@compat32[k]"]),
    ],
)
def test_a_name_without_an_abi_is_of_each(
    words: str, abis: tuple[Abi, ...], meant: list[str]
) -> None:
    assert of_abis(words, abis) == meant


def test_a_node_id_without_a_case_is_told(mixed: Path) -> None:
    done = kharness(mixed, "cases", "cases/ok.c::pass")
    assert done.returncode == 4
    assert done.stderr == (
        "kharness: no case cases/ok.c::pass: kharness cases cases/ok.c lists what there is\n"
    )


def test_a_shell_with_a_python_case_is_one_line(mixed: Path) -> None:
    done = kharness(mixed, "shell", "--case", "cases/test_py.py::test_one")
    assert done.returncode == 4
    assert done.stderr == (
        "kharness: cases/test_py.py::test_one is a Python case, which runs outside of guests:"
        " give a C case\n"
    )


@pytest.mark.parametrize(
    "changed", ["cases/test_py.py", "cases/helper.py", "conftest.py", "cases/ok.c"]
)
@pytest.mark.parametrize("wanted", [("cases",), ("cases/ok.c", "cases/test_py.py::test_one")])
def test_mutants_are_judged_anew_when_a_source_of_cases_changes(
    mixed: Path, monkeypatch: pytest.MonkeyPatch, changed: str, wanted: tuple[str, ...]
) -> None:
    monkeypatch.chdir(mixed)
    before = cases_digest(wanted)
    assert cases_digest(wanted) == before
    file = mixed / changed
    file.write_text(file.read_text().replace("{}", "{ EXPECT_EQ(1, 1); }") + "\n")
    assert cases_digest(wanted) != before
