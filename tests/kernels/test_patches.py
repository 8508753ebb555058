# SPDX-License-Identifier: GPL-2.0-only
"""Patches: where they come from, in which order, and what is said of one that does not apply."""

import gzip
from pathlib import Path

import pytest

from harness.errors import KernelError, UsageError
from harness.kernels.patches import apply_patches, load_patches
from harness.kernels.source import open_source

DIFF = """\
--- a/file0.c
+++ b/file0.c
@@ -3,3 +3,3 @@
 int f0_2;
-int f0_3;
+int changed;
 int f0_4;
"""


def mail(subject: str, body: str, encoding: str = "8bit") -> str:
    return (
        "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n"
        f"From: A <a@example.org>\nSubject: {subject}\nMIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=UTF-8\n"
        f"Content-Transfer-Encoding: {encoding}\n\n{body}\n"
    )


def test_a_file_has_one_patch_named_by_its_subject(tmp_path: Path) -> None:
    file = tmp_path / "x.patch"
    file.write_text("Subject: [PATCH v2 1/2] pid: do\n this\n\n" + DIFF)
    [patch] = load_patches(file)
    assert patch.name == "pid: do this"
    assert patch.paths() == ["file0.c"]


def test_a_plain_diff_has_its_files_name(tmp_path: Path) -> None:
    (tmp_path / "x.diff").write_text(DIFF)
    assert load_patches(tmp_path / "x.diff")[0].name == "x.diff"


def test_a_mailbox_is_ordered_by_number_and_has_the_newest_version_only(tmp_path: Path) -> None:
    box = tmp_path / "t.mbox.gz"
    mails = [
        mail("[PATCH v2 2/2] second", DIFF),
        mail("[PATCH v2 0/2] cover", "two patches"),
        mail("[PATCH 1/2] first, old", DIFF),
        mail("Re: [PATCH v2 1/2] first", "> quoted\n" + DIFF),
        mail("[PATCH v2 1/2] first", DIFF),
    ]
    box.write_bytes(gzip.compress("\n".join(mails).encode()))
    assert [p.name for p in load_patches(box)] == ["first", "second"]


def test_transfer_encodings_are_undone(tmp_path: Path, tree: Path) -> None:
    quoted = DIFF.replace("int changed;", "int changed =3D 1;")
    (tmp_path / "q.mbox").write_text(mail("[PATCH] quoted", quoted, "quoted-printable"))
    patches = load_patches(tmp_path / "q.mbox")
    (tmp_path / "out").mkdir()
    files = apply_patches(open_source(str(tree)), patches, tmp_path / "out")
    assert files["file0.c"] is not None
    assert "int changed = 1;" in files["file0.c"].read_text()


def test_a_folder_is_read_as_its_series_file_says(tmp_path: Path) -> None:
    for name in ("a.patch", "b.patch", "c.patch"):
        (tmp_path / name).write_text(DIFF)
    assert [p.name for p in load_patches(tmp_path)] == ["a.patch", "b.patch", "c.patch"]
    (tmp_path / "series").write_text("# order\nc.patch -p1\na.patch\n")
    assert [p.name for p in load_patches(tmp_path)] == ["c.patch", "a.patch"]


@pytest.mark.parametrize("text", ["", "no patch\n", "\0\1\2"])
def test_what_has_no_patch_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x").write_text(text)
    with pytest.raises(UsageError, match="has no patch in it"):
        load_patches(tmp_path / "x")


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "x/../../y"])
def test_a_path_out_of_the_tree_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "x.patch").write_text(DIFF.replace("b/file0.c", f"b/{name}"))
    with pytest.raises(UsageError, match="out of the tree"):
        load_patches(tmp_path / "x.patch")[0].paths()


def test_applying_leaves_the_source_alone(tmp_path: Path, tree: Path) -> None:
    created = "--- /dev/null\n+++ b/new/deep.c\n@@ -0,0 +1 @@\n+int n;\n"
    removed = "--- a/file1.c\n+++ /dev/null\n@@ -1,9 +0,0 @@\n" + "".join(
        f"-int f1_{n};\n" for n in range(9)
    )
    (tmp_path / "x.patch").write_text(DIFF + created + removed)
    before = {p.name: p.read_text() for p in tree.iterdir()}
    (tmp_path / "out").mkdir()
    files = apply_patches(
        open_source(str(tree)), load_patches(tmp_path / "x.patch"), tmp_path / "out"
    )
    assert {p.name: p.read_text() for p in tree.iterdir()} == before
    assert files["file1.c"] is None
    assert files["new/deep.c"] is not None
    assert files["new/deep.c"].read_text() == "int n;\n"


def failure(tree: Path, tmp_path: Path, text: str) -> str:
    (tmp_path / "x.patch").write_text("Subject: [PATCH] pid: bad\n\n" + text)
    (tmp_path / "out").mkdir(exist_ok=True)
    with pytest.raises(KernelError) as caught:
        apply_patches(open_source(str(tree)), load_patches(tmp_path / "x.patch"), tmp_path / "out")
    return caught.value.what


def test_a_hunk_that_does_not_apply_is_named(tmp_path: Path, tree: Path) -> None:
    second = "@@ -7,3 +7,3 @@\n int f0_6;\n-int other;\n+int x;\n int f0_8;\n"
    said = failure(tree, tmp_path, DIFF + second)
    assert "x.patch: 'pid: bad' does not apply" in said
    assert "file0.c, hunk 2 at line 7" in said


def test_nothing_is_fuzzy(tmp_path: Path, tree: Path) -> None:
    assert "hunk 1" in failure(tree, tmp_path, DIFF.replace(" int f0_2;", " int f0_2x;"))


def test_a_patch_that_is_in_already_says_so(tmp_path: Path, tree: Path) -> None:
    file = tree / "file0.c"
    file.write_text(file.read_text().replace("int f0_3;", "int changed;"))
    assert "in the source already" in failure(tree, tmp_path, DIFF)


def test_a_missing_file_is_named(tmp_path: Path, tree: Path) -> None:
    said = failure(tree, tmp_path, DIFF.replace("file0.c", "gone.c"))
    assert "gone.c: no such file" in said


def test_a_damaged_patch_says_where(tmp_path: Path, tree: Path) -> None:
    assert "malformed patch at line" in failure(tree, tmp_path, DIFF.replace("+int changed;\n", ""))


def test_the_shipped_patches_apply(tmp_path: Path) -> None:
    folder = Path(__file__).parents[2] / "images" / "kernels" / "procfd" / "patches"
    assert [p.name for p in load_patches(folder)] == [
        "proc: open the /proc/<pid> directory of a struct pid",
        "pidfd: add PIDFD_GET_PROCFD",
    ]
