"""From the body of `POST /predict/{model}` to values that the model's preprocessing takes: pictures, rows of numbers, or mappings."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from edge.contract import Contract, Tensor
from edge.errors import InputError, TooLargeError, UnsupportedMediaError
from edge.json_tensors import parse, shown, to_array
from edge.limits import MAX_PIXELS
from edge.steps import TEXT_STEPS, options_of
from edge.steps.encoded import text_of
from edge.steps.image import picture_size
from edge.steps.options import Chosen
from edge.wire_tensors import check_range
from serving import csv_rows
from serving.bodies import BINARY_TYPES, FORM_TYPE, JSON_TYPES, Body, form_fields

TEXT_TYPE, CSV_TYPE = "text/plain", "text/csv"
PICTURE_FIELDS = ("image", "file")
logging.getLogger("PIL").setLevel(logging.CRITICAL)  # it reports damaged pictures, which the caller is told
_PICTURE_RANKS = (2, 3)
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*")


def takes_pictures(contract: Contract) -> bool:
    """Tell whether a model's preprocessing begins with an encoded picture."""
    return bool(contract.preprocess) and contract.preprocess[0].name == "decode_image"


def takes_texts(contract: Contract) -> bool:
    """Tell whether a model's preprocessing begins with a text."""
    return bool(contract.preprocess) and contract.preprocess[0].name in TEXT_STEPS


def takes_tables(contract: Contract) -> bool:
    """Tell whether a model's preprocessing begins with a table of daily prices."""
    return bool(contract.preprocess) and contract.preprocess[0].name == "read_bars"


def takes_objects(contract: Contract) -> bool:
    """Tell whether a model's preprocessing begins with a JSON object of its own."""
    return bool(contract.preprocess) and contract.preprocess[0].name == "read_json"


def takes_rows(contract: Contract) -> bool:
    """Tell whether a model takes one row of numbers as it stands: no step before it, one input, one axis."""
    tensors = contract.main.inputs
    return not contract.preprocess and len(tensors) == 1 and len(tensors[0].row_shape) == 1 and tensors[0].dtype != "bool"


def accepted_types(contract: Contract) -> tuple[str, ...]:
    """List the content types that a model takes on its predict route."""
    if takes_pictures(contract):
        return (*JSON_TYPES, FORM_TYPE, "image/*", *BINARY_TYPES)
    if takes_texts(contract):
        return (*JSON_TYPES, TEXT_TYPE)
    return (*JSON_TYPES, CSV_TYPE) if takes_rows(contract) or takes_tables(contract) else JSON_TYPES


def values(body: Body, contract: Contract, max_batch: int, max_pixels: int = MAX_PIXELS) -> list[Any]:
    """Read the inputs of a predict request, one or many.

    Returns:
        Encoded pictures (bytes), arrays, mappings of tensor name to row, or texts where the model takes texts, to which a
        string is never a path; never text elsewhere. Each is `Chosen` where options came with them.

    Raises:
        InputError: What is wrong, and what was expected.
        UnsupportedMediaError: The content type is not taken.
        TooLargeError: Pictures unfold to more pixels, together, than a request may have.
    """
    found, options = _with_options(body, contract, max_batch)
    if not found:
        raise InputError("there is no input, expected one or more")
    _check_count(len(found), max_batch)
    if len(found) > 1 or max_pixels < MAX_PIXELS:
        check_pixels(found, max_pixels)
    return [Chosen(value, options) for value in found] if options else found


def _check_count(count: int, most: int) -> None:
    """Refuse what no request may have so many of, before each of them is looked at: a megabyte holds a hundred thousand."""
    if count > most:
        raise InputError(f"{count} inputs came, expected at most {most}; send several requests")


def check_pixels(found: list[Any], most: int) -> None:
    """Add up what the pictures' heads say, before any is decoded: a few kB may unfold to gigabytes, each of many.

    Raises:
        TooLargeError: They have more pixels than `most`.
    """
    sizes = [picture_size(value) for value in found if isinstance(value, bytes) and value]
    pixels = sum(height * width for height, width in sizes)
    if pixels > most:
        raise TooLargeError(
            f"the pictures have {pixels} pixels together, expected at most {most} in a request; send fewer, or smaller ones"
        )


def _with_options(body: Body, contract: Contract, most: int) -> tuple[list[Any], Mapping[str, Any]]:
    """Read the inputs, and what is chosen beside them: fields of a form, or "options" of a JSON body; for all inputs alike."""
    offered = [option.name for option in options_of(contract)]
    if offered and body.media_type == FORM_TYPE and takes_pictures(contract):
        fields = form_fields(body, most + 1 + len(offered))
        asked = [(name, content) for name, content in fields if name in offered]
        if len(dict(asked)) < len(asked):
            raise InputError(f"the form has an option twice, expected {' and '.join(offered)} once at most")
        pictures = _pictures([field for field in fields if field[0] not in offered], (*PICTURE_FIELDS, *offered))
        return pictures, {name: content.decode("utf-8", "replace") for name, content in asked}
    if offered and body.media_type in ("", *JSON_TYPES):
        document = parse(body.content)
        options = document.pop("options", {}) if isinstance(document, dict) else {}
        if not isinstance(options, dict):
            raise InputError(f"options is {shown(options)}, expected an object with {' and '.join(offered)}")
        return _from_document(document, contract, most), options
    return _values(body, contract, most), {}


def _values(body: Body, contract: Contract, most: int) -> list[Any]:
    kind = body.media_type
    if kind in ("", *JSON_TYPES):
        document = parse(body.content)
        return _objects(document) if takes_objects(contract) else _from_document(document, contract, most)
    if kind == TEXT_TYPE and takes_texts(contract):
        return [csv_rows.text(body.content)]
    if kind == CSV_TYPE and takes_tables(contract):
        return [text_of(body.content, "the table")]
    if kind == CSV_TYPE and takes_rows(contract):
        tensor = contract.main.inputs[0]
        return [_checked(row, contract, f"row {i}") for i, row in enumerate(csv_rows.rows(body.content, tensor.dtype, most), 1)]
    if not takes_pictures(contract):
        raise UnsupportedMediaError(f"Content-Type is {kind[:80]!r}, expected {', '.join(accepted_types(contract))}")
    if kind == FORM_TYPE:
        return _pictures(form_fields(body, most + 1), PICTURE_FIELDS)
    if kind.startswith("image/") or kind in BINARY_TYPES:
        return [encoded_picture(body.content)]
    raise UnsupportedMediaError(f"Content-Type is {kind[:80]!r}, expected one of {', '.join(accepted_types(contract))}")


def _pictures(fields: list[tuple[str, bytes]], known: tuple[str, ...]) -> list[bytes]:
    """Take the pictures out of a form whose other fields are taken out already; `known` are all that it may have, for the message."""
    for name, _ in fields:
        if name not in PICTURE_FIELDS:
            raise InputError(f"the form has a field {shown(name)}, expected {' or '.join(map(repr, known))}, once or several times")
    return [encoded_picture(content) for _, content in fields]


def encoded_picture(content: bytes) -> bytes:
    """Let only the common formats through to the decoder, which knows many more, some of them dangerous (EPS runs programs).

    Raises:
        UnsupportedMediaError: It is another.
    """
    is_webp = content[:4] == b"RIFF" and content[8:12] == b"WEBP"
    if content and not is_webp and not content.startswith(_SIGNATURES):
        raise UnsupportedMediaError("the bytes are not a picture of a kind that is taken, expected PNG, JPEG, WebP, GIF, BMP or TIFF")
    return content


def _objects(document: Any) -> list[dict[str, Any]]:
    """Read one question, as it stands or under "inputs", or several under "instances"."""
    if isinstance(document, dict) and len(document) == 1 and document.keys() <= {"inputs", "instances"}:
        [(key, document)] = document.items()
        if key == "instances" and not isinstance(document, list):
            raise InputError(f"instances is {shown(document)}, expected a list of objects")
    found = document if isinstance(document, list) else [document]
    for item in found:
        if not isinstance(item, dict):
            raise InputError(f'the question is {shown(item)}, expected an object such as {{"user": 42, "n": 10}}')
    return found


def _from_document(document: Any, contract: Contract, most: int) -> list[Any]:
    if not isinstance(document, dict) or len(document) != 1 or not document.keys() <= {"inputs", "instances"}:
        came = shown(sorted(document)) if isinstance(document, dict) else shown(document)
        raise InputError(f'the body is {came}, expected an object with "inputs" (one or a batch) or "instances" (a list), and nothing else')
    [(key, data)] = document.items()
    if key == "instances":
        if not isinstance(data, list):
            raise InputError(f"instances is {shown(data)}, expected a list of inputs")
        _check_count(len(data), most)
        return [_value(item, contract, f"instances[{i}]") for i, item in enumerate(data)]
    if isinstance(data, dict):
        return [_mapping(data, contract, "inputs")]
    if takes_texts(contract):
        return [_text(item, f"inputs[{i}]") for i, item in enumerate(data)] if isinstance(data, list) else [_text(data, "inputs")]
    dtype, ranks, _ = _expected(contract)
    array = to_array(data, dtype, "inputs", max(ranks) + 1)
    if array.ndim not in (*ranks, max(ranks) + 1):
        raise InputError(f"inputs is nested as {list(array.shape)}, expected {_wording(contract)}, or a list of such")
    many = array.ndim == max(ranks) + 1
    _check_count(len(array) if many else 1, most)
    return [_checked(row, contract, "inputs") for row in (array if many else [array])]


def _value(data: Any, contract: Contract, where: str) -> Any:
    """Read one input."""
    if isinstance(data, dict):
        return _mapping(data, contract, where)
    if takes_texts(contract):
        return _text(data, where)
    dtype, ranks, _ = _expected(contract)
    array = _row(data, dtype, max(ranks), where)
    if array.ndim not in ranks:
        raise InputError(f"{where} is nested as {list(array.shape)}, expected {_wording(contract)}")
    return _checked(array, contract, where)


def _text(data: Any, where: str) -> str:
    if not isinstance(data, str):
        raise InputError(f"{where} is {shown(data)}, expected a text")
    return data


def _mapping(data: dict[str, Any], contract: Contract, where: str) -> dict[str, Any]:
    """Read one row for each tensor, as it stands behind preprocessing."""
    tensors = {tensor.name: tensor for tensor in contract.main.inputs}
    rows = {}
    for name, item in data.items():
        if name not in tensors:
            raise InputError(f"{where} has {shown(name)}, expected {', '.join(tensors)}")
        label = f"{where}.{name}"
        rows[name] = _row(item, tensors[name].dtype, len(tensors[name].row_shape), label)
        check_range(rows[name], tensors[name], label)
    return rows


def _row(data: Any, dtype: str, rank: int, where: str) -> Any:
    """Read nested lists of a rank, or, where a sample has no axes, one number."""
    return to_array(data, dtype, where, rank) if rank else to_array([data], dtype, where, 1)[0]


def _checked(array: Any, contract: Contract, where: str) -> Any:
    tensor = _expected(contract)[2]
    if tensor is not None:
        check_range(array, tensor, where)
    return array


def _expected(contract: Contract) -> tuple[str, tuple[int, ...], Tensor | None]:
    """Give dtype and ranks of one input as nested lists, and the tensor that it is, where no step changes it first."""
    if takes_pictures(contract):
        return "uint8", _PICTURE_RANKS, None
    tensors = contract.main.inputs
    if takes_tables(contract):
        return tensors[0].dtype, (len(tensors[0].row_shape),), tensors[0]
    if contract.preprocess or len(tensors) != 1:
        wanted = ", ".join(tensor.name for tensor in tensors)
        raise InputError(f"{contract.name} takes no plain lists; send an object with one row for each of {wanted}, or use /v2/…/infer")
    return tensors[0].dtype, (len(tensors[0].row_shape),), tensors[0]


def _wording(contract: Contract) -> str:
    if takes_pictures(contract):
        return "a picture [height][width] or [height][width][channels]"
    return f"a row shaped {list(contract.main.inputs[0].row_shape)}"
