"""A hand-over is verified before anything is converted; what is wrong is named."""

import json

import numpy as np
import pytest

from edge.errors import BundleError, ContractError, ParityError
from edge.storage import load_npz, save_npz
from export.handover import open_handover


def change_contract(folder, **fields):
    path = folder / "contract.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def change_npz(folder, name, **arrays):
    kept = {key: array for key, array in load_npz(folder / name).items() if key not in arrays}
    save_npz(folder / name, {**kept, **{key: array for key, array in arrays.items() if array is not None}})


def swap_filter(folder):
    steps = json.loads((folder / "contract.json").read_text())["preprocess"]
    change_contract(folder, preprocess=[{**step, "filter": "nearest"} if step["step"] == "resize" else step for step in steps])


FAULTS = [
    ("no program", lambda f: (f / "program.pt2").unlink(), BundleError, "no program"),
    ("unknown field", lambda f: change_contract(f, colour="red"), ContractError, "colour is not a known field"),
    ("permuted labels", lambda f: change_contract(f, labels=list("1023456789")), ParityError, "the trainer called it"),
    ("another resize filter", swap_filter, ParityError, "preprocessing gives another input 'image' than in training"),
    (
        "empty calibration",
        lambda f: change_npz(f, "calibration.npz", **{"input/image": np.zeros((0, 28, 28, 1), np.uint8)}),
        BundleError,
        "no samples",
    ),
    ("no target", lambda f: change_npz(f, "eval.npz", target=None), BundleError, "no 'target'"),
    ("too few targets", lambda f: change_npz(f, "eval.npz", target=np.zeros(3, np.int64)), BundleError, "no 'target'"),
    (
        "targets of another shape",
        lambda f: change_npz(f, "eval.npz", target=np.zeros((200, 1), np.int64)),
        BundleError,
        "needs numbers ['batch']",
    ),
    ("no samples but a number", lambda f: change_npz(f, "eval.npz", **{"input/image": np.uint8(3)}), BundleError, "no samples for input"),
    ("an asset that is not there", lambda f: change_contract(f, assets={"words": "words.txt"}), BundleError, "names it as an asset"),
    ("wrong dtype", lambda f: change_npz(f, "eval.npz", **{"input/image": np.zeros((200, 28, 28, 1), np.float32)}), BundleError, "float32"),
    (
        "wrong shape",
        lambda f: change_npz(f, "eval.npz", **{"input/image": np.zeros((200, 32, 32, 1), np.uint8)}),
        BundleError,
        "(200, 32, 32, 1)",
    ),
    ("not an archive", lambda f: (f / "golden.npz").write_bytes(b"junk"), BundleError, "not an .npz"),
    ("not an archive either", lambda f: (f / "eval.npz").write_bytes(b"junk"), BundleError, "not an .npz"),
]


@pytest.mark.parametrize(("plant", "kind", "fragment"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_each_fault_is_refused_by_name(small_handover, resign, plant, kind, fragment):
    plant(small_handover)
    resign(small_handover)
    with pytest.raises(kind) as caught:
        open_handover(small_handover)
    assert fragment in str(caught.value)


def test_numbers_that_are_not_finite_are_refused(small_handover, resign):
    change_contract(small_handover, preprocess=[])
    data = json.loads((small_handover / "contract.json").read_text())
    data["graphs"][0]["inputs"][0] |= {"dtype": "float32"}
    (small_handover / "contract.json").write_text(json.dumps(data))
    for name in ("golden.npz", "eval.npz", "calibration.npz"):
        arrays = {k: v for k, v in load_npz(small_handover / name).items() if not k.startswith("raw/")}
        arrays["input/image"] = arrays["input/image"].astype(np.float32)
        save_npz(small_handover / name, arrays)
    resign(small_handover)
    open_handover(small_handover)
    broken = load_npz(small_handover / "calibration.npz")["input/image"]
    broken[3, 0, 0, 0] = np.nan
    change_npz(small_handover, "calibration.npz", **{"input/image": broken})
    resign(small_handover)
    with pytest.raises(BundleError, match="not finite"):
        open_handover(small_handover)


def test_a_changed_file_is_refused_before_it_is_read(small_handover):
    program = small_handover / "program.pt2"
    content = bytearray(program.read_bytes())
    content[len(content) // 2] ^= 1
    program.write_bytes(content)
    with pytest.raises(BundleError, match=r"program\.pt2: SHA-256 is"):
        open_handover(small_handover)


def test_a_model_that_was_never_trained_gets_the_command_that_trains_it(tmp_path):
    with pytest.raises(BundleError, match="train it first: tandem train nothing"):
        open_handover(tmp_path / "nothing")


def test_the_folder_above_means_its_newest_version(small_handover):
    assert open_handover(small_handover.parent).folder == small_handover
