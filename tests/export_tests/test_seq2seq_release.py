"""The command that releases a T5 folder as a pair, and the one that writes with it."""

import json

import pytest

from edge.cli import main
from edge.seq2seq import Seq2Seq
from export import commands, seq2seq
from tests.export_tests import seq2seq_models as models


@pytest.mark.slow
@pytest.mark.parametrize("alone", [False, True], ids=["tokenizer.json", "spiece.model"])
def test_a_folder_goes_the_whole_road(alone, tmp_path, capfd):
    folder = models.folder(tmp_path / "t5", models.spiece(), seed=5, spiece_alone=alone)
    if alone:  # a search of the folder's own is for its users, and not for the answers that prove the pair
        told = {"num_beams": 3, "length_penalty": 2.0, "no_repeat_ngram_size": 2, "min_length": 5}
        (folder / "generation_config.json").write_text(json.dumps(told))
    places = ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "bundles")]
    assert main(["export", "tiny", "--program", str(folder), "--licence", "Apache-2.0", *places]) == 0
    capfd.readouterr()
    pair = Seq2Seq.open(tmp_path / "bundles" / "tiny")
    assert (pair.encoder.contract.licence, pair.decoder.contract.targets) == ("Apache-2.0", ("server",))
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on a mat. dogs ran fast.", encoding="utf-8")
    words = ["summarize", str(text), "--t5", str(tmp_path / "bundles" / "tiny"), "--beams", "4", "--max-length", "9"]
    assert main([*words, "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["summary"] == pair.write(text, pair.usual(num_beams=4, max_length=9)).text
    assert main([*words, "--repetition-penalty", "0"]) == 7
    assert "repetition_penalty is 0.0, expected a number from 0.01 to 100" in capfd.readouterr().err
    assert main(["export", "tiny", "--program", str(folder), *places]) == 0, "another licence is another release"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["a", "b"], "under one name: tandem export NAME --program FOLDER", id="two names"),
        pytest.param(["a", "--samples", "x.npz"], "--samples: a T5 folder brings its own", id="samples"),
        pytest.param(["a", "--all"], "leave the names and --all away", id="all"),
    ],
)
def test_words_that_do_not_fit_a_folder_are_told(words, said, tmp_path, capsys):
    assert main(["export", *words, "--program", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err


def test_a_licence_alone_is_told_to_name_its_folder(capsys):
    assert main(["export", "mnist_cnn", "--licence", "MIT"]) == 2
    assert "--licence: for a model from elsewhere" in capsys.readouterr().err


def test_a_pair_that_is_released_is_put_together_before_the_command_ends(monkeypatch, tmp_path):
    proved = []
    monkeypatch.setattr(seq2seq, "hand_over", lambda name, *_: [f"{name}_encoder/1.0.0", f"{name}_decoder/1.0.0"])
    monkeypatch.setattr(seq2seq, "prove", lambda name, bundles: proved.append((name, bundles)))
    monkeypatch.setattr(commands, "_export", lambda names, *_: proved.append(names) or 0)
    assert main(["export", "tiny", "--program", str(tmp_path), "--out", str(tmp_path)]) == 0
    assert proved == [["tiny_encoder/1.0.0", "tiny_decoder/1.0.0"], ("tiny", tmp_path)]
