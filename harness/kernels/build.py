# SPDX-License-Identifier: GPL-2.0-only
"""Builds kernels: a plan of everything that shapes one, and the result in the cache under its key.

What is built of one recipe and one line of sources is built in the same place, and so are recipes
that differ by their patches only: what a patch touches is built again, and nothing else. A build
that was interrupted goes on where it was.
"""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.cache import cache_root, digest, file_digest, owned, private_folder
from harness.errors import HostError, KernelError, UsageError
from harness.host import cpu_count
from harness.kernels.configure import Asked, check_config, fragment_text, read_fragments
from harness.kernels.held import META, Held, remove_unheld
from harness.kernels.kconfig import parse_kconfig
from harness.kernels.kernel import Kernel
from harness.kernels.make import BuildProgress, Make
from harness.kernels.mirror import mirror
from harness.kernels.patches import Patch, apply_patches, load_patches
from harness.kernels.recipe import Recipe
from harness.kernels.source import Source, open_source
from harness.kernels.stop import Stop
from harness.kernels.tree import kernel_in
from harness.locks import Lock
from harness.toolchain import find_compiler

FORMAT = 1
STEPS_PER_OPTION = 2.3
"""Steps of a first build for each option that is y: as measured on small configurations."""
TOOLS = {
    **{name: name for name in ("make", "flex", "bison", "bc", "patch", "tar")},
    **{"ld": "binutils", "xz": "xz-utils"},
}
"""Program to Debian package (Documentation/process/changes.rst)."""
KEPT_DAYS = 14
"""A built kernel that nobody asked for this long is removed."""
SHOWN_SETTINGS = ("CC", "LLVM", "HOSTCC", "KCFLAGS", "ARCH", "CROSS_COMPILE")
Progress = Callable[[BuildProgress], None]


@dataclass(frozen=True)
class Plan:
    """A kernel that can be built.

    Attributes:
        name: what to call it.
        spec: how a user names it.
        source: its source.
        base: a make target, or a file with a configuration.
        asked: options that must come out as they are here.
        patches: in order.
        provides: probes of cases that the kernel must say yes to.
        memory_mib: what a guest of it needs at least; 0 when nothing special.
        place: what its place to be built in is called; empty for its name.
    """

    name: str
    spec: str
    source: Source
    base: str | Path
    asked: Mapping[str, Asked]
    patches: tuple[Patch, ...]
    provides: tuple[str, ...] = ()
    memory_mib: int = 0
    place: str = ""

    @property
    def key(self) -> str:
        """Hex digest of everything that shapes the kernel."""
        return digest(
            f"kernel {FORMAT}",
            *(self.source.identity, self.base_identity, fragment_text(self.asked)),
            *(patch.diff for patch in self.patches),
            *_tool_identity(),
        )[:32]

    @property
    def base_identity(self) -> str:
        """The make target, or a digest of the configuration that it starts from."""
        return file_digest(self.base) if isinstance(self.base, Path) else self.base

    @property
    def work(self) -> Path:
        """Folder that it is built in."""
        about, name = self.source.lineage, self.place or self.name
        return cache_root() / "builds" / (about if name in about else f"{name}-{about}")

    def with_patches(self, patches: Sequence[Patch]) -> "Plan":
        """The same with more patches on top."""
        return replace(self, patches=(*self.patches, *patches))


@dataclass(frozen=True)
class Built:
    """A kernel that was built.

    Attributes:
        folder: has ``bzImage``, ``vmlinux``, ``config``, ``System.map`` and ``build.log``.
        seconds: what the build took; 0 when it was there already.
        steps: steps of make; 0 when it was there already.
    """

    folder: Path
    seconds: float = 0.0
    steps: int = 0


def plan_recipe(recipe: Recipe, source: str | None = None) -> Plan:
    """The plan of a recipe.

    Args:
        recipe: the recipe.
        source: a source to use instead of its own.

    Raises:
        UsageError, KernelError: what it names cannot be had.
    """
    opened = open_source(source or recipe.source)
    patches = [p for file in recipe.patch_files(opened.version) for p in load_patches(file)]
    return Plan(
        name=recipe.name,
        spec=f"recipe:{recipe.name}",
        source=opened,
        base=recipe.base,
        asked=read_fragments(recipe.fragments),
        patches=tuple(patches),
        provides=recipe.provides,
        memory_mib=recipe.memory_mib,
        place=recipe.place,
    )


def plan_tree(folder: Path, small: Recipe, *, name: str) -> Plan:
    """The plan of a tree that a user works in: its ``.config``, else that of ``small``.

    Args:
        folder: the tree.
        small: recipe whose configuration is taken where the tree has none.
        name: what to call the kernel.

    Raises:
        KernelError: it is no kernel source.
    """
    source = open_source(str(folder))
    config = folder / ".config"
    own = config.is_file()
    return Plan(
        name=name,
        spec=str(folder),
        source=source,
        base=config if own else small.base,
        asked={} if own else read_fragments(small.fragments),
        patches=(),
    )


def find_built(plan: Plan) -> Built | None:
    """The kernel, when it is in the cache."""
    folder = _store() / plan.key
    if not (folder / META).is_file():
        return None
    with contextlib.suppress(OSError):
        os.utime(folder / META)
    return Built(folder)


def kernel_of(plan: Plan, built: Built) -> Kernel:
    """The kernel that was built."""
    return kernel_in(
        built.folder,
        spec=plan.spec,
        name=plan.name,
        provides=plan.provides,
        memory_mib=plan.memory_mib,
    )


def build_held(
    plan: Plan,
    *,
    jobs: int | None = None,
    progress: Progress | None = None,
    stop: Stop | None = None,
) -> tuple[Built, Held]:
    """Builds a kernel as :func:`build` does, and holds it: nobody removes it while it is used."""
    while True:
        built = build(plan, jobs=jobs, progress=progress, stop=stop)
        held = Held(built.folder)
        if held.whole:
            return built, held
        # Another process was through with it.
        held.close()


def build(
    plan: Plan,
    *,
    jobs: int | None = None,
    progress: Progress | None = None,
    stop: Stop | None = None,
) -> Built:
    """Builds a kernel, unless it is in the cache.

    Args:
        plan: what to build.
        jobs: how many at a time; as many as CPUs by default.
        progress: is told how far it is.
        stop: ends it from another thread; then it raises one of these.

    Raises:
        KernelError: a patch does not apply, an option did not take effect, it does not compile.
        HostError: a tool is missing, or there is no room.
    """
    found = find_built(plan)
    if found:
        return found
    _check_tools()
    stop = stop or Stop()
    work = private_folder(plan.work)
    lock = Lock(work / "lock", shared=False)
    if not lock.acquire(wait=False):
        if progress:
            progress(BuildProgress(plan.name, "waiting for another build in the same place"))
        stop.acquire(lock)
    try:
        return find_built(plan) or _build(
            plan, work, lock, jobs=jobs or cpu_count(), progress=progress, stop=stop
        )
    except OSError as error:
        raise HostError(
            f"cannot build in {work}: {error.strerror}", "make room there, or set KHARNESS_CACHE"
        ) from error
    finally:
        lock.release()


def _build(
    plan: Plan, work: Path, lock: Lock, *, jobs: int, progress: Progress | None, stop: Stop
) -> Built:
    start = time.monotonic()

    def say(what: str) -> None:
        if progress:
            progress(BuildProgress(plan.name, what, elapsed_s=time.monotonic() - start))

    say("applying patches" if plan.patches else "copying the source")
    with tempfile.TemporaryDirectory(prefix=owned(".patched-"), dir=work) as patched:
        files = apply_patches(plan.source, plan.patches, Path(patched))
        mirror(plan.source, work / "src", files)
    log = work / "build.log"
    log.write_text("")
    make = Make(work / "src", private_folder(work / "out"), log, lock, plan.name, stop)
    say("configuring")
    _configure(plan, make, jobs)
    steps = make.run(["bzImage"], jobs=jobs, total=_steps_to_come(work), progress=progress)
    (work / "steps").write_text(str(max(steps, _steps_before(work))))
    seconds = time.monotonic() - start
    return replace(_collect(plan, work, seconds), seconds=seconds, steps=steps)


def _configure(plan: Plan, make: Make, jobs: int) -> None:
    """Makes ``.config``; leaves it alone, and so every object, when it would be the same."""
    config, asked = make.out / ".config", fragment_text(plan.asked)
    stamp = make.out / ".kharness-config"
    kconfig = digest(plan.base_identity, asked)
    if not config.is_file() or not stamp.is_file() or stamp.read_text() != kconfig:
        stamp.unlink(missing_ok=True)
        if isinstance(plan.base, Path):
            shutil.copyfile(plan.base, config)
        else:
            make.run([plan.base], jobs=jobs)
        with config.open("a") as stream:
            stream.write(asked)
    make.run(["olddefconfig"], jobs=jobs)
    check_config(plan.asked, parse_kconfig(config.read_text()), make.tree)
    stamp.write_text(kconfig)


def _steps_before(work: Path) -> int:
    try:
        return int((work / "steps").read_text())
    except (OSError, ValueError):
        return 0


def _steps_to_come(work: Path) -> int:
    """Steps of a build from nothing, less those done by one that was interrupted.

    0 when it was built before: nobody knows what a change touches.
    """
    if (work / "out" / "vmlinux").exists():
        return 0
    options = parse_kconfig((work / "out" / ".config").read_text()).values.values()
    total = _steps_before(work) or int(STEPS_PER_OPTION * sum(v == "y" for v in options))
    done = sum(1 for _ in (work / "out").rglob("*.o"))
    return max(0, total - done)


def _collect(plan: Plan, work: Path, seconds: float) -> Built:
    """Copies what was built into the cache; it appears under its name when it is complete."""
    store = private_folder(_store())
    out = work / "out"
    folder = Path(tempfile.mkdtemp(prefix=owned(".new-"), dir=store))
    try:
        shutil.copyfile(out / "arch" / "x86" / "boot" / "bzImage", folder / "bzImage")
        shutil.copyfile(out / ".config", folder / "config")
        shutil.copyfile(out / "vmlinux", folder / "vmlinux")
        shutil.copyfile(out / "System.map", folder / "System.map")
        shutil.copyfile(work / "build.log", folder / "build.log")
        meta = {
            "name": plan.name,
            "spec": plan.spec,
            "source": plan.source.spec,
            "version": ".".join(map(str, plan.source.version)),
            "patches": [patch.name for patch in plan.patches],
            "provides": list(plan.provides),
            "memory_mib": plan.memory_mib,
            "seconds": round(seconds, 1),
        }
        (folder / META).write_text(json.dumps(meta, indent=1))
        target = store / plan.key
        if target.exists():  # half removed by a person
            shutil.rmtree(target)
        folder.rename(target)
    except FileNotFoundError as error:
        raise KernelError(f"{plan.name}: make left no {error.filename}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _evict()
    return Built(target)


def _evict() -> None:
    oldest = time.time() - KEPT_DAYS * 24 * 3600
    for file in _store().glob(f"*/{META}"):
        with contextlib.suppress(OSError):
            if file.stat().st_mtime < oldest:
                remove_unheld(file.parent)


def built_records() -> list[dict[str, str]]:
    """What is said of each kernel in the cache (``meta.json``), oldest first."""
    found = []
    for file in sorted(_store().glob(f"*/{META}"), key=lambda p: p.stat().st_mtime):
        with contextlib.suppress(OSError, ValueError):
            found.append({"folder": str(file.parent), **json.loads(file.read_text())})
    return found


def _store() -> Path:
    return cache_root() / "kernels" / "built"


def missing_tools() -> list[str]:
    """Packages of Debian that building a kernel needs and whose programs are not here."""
    return [package for tool, package in TOOLS.items() if shutil.which(tool) is None]


def _check_tools() -> None:
    missing = missing_tools()
    if missing:
        raise HostError(
            f"building a kernel needs {', '.join(missing)}",
            f"apt-get install {' '.join(missing)} libelf-dev libssl-dev",
        )
    find_compiler()


def _tool_identity() -> list[str]:
    """The compiler, the linker, and what the environment says to make."""
    linker = shutil.which("ld")
    about = Path(linker).resolve().stat() if linker else None
    return [
        _compiler_words(),
        f"{about.st_size} {about.st_mtime_ns}" if about else "",
        *(f"{name}={os.environ.get(name, '')}" for name in SHOWN_SETTINGS),
    ]


def _compiler_words() -> str:
    try:
        return find_compiler().version
    except HostError:
        return ""


def free_work(name: str = "") -> int:
    """Removes folders that kernels were built in, but for those in use; returns MiB freed.

    Args:
        name: only of this recipe; of all by default.

    Raises:
        UsageError: there is none of that name.
    """
    root = cache_root() / "builds"
    folders = [p for p in root.glob(f"{name}-*" if name else "*") if p.is_dir()]
    if name and not folders:
        raise UsageError(f"nothing was built of {name!r}", "kharness kernels lists recipes")
    freed = 0
    for folder in folders:
        lock = Lock(folder / "lock", shared=False)
        if lock.acquire(wait=False):
            try:
                freed += _size_mib(folder)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                lock.release()
    return freed


def _size_mib(folder: Path) -> int:
    done = subprocess.run(["du", "-sm", str(folder)], capture_output=True, text=True, check=False)
    return int(done.stdout.split()[0]) if done.returncode == 0 else 0
