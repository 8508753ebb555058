# SPDX-License-Identifier: GPL-2.0-only
from pathlib import Path

import pytest

from harness.cases.case import Needs
from harness.cases.catalogue import markdown
from harness.cases.discover import classname, find_sources, load
from harness.cases.elf import parse_records, read_features
from harness.cases.needs import unmet
from harness.errors import UsageError
from harness.kernels.kernel import Arch, Kconfig, Kernel
from harness.resources import resource


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
