"""A bundle directory: open it, verify it, read what it holds. Nothing is loaded before all of it is proved whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Union

from edge import __version__, contract, golden, search_path, variants
from edge.contract import Contract
from edge.errors import BundleError, ContractError
from edge.golden import Golden
from edge.schema import read_json
from edge.storage import verify
from edge.variants import Variant

UNLISTED = frozenset({"provenance.json", "measurements.json", "report.html", "report.md", "report.junit.xml", "README.md", "sbom.cdx.json"})
REQUIRED = ("contract.json", "variants.json", "golden.npz")


@dataclass(frozen=True)
class Bundle:
    """One released version of one model, verified; `sums` are the hashes that its files were found to have."""

    folder: Path
    contract: Contract
    variants: tuple[Variant, ...]
    golden: Golden
    sums: Mapping[str, str] = field(default_factory=dict)

    @property
    def assets(self) -> Path:
        """Folder of vocabularies, scalers and the like."""
        return self.folder / "assets"

    def file(self, variant: Variant) -> Path:
        """Path of a variant's file."""
        return self.folder / variant.file


def open_bundle(folder: Union[str, Path]) -> Bundle:
    """Open a bundle and prove it whole: hashes, no extra files, no links, contract, variants and steps.

    Args:
        folder: The version directory, or the model directory above it (then the newest version is taken); a string that is a
            model's bare name is looked up, see `edge.search_path`.

    Raises:
        BundleError: What is wrong with which file, and the remedy.
        ContractError: `contract.json` or `variants.json` says something that it may not say.
        ParityError: Preprocessing or postprocessing no longer give the stored values.
    """
    try:
        return _open(_version_folder(_looked_up(folder)))
    except OSError as error:
        where = error.filename or folder
        raise BundleError(f"{where}: cannot be read ({error.strerror}); mend its rights or copy the bundle again") from None


def _open(folder: Path) -> Bundle:
    sums = verify(folder, UNLISTED)
    for name in REQUIRED:
        if name not in sums:
            raise BundleError(f"{folder / name}: missing; a bundle holds {', '.join(REQUIRED)}, so release it again")
    promise = contract.load(folder / "contract.json")
    _check_edge(promise)
    beside = read_json((folder / "contract.json").read_bytes(), str(folder / "contract.json"))
    files = variants.loads((folder / "variants.json").read_bytes(), str(folder / "variants.json"), beside)
    for variant in files:
        if sums.get(variant.file) != variant.sha256:
            raise BundleError(f"{folder / variant.file}: not the file that variants.json describes; files were exchanged, release it again")
        for side in ("inputs", "outputs"):
            described, promised = len(getattr(variant.io, side)), len(getattr(promise.main, side))
            if described != promised:
                raise ContractError(f"{folder / 'variants.json'}: {variant.file} has {described} {side} in io, the contract has {promised}")
    for name, path in promise.assets.items():
        if f"assets/{path}" not in sums:
            raise BundleError(f"{folder / 'assets' / path}: missing, but the contract names it as asset {name!r}")
    samples = golden.load(folder / "golden.npz", promise)
    golden.replay_steps(samples, promise, folder / "assets")
    return Bundle(folder, promise, files, samples, sums)


def versions(folder: Path) -> list[Path]:
    """List the version directories below a model directory, the oldest first."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else []:
        parts = path.name.split(".")
        if path.is_dir() and len(parts) == 3 and all(part.isascii() and part.isdigit() for part in parts):
            found.append((tuple(map(int, parts)), path))
    return [path for _, path in sorted(found)]


def _looked_up(folder: Union[str, Path]) -> Path:
    """Find a model by its bare name, where no folder here is meant."""
    here = Path(folder)
    if not isinstance(folder, str) or not search_path.is_name(folder) or (here / "contract.json").exists() or versions(here):
        return here
    found = search_path.find(folder)
    if found is None and not here.is_dir():
        places = ", ".join(str(place) for place in search_path.places())
        raise BundleError(
            f"{folder}: no such directory, and no model of that name in {places}; give a bundle's path, "
            f"or name the folder above the models in {search_path.VARIABLE}"
        )
    return found or here


def _version_folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise BundleError(f"{folder}: no such directory; give a bundle such as bundles/mnist_cnn/1.0.0")
    if (folder / "contract.json").exists():
        return folder.resolve()
    below = versions(folder)
    if not below:
        raise BundleError(f"{folder}: neither a bundle (no contract.json) nor a folder of versions; export a model first")
    return below[-1].resolve()


def _check_edge(promise: Contract) -> None:
    if contract.numbers(promise.min_edge) > contract.numbers(__version__):
        raise BundleError(
            f"{promise.name} {promise.version} needs tandem-edge {promise.min_edge} or newer, this is {__version__}; "
            "install a newer tandem-edge"
        )
