"""Programs for the tests of Keras models; each runs in a process of its own: `python keras_workshop.py WORK FOLDER`.

TensorFlow takes seconds to import and Keras settles its backend once for a process, so every process does all of its work
for all models.
"""

import sys
from pathlib import Path

import numpy as np

INPUTS = {"mlp": "features", "cnn": "image", "lstm": "ids", "masked": "ids", "erf": "features"}


def train(folder):
    """Make and train the models; write their files, their samples and their own answers."""
    import keras

    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    target = np.arange(90) % 3
    features = (random.normal(0, 1, (90, 4)) + 2 * np.eye(4)[target]).astype(np.float32)
    images = (
        random.integers(0, 120, (90, 12, 12, 1)) + 130 * (np.arange(12)[None, :, None, None] // 4 == target[:, None, None, None])
    ).astype(np.uint8)
    ids = np.where(random.random((90, 8)) < 0.5, target[:, None] + 1, random.integers(4, 20, (90, 8))).astype(np.int32)
    layers = keras.layers
    erf = keras.Input((4,), name="features")
    models = {
        "mlp": (features, [layers.Normalization(mean=[0.5] * 4, variance=[2.0] * 4), layers.Dense(16, activation="relu")]),
        "cnn": (
            images,
            [layers.Rescaling(1 / 255), layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization(momentum=0.5), layers.Flatten()],
        ),
        "lstm": (ids, [layers.Embedding(20, 8), layers.LSTM(8)]),
        "masked": (ids, [layers.Embedding(20, 8, mask_zero=True), layers.GRU(6, return_sequences=True), layers.LSTM(8)]),
    }
    for name, (rows, body) in models.items():
        inputs = keras.Input(rows.shape[1:], name=INPUTS[name], dtype=str(rows.dtype))
        value = inputs
        for layer in (*body, layers.Dense(3, name="scores")):
            value = layer(value)
        model = keras.Model(inputs, value)
        model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.fit(rows, target, epochs=15, batch_size=30, verbose=0)
        model.save(folder / f"{name}.keras")
        np.savez(folder / f"{name}.npz", **{f"input/{INPUTS[name]}": rows, "target": target, "logits": model(rows).numpy()})
    keras.Model(erf, layers.Dense(3)(keras.ops.erf(erf))).save(folder / "erf.keras")
    shifted = layers.Lambda(lambda x: x + 1, name="plus_one")
    keras.Sequential([keras.Input((4,)), shifted, layers.Dense(3)]).save(folder / "lambda.keras")
    keras.Sequential([keras.Input((4,)), layers.Dense(3)]).save(folder / "sequential.keras")
    np.savez(folder / "erf.npz", **{"input/features": features})


def tensorflow(folder):
    """Let the trainer answer and make TFLite files."""
    from edge.errors import ConversionError
    from export import from_keras

    for name in ("mlp", "lstm", "masked"):
        place = folder / name
        program, contract = str(place / "model.keras"), str(place / "contract.json")
        samples = str(folder / f"{name}.npz")
        from_keras.reference(program, contract, samples, str(place / "answers.npz"))
        from_keras.tflite(program, contract, samples, str(place / "model.fp32.tflite"))
    for recipe in ("static_wi8_ai8", "dynamic_wi8_afp32"):
        place = folder / "lstm"
        from_keras.quantize(
            str(place / "model.keras"),
            str(place / "contract.json"),
            recipe,
            str(folder / "lstm.npz"),
            str(place / f"model.{recipe}.tflite"),
        )
    try:
        place = folder / "erf"
        from_keras.tflite(str(place / "model.keras"), str(place / "contract.json"), str(folder / "erf.npz"), str(place / "model.tflite"))
    except ConversionError as error:
        (place / "error.txt").write_text(str(error))


def torch(folder):
    """Make ONNX files."""
    from export import from_keras

    for name in ("mlp", "lstm", "masked"):
        place = folder / name
        from_keras.onnx(str(place / "model.keras"), str(place / "contract.json"), str(place / "model.onnx"))


if __name__ == "__main__":
    {"train": train, "tensorflow": tensorflow, "torch": torch}[sys.argv[1]](Path(sys.argv[2]))
