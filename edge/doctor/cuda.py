"""On a server: the GPU, and the libraries of CUDA and cuDNN that onnxruntime needs, each tried by loading it.

Source: NVIDIA's documentation of the CUDA driver API.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import re
import sys
from pathlib import Path
from typing import Callable, Optional

from edge.cpu import text
from edge.doctor import Finding, fine, problem, warning

NODES = ("dev/nvidiactl", "dev/dxg", "dev/nvhost-gpu")
DRIVER = "libcuda.so.1"
PACKAGES = "install onnxruntime-gpu[cuda,cudnn]"
Load = Callable[[str], ctypes.CDLL]


def is_server() -> bool:
    """Tell whether Tandem's server is installed, not only edge."""
    try:
        importlib.metadata.version("tandem")
    except importlib.metadata.PackageNotFoundError:
        return False
    return importlib.util.find_spec("serving") is not None  # the public index has another distribution of this name


def examine(root: Path = Path("/"), load: Load = ctypes.CDLL) -> list[Finding]:
    """Look at driver and GPU, and where there is one at the libraries too."""
    node = next((name for name in NODES if (root / name).exists()), None)
    devices, said = gpus(load)
    if not devices and node is None:
        return [fine("GPU", f"none ({said}): the server runs on the processor, DEVICE=cpu")]
    if not devices:
        return [
            warning("GPU", f"/{node} is there, but CUDA finds no GPU ({said})", "install the NVIDIA driver, or give the container its GPU")
        ]
    return [fine("GPU", f"{', '.join(devices)}; {said}"), libraries(load)]


def gpus(load: Load = ctypes.CDLL) -> tuple[list[str], str]:
    """Ask the driver for the names of its GPUs; the words tell the CUDA version that it supports, or why there are none."""
    try:
        driver = load(DRIVER)
    except OSError as error:
        return [], str(error)
    code = int(driver.cuInit(0))
    if code:
        return [], f"cuInit gives error {code}"
    number, count = ctypes.c_int(), ctypes.c_int()
    driver.cuDriverGetVersion(ctypes.byref(number))
    driver.cuDeviceGetCount(ctypes.byref(count))
    names = []
    for index in range(count.value):
        name = ctypes.create_string_buffer(128)
        driver.cuDeviceGetName(name, len(name), index)
        names.append(name.value.decode("utf-8", "replace"))
    return names, f"the driver supports CUDA {number.value // 1000}.{number.value % 1000 // 10}"


def libraries(load: Load = ctypes.CDLL, packages: Optional[Path] = None) -> Finding:
    """Try each library that onnxruntime's CUDA provider needs, and then the provider itself.

    Args:
        load: Loads a library by its name or path.
        packages: The folder in which onnxruntime is installed; found where it is None.
    """
    folder = packages or _packages()
    if folder is None:
        return warning("CUDA and cuDNN", "onnxruntime-gpu is not installed", f"{PACKAGES}, or set DEVICE=cpu")
    found = re.search(r"cuda_version\s*=\s*[\"'](\d+)", text(folder / "onnxruntime/capi/build_and_package_info.py"))
    major = found[1] if found else "13"
    missing = [name for name in needed(major) if not _loads(name, folder, load)]
    if missing:
        return problem("CUDA and cuDNN", f"for CUDA {major} these are missing: {', '.join(missing)}", PACKAGES)
    provider = folder / "onnxruntime/capi/libonnxruntime_providers_cuda.so"
    try:
        load(str(provider))
    except OSError as error:
        words = str(error)
        if "Provider_GetHost" not in words:  # what onnxruntime itself brings, and only in a process that imported it
            return problem("CUDA and cuDNN", f"found, but onnxruntime's CUDA provider does not load: {words}", PACKAGES)
    return fine("CUDA and cuDNN", f"all found for CUDA {major}: {', '.join(needed(major))}")


def needed(major: str) -> tuple[str, ...]:
    """List the libraries for a major version of CUDA, in an order in which each finds those before it."""
    own = tuple(f"lib{name}.so.{major}" for name in ("cudart", "nvrtc", "cublasLt", "cublas"))
    return (*own, "libcurand.so.10", f"libcufft.so.{int(major) - 1}", "libcudnn.so.9")


def _loads(name: str, folder: Path, load: Load) -> bool:
    """Tell whether a library loads: from the system, or from NVIDIA's wheels beside onnxruntime."""
    places = [name, *(str(path) for path in sorted(folder.glob(f"nvidia/*/lib/{name}")))]
    for place in places:
        try:
            load(place)
        except OSError:
            continue
        return True
    return False


def _packages() -> Optional[Path]:
    """Find the folder in which onnxruntime-gpu is installed, without importing it."""
    return next((Path(place) for place in sys.path if (Path(place) / "onnxruntime/capi/libonnxruntime_providers_cuda.so").exists()), None)
