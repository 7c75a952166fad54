"""Feed mutated requests to what reads them, without a server: each must be read, or refused with words, quickly.

    python scripts/fuzz_requests.py --count 1000000             # half tensors, half predict bodies; seeded, the same every time
    python scripts/fuzz_requests.py --count 1000000 --keep      # and write one small input for each way to end into the corpus
    python scripts/fuzz_requests.py --start 41 --count 1000     # one block again

Inputs come in blocks of 1000, each seeded by its number. A crash of the process leaves the number of its block on standard error.
"""

from __future__ import annotations

import argparse
import base64
import collections
import faulthandler
import json
import random
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mutations import Mutator, seeds
from tqdm import tqdm

from edge.contract import SCHEMA, Contract, Graph, Metric, Step, Tensor
from edge.errors import InputError
from edge.layouts import Layouts
from edge.protocol import InferRequest, decode_request, decode_response
from edge.steps import preprocessing
from serving import inputs
from serving.bodies import Body

CORPUS = Path(__file__).parent.parent / "tests" / "serving_tests" / "corpus" / "requests.jsonl"
BLOCK, SLOW_S, MOST_PIXELS, MOST_BYTES = 1000, 1.0, 1 << 20, 600


class Given(NamedTuple):
    """One input: what reads it, the header that goes with it, and the body."""

    reader: str
    header: str
    body: bytes


def _contract(name: str, tensors: tuple[Tensor, ...], steps: tuple[Step, ...] = ()) -> Contract:
    graph = Graph("main", tensors, (Tensor("y", "float32", ("batch", 2), "NC"),))
    return Contract(SCHEMA, name, "1.0.0", "test", (graph,), Metric("accuracy", "higher", None), preprocess=steps)


_PAIRS = (Tensor("ids", "int32", ("batch", "length"), "NL", (0, 99)), Tensor("mask", "bool", ("batch", "length"), "NL"))
CONTRACTS = {
    "pixels": _contract("pixels", (Tensor("image", "uint8", ("batch", 4, 4, 1), "NHWC", (0, 255)),)),
    "rows": _contract("rows", (Tensor("x", "float32", ("batch", "length"), "NC"),)),
    "pairs": _contract("pairs", _PAIRS),
    "pictures": _contract(
        "pictures",
        (Tensor("image", "uint8", ("batch", 8, 8, 3), "NHWC", (0, 255)),),
        (Step("decode_image", channels=3), Step("resize", height=8, width=8, filter="bilinear", fit="contain")),
    ),
}
KNOWN = {name: Layouts() for name in CONTRACTS}
_PREPARE = preprocessing(CONTRACTS["pictures"])
READERS = ("infer pixels", "infer rows", "infer pairs", "answer", "predict pictures", "predict rows", "predict pairs")


def read(given: Given) -> str:
    """Read one input as the server, or the client, would.

    Returns:
        How it ended: `read`, or the words of the refusal without what differs from input to input.

    Raises:
        AssertionError: What was read breaks a promise, or a refusal lacks its words.
    """
    kind, _, name = given.reader.partition(" ")
    try:
        if kind == "infer":
            _infer(given, CONTRACTS[name], KNOWN[name])
        elif kind == "answer":
            decode_response(given.body, given.header or None)
        else:
            _predict(given, CONTRACTS[name])
    except InputError as error:
        words = str(error)
        if not re.search("expected|; send |; write |; check ", words) or len(words) > 500:
            raise AssertionError(f"the refusal does not say what was expected, or too much: {words[:600]}") from None
        return f"{error.http_status} " + re.sub(r"\d+|'[^']*'|\"[^\"]*\"|\([^)]*\)|\[[^]]*\]|is .*?, expected", "…", words)
    return "read"


def _infer(given: Given, contract: Contract, known: Layouts) -> None:
    """Read a request twice: as one whose document came before, which it may not have, and as any other."""
    header = given.header or None
    before, whole = (
        _outcome(lambda: known.read(given.body, header)),
        _outcome(lambda: decode_request(given.body, contract.main, header, max_batch=8)),
    )
    if before is not None and _facts(before) != _facts(whole):
        raise AssertionError(f"a document that came before is read as {_facts(before)}, and alone as {_facts(whole)}")
    if isinstance(whole, InputError):
        raise whole
    if whole is not None:
        _hold(whole, contract)
        known.learn(given.body, header, contract.main, whole)


def _outcome(read: Callable[[], InferRequest | None]) -> InferRequest | InputError | None:
    try:
        return read()
    except InputError as error:
        return error


def _facts(found: InferRequest | InputError | None) -> object:
    if not isinstance(found, InferRequest):
        return str(found)
    return [(name, array.dtype, array.shape, array.tobytes()) for name, array in found.inputs.items()], dict(found.outputs), found.id


def _hold(request: InferRequest, contract: Contract) -> None:
    for tensor in contract.main.inputs:
        array = request.inputs[tensor.name]
        fits = array.dtype == tensor.dtype and array.ndim == len(tensor.shape) and 0 < len(array) <= 8
        if not fits or not np.isfinite(array).all() or (tensor.range and (array.min() < tensor.range[0] or array.max() > tensor.range[1])):
            raise AssertionError(f"{tensor.name} was read as {array.dtype} {array.shape}")


def _predict(given: Given, contract: Contract) -> None:
    body = Body(given.body, given.header.partition(";")[0].strip().lower(), given.header)
    for value in inputs.values(body, contract, 8, MOST_PIXELS):
        if contract.preprocess and not isinstance(value, dict):
            pixels = np.asarray(_PREPARE(value))
            if pixels.shape != (8, 8, 3) or pixels.dtype != np.uint8:
                raise AssertionError(f"a picture became {pixels.dtype} {pixels.shape}")


def block(number: int) -> Iterator[Given]:
    """Make the inputs of one block, the same at every call."""
    rng = random.Random(number)
    mutator = Mutator(rng)
    starts = {reader: [Given(reader, header, body) for header, body in seeds(reader)] for reader in READERS}
    for _ in range(BLOCK):
        reader = READERS[rng.randrange(4)] if rng.random() < 0.5 else rng.choice(READERS[4:])
        given = rng.choice(starts[reader])
        yield Given(reader, mutator.header(given.header), mutator.body(given.body))


def main() -> int:
    """Read everything, say what ended how, and give 1 where something ended as nothing may."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--start", type=int, default=0, help="number of the first block")
    parser.add_argument("--keep", action="store_true", help=f"write one small input for each way to end into {CORPUS.name}")
    args = parser.parse_args()
    faulthandler.enable()
    warnings.simplefilter("ignore")  # Pillow's remarks on damaged pictures
    ends: collections.Counter[str] = collections.Counter()
    smallest: dict[str, Given] = {}
    defects: dict[str, Given] = {}
    slowest, begun = 0.0, time.monotonic()
    blocks = range(args.start, args.start + max(1, args.count // BLOCK))
    for number in tqdm(blocks, unit="block", disable=None):
        print(f"block {number}", file=sys.stderr, flush=True) if not number % 50 else None
        for given in block(number):
            start = time.perf_counter()
            try:
                end = f"{given.reader}: {read(given)}"
            except Exception as error:  # whatever else is raised is what is looked for
                defects.setdefault(f"{given.reader}: {type(error).__name__}: {str(error)[:200]}", given)
                continue
            took = time.perf_counter() - start
            slowest = max(slowest, took)
            if took > SLOW_S:
                defects.setdefault(f"{given.reader}: took {took:.1f} s", given)
            ends[end] += 1
            if end not in smallest or len(given.body) < len(smallest[end].body):
                smallest[end] = given
    took = time.monotonic() - begun
    print(f"{sum(ends.values())} inputs in {took:.0f} s ({sum(ends.values()) / took:.0f}/s), slowest {slowest * 1000:.0f} ms")
    fine = sum(count for end, count in ends.items() if end.endswith(": read"))
    print(f"{fine} read, the rest refused in {len(ends) - len(READERS)} ways; {len(defects)} defects")
    for words, given in defects.items():
        print(f"  {words}\n    {given!r}")
    if args.keep:
        keep(smallest)
    return int(bool(defects))


def keep(smallest: dict[str, Given]) -> None:
    """Write the corpus, in order, without large inputs."""
    lines = [
        json.dumps({"reader": given.reader, "header": given.header, "body": base64.b64encode(given.body).decode(), "end": end})
        for end, given in sorted(smallest.items())
        if len(given.body) <= MOST_BYTES
    ]
    CORPUS.parent.mkdir(exist_ok=True)
    CORPUS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines)} inputs in {CORPUS}")


if __name__ == "__main__":
    sys.exit(main())
