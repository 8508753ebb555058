# SPDX-License-Identifier: GPL-2.0-only
from pathlib import Path

import pytest

from harness.config import Settings, load_settings
from harness.errors import UsageError
from harness.host import cpu_count, find_busybox, find_qemu, memory_available_mib


def test_defaults_where_there_is_no_file(tmp_path: Path) -> None:
    assert load_settings(None, tmp_path) == Settings()


def test_the_nearest_file_above_counts(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text("[run]\ntimeout_s = 7\n")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert load_settings(None, below).run.timeout_s == 7


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[run]\nkernel = ['x']\n", "unknown key run.kernel: did you mean kernels?"),
        ("[rum]\n", "unknown key rum: did you mean run?"),
        ("[run]\nzzz = 1\n", "unknown key run.zzz: known: kernels"),
        ("[run]\ntimeout_s = -1\n", "run.timeout_s"),
        ("[run]\nisolate = 'x'\n", "run.isolate"),
        ("[run]\nkernels = []\n", "run.kernels"),
        ("[report]\njunit_flavour = 'x'\n", "no flavour is called 'x'; known: jenkins"),
        ("nonsense", "is no TOML"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "harness.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_settings(path, tmp_path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_shipped_file_is_the_default_and_our_own_kernel() -> None:
    shipped, default = load_settings(Path("harness.toml"), Path.cwd()), Settings()
    kernels = (*default.run.kernels, "recipe:procfd")
    assert shipped == default.model_copy(
        update={"run": default.run.model_copy(update={"kernels": kernels})}
    )


def test_host_facts_are_plausible() -> None:
    assert find_qemu().version >= (5, 0)
    assert cpu_count() >= 1
    assert memory_available_mib() > 100
    busybox = find_busybox()
    assert busybox is None or busybox.exists()
