# SPDX-License-Identifier: GPL-2.0-only
"""What kunit.py says of a log, ours says too, or docs/ktap.md has the reason.

Needs a kernel's source: ``KHARNESS_KUNIT`` names its tools/testing/kunit, else one in the cache is
taken.
"""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from harness.cache import cache_root
from tests.verdict.compare_with_kunit import compare, load_kunit

ENDLESS = {"node.log"}
"""The parser of kunit.py does not come to an end on these."""
OURS = sorted(p for p in (Path(__file__).parent / "ktap").glob("*.log") if p.name not in ENDLESS)
DOCS = Path(__file__).parents[2] / "docs" / "ktap.md"


@pytest.fixture(scope="module")
def folder() -> Path:
    named = os.environ.get("KHARNESS_KUNIT")
    found = [Path(named)] if named else sorted(cache_root().glob("sources/*/tools/testing/kunit"))
    found = [path for path in found if (path / "kunit_parser.py").is_file()]
    if not found:
        pytest.skip("no tools/testing/kunit: name one in KHARNESS_KUNIT")
    return found[-1]


@pytest.fixture(scope="module")
def kunit(folder: Path) -> Any:
    return load_kunit(folder)


def explained() -> set[str]:
    """The logs that have a row in the table of differences."""
    return set(re.findall(r"`([\w-]+\.log)`", DOCS.read_text().partition("## Differences from")[2]))


def test_of_kunits_own_logs_it_says_the_same(folder: Path, kunit: Any) -> None:
    logs = sorted((folder / "test_data").glob("*.log"))
    assert len(logs) > 20
    differing = {log.name for log in logs if not compare(kunit, log).same}
    assert differing <= explained()


def test_where_it_differs_on_our_logs_there_is_a_reason(kunit: Any) -> None:
    differing = {log.name for log in OURS if not compare(kunit, log).same}
    assert differing == explained() & {log.name for log in OURS}
