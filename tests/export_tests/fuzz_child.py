"""A child that reads many mutated files by our readers: `python -m tests.export_tests.fuzz_child FOLDER KIND COUNT SEED`.

Reports one line of JSON for each case that ended otherwise than by an error of ours; a library that kills the process
leaves its case number in `FOLDER/at`.
"""

import json
import resource
import sys
from pathlib import Path

import numpy as np

from edge.errors import TandemError

MEMORY = 6 << 30


def mutate(content, random):
    """Change a file as accidents and attackers do: bytes, runs, cuts, doubled parts, large numbers."""
    data = bytearray(content)
    for _ in range(int(random.integers(1, 6))):
        at, kind = int(random.integers(0, max(1, len(data)))), int(random.integers(0, 6))
        if not data:
            break
        if kind == 0:
            data[at] ^= 1 << int(random.integers(0, 8))
        elif kind == 1:
            data[at : at + 4] = b"\xff\xff\xff\x7f"[: len(data) - at]
        elif kind == 2:
            del data[at : at + int(random.integers(1, 64))]
        elif kind == 3:
            data[at:at] = data[at : at + int(random.integers(1, 64))]
        elif kind == 4:
            data[at : at + 8] = random.bytes(8)
        else:
            del data[at:]
    return bytes(data)


def readers():
    """What reads each kind: the functions that meet a file first."""
    from edge.storage import load_npz
    from export import given_onnx, keras_program, operators, pt2_program, tflite_metadata

    def onnx(path, folder):
        given_onnx.take(str(path), str(folder / "taken.onnx"))
        given_onnx.signature(given_onnx.read(path), path.name)

    def tflite(path, folder):
        operators.describe(str(path))
        tflite_metadata.read(str(path))

    return {
        "onnx": onnx,
        "tflite": tflite,
        "npz": lambda path, folder: load_npz(path),
        "pt2": lambda path, folder: pt2_program.examine(path),
        "keras": lambda path, folder: keras_program.examine(path),
    }


def _peak_kb():
    """Peak resident memory of this process alone; `ru_maxrss` begins with that of the process that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])


def main(folder, kind, count, seed):
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    read = readers()[kind]
    original, random = (folder / f"seed.{kind}").read_bytes(), np.random.default_rng(seed)
    path, refused = folder / f"case.{kind}", 0
    for number in range(count):
        path.write_bytes(mutate(original, random))
        (folder / "at").write_text(str(number))
        try:
            read(path, folder)
        except TandemError as error:
            refused += 1
            if "\n" in str(error):
                sys.stdout.write(json.dumps({"case": number, "lines": str(error)}) + "\n")
        except BaseException as error:
            sys.stdout.write(json.dumps({"case": number, "kind": type(error).__name__, "text": str(error)[:200]}) + "\n")
    (folder / "at").unlink(missing_ok=True)
    sys.stdout.write(json.dumps({"refused": refused, "count": count, "peak": _peak_kb()}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
