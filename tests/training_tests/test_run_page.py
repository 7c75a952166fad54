"""The page of a training: complete, of one file, true to the figures, and safe with any names."""

import re
import zipfile
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from edge import contract as contracts
from edge.storage import load_npz
from training import panels
from training.calibration import Calibration, reliability
from training.discover import find
from training.evaluate import evaluate
from training.finished import Outcome
from training.fit import Epoch, Fitted
from training.recipe import Split, Splits
from training.run_page import render
from training.tasks.class_page import MOST_SHOWN, confused, mistakes, shaded
from training.tasks.classification import Classified

NASTY = ("<script>alert(1)</script>", "$x_$ & {{ 7*7 }}", 'a"b')


class Page(HTMLParser):
    """What a page holds: addresses, pictures, words, and whether every element is closed."""

    void = frozenset({"meta", "img", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.void:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def page(trained: Outcome) -> Page:
    return Page((trained.folder / "run.html").read_text(encoding="utf-8"))


def made(trained: Outcome, classes: tuple[str, ...], rows: np.ndarray, wrong: int = 1, early: bool = False) -> Page:
    """Render a page of made-up answers to these rows, of which the first are wrong."""
    targets = np.arange(len(rows)) % len(classes)
    answers = np.where(np.arange(len(rows)) < wrong, (targets + 1) % len(classes), targets)
    logits = 3 * np.eye(len(classes), dtype=np.float32)[answers]
    split = Split({"x": rows}, targets)
    splits = Splits("made up", "", "", classes, split, split, split)
    recipe = replace(find("mnist_cnn"), contract=replace(contracts.load(trained.folder / "contract.json"), labels=classes))
    history = tuple(Epoch(n, 1 / n, 1 - 1 / (n + 1), 1.1 / n, 1 - 1.1 / (n + 1), 2.0) for n in range(1, 6))
    calibration = Calibration(2.0, {"test": reliability(logits, targets)}, {"test": reliability(logits, targets, 2.0)})
    answered = Classified({"test": evaluate(logits, targets, classes)}, {"test": logits}, calibration, splits)
    record = {**trained.record, "data": {**trained.record["data"], "note": NASTY[0]}}
    return Page(render(recipe, Fitted(history, 3, early, 9.0, "CPU"), answered, record, {}))


PICTURES = np.zeros((30, 8, 8, 1), np.uint8)


def test_it_stands_alone(page: Page) -> None:
    assert page.open == []
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in page.addresses)
    assert len(page.ids) == len(set(page.ids)), "drawings must not share names"
    assert {address[1:] for address in page.addresses if address.startswith("#")} <= set(page.ids)


def test_it_has_every_part(page: Page, trained: Outcome) -> None:
    record = trained.record
    assert page.tags.count("svg") == 4
    for words in (
        f"{record['metric']['test']:.4f}",
        f"{record['metric']['validation']:.4f}",
        f"{record['calibration']['test']['ece_before']:.4f}",
        record["data"]["note"],
        record["data"]["sha256"],
        record["packages"]["torch"],
        "learning_rate",
        "export will refuse it",
        "Confusion",
        "precision",
        "Wrong with the greatest confidence",
    ):
        assert words in page.text


def test_the_samples_shown_are_wrong_in_the_record_too(page: Page, trained: Outcome) -> None:
    wrong = round((1 - trained.record["metric"]["test"]) * trained.record["metric"]["test_count"])
    assert page.tags.count("img") == min(MOST_SHOWN, wrong)
    assert f"{min(MOST_SHOWN, wrong)} of {wrong} wrong answers" in page.text
    targets = load_npz(trained.folder / "eval.npz")["target"]
    shown = re.findall(r"true (\S+) \([\d.]+\s%\)answered (\S+) \([\d.]+\s%\)row (\d+)", page.text)
    assert len(shown) == min(MOST_SHOWN, wrong)
    assert all(str(targets[int(row)]) == true != answered for true, answered, row in shown)


def test_the_pictures_are_beside_the_page(trained: Outcome) -> None:
    assert (trained.folder / "reliability.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_names_cannot_break_the_page(trained: Outcome) -> None:
    page = made(trained, NASTY, PICTURES)
    assert page.open == []
    assert "script" not in page.tags
    assert NASTY[0] in page.text
    assert NASTY[1] in page.text


def test_an_early_stop_is_marked(trained: Outcome) -> None:
    early, whole = made(trained, ("a", "b"), PICTURES, early=True), made(trained, ("a", "b"), PICTURES)
    assert early.text.count("stopped early after epoch 5") == 2
    assert "Stopped early:" in early.text
    assert "topped early" not in whole.text
    assert "After the last (5)" in whole.text, "what came after the epoch kept shows overfitting"


def test_samples_that_are_no_pictures_become_a_table(trained: Outcome) -> None:
    page = made(trained, ("a", "b"), np.zeros((30, 4), np.float32), wrong=2)
    assert "img" not in page.tags
    assert "2 of 2 wrong answers" in page.text


def test_a_model_without_mistakes_is_told_so(trained: Outcome) -> None:
    page = made(trained, ("a", "b"), PICTURES, wrong=0)
    assert page.text.count("No test sample was answered wrongly.") == 2
    assert "img" not in page.tags


def test_many_classes_are_listed_and_not_tabulated(trained: Outcome) -> None:
    page = made(trained, tuple(f"class {n}" for n in range(31)), np.zeros((62, 8, 8, 1), np.uint8), wrong=3)
    assert "answered →" not in page.text
    assert "class 0class 1" in re.sub(r"\s*\n\s*", "", page.text)


def test_mistakes_come_with_the_surest_first_and_not_beyond_what_can_be_seen() -> None:
    logits = np.stack([np.linspace(0, 5, 60), np.zeros(60)], axis=1).astype(np.float32)
    split = Split({"x": np.zeros((60, 2), np.float32)}, np.array([0] * 10 + [1] * 50))
    found = mistakes(split, logits, ("a", "b"))
    assert [one.row for one in found] == list(range(59, 59 - MOST_SHOWN, -1))
    assert (found[0].true, found[0].answered, found[0].picture) == ("b", "a", None)
    assert found[0].probability == pytest.approx(1 / (1 + np.exp(-5)))
    assert found[0].probability + found[0].probability_of_true == pytest.approx(1)
    assert mistakes(split, logits, ("a", "b"), temperature=5.0)[0].probability == pytest.approx(1 / (1 + np.exp(-1)))


def test_pairs_and_shades_are_of_mistakes_only() -> None:
    matrix = np.array([[90, 4, 0], [1, 50, 0], [0, 16, 30]])
    assert [(pair.true, pair.answered, pair.count) for pair in confused(matrix, ("a", "b", "c"))] == [
        ("c", "b", 16),
        ("a", "b", 4),
        ("b", "a", 1),
    ]
    assert shaded(matrix) == [[(90, 0), (4, 0.5), (0, 0)], [(1, 0.25), (50, 0), (0, 0)], [(0, 0), (16, 1), (30, 0)]]


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        pytest.param(np.zeros((28, 28, 1), np.uint8), True, id="grey"),
        pytest.param(np.zeros((300, 500, 3), np.uint8), True, id="large and coloured"),
        pytest.param(np.zeros((1, 1, 3), np.uint8), True, id="one pixel"),
        pytest.param(np.zeros((28, 28, 2), np.uint8), False, id="two channels"),
        pytest.param(np.zeros((28, 28, 1), np.float32), False, id="numbers"),
        pytest.param(np.zeros((40,), np.uint8), False, id="a row of bytes"),
    ],
)
def test_only_pictures_are_shown(row: np.ndarray, shown: bool) -> None:
    address = panels.sample(row)
    assert (address is not None) == shown
    assert address is None or len(address) < 30_000


def test_the_wheel_brings_the_templates(tandem_wheel: Path) -> None:
    with zipfile.ZipFile(tandem_wheel) as archive:
        assert {"training/templates/run.html.j2", "export/templates/report.html.j2"} <= set(archive.namelist())
