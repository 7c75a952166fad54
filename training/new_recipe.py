"""The text of a new recipe: one file of the user's own, filled in from what lies in a folder or a table."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from edge.errors import UsageError
from edge.steps.text import tokens
from training.data import box_folder, delimited, digit_scenes, survey
from training.data.picture_files import LISTED

WIDTH = 80  # characters, from which a list is written one a line
_WITHOUT_SPACES = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")  # Thai to Chinese


@dataclass(frozen=True)
class Asked:
    """What `tandem new` was asked for: the model's name, where the file goes, the user's data, and its columns."""

    name: str
    file: Path
    data: Path | None
    target: str | None
    text: str | None = None


@dataclass(frozen=True)
class Draft:
    """A recipe's text, and lines for the user about what was found."""

    text: str
    said: tuple[str, ...] = ()


def draft(kind: str, asked: Asked) -> Draft:
    """Write a recipe; nothing is stored.

    Args:
        kind: One of `KINDS`.
        asked: Its name, its place, and the data that it is for.

    Raises:
        UsageError: The kind needs data and none were named, or takes none.
        InputError: The data cannot be used; the message says where and why.
    """
    return KINDS[kind](asked)


def _built_in(template: str) -> Callable[[Asked], Draft]:
    def write(asked: Asked) -> Draft:
        for option, value in (("PATH", asked.data), ("--target", asked.target), ("--text", asked.text)):
            if value is not None:
                raise UsageError(f"{option} is {value}, but this kind begins with built-in data; leave it out, or take image-folder or csv")
        return Draft(_render(template, asked))

    return write


def _image_folder(asked: Asked) -> Draft:
    _refuse(asked, "text", "target")
    found = survey.pictures(_data(asked, "a folder that holds one folder of pictures per label"))
    total = sum(found.counts.values())
    smallest, largest = (f"{width}×{height}" for width, height in (found.smallest, found.largest))
    said = [f"{total:,} pictures, {smallest} to {largest} pixels, {'grey' if found.channels == 1 else 'in colour'}"]
    said += [f"  {label}: {count:,}" for label, count in found.counts.items()]
    said.append("  parted into train, validation and test by their folders" if found.listing.parted else "  to be parted by their content")
    if found.listing.others:
        said.append(f"  other files, ignored: {found.listing.others}")
    if found.skipped:
        said.append(f"  pictures that cannot be used and will be skipped: {len(found.skipped)}")
        said += [f"    {line}" for line in found.skipped[:LISTED]]
    text = _render(
        "image_folder",
        asked,
        counted=f"{total:,}",
        labels=found.listing.labels,
        labels_tuple=_tuple(found.listing.labels),
        side=found.side,
        channels=found.channels,
        place=_place(found.listing.folder, asked.file),
        **_pace(total),
    )
    return Draft(text, tuple(said))


def _csv(asked: Asked) -> Draft:
    _refuse(asked, "text")
    path = _data(asked, "a CSV file")
    if asked.target is None:
        raise UsageError(
            f"--target is missing, expected the column that holds the labels; {path} has {', '.join(delimited.read(path).header)}"
        )
    found = survey.rows(path, asked.target)
    total = len(found.table.rows)
    said = [f"{total:,} rows; {asked.target}: {', '.join(f'{label} {found.counts[label]:,}' for label in found.labels)}"]
    said += [f"  {name}: {f'{len(categories)} categories' if categories else 'numbers'}" for name, categories in found.columns.items()]
    said += [f"  {name}: left out, {reason}" for name, reason in found.left_out.items()]
    text = _render(
        "csv",
        asked,
        counted=f"{total:,}",
        columns=[(_quoted(name), _tuple(categories, "    ")) for name, categories in found.columns.items()],
        categorical=any(found.columns.values()),
        target=_quoted(asked.target),
        target_words=" ".join(re.findall(r"\w+", asked.target)) or "the label",
        description=_quoted(f"{asked.target} of a row, one of {len(found.labels)} labels."),
        labels_tuple=_tuple(found.labels),
        place=_place(path, asked.file),
        **_pace(total),
    )
    return Draft(text, tuple(said))


def _texts(asked: Asked) -> Draft:
    if asked.data is None:
        _refuse(asked, "text", "target")
        return Draft(_render("text_classifier", asked, place="", labels=(0, 1), unit="words", length=48, epochs=8))
    table = delimited.read(asked.data)
    others = [name for name in table.header if name != asked.target]
    text = asked.text or max(others, key=lambda name: float(np.mean([len(cell) for cell in table.column(name)])))
    rest = [name for name in table.header if name != text]
    if asked.target is None and len(rest) != 1:
        raise UsageError(f"--target is missing, expected the column that holds the labels; {asked.data} has {', '.join(table.header)}")
    target = asked.target or rest[0]
    labels = survey.labels_of(table, target)
    texts = table.column(text)
    whole = "".join(texts)
    unit = "characters" if len(_WITHOUT_SPACES.findall(whole)) > 0.3 * len(whole) else "words"
    lengths = [len(tokens(cell, unit)) for cell in texts]
    length = int(np.clip(-(-int(np.percentile(lengths, 90)) // 8) * 8, 8, 256))
    counts = {label: table.column(target).count(label) for label in labels}
    said = (
        f"{len(texts):,} texts in {text!r}, {int(np.median(lengths))} {unit} in the middle; the model reads {length}",
        f"  {target}: {', '.join(f'{label} {count:,}' for label, count in counts.items())}",
    )
    rendered = _render(
        "text_classifier",
        asked,
        counted=f"{len(texts):,}",
        place=_place(asked.data, asked.file),
        text=_quoted(text),
        target=_quoted(target),
        labels=labels,
        labels_tuple=_tuple(labels),
        unit=unit,
        length=length,
        epochs=max(8, _pace(len(texts))["epochs"] // 2),
    )
    return Draft(rendered, said)


def _detector(asked: Asked) -> Draft:
    _refuse(asked, "text", "target")
    if asked.data is None:
        return Draft(_render("detector", asked, place="", labels=digit_scenes.CLASSES, epochs=6, batch=32))
    found = box_folder.browse(asked.data)
    side = int(np.clip(-(-found.side // 8) * 8, 64, 256))
    pictures = len(found.pictures)
    said = (
        f"{pictures:,} pictures with {sum(found.counts.values()):,} boxes; the model sees {side}×{side} pixels",
        *(f"  {label}: {count:,}" for label, count in found.counts.items()),
    )
    text = _render(
        "detector",
        asked,
        counted=f"{pictures:,}",
        place=_place(asked.data, asked.file),
        labels=found.labels,
        labels_tuple=_tuple(found.labels),
        side=side,
        anchors=json.dumps(box_folder.anchors(found, side)),
        epochs=_pace(pictures)["epochs"],
        batch=16,
    )
    return Draft(text, said)


KINDS: Mapping[str, Callable[[Asked], Draft]] = {
    "image-classifier": _built_in("image_classifier"),
    "image-folder": _image_folder,
    "text-classifier": _texts,
    "tabular": _built_in("tabular"),
    "csv": _csv,
    "keras": _built_in("keras"),
    "detector": _detector,
}


def _render(template: str, asked: Asked, **values: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("training"),
        autoescape=False,  # noqa: S701  # Python comes out, not HTML; what the user's data bring goes through _quoted
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    text = environment.get_template(f"new/{template}.py.j2").render(name=asked.name, **values)
    return re.sub(r"\n{4,}", "\n\n\n", text)


def _data(asked: Asked, what: str) -> Path:
    if asked.data is None:
        raise UsageError(f"PATH is missing, expected {what}: tandem new {asked.name} --from … PATH")
    return asked.data


def _refuse(asked: Asked, *options: str) -> None:
    for option in options:
        if getattr(asked, option) is not None:
            raise UsageError(f"--{option} is {getattr(asked, option)!r}, but there is no table to look for it; leave it out")


def _pace(count: int) -> dict[str, int]:
    """Return epochs, batch and patience for a number of samples: about two thousand steps, within bounds."""
    batch = 32 if count < 4_000 else 64 if count < 40_000 else 128
    epochs = int(np.clip(2_000 * batch / count, 8, 40))
    return {"epochs": epochs, "batch": batch, "patience": max(4, epochs // 4)}


def _place(path: Path, file: Path) -> str:
    """Return the expression for a path: from the recipe's folder where it lies below it, else whole."""
    path, folder = path.resolve(), file.resolve().parent
    if path.is_relative_to(folder) and path != folder:
        return " / ".join(["Path(__file__).parent", *(_quoted(part) for part in path.relative_to(folder).parts)])
    return "Path(__file__).parent" if path == folder else f"Path({_quoted(str(path))})"


def _quoted(text: str) -> str:
    """Return a text as ruff writes it: a JSON string is one in Python too; in single quotes where that saves escapes."""
    written = json.dumps(text, ensure_ascii=False)
    return "'" + written[1:-1].replace('\\"', '"') + "'" if '"' in text and "'" not in text else written


def _tuple(texts: tuple[str, ...], indent: str = "") -> str:
    """Return texts as a tuple, one a line where they are too many for one line."""
    words = [_quoted(text) for text in texts]
    line = "(" + ", ".join(words) + ("," if len(words) == 1 else "") + ")"
    if len(line) <= WIDTH:
        return line
    return "\n".join(["(", *(f"{indent}    {word}," for word in words), f"{indent})"])
