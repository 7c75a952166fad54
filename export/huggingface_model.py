"""A Hugging Face folder made a PyTorch program that takes the contract's tensors: pixels, or ids alone.

What a caller would otherwise have to bring lies inside the graph: an attention mask, which is where the id is not the
padding's; the numbers of segments, all 0; pooling; and for pictures scaling and normalisation. So the program has one
input, on every runtime.
"""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edge import contract
from edge.contract import Contract
from edge.errors import ConversionError
from export.huggingface_folder import MASK, PREPROCESSOR, Folder, open_folder
from export.huggingface_signature import longest, pooling
from export.module_program import exported

HIDDEN = -1e4  # added to what attention shall not see: finite, and a softmax makes exactly 0 of it
CLOSE = 1e-4
_OWN = "export your class instead: --program module:Class"


class Texts(nn.Module):
    """A network of texts that is given (B, T) int32 ids alone; `head` makes the answer of what it gives and of the mask."""

    def __init__(self, net: nn.Module, padding: int, plain_mask: bool) -> None:
        super().__init__()
        self.net, self.padding, self.plain_mask = net, padding, plain_mask
        self.segments = "token_type_ids" in inspect.signature(net.forward).parameters

    def forward(self, ids: Tensor) -> Tensor:
        """Give (B, C) scores."""
        logits: Tensor = self.ask(ids)[0].logits
        return logits

    def ask(self, ids: Tensor) -> tuple[Any, Tensor]:
        """Give what the network answers, and the (B, T) mask, 1.0 where there is text."""
        inside = ids != self.padding  # (B, T)
        mask = inside.int() if self.plain_mask else (1 - inside.float())[:, None, None, :] * HIDDEN  # (B, 1, 1, T)
        segments = {"token_type_ids": torch.zeros_like(ids)} if self.segments else {}
        return self.net(input_ids=ids, attention_mask=mask, **segments), inside.float()


class Sentences(Texts):
    """An encoder of (B, T) int32 ids to one (B, C) vector each."""

    def __init__(self, net: nn.Module, padding: int, plain_mask: bool, how: str, normalised: bool) -> None:
        super().__init__(net, padding, plain_mask)
        self.how, self.normalised = how, normalised

    def forward(self, ids: Tensor) -> Tensor:
        """Give (B, C) vectors. Source: N. Reimers, I. Gurevych, "Sentence-BERT" (2019), section 3."""
        answer, inside = self.ask(ids)
        return self.pooled(answer.last_hidden_state, inside)

    def pooled(self, tokens: Tensor, inside: Tensor) -> Tensor:
        """Pool (B, T, C) to (B, C) over the (B, T) places that count."""
        weights = inside[:, :, None]
        vector = tokens[:, 0] if self.how == "cls" else (tokens * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return vector / vector.pow(2).sum(1, keepdim=True).sqrt().clamp(min=1e-12) if self.normalised else vector


class Masked(Texts):
    """A guesser of words: (B, T) int32 ids with one mask to (B, V) scores of what could stand there; of several masks, their mean."""

    def __init__(self, net: nn.Module, padding: int, plain_mask: bool, head: nn.Module, mask: int) -> None:
        super().__init__(net, padding, plain_mask)
        self.head, self.mask = head, mask

    def forward(self, ids: Tensor) -> Tensor:
        """Give (B, V) scores; the head reads the state at the mask alone, since that of all places costs a hundred times as much."""
        wanted = (ids == self.mask).float()[:, :, None]  # (B, T, 1)
        state = (self.ask(ids)[0].last_hidden_state * wanted).sum(1) / wanted.sum(1).clamp(min=1)  # (B, H)
        scores: Tensor = self.head(state[:, None])[:, 0]
        return scores


class Pictures(nn.Module):
    """A network of pictures that is given (B, H, W, 3) uint8 pixels."""

    def __init__(self, net: nn.Module, told: dict[str, Any]) -> None:
        super().__init__()
        self.net = net
        scale = told.get("rescale_factor", 1 / 255) if told.get("do_rescale", True) else 1.0
        normal = told.get("do_normalize", True)
        mean, deviation = (told.get(key) if normal else plain for key, plain in (("image_mean", 0.0), ("image_std", 1.0)))
        self.register_buffer("mean", _channels(mean, "image_mean"))
        self.register_buffer("deviation", _channels(deviation, "image_std"))
        self.scale = float(scale)

    def forward(self, image: Tensor) -> Tensor:
        """Give (B, C) scores."""
        pixels = image.permute(0, 3, 1, 2).float() * self.scale  # (B, 3, H, W)
        logits: Tensor = self.net(pixel_values=(pixels - self.get_buffer("mean")) / self.get_buffer("deviation")).logits
        return logits


def take(source: str, contract_file: str, output: str) -> dict[str, Any]:
    """Load a folder's model and export it for every batch size.

    Args:
        source: The folder.
        contract_file: The contract; the length of its ids or the size of its pictures is what the program takes.
        output: The `.pt2` file to write.

    Raises:
        ConversionError: The folder is refused, its weights are not all there, the contract is not its own, or the exporter
            cannot follow it.
    """
    folder, promise = open_folder(source), contract.load(Path(contract_file))
    _fits(folder, promise)
    net, notes = loaded(folder)
    with torch.no_grad():
        module = _texts(folder, net, promise) if folder.takes_texts else Pictures(net, folder.read(PREPROCESSOR)).eval()
        torch.export.save(exported(module, promise, folder.path.name), output)
    return {"notes": notes}


def _fits(folder: Folder, promise: Contract) -> None:
    """Refuse a contract whose tensors are not of the folder's kind, or whose step fills up with another id than the graph masks."""
    dtype, axes = ("int32", 1) if folder.takes_texts else ("uint8", 3)
    tensor = promise.main.inputs[0]
    if len(promise.main.inputs) != 1 or tensor.dtype != dtype or len(tensor.row_shape) != axes:
        raise ConversionError(f"{promise.name}: expected one input, {dtype} with {axes + 1} axes; begin with: tandem contract init FOLDER")
    for step in (step for step in promise.preprocess if step.name == "wordpiece"):
        if step.parameters.get("padding", 0) != folder.padding or step.parameters.get("length") != tensor.row_shape[0]:
            raise ConversionError(
                f"{promise.name}: wordpiece has {dict(step.parameters)}, expected padding={folder.padding} and "
                f"length={tensor.row_shape[0]}, as the model and the shape of {tensor.name!r}"
            )
    known = folder.config.get("vocab_size")
    if folder.takes_texts and isinstance(known, int) and folder.pieces > known:
        raise ConversionError(
            f"{folder.path.name}: the tokenizer gives ids up to {folder.pieces - 1}, the model knows {known}; they are not of one model"
        )
    if folder.takes_texts and isinstance(tensor.row_shape[0], int) and tensor.row_shape[0] > longest(folder):
        raise ConversionError(f"{promise.name}: {tensor.name!r} has {tensor.row_shape[0]} ids, the model takes at most {longest(folder)}")


def loaded(folder: Folder) -> tuple[nn.Module, list[str]]:
    """Make the class that the description names, and give it its weights.

    Returns:
        The network, ready to answer, and what is to be noted of it.

    Raises:
        ConversionError: Weights are damaged, missing or of another shape, or transformers does not know the class.
    """
    os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    import transformers
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    kind = _class(folder)
    try:
        state = {name: tensor for path in folder.weights for name, tensor in load_file(path).items()}
    except (SafetensorError, OSError) as error:
        raise ConversionError(f"{folder.path.name}: the weights are damaged ({str(error)[:160]}); copy the folder again") from None
    described = {
        key: value for key, value in folder.config.items() if not key.startswith(("_attn", "attn_", "_name", "torch_dtype", "dtype"))
    }
    try:
        config = kind.config_class.from_dict(described)
        net, told = kind.from_pretrained(
            None, config=config, state_dict=state, attn_implementation="eager", dtype=torch.float32, output_loading_info=True
        )
    except Exception as error:  # the library's own checks raise errors of every kind
        raise ConversionError(
            f"{folder.path.name}: transformers {transformers.__version__} cannot make {kind.__name__} of it ({_line(error)}); save it anew"
        ) from None
    unused = "pooler." if folder.task == "sentence-similarity" else "-"  # an encoder's own pooling, which is replaced by ours
    lacking = sorted(key for key in told["missing_keys"] if not key.startswith(unused))
    lacking += sorted(str(key) for key in told["mismatched_keys"])
    if lacking:
        raise ConversionError(
            f"{folder.path.name}: {len(lacking)} weights of {kind.__name__} are missing or of another shape ({', '.join(lacking[:3])}), "
            "and chance would stand in their place; train the model to its end and save it anew"
        )
    half = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in state.values() if tensor.is_floating_point()} - {"float32"})
    notes = [f"{kind.__name__} by transformers {transformers.__version__}, attention computed step by step (eager)"]
    return net.eval(), notes + ([f"weights in {', '.join(half)} were made float32"] if half else [])


def _class(folder: Folder) -> Any:
    """Find the class of transformers that the description names; no other can be had."""
    import transformers

    kind = folder.config.get("model_type")
    auto: Any = {
        "text-classification": transformers.AutoModelForSequenceClassification,
        "image-classification": transformers.AutoModelForImageClassification,
        "sentence-similarity": transformers.AutoModel,
        "text-to-text": transformers.AutoModelForSeq2SeqLM,
        "fill-mask": transformers.AutoModelForMaskedLM,
    }[folder.task]
    known = {config.model_type: config for config in auto._model_mapping}
    if kind not in known:
        raise ConversionError(
            f"{folder.path.name}: transformers {transformers.__version__} knows no model_type {kind!r} for {folder.task}; {_OWN}"
        )
    found = auto._model_mapping[known[kind]]
    classes = found if isinstance(found, tuple) else (found,)
    named = [each for each in classes if each.__name__ == folder.architecture]
    if folder.task != "sentence-similarity" and not named:
        raise ConversionError(f"{folder.path.name}: {folder.architecture} is not the class of model_type {kind!r} in transformers; {_OWN}")
    return (named or list(classes))[0]


def _texts(folder: Folder, net: nn.Module, promise: Contract) -> nn.Module:
    """Put ids before a network, in the way that gives its own answers: most take a mask that is added, which runs everywhere."""
    places = promise.main.inputs[0].row_shape[0]
    length = places if isinstance(places, int) else 8
    ids = torch.randint(0, int(folder.config.get("vocab_size") or 100), (3, length), generator=torch.Generator().manual_seed(0)).int()
    ids[ids == folder.padding] = (folder.padding + 1) % int(folder.config.get("vocab_size") or 100)
    ids[0, max(1, length // 2) :] = folder.padding
    ids[1, max(1, length - 1) :] = folder.padding
    plain, added = (_wrapped(folder, net, plain_mask) for plain_mask in (True, False))
    own = plain(ids)
    try:
        return added if float((added(ids) - own).abs().max()) <= CLOSE else plain
    except (IndexError, RuntimeError, ValueError):  # it takes no other mask than its own
        return plain


def _wrapped(folder: Folder, net: nn.Module, plain_mask: bool) -> nn.Module:
    if folder.task == "text-classification":
        return Texts(net, folder.padding, plain_mask).eval()
    if folder.task == "fill-mask":
        return Masked(net.get_submodule("bert"), folder.padding, plain_mask, net.get_submodule("cls"), folder.number_of(MASK)).eval()
    return Sentences(net, folder.padding, plain_mask, *pooling(folder)).eval()


def _channels(values: Any, name: str) -> Tensor:
    """Make (3, 1, 1) of one number or three."""
    listed = [values] * 3 if isinstance(values, (int, float)) else values
    if not isinstance(listed, list) or len(listed) not in (1, 3) or not all(isinstance(each, (int, float)) for each in listed):
        raise ConversionError(f"{PREPROCESSOR}: {name} is {values!r}, expected three numbers")
    if name == "image_std" and 0 in listed:
        raise ConversionError(f"{PREPROCESSOR}: image_std has a 0, by which nothing can be divided")
    return torch.tensor((listed * 3)[:3], dtype=torch.float32)[:, None, None]


def _line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
