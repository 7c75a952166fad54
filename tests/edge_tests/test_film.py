"""Films: read and written as GIF, WebP and folders, and what is no film, is cut short or has no frames, told in words."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from edge import cli, film_writing
from edge.commands import detect
from edge.errors import InputError, RuntimeMissingError, SetupError, UsageError
from edge.film import is_film, open_film
from edge.film_writing import FilmWriter
from edge.model import Prediction
from edge.steps.boxes import Box, Boxes

COUNT = 5


@pytest.fixture
def clip(tmp_path):
    """Five frames of 30 by 20 pixels, each brighter than the one before, every 200 ms."""
    path = tmp_path / "clip.gif"
    frames = [Image.fromarray(np.full((20, 30, 3), 40 * number, np.uint8)) for number in range(COUNT)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=200, loop=0)
    return path


@pytest.fixture
def without_pyav(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)


def test_every_frame_of_an_animation_comes_with_its_time(clip):
    film = open_film(clip)
    assert (film.count, film.rate) == (COUNT, 5.0)
    frames = list(film.frames())
    assert [(frame.number, round(frame.time_s, 1)) for frame in frames] == [(0, 0.0), (1, 0.2), (2, 0.4), (3, 0.6), (4, 0.8)]
    assert [int(frame.pixels[0, 0, 0]) for frame in frames] == [0, 40, 80, 120, 160]
    assert [frame.number for frame in film.frames(2)] == [0, 2, 4]


@pytest.mark.parametrize("name", ["out.gif", "out.webp", "out"])
def test_what_is_written_can_be_read_again(name, clip, tmp_path):
    with FilmWriter(tmp_path / name, 5.0) as writer:
        for frame in open_film(clip).frames():
            writer.add(frame.pixels)
    again = list(open_film(tmp_path / name).frames())
    assert [abs(int(frame.pixels[0, 0, 0]) - 40 * frame.number) <= 3 for frame in again] == [True] * COUNT
    assert not list(tmp_path.glob(".*"))


def test_a_folder_of_pictures_is_a_film_in_the_order_of_their_names(tmp_path):
    for number in (2, 0, 1):
        Image.fromarray(np.full((4, 4, 3), number, np.uint8)).save(tmp_path / f"{number}.png")
    (tmp_path / "notes.txt").write_text("no picture")
    assert [int(frame.pixels[0, 0, 0]) for frame in open_film(tmp_path).frames()] == [0, 1, 2]


def test_a_film_that_is_cut_short_says_after_which_frame(clip):
    whole = clip.read_bytes()
    clip.write_bytes(whole[: len(whole) * 6 // 10])
    seen = []
    with pytest.raises(InputError, match=r"breaks off after frame \d"):
        seen.extend(frame.number for frame in _noting(open_film(clip), seen))
    assert seen[0] == 0
    assert len(seen) < COUNT


def _noting(film, seen):
    for frame in film.frames():
        seen.append(frame.number)
        yield frame


BOMB = b"GIF89a" + b"\xff" * 4 + bytes(3) + b"," + bytes(4) + b"\xff" * 4 + b"\0\2\0;"  # 65,535 pixels a side


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        pytest.param("a.gif", b"hello", "no film that can be read", id="no gif"),
        pytest.param("a.webp", b"", "no film that can be read", id="empty"),
        pytest.param("a.txt", b"hello", "no film is called so", id="text"),
        pytest.param("a.gif", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no film that can be read", id="a program"),
        pytest.param("a.gif", BOMB, "its frames have too many pixels", id="a bomb"),
    ],
)
def test_what_is_no_film_is_told(name, content, said, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=said):
        open_film(tmp_path / name)


def test_what_is_not_there_or_empty_is_told(tmp_path):
    with pytest.raises(InputError, match="no such film"):
        open_film(tmp_path / "a.gif")
    with pytest.raises(InputError, match="a folder without pictures"):
        open_film(tmp_path)


@pytest.mark.usefixtures("without_pyav")
def test_without_pyav_an_mp4_is_told_and_a_gif_is_not(clip, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"hello")
    for use in (lambda: open_film(tmp_path / "a.mp4"), lambda: FilmWriter(tmp_path / "b.mp4", 5.0)):
        with pytest.raises(RuntimeMissingError, match="pip install av"):
            use()
    assert open_film(clip).count == COUNT


def test_a_film_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="no film is written so"):
        FilmWriter(tmp_path / "a.txt", 5.0)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SetupError, match="cannot be made"):
        FilmWriter(tmp_path / "file" / "a.gif", 5.0)
    writer = FilmWriter(tmp_path / "a.gif", 5.0)
    writer.add(np.zeros((4, 6, 3), np.uint8))
    with pytest.raises(InputError, match="frame 1 is 4×6, the first was 6×4"):
        writer.add(np.zeros((6, 4, 3), np.uint8))
    monkeypatch.setattr(film_writing, "MOST_HELD", 1)
    with pytest.raises(InputError, match="more than 1 frames"):
        writer.add(np.zeros((4, 6, 3), np.uint8))


def test_what_is_a_film_goes_by_the_name(tmp_path):
    assert is_film(tmp_path)
    assert is_film(tmp_path / "a.MP4")
    assert not is_film(tmp_path / "a.png")


class Finder:
    """Finds one thing in every frame that is not black."""

    contract = SimpleNamespace(
        name="finder",
        version="1.0.0",
        task="object-detection",
        preprocess=(SimpleNamespace(name="decode_image", parameters={"channels": 3}),),
    )
    variant, runtime = (
        SimpleNamespace(file="model.tflite", recipe="fp32"),
        SimpleNamespace(name="litert", version="2", provider="CPU", note=""),
    )

    def predict(self, picture):
        items = (Box("thing", 3, 0.75, (2.0, 3.0, 20.0, 15.0)),) if picture.max() else ()
        return Prediction({}, Boxes(items), picture)


@pytest.fixture
def finder(monkeypatch):
    monkeypatch.setattr(detect, "open_model", lambda _: Finder())
    monkeypatch.setattr(detect, "describe", lambda _: {"model": "finder"})


@pytest.mark.usefixtures("finder")
def test_a_film_is_answered_frame_by_frame_drawn_and_listed(clip, tmp_path, capsys):
    words = ["detect", "finder", str(clip), "--every", "2", "--out", str(tmp_path / "out.gif"), "--lines", str(tmp_path / "out.jsonl")]
    assert cli.main(words) == 0
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(line["frame"], len(line["boxes"])) for line in lines] == [(0, 0), (2, 1), (4, 1)]
    assert lines[1]["boxes"][0] == {"label": "thing", "index": 3, "score": 0.75, "box": [2.0, 3.0, 20.0, 15.0]}
    frames = list(open_film(tmp_path / "out.gif").frames())
    assert len({tuple(pixel) for pixel in frames[1].pixels.reshape(-1, 3)}) > 1, "a box is drawn"
    told = capsys.readouterr()
    assert "2: thing (0.75) at 2,3,20,15" in told.out
    assert "3 frames drawn" in told.out
    assert "clip.gif 100%" in told.err


@pytest.mark.usefixtures("finder")
def test_a_photograph_is_answered_and_drawn(tmp_path, capsys):
    Image.fromarray(np.full((20, 30, 3), 9, np.uint8)).save(tmp_path / "a.jpg")
    assert cli.main(["detect", "finder", str(tmp_path / "a.jpg"), "--out", str(tmp_path / "b.png"), "--json"]) == 0
    with Image.open(tmp_path / "b.png") as drawn:
        assert drawn.size == (30, 20)
    first, last = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first["boxes"][0]["label"] == "thing"
    assert last == {"model": "finder", "detector": "quick", "frames": 1}


@pytest.mark.usefixtures("finder")
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        pytest.param(["none.gif"], 7, "no such film", id="missing"),
        pytest.param(["clip.gif", "--every", "0"], 2, "--every is 0", id="every"),
        pytest.param(["clip.gif", "--frames", "0"], 2, "--frames is 0", id="frames"),
        pytest.param(["clip.gif", "--out", "a.txt"], 2, "no film is written so", id="kind"),
        pytest.param(["clip.gif", "--lines", "none/a.jsonl"], 6, "choose another place with --lines", id="lines"),
        pytest.param(["a.bmp", "--out", "a.gif"], 2, "ends in .png", id="photograph as film"),
        pytest.param(["a.bmp"], 7, "not a picture that can be read", id="no picture"),
    ],
)
def test_what_cannot_be_done_is_told(words, code, said, clip, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.bmp").write_bytes(b"hello")
    assert cli.main(["detect", "finder", *words]) == code
    assert said in capsys.readouterr().err


@pytest.mark.usefixtures("finder")
def test_what_came_before_a_film_broke_off_is_kept(clip, tmp_path, capsys):
    whole = clip.read_bytes()
    clip.write_bytes(whole[: len(whole) * 6 // 10])
    assert cli.main(["detect", "finder", str(clip), "--lines", str(tmp_path / "a.jsonl"), "--out", str(tmp_path / "a.gif")]) == 7
    count = len((tmp_path / "a.jsonl").read_text().splitlines())
    assert f"({count} frames were looked at)" in capsys.readouterr().err
    assert open_film(tmp_path / "a.gif").count <= count


@pytest.fixture
def film(clip, tmp_path):
    """The five frames as MP4."""
    with FilmWriter(tmp_path / "clip.mp4", 5.0) as writer:
        for frame in open_film(clip).frames():
            writer.add(frame.pixels)
    return tmp_path / "clip.mp4"


def test_an_mp4_is_written_and_read_again(film):
    again = open_film(film)
    assert (again.count, again.rate) == (COUNT, 5.0)
    frames = list(again.frames(2))
    assert [(frame.number, round(frame.time_s, 1)) for frame in frames] == [(0, 0.0), (2, 0.4), (4, 0.8)]
    assert [abs(int(frame.pixels.mean()) - 40 * frame.number) <= 4 for frame in frames] == [True] * 3


def test_an_mp4_that_is_cut_short_or_none_is_told(film, tmp_path):
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    with pytest.raises(InputError, match="its end is missing"):
        list(open_film(film).frames())
    (tmp_path / "none.mp4").write_bytes(b"hello")
    with pytest.raises(InputError, match="no film that can be read"):
        open_film(tmp_path / "none.mp4")


def test_sound_alone_is_told(film, tmp_path):
    import av

    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        track = container.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 8000
        container.mux([*track.encode(sound), *track.encode(None)])
    with pytest.raises(InputError, match="it is sound alone"):
        open_film(tmp_path / "sound.mp4")
