"""What a Hugging Face folder's descriptions say becomes a first contract; the weights are not read for it."""

import json

import pytest

from edge.errors import ConversionError
from export import first_contract, signature

TEXTS = {"architectures": ["BertForSequenceClassification"], "model_type": "bert", "max_position_embeddings": 512, "pad_token_id": 0}
PICTURES = {"architectures": ["ResNetForImageClassification"], "model_type": "resnet", "num_labels": 2}
ENCODER = {"architectures": ["BertModel"], "model_type": "bert", "max_position_embeddings": 512, "pad_token_id": 0, "hidden_size": 384}


def read(folder, config, **files):
    """Write a folder of descriptions, by name without suffix; give its signature."""
    (folder / "model.safetensors").write_bytes(b"")
    for name, content in {"config": config, **files}.items():
        path = folder / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
    return signature.run(str(folder))


@pytest.mark.parametrize(
    ("changed", "files", "length"),
    [
        pytest.param({}, {}, 128, id="128 where more is allowed"),
        pytest.param({"max_position_embeddings": 40}, {}, 40, id="no more than there are places"),
        pytest.param(
            {"model_type": "roberta", "max_position_embeddings": 66, "pad_token_id": 1}, {}, 64, id="places behind the padding's id"
        ),
        pytest.param({}, {"sentence_bert_config": {"max_seq_length": 64}}, 64, id="as the encoder was trained"),
        pytest.param({}, {"tokenizer_config": {"model_max_length": 1_000_000_000_000_000_019_884_624_838_656}}, 128, id="no bound"),
        pytest.param({}, {"tokenizer_config": {"model_max_length": 32}}, 32, id="as the tokenizer says"),
    ],
)
def test_the_length_is_what_the_model_bears_and_128_at_most(changed, files, length, tmp_path):
    found = read(tmp_path, TEXTS | changed, tokenizer={"model": {}}, **files)["contract"]
    assert found["graphs"][0]["inputs"][0]["shape"] == ["batch", length]
    assert found["preprocess"] == [
        {"step": "wordpiece", "length": length, "padding": changed.get("pad_token_id", 0), "tokenizer": "tokenizer.json"}
    ]


@pytest.mark.parametrize(
    ("told", "size", "filter", "fit", "asked"),
    [
        pytest.param({"size": {"height": 30, "width": 20}}, (30, 20), "bilinear", "stretch", 0, id="both sides"),
        pytest.param({"size": 32, "resample": 3}, (32, 32), "bicubic", "stretch", 0, id="one number"),
        pytest.param({"size": {"shortest_edge": 32}}, (32, 32), "bilinear", "cover", 1, id="the shorter side"),
        pytest.param(
            {"size": {"shortest_edge": 40}, "do_center_crop": True, "crop_size": {"height": 32, "width": 24}, "resample": 1},
            (32, 24), "bicubic", "cover", 2, id="cut out of the middle, by a filter that no step has",
        ),
    ],
)  # fmt: skip
def test_pictures_come_in_the_size_of_the_image_processor(told, size, filter, fit, asked, tmp_path):
    found = read(tmp_path, PICTURES, preprocessor_config=told)
    assert found["inputs"][0]["shape"] == (None, *size, 3)
    assert found["contract"]["preprocess"][1] == {"step": "resize", "height": size[0], "width": size[1], "filter": filter, "fit": fit}
    assert len(found["asked"]) == asked


def test_an_image_processor_without_a_size_is_refused(tmp_path):
    with pytest.raises(ConversionError, match="no size that a picture could have"):
        read(tmp_path, PICTURES, preprocessor_config={"size": {"longest_edge": 40}})


@pytest.mark.parametrize(
    ("named", "labels"),
    [
        pytest.param({"0": "ham", "1": "spam"}, ["ham", "spam"], id="names"),
        pytest.param({"0": "LABEL_0", "1": "LABEL_1"}, [], id="placeholders are no names"),
        pytest.param({"0": "crane", "1": "crane", "2": "owl"}, ["crane (0)", "crane (1)", "owl"], id="a name twice"),
        pytest.param({"0": "value"}, [], id="one number is no class"),
        pytest.param(None, [], id="none"),
    ],
)
def test_labels_are_those_of_the_description(named, labels, tmp_path):
    found = read(tmp_path, TEXTS | {"id2label": named}, tokenizer={"model": {}})
    content, asked = first_contract.draft("net", found)
    assert found["labels"] == labels
    assert any(line.startswith("labels:") for line in asked) == (not labels and len(named or "12") > 1)
    assert [step["step"] for step in content["postprocess"]] == (["softmax", "top_k"] if len(named or "12") > 1 else [])


@pytest.mark.parametrize(
    ("files", "meaning"),
    [
        ({}, "pooled by mean, of length 1"),
        ({"1_Pooling/config": {"pooling_mode": "cls", "include_prompt": True}}, "pooled by cls, of length 1"),
        (
            {"1_Pooling/config": {"pooling_mode_mean_tokens": True}, "modules": [{"type": "a.Transformer"}, {"type": "a.Pooling"}]},
            "pooled by mean",
        ),
    ],
)
def test_an_encoder_is_pooled_as_its_folder_says(files, meaning, tmp_path):
    found = read(tmp_path, ENCODER, tokenizer={"model": {}}, **files)
    (output,) = found["contract"]["graphs"][0]["outputs"]
    assert (output["shape"], output["meaning"]) == (["batch", 384], meaning)
    assert not found["classes"]
    assert "labels" not in first_contract.draft("net", found)[0]


@pytest.mark.parametrize(
    ("config", "files", "fragment"),
    [
        (ENCODER, {"modules": [{"type": "a.Transformer"}, {"type": "a.Dense"}]}, "modules.json has Dense"),
        (ENCODER, {"modules": {"0": "Transformer"}}, "is no list of modules"),
        (ENCODER | {"hidden_size": None}, {}, "no hidden_size"),
        (TEXTS | {"pad_token_id": None}, {}, "no pad_token_id"),
        (TEXTS | {"max_position_embeddings": 0}, {}, "leaves no room"),
    ],
)
def test_what_is_not_said_or_not_known_is_refused(config, files, fragment, tmp_path):
    with pytest.raises(ConversionError, match=fragment):
        read(tmp_path, config, tokenizer={"model": {}}, **files)
