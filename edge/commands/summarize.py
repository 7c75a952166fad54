"""`tandem summarize`: a text in some of its own sentences, or, with a T5 pair, in words of its own."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from edge.errors import InputError, UsageError
from edge.model import Model
from edge.seq2seq import Seq2Seq
from edge.steps.text import MAX_CHARACTERS, text_of
from edge.systems.abstract import told
from edge.systems.summary import WEIGHT, Length, Summary

HELP = "summarize a text: its own best sentences, or new ones by a T5 pair"
STANDARD_INPUT = "-"
_BEAMS = ("beams", "repetition_penalty", "max_length")
_CHOICE = ("sentences", "words", "share", "weight")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("file", metavar="FILE", help="a UTF-8 text file, or - for standard input")
    parser.add_argument("--model", default="sentence_minilm", metavar="BUNDLE", help="encoder of sentences (default: sentence_minilm)")
    parser.add_argument("--sentences", type=int, metavar="N", help="the most sentences (default: 3)")
    parser.add_argument("--words", type=int, metavar="N", help="the most words, instead")
    parser.add_argument("--share", type=float, metavar="S", help="the share of the sentences, above 0 and at most 1, instead")
    parser.add_argument("--lambda", dest="weight", type=float, metavar="L", help=f"1: relevance alone, 0: difference alone ({WEIGHT})")
    parser.add_argument("--t5", metavar="NAME", help="write new sentences by the bundles NAME_encoder and NAME_decoder")
    parser.add_argument("--beams", type=int, metavar="N", help="with --t5: texts followed at once, 1 is greedy")
    parser.add_argument("--repetition-penalty", type=float, metavar="P", help="with --t5: above 1, what came before is rarer")
    parser.add_argument("--max-length", type=int, metavar="N", help="with --t5: the most ids to write")
    parser.add_argument("--target", choices=("device", "server"), default="device", help="whose file of the encoder to take")
    parser.add_argument("--json", action="store_true", help="print JSON for machines: sentences with places and scores, what was left out")


def run(args: argparse.Namespace) -> int:
    """Summarize one text.

    Raises:
        UsageError: Options of both ways are given.
        InputError: The text is empty, no UTF-8, or an option is out of bounds.
        TandemError: A bundle cannot be used.
    """
    wrong = [name for name in (_CHOICE if args.t5 else _BEAMS) if getattr(args, name) is not None]
    if wrong:
        name = "lambda" if wrong[0] == "weight" else wrong[0].replace("_", "-")
        raise UsageError(f"--{name} is for {'sentences of the text itself' if args.t5 else '--t5'}; leave one of them out")
    text = _text(args.file)
    answer = _written(args, text) if args.t5 else _chosen(args, text)
    if args.json:
        print(json.dumps(answer, ensure_ascii=False))
        return 0
    print(answer["summary"])
    if answer.get("left_out"):
        print(f"{answer['read']} of {answer['found']} sentences were read, evenly over the text", file=sys.stderr)
    if answer.get("cut"):
        print(f"the text is longer than the {answer['read_ids']} ids that the model reads; the rest was left out", file=sys.stderr)
    return 0


def _chosen(args: argparse.Namespace, text: str) -> dict[str, Any]:
    length = Length(args.sentences, args.words, args.share)
    with Model.open(args.model, target=args.target) as encoder:
        return Summary(encoder).summarize(text, length, WEIGHT if args.weight is None else args.weight)


def _written(args: argparse.Namespace, text: str) -> dict[str, Any]:
    pair = Seq2Seq.open(args.t5)
    wanted = pair.usual(num_beams=args.beams, repetition_penalty=args.repetition_penalty, max_length=args.max_length)
    return told(pair.write(text, wanted))


def _text(file: str) -> str:
    """Read the file, or standard input, before time is spent on opening models.

    Raises:
        InputError: It cannot be read, or is no UTF-8.
        TooLargeError: It is too long.
    """
    if file != STANDARD_INPUT:
        return text_of(Path(file))
    content = sys.stdin.buffer.read(4 * MAX_CHARACTERS + 4)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"standard input: not UTF-8 at byte {error.start}, expected a text") from None
