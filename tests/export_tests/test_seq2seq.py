"""A T5 folder becomes two programs whose searches, by numpy, give what transformers' `generate` gives, id for id."""

import json
import random
import warnings

import numpy as np
import pytest
import torch

from edge.beams import Marks, Search, search
from edge.errors import BundleError, ConversionError, InputError, ParityError
from edge.seq2seq import Seq2Seq
from edge.storage import write_sums
from export import seq2seq_model
from export.huggingface_folder import open_folder
from export.t5 import Decoder, Encoder, bucket
from tests.export_tests import seq2seq_models as models

TEXT = "the cat sat on a mat and dogs ran fast"


@pytest.fixture(scope="module")
def spiece():
    return models.spiece()


@pytest.fixture(scope="module")
def t5(spiece, tmp_path_factory):
    return models.folder(tmp_path_factory.mktemp("t5") / "tiny_t5", spiece, seed=5)


@pytest.fixture(scope="module")
def released(t5, tmp_path_factory):
    """The bundles of a pair; no test changes them."""
    return models.pair(t5, tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def pair(released):
    return Seq2Seq.open(released)


def generated(net, ids, wanted):
    """What transformers writes, without the id that it begins with."""
    given = torch.tensor([ids])
    told = {name: getattr(wanted, name) for name in wanted.__dataclass_fields__}
    if wanted.num_beams == 1:  # the library warns that these are for beams alone
        told = {name: value for name, value in told.items() if name not in ("early_stopping", "length_penalty")}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = net.generate(given, attention_mask=torch.ones_like(given), do_sample=False, **told)
    return answer[0, 1:].tolist()


def searches(count, seed):
    """Many ways to search, by chance, each with the ids of a text."""
    chance = random.Random(seed)
    for _ in range(count):
        most = chance.choice([2, 5, 12, 20])
        wanted = Search(
            num_beams=chance.choice([1, 2, 4]),
            repetition_penalty=chance.choice([1.0, 2.5, 0.7]),
            length_penalty=chance.choice([1.0, 2.0, 0.0, -1.0]),
            no_repeat_ngram_size=chance.choice([0, 0, 2, 3]),
            min_length=chance.choice([0, 0, most // 2]),
            max_length=most,
            early_stopping=chance.choice([True, False, "never"]),
        )
        yield [chance.randrange(2, 80) for _ in range(chance.randint(1, 14))] + [1], wanted


def agree(net, find, count, seed):
    """Hold searches against transformers; tell how many texts came to their own end."""
    ended = 0
    for ids, wanted in searches(count, seed):
        expected = generated(net, ids, wanted)
        assert find(ids, wanted) == expected, (ids, wanted)
        ended += expected[-1] == 1 and len(expected) < wanted.max_length - 1
    return ended


@pytest.mark.parametrize(("count", "seed"), [(30, 3), pytest.param(600, 4, marks=pytest.mark.slow)])
def test_searches_through_onnx_give_what_transformers_gives(pair, t5, count, seed):
    from transformers import T5ForConditionalGeneration

    net = T5ForConditionalGeneration.from_pretrained(t5).eval()
    ended = agree(net, lambda ids, wanted: pair.search(np.array(ids, np.int32), wanted), count, seed)
    assert count / 20 < ended < count, "some texts end by themselves, others by their length"


@pytest.mark.parametrize(
    ("seed", "changed"),
    [
        pytest.param(1, {}, id="t5"),
        pytest.param(2, {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}, id="t5 1.1, gated and its head apart"),
        pytest.param(3, {"num_decoder_layers": 3, "d_kv": 5}, id="more layers in the decoder"),
    ],
)
def test_the_layers_with_a_cache_give_transformers_scores(seed, changed, tmp_path):
    net = models.network(seed, **changed)
    folder = type("F", (), {"path": tmp_path})
    sizes = seq2seq_model._sizes(net.config, folder)
    encoder, decoder = (kind(net.state_dict(), sizes).eval() for kind in (Encoder, Decoder))
    chance = torch.Generator().manual_seed(0)
    ids, written = (torch.randint(2, 80, shape, generator=chance) for shape in ((3, 17), (3, 14)))
    ids[0, 9:] = 0
    with torch.no_grad():
        wanted = net(input_ids=ids, attention_mask=(ids != 0).long(), decoder_input_ids=written).logits
        cross, past, got = encoder(ids.int()), torch.zeros(3, sizes.decoder_layers, 2, 2, 0, sizes.head_width), []
        for place in range(14):
            scores, past = decoder(written[:, place : place + 1].int(), ids.int(), cross, past)
            got.append(scores)
    torch.testing.assert_close(torch.stack(got, 1), wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("both_ways", [True, False])
def test_buckets_are_those_of_transformers(both_ways):
    from transformers.models.t5.modeling_t5 import T5Attention

    distances = list(range(-300, 301))
    wanted = T5Attention._relative_position_bucket(torch.tensor(distances), both_ways, 32, 128).tolist()
    assert [bucket(distance, 32, 128, both_ways) for distance in distances] == wanted


def test_a_text_is_answered_with_a_text(pair):
    found = pair.write(TEXT, pair.usual(max_length=8))
    assert (found.read, found.cut) == (len(pair.encoder.prepare(TEXT)["ids"]), False)
    assert len(found.ids) <= 7
    assert isinstance(found.text, str)
    assert "<" not in found.text
    assert pair.write("cat " * 50_000, pair.usual(max_length=4)).cut, "a text of 50,000 words is read as far as the encoder reads"
    assert pair.write("x" * 50_000, pair.usual(max_length=4)).ids, "so is one word of 50,000 signs"


@pytest.mark.parametrize("text", ["", "  \n", 3])
def test_no_text_is_refused(pair, text):
    with pytest.raises(InputError, match="text is"):
        pair.write(text)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"num_beams": 9}, "num_beams is 9, expected a whole number from 1 to 8"),
        ({"num_beams": True}, "num_beams is True"),
        ({"max_length": 513}, "max_length is 513"),
        ({"max_length": "5"}, "max_length is '5'"),
        ({"repetition_penalty": 0.0}, "repetition_penalty is 0.0, expected a number from 0.01 to 100"),
        ({"repetition_penalty": float("nan")}, "repetition_penalty is nan"),
        ({"length_penalty": "much"}, "length_penalty is 'much'"),
        ({"min_length": 40, "max_length": 20}, "min_length is 40, expected a whole number from 0 to 20"),
        ({"early_stopping": "soon"}, "early_stopping is 'soon', expected true, false or 'never'"),
    ],
)
def test_a_search_out_of_bounds_is_refused(pair, changed, words):
    with pytest.raises(InputError, match=words):
        pair.usual(**changed)


def test_another_answer_than_transformers_stops_the_pair(released, tmp_path):
    import shutil

    for part in ("encoder", "decoder"):
        bundle = shutil.copytree(f"{released}_{part}", tmp_path / f"tiny_{part}") / "1.0.0"
        told = json.loads((bundle / "assets/pair.json").read_text())
        told["examples"][1]["answer"][0] += 1
        (bundle / "assets/pair.json").write_text(json.dumps(told))
        _signed(bundle)
    with pytest.raises(ParityError, match="example 1 of pair.json is answered otherwise than by the trainer's library, from id 0 on"):
        Seq2Seq.open(tmp_path / "tiny")


def test_parts_of_two_pairs_are_not_put_together(released, tmp_path):
    import shutil

    for part in ("encoder", "decoder"):
        shutil.copytree(f"{released}_{part}", tmp_path / f"tiny_{part}")
    bundle = tmp_path / "tiny_decoder/1.0.0"
    told = json.loads((bundle / "assets/pair.json").read_text())
    (bundle / "assets/pair.json").write_text(json.dumps({**told, "weights": "0" * 64}))
    _signed(bundle)
    with pytest.raises(BundleError, match="are not of one pair: their pair.json differ"):
        Seq2Seq.open(tmp_path / "tiny")


def _signed(bundle):
    write_sums(
        bundle, [str(path.relative_to(bundle)) for path in sorted(bundle.rglob("*")) if path.is_file() and path.name != "SHA256SUMS"]
    )


def _drop(name):
    return lambda folder: (folder / name).unlink()


def _pickled(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")


def _too_many_pieces(folder):
    told = json.loads((folder / "tokenizer.json").read_text())
    told["added_tokens"].append({**told["added_tokens"][0], "id": 500, "content": "<late>"})
    (folder / "tokenizer.json").write_text(json.dumps(told))


def _word_pieces(folder):
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"type": "WordPiece", "vocab": {"a": 0}}}))


def _described(**changed):
    def change(folder):
        told = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**told, **changed}))

    return change


def _cut(folder):
    (folder / "spiece.model").write_bytes(models.spiece()[:-9])
    (folder / "tokenizer.json").unlink()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(_drop("config.json"), "no config.json", id="no description"),
        pytest.param(_drop("model.safetensors"), "no weights; expected model.safetensors", id="no weights"),
        pytest.param(_pickled, "only pytorch_model.bin, and loading a pickle would run whatever code it holds", id="a pickle"),
        pytest.param(_drop("tokenizer.json"), "neither tokenizer.json nor spiece.model", id="no tokenizer"),
        pytest.param(_too_many_pieces, "the tokenizer gives ids up to 500, the model knows 80", id="another vocabulary"),
        pytest.param(_word_pieces, "its model is WordPiece, expected Unigram", id="another kind of tokenizer"),
        pytest.param(_cut, "spiece.model: damaged", id="half a tokenizer"),
        pytest.param(_described(architectures=["BertForSequenceClassification"]), "expected T5ForConditionalGeneration", id="no T5"),
        pytest.param(_described(d_ff=12), "missing or of another shape|cannot make T5For", id="weights of other sizes"),
        pytest.param(_described(eos_token_id=[1, 2]), r"eos_token_id \[1, 2\], expected one id", id="two ends"),
        pytest.param(_described(feed_forward_proj="swish", dense_act_fn="swish"), "no activation called 'swish'", id="another activation"),
        pytest.param(_described(auto_map={"AutoModel": "x.Y"}), "names classes of its own", id="code"),
    ],
)
def test_a_folder_that_is_not_whole_is_refused_in_words(change, words, t5, tmp_path):
    import shutil

    folder = shutil.copytree(t5, tmp_path / "broken")
    change(folder)
    with pytest.raises(ConversionError, match=words):
        seq2seq_model.take(str(folder), "tiny", "none", str(tmp_path / "parts"))


def test_a_t5_with_a_contract_is_told_the_way(t5):
    with pytest.raises(ConversionError, match="release it by a name, without a contract: tandem export NAME --program FOLDER"):
        open_folder(str(t5))


def test_the_folders_own_search_is_the_usual_one(t5, spiece, tmp_path):
    own = {"num_beams": 4, "length_penalty": 2.0, "max_length": 2000, "min_length": 3, "no_repeat_ngram_size": 3, "early_stopping": True}
    folder = models.folder(tmp_path / "own", spiece, task_specific_params={"summarization": {**own, "prefix": "kurz: "}})
    told = {"num_beams": 3, "no_repeat_ngram_size": 2, "length_penalty": 0.5, "min_length": 7}  # what stands for summaries goes before it
    (folder / "generation_config.json").write_text(json.dumps(told))
    found = seq2seq_model._search(open_folder(str(folder), "text-to-text"))
    assert found == {**own, "max_length": 512, "repetition_penalty": 2.5}
    assert seq2seq_model._prefix(open_folder(str(folder), "text-to-text")) == "kurz: "
    assert seq2seq_model._search(open_folder(str(t5), "text-to-text")) == seq2seq_model.USUAL


def test_a_greedy_search_takes_the_best_and_stops_at_the_end():
    table = np.array([[0, 0, 1, 3, 2], [0, 0, 0, 0, 0], [0, 9, 1, 0, 0], [0, 1, 5, 4, 0], [0, 0, 0, 0, 9]], np.float32)
    marks = Marks(start=0, end=1, padding=0)
    assert search(lambda tokens, _: table[tokens], marks, Search()) == [3, 2, 1]
    assert search(lambda tokens, _: table[tokens], marks, Search(max_length=3)) == [3, 2]
    assert search(lambda tokens, _: table[tokens], marks, Search(min_length=4, max_length=5)) == [3, 2, 2, 1]
    with pytest.raises(InputError, match="scores are NaN"):
        search(lambda tokens, _: table[tokens] * np.nan, marks, Search())
