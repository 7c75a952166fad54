"""What an export writes beside the released files: the page, the index, JUnit, Markdown, the card and the bill of materials."""

import json
import re
import shutil
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from edge import contract
from edge.contract import Contract, Graph, Metric, Tensor
from edge.errors import ConversionError, GateError
from edge.golden import Golden
from edge.variants import Io
from export import card, index, junit, markdown, pictures, report, sbom
from export.candidate import Candidate, Plan, Trial
from export.handover import Handover
from export.parity import Bench
from export.pictures import Point
from export.report_rows import Findings
from export.report_samples import disagreements, golden

CODE = Contract(
    schema=contract.SCHEMA,
    name="words",
    version="2.0.0",
    task="text-classification",
    graphs=(Graph("main", (Tensor("ids", "int32", ("batch", 6), "NL"),), (Tensor("scores", "float32", ("batch", 2), "NC"),)),),
    metric=Metric("accuracy", "higher", 0.5),
    labels=("<b>good</b>", "bad"),
    targets=("server",),
    requires_runtimes=("onnxruntime",),
)
IDS = np.array([[7, 8, 9, 0, 0, 0], [1, 2, 3, 4, 5, 6]], np.int32)
SCORES = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
TRIAL = Trial("onnxruntime", "1.31", 0.5, (0.5, 0.1, 0.9), 0.5, {"scores": 1e-6}, 1e-6, 1e-5, SCORES[:, ::-1], 2e-5, 50_000_000)


@pytest.fixture
def words(tmp_path):
    """Findings on a text model of which one file answers otherwise than the trainer, and is refused for it."""
    file = tmp_path / "model.onnx"
    file.write_bytes(b"x" * 1500)
    stored = Golden((), {"ids": IDS}, {"scores": SCORES}, CODE.labels)
    handover = Handover(tmp_path, CODE, file, {"ids": IDS}, {"ids": IDS}, np.array([0, 1]), stored)
    candidate = Candidate(Plan("onnx", "fp32", ("server",)), file, Io((), ()), ("Gather", "Gemm", "Gemm"), (TRIAL,))
    problem = GateError("words 2.0.0, model.onnx: not released: top-1 agreement is 0.5 | less than allowed")
    return Findings(handover, (candidate,), Bench(file, {"scores": SCORES}, np.array([0, 1]), 2), (), problem)


@pytest.fixture
def folder(tiny_bundles):
    return tiny_bundles / "tiny" / "1.0.0"


def test_token_ids_are_shown_as_text_without_their_padding(words):
    shown = golden(words)
    assert [(one.pictures, one.texts, one.caption) for one in shown] == [
        ((), ("7 8 9",), "<b>good</b>"),
        ((), ("1 2 3 4 5 6",), "bad"),
    ]
    (found,) = disagreements(words)
    assert (found.count, found.shown[1].caption, found.shown[1].wrong) == (2, "true bad, trainer bad, here <b>good</b>", True)


def test_numbers_of_a_regression_are_shown_where_they_moved_furthest(words):
    numbers = np.array([[0.5, 1234.5678], [1e-9, 2.0]], np.float32)
    moved = replace(TRIAL, scores=np.array([[0.25], [3.0]], np.float32))
    (file,) = words.candidates
    quantized = replace(file, plan=Plan("tflite", "static_wi8_ai8", ("device",)), trials=(moved,))
    bench = replace(words.bench, reference={"scores": np.array([[0.0], [1.0]], np.float32)}, target=np.array([0.0, 1.0]))
    handover = replace(words.handover, evaluation={"ids": numbers})
    (found,) = disagreements(replace(words, handover=handover, candidates=(quantized,), bench=bench))
    assert found.count is None
    assert [one.texts for one in found.shown] == [("1e-09 2",), ("0.5 1.23e+03",)]
    assert found.shown[0].caption == "trainer 1, here 3, moved 2"


def test_the_page_says_why_a_model_was_refused_and_keeps_words_from_becoming_html(words):
    page = report.render(words)
    assert "Not released." in page
    assert "&lt;b&gt;good&lt;/b&gt;" in page
    assert "<b>good</b>" not in page
    assert "7 8 9" in page
    assert not re.search(r"""(src|href)=["'](?!data:)""", page), "the page needs no other file"


def test_a_model_whose_conversion_failed_has_a_page_and_counts_as_an_error(words):
    failed = Findings(words.handover, problem=ConversionError("onnx: killed by SIGSEGV"))
    assert "killed by SIGSEGV" in report.render(failed)
    assert "❌ not released" in markdown.render(failed, "x.html")
    root = ElementTree.fromstring(junit.render(failed))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("1", "0", "1")


def test_drift_and_choices_have_their_sections_where_there_are_any(words):
    assert "Drift, tensor by tensor" not in report.render(words)
    page = report.render(replace(words, blame=({"module": "features.3.conv", "snr_db": 7.123456},), notes=("int16 was chosen",)))
    assert "Drift, tensor by tensor" in page
    assert "<td>features.3.conv</td><td>7.123</td>" in page
    assert "<li>int16 was chosen</li>" in page


def test_junit_has_a_case_for_each_promise_and_counts_what_was_broken(words):
    root = ElementTree.fromstring(junit.render(words))
    suite = root[0]
    assert suite.get("name") == "words 2.0.0: model.onnx on onnxruntime 1.31"
    broken = {case.get("name"): case[0].get("message") for case in suite if len(case)}
    assert broken == {
        "top-1 agreement": "top-1 agreement is 0.5000, allowed ≥ 0.99",
        "loss of accuracy": broken["loss of accuracy"],
    }
    assert int(suite.get("tests")) == len(suite)
    assert (suite.get("failures"), root.get("failures")) == ("2", "3")
    assert root[-1][0][0].get("type") == "GateError"


def test_junit_tells_a_runtime_that_refuses_a_file(words):
    (file,) = words.candidates
    for required, tag in (("onnxruntime", "skipped"), ("tflite-runtime", "failure")):
        promise = replace(CODE, requires_runtimes=(required,))
        refused = replace(words, handover=replace(words.handover, contract=promise))
        refused = replace(refused, candidates=(replace(file, refused={"tflite-runtime": "no \x00 kernel"}),))
        case = ElementTree.fromstring(junit.render(refused))[1][0]
        assert (case[0].tag, case[0].get("message")) == (tag, "no \ufffd kernel")
        assert "no \x00 kernel" in report.render(refused).replace("\ufffd", "\x00")


def test_junit_of_a_released_model_has_no_failure(words):
    (file,) = words.candidates
    released = replace(words, problem=None, candidates=(replace(file, refused={"onnxruntime": "no kernel"}),))
    root = ElementTree.fromstring(junit.render(released))
    assert (root.get("failures"), root.get("errors")) == ("0", "0")
    assert [suite.get("skipped") for suite in root] == ["2", "1", "0"]
    assert not list(root.iter("failure"))
    assert next(root.iter("skipped")).get("message") == "top-1 agreement is 0.5000, allowed ≥ 0.99"


def test_the_worst_loss_of_a_released_model_is_of_what_was_released(words, tiny_bundles, tmp_path):
    (file,) = words.candidates
    fine = replace(TRIAL, runtime="other", drop=(0.001, 0.0, 0.002), agreement=1.0)
    variant = json.loads((tiny_bundles / "tiny" / "1.0.0" / "variants.json").read_text())
    released = replace(words, problem=None, released=tuple(variant), candidates=(replace(file, trials=(TRIAL, fine)),))
    assert "**+0.5000**" in markdown.render(words, "page.html"), "of a refused one it is that of what was refused"
    assert "**+0.0010**" in markdown.render(released, "page.html")
    folder = shutil.copytree(tiny_bundles, tmp_path / "bundles") / "tiny" / "1.0.0"
    measured = json.loads((folder / "measurements.json").read_text())
    (one,) = measured["files"][0]["trials"]
    one["metric_loss"] = 0.002
    measured["files"][0]["trials"].append({**one, "runtime": "that-failed", "metric_loss": 75.0})
    measured["files"].append({**measured["files"][0], "file": "model.not_chosen.onnx"})
    (folder / "measurements.json").write_text(json.dumps(measured))
    assert [entry.loss for entry in index.entries(tmp_path / "bundles")] == [0.002]


def test_markdown_is_short_and_its_table_is_whole(words):
    text = markdown.render(words, "rejected-2.0.0.html")
    assert text.startswith("### words 2.0.0: ❌ not released\n")
    assert "0.5 \\| less" in text
    assert "[Whole report](rejected-2.0.0.html)" in text
    head, rule, row = (line for line in text.splitlines() if line.startswith("|"))
    assert head.count("|") == rule.count("|") == row.count("|") == 11


def test_the_card_has_front_matter_that_is_yaml_and_the_sections(folder):
    text = (folder / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    data = yaml.safe_load(front)
    assert (data["license"], data["pipeline_tag"]) == ("apache-2.0", "image-classification")
    (result,) = data["model-index"][0]["results"]
    assert result["metrics"][0]["value"] == 1.0
    sections = re.findall("^## (.+)$", body, re.MULTILINE)
    assert {"Model description", "Intended uses & limitations", "How to use", "Training data", "Evaluation results"} < set(sections)
    assert "None of the files is quantized." in body
    assert "Not measured." in body


def test_the_card_keeps_words_of_the_contract_on_their_line():
    assert card.plain("a\n# b <script> | `c`") == "a # b &lt;script> \\| \\`c\\`"


def test_the_bill_of_materials_names_files_packages_and_the_model(folder):
    data = json.loads((folder / "sbom.cdx.json").read_text())
    assert (data["bomFormat"], data["specVersion"]) == ("CycloneDX", "1.6")
    model = data["metadata"]["component"]
    assert (model["type"], model["name"], model["version"]) == ("machine-learning-model", "tiny", "1.0.0")
    (measured,) = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert (measured["type"], measured["value"]) == ("accuracy", "1")
    files = {c["name"]: c["hashes"][0]["content"] for c in data["components"] if c["type"] == "file"}
    listed = (line.split("  ") for line in (folder / "SHA256SUMS").read_text().splitlines())
    assert files == {name: digest for digest, name in listed}
    (torch,) = (c for c in data["components"] if c["name"] == "torch")
    assert torch["purl"].startswith("pkg:pypi/torch@2.13.0")
    assert torch["licenses"]
    assert len({c["bom-ref"] for c in data["components"]}) == len(data["components"])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"License-Expression": "MIT OR Apache-2.0"}, [{"expression": "MIT OR Apache-2.0"}]),
        ({"License": "BSD-3-Clause"}, [{"license": {"name": "BSD-3-Clause"}}]),
        ({"License": "whole\ntext", "Classifier": "License :: OSI Approved :: MIT License"}, [{"license": {"name": "MIT License"}}]),
        ({"Classifier": "License :: OSI Approved"}, []),
        ({}, []),
    ],
    ids=["expression", "name", "classifier", "no name", "nothing"],
)
def test_a_packages_licence_is_found_where_it_stands(fields, expected):
    from email.message import Message

    message = Message()
    for name, value in fields.items():
        message[name] = value
    assert sbom.licences(message) == expected


def test_the_same_release_has_the_same_dates_and_serial_number(tiny_export, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    read = []
    for _ in range(2):
        assert tiny_export("--force")[0] == 0
        folder = tmp_path / "bundles" / "tiny" / "1.0.0"
        bill = json.loads((folder / "sbom.cdx.json").read_text())
        read.append((bill["serialNumber"], bill["metadata"]["timestamp"]))
        assert "1970-01-02 00:00 UTC" in (folder / "report.html").read_text()
        assert "Written 1970-01-02 00:00 UTC" in (tmp_path / "bundles" / "index.html").read_text()
        assert json.loads((folder / "provenance.json").read_text())["date"] == "1970-01-02T00:00:00+00:00"
    assert read[0] == read[1]
    assert read[0][1] == "1970-01-02T00:00:00Z"


def test_the_index_lists_what_is_there_and_passes_over_what_it_cannot_read(tiny_bundles, tmp_path):
    (entry,) = index.entries(tiny_bundles)
    assert (entry.name, entry.verdict, entry.link, entry.metric, entry.files) == (
        "tiny", "released", "tiny/1.0.0/report.html", 1.0, ("model.onnx",),
    )  # fmt: skip
    assert 'href="tiny/1.0.0/report.html"' in (tiny_bundles / "index.html").read_text()
    broken = tmp_path / "odd" / "1.0.0"
    broken.mkdir(parents=True)
    (broken / "contract.json").write_text("{")
    (broken.parent / "rejected-1.0.0.json").write_text("[]")
    assert index.entries(tmp_path) == []
    assert "Nothing is released yet" in index.render(tmp_path)
    assert index.entries(Path("nowhere")) == []


def test_a_sample_is_a_png_of_its_pixels():
    import base64
    import io

    from PIL import Image

    for shape in ((5, 7, 1), (5, 7, 3)):
        pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
        content = base64.b64decode(pictures.sample(pixels).split(",")[1])
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))).reshape(shape), pixels)
    assert pictures.sample(np.zeros((5, 7, 1), np.float32)) is None
    assert pictures.sample(np.zeros((5, 7, 2), np.uint8)) is None


def test_numbers_in_the_picture_of_sizes_do_not_hide_one_another():
    drawing = pictures.sizes([Point(1, 100.0, 0.9, 0.9, 0.9, "onnx"), Point(2, 100.0, 0.9, 0.9, 0.9, "tflite")], "a < b")
    places = re.findall(r'<circle class="\w+" cx="([\d.]+)"', drawing)
    assert abs(float(places[0]) - float(places[1])) >= 20
    assert "a &lt; b" in drawing
