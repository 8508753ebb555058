# SPDX-License-Identifier: GPL-2.0-only
"""Makes a :class:`Kernel` of an image: everything is read from the kernel, nothing from its name.

What was read is kept in the cache, since unpacking a kernel takes half a second: a second run
only looks whether the image is still the same file.
"""

import json
import re
from pathlib import Path

from harness.cache import cache_root, digest, file_digest, locked, replacing
from harness.errors import KernelError
from harness.kernels.image import ImageFacts, read_image
from harness.kernels.kconfig import config_version, parse_kconfig
from harness.kernels.kernel import Arch, Kconfig, Kernel

FORMAT = 2


def read_kernel(
    image: Path, *, spec: str, name: str, config: Path | None = None, modules: Path | None = None
) -> Kernel:
    """Reads what a kernel says of itself.

    The configuration is the file given, else one beside the image that is for this version
    (``config-<release>``, ``config``, ``.config``), or at the top of the tree that it was built in,
    else the one built in (IKCONFIG), else not known.

    Args:
        image: bzImage, vmlinux or Image.
        spec: how the user named it.
        name: short name for node ids.
        config: its configuration, where that is known.
        modules: folder that holds ``lib/modules/<release>``.

    Raises:
        KernelError: not a kernel, or not readable.
    """
    try:
        about = image.stat()
    except OSError as error:
        raise KernelError(f"cannot read {image}: {error.strerror}") from error
    identity = digest(
        f"{FORMAT} {about.st_size} {about.st_mtime_ns} {about.st_ino} {about.st_dev}",
        str(image.resolve()),
    )[:32]
    record = cache_root() / "kernels" / "read" / f"{identity}.json"
    known = _load(record)
    if known is None:
        with locked(record):
            known = _load(record) or _read(image, record)
    kconfig = _config(image, known["release"], known["config"], config)
    boot = _unpacked(known["unpacked"]) if known["unpacked"] else image.resolve()
    if kconfig.built_in("KASAN"):
        # xen_prepare_pvh() is instrumented and runs before there is a shadow to check: a triple
        # fault before the first line of console (6.12, arch/x86/platform/pvh/enlighten.c).
        boot = image.resolve()
    return Kernel(
        spec=spec,
        name=name,
        image=image,
        boot=boot,
        release=known["release"],
        version=version_numbers(known["release"]),
        arch=Arch(known["arch"]),
        config=kconfig,
        sha256=known["sha256"],
        modules=modules,
    )


def version_numbers(release: str) -> tuple[int, int, int]:
    """The numbers that a release starts with: ``6.12.117+deb12`` is (6, 12, 117)."""
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", release)
    if found is None:
        raise KernelError(f"{release!r} is no kernel release")
    return int(found[1]), int(found[2]), int(found[3] or 0)


def _read(image: Path, record: Path) -> dict[str, str]:
    facts = read_image(image)
    sha256 = file_digest(image)
    known = {
        "arch": facts.arch.value,
        "release": facts.release,
        "unpacked": _unpack(facts, sha256),
        "config": facts.config,
        "sha256": sha256,
    }
    with replacing(record) as temporary:
        temporary.write_text(json.dumps(known))
    return known


def _unpack(facts: ImageFacts, sha256: str) -> str:
    """Name of the uncompressed kernel when QEMU can start it: it skips the guest's decompressor.

    A name and not a path: a cache may be moved, or be seen under another path.
    """
    if facts.vmlinux is None or not facts.pvh:
        return ""
    name = sha256[:32]
    if not _unpacked(name).exists():
        with replacing(_unpacked(name)) as temporary:
            temporary.write_bytes(facts.vmlinux)
    return name


def _unpacked(name: str) -> Path:
    return cache_root() / "kernels" / "vmlinux" / name


def _load(record: Path) -> dict[str, str] | None:
    try:
        known: dict[str, str] = json.loads(record.read_text())
        keys = ("arch", "release", "unpacked", "config", "sha256")
        whole = all(isinstance(known[key], str) for key in keys)
        if whole and (not known["unpacked"] or _unpacked(known["unpacked"]).exists()):
            return known
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _config(image: Path, release: str, built_in: str, given: Path | None) -> Kconfig:
    beside = [image.parent / name for name in (f"config-{release}", "config", ".config")]
    if image.resolve().parent.name == "boot":
        # arch/x86/boot/bzImage, arch/arm64/boot/Image
        beside += [folder / ".config" for folder in image.resolve().parents[3:4]]
    candidates = [given] if given else beside
    for path in candidates:
        try:
            text = path.read_text("utf-8", "replace")
        except OSError as error:
            if given:
                raise KernelError(f"cannot read {path}: {error.strerror}") from error
            continue
        # A configuration that lies there by chance is worse than none.
        version = config_version(text)
        if given or (version and version_numbers(version) == version_numbers(release)):
            return parse_kconfig(text)
        if path.name == f"config-{release}":
            return parse_kconfig(text)
    return parse_kconfig(built_in)
