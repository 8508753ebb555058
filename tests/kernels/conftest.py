# SPDX-License-Identifier: GPL-2.0-only
"""A tree that builds like a kernel's, in a second, and fails like one."""

from pathlib import Path

import pytest

MAKEFILE = """\
# SPDX-License-Identifier: GPL-2.0
VERSION = 6
PATCHLEVEL = 12
SUBLEVEL = 7
OBJECTS = $(patsubst %.c,$(O)/%.o,$(notdir $(wildcard *.c)))

tinyconfig:
\t@echo CONFIG_TINY=y > $(O)/.config
olddefconfig:
\t@grep -v -e CONFIG_MISSING -e CONFIG_LOCKED $(O)/.config > $(O)/.new; mv $(O)/.new $(O)/.config
bzImage: $(OBJECTS)
\t@mkdir -p $(O)/arch/x86/boot
\t@cat $(OBJECTS) > $(O)/vmlinux
\t@cp $(O)/vmlinux $(O)/arch/x86/boot/bzImage; touch $(O)/System.map
$(O)/%.o: %.c
\t@echo '  CC      $*.o'
\t@$(DELAY)
\t@gcc -c -o $@ $<
"""
KCONFIG = """\
menu "Things"
\tdepends on NET

config LOCKED
\tbool "Locked up"
\tdepends on PROC_FS && (A || B)
\thelp
\t  Words with
\t  depends on nothing here.

config HIDDEN
\tbool

endmenu

if EXPERT
config MISSING
\tbool "Missing"
endif
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "linux")


def make_tree(folder: Path) -> Path:
    folder.mkdir()
    (folder / "Makefile").write_text(MAKEFILE)
    (folder / "Kconfig").write_text(KCONFIG)
    for number in range(6):
        (folder / f"file{number}.c").write_text(
            "".join(f"int f{number}_{line};\n" for line in range(9))
        )
    return folder


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KHARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
