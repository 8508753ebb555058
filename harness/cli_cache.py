# SPDX-License-Identifier: GPL-2.0-only
"""``kharness cache``: what templates, archives and caches that are gone take, and making room."""

import json
from collections.abc import Sequence

import click

from harness.vm.archives import Archive, prune_archives, stored_archives
from harness.vm.shelf import prune_templates, saved_templates
from harness.vm.tmpfs import orphans, remove_orphans


def print_cache(*, as_json: bool) -> None:
    """Lists what there is.

    Args:
        as_json: a list of objects with ``kind``, ``size_mib`` and ``folder``; of kind ``template``,
            ``initramfs`` (all of them) or ``orphan``.
    """
    templates, archives, left = saved_templates(), stored_archives(), orphans()
    if as_json:
        rows: list[dict[str, object]] = [
            {
                "kind": "template",
                "key": t.key,
                "kernel": t.kernel,
                "size_mib": t.size_mib,
                "folder": str(t.folder),
            }
            for t in templates
        ]
        if archives:
            folder = str(archives[0].path.parent)
            about = {"number": len(archives), "size_mib": _mib(archives), "folder": folder}
            rows.append({"kind": "initramfs", **about})
        rows += [
            {"kind": "orphan", "cache": o.cache, "size_mib": o.size_mib, "folder": str(o.folder)}
            for o in left
        ]
        click.echo(json.dumps(rows, indent=1))
        return
    for t in templates:
        click.echo(f"{t.key}  {t.size_mib:5} MiB  {t.kernel}")
    click.echo(f"{len(templates)} templates, {sum(t.size_mib for t in templates)} MiB")
    click.echo(f"{len(archives)} initramfs archives, {_mib(archives)} MiB")
    for o in left:
        whose = f"of {o.cache}, which is gone" if o.cache else "being removed"
        click.echo(f"{o.folder}: {o.size_mib} MiB {whose}; kharness cache prune removes it")


def prune_cache(limit_mib: int) -> None:
    """Removes what no run uses, and says what went.

    Args:
        limit_mib: what templates may take, and what archives may take, in MiB.
    """
    templates = prune_templates(limit_mib)
    archives = prune_archives(limit_mib)
    left = remove_orphans()
    size = sum(t.size_mib for t in templates)
    click.echo(f"{len(templates)} templates removed, {size} MiB")
    click.echo(f"{len(archives)} initramfs archives removed, {_mib(archives)} MiB")
    for o in left:
        click.echo(f"{o.folder} removed, {o.size_mib} MiB: its cache is gone")


def _mib(archives: Sequence[Archive]) -> int:
    return sum(archive.size for archive in archives) >> 20
