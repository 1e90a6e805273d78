"""A model's folder is a stranger's: it can carry nothing away, ask nobody, and never takes long."""

import json
import os
import shutil
import socket
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoTokenizer, BertTokenizer

from core.errors import InputError
from core.experiment import Teaching, TrainRecipe
from core.families.registry import find_family
from core.hub import Snapshot
from core.paths import CACHED_MODELS
from core.teachers import model_loading
from core.teachers.model_loading import has_trained_head, load_model, load_tokenizer
from core.training.candidates import masked
from core.training.teacher_training import teach
from tests.conftest import BAD, GOOD, SPECIAL, WORDS, save_tiny_model, tiny_model

TASK, LABELS = "movie-sentiment", ("negative", "positive")
SECRET = "the-pin-is-4711"
WORD_LIST = [*SPECIAL, *WORDS, *GOOD, *BAD]
SHIPPED_TOKENIZER = CACHED_MODELS / "shipped" / "backbones" / "minilm"
TEXTS = [
    "The film was GOOD, wasn't it?",
    "Ünïcode Ärger 北京 naïve élan",
    "aaaa[SEP]bb [MASK] x[CLS]",
    "",
    "emoji 🙂 \u200b zero\ttab\n and \xa0 spaces",
    "don't re-do 3.14e5 #hash @me http://a.b/c?d=e",
    "a" * 150 + " " + "word " * 300,
]


@pytest.fixture
def own(tmp_path) -> Path:
    save_tiny_model(tmp_path / "own", tiny_model(seed=4))
    return tmp_path / "own"


@pytest.fixture
def secret(tmp_path) -> Path:
    path = tmp_path / "secrets.toml"
    path.write_text(f"{SECRET}\nthe\nfilm\n[UNK]\n[CLS]\n[SEP]\n[PAD]\n[MASK]\n")
    return path


def change_json(path: Path, **changes) -> None:
    plain = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(plain | changes))


def words_only(folder: Path, **settings) -> Path:
    """Leave vocab.txt and these settings as the only files of the tokenizer."""
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in WORD_LIST))
    return folder


def refused(folder: Path) -> str:
    """The sentence that refuses a folder as a model, whatever is asked of it."""
    said = []
    for ask in (
        lambda: load_model(str(folder), "classes", LABELS, seed=0),
        lambda: load_tokenizer(str(folder)),
    ):
        try:
            ask()
        except InputError as error:
            said.append(str(error))
    assert said
    assert all(len(each) < 500 for each in said)
    return " ".join(said)


# Nothing is carried away


@pytest.mark.parametrize("name", ["vocab", "vocab_file", "tokenizer_file", "merges_file"])
@pytest.mark.parametrize("cls", ["BertTokenizer", "BertTokenizerFast", "TokenizersBackend", None])
def test_a_tokenizer_that_names_a_file_of_the_server_reads_nothing_of_it(
    lab, own, secret, name, cls
):
    """The attack: a made-up PIN file named as vocabulary, in a folder without tokenizer.json."""
    (own / "tokenizer.json").unlink()
    (own / "tokenizer_config.json").write_text(
        json.dumps({name: str(secret), "tokenizer_class": cls})
    )
    said = refused(own)
    assert "has neither tokenizer.json nor vocab.txt" in said
    recipe = TrainRecipe(steps=1, batch_size=8, max_tokens=16)
    with pytest.raises(InputError) as error:
        list(teach(Teaching(task=TASK, model=str(own), fine_tune=False, train=recipe)))
    assert SECRET not in said + str(error.value)
    for path in lab.home.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()


@pytest.mark.parametrize("name", ["vocab", "vocab_file", "tokenizer_file"])
def test_such_a_setting_changes_nothing_beside_a_real_tokenizer(own, secret, name):
    before = load_tokenizer(str(own)).get_vocab()
    change_json(own / "tokenizer_config.json", **{name: str(secret)})
    os.utime(own / "tokenizer.json")
    after = load_tokenizer(str(own))
    assert after.get_vocab() == before
    assert str(secret) not in json.dumps(after.init_kwargs, default=str)


CONFIG_AND_WEIGHTS = ("config.json", "model.safetensors")
FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt")


@pytest.mark.parametrize("name", FILES)
def test_a_link_that_leads_out_of_the_folder_is_refused(own, secret, name):
    if name == "vocab.txt":
        words_only(own)
    (own / name).unlink()
    (own / name).symlink_to(secret)
    assert f"its file {name} lies outside of its folder" in refused(own)
    assert SECRET not in refused(own)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "loop"])
def test_what_is_no_regular_file_is_refused_at_once(own, name, kind):
    if name == "vocab.txt":
        words_only(own)
    (own / name).unlink()
    if kind == "pipe":
        os.mkfifo(own / name)
    elif kind == "folder":
        (own / name).mkdir()
    else:
        (own / name).symlink_to("/dev/zero" if kind == "device" else name)
    began = time.monotonic()
    assert f" {name} " in refused(own)
    assert has_trained_head(str(own), "classes", LABELS) == (name not in CONFIG_AND_WEIGHTS)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_a_file_that_is_far_too_large_is_not_read(own, name):
    with (own / name).open("r+b") as file:
        file.truncate(1 << 40)  # a terabyte of zeros that takes no room
    began = time.monotonic()
    assert f"its {name} is larger than" in refused(own)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[1]", b"nul", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(own, name, content):
    (own / name).write_bytes(content)
    said = refused(own)
    assert any(part in said for part in ("is not JSON", "not a JSON object", "not text in UTF-8"))


# Weights


def to_shards(folder: Path, **elsewhere: str) -> Path:
    """Cut the weights into two files with an index; `elsewhere` names other files for weights."""
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(weights)
    parts = {
        "model-00001-of-00002.safetensors": names[:9],
        "model-00002-of-00002.safetensors": names[9:],
    }
    for part, some in parts.items():
        save_file({name: weights[name] for name in some}, folder / part)
    places = {name: part for part, some in parts.items() for name in some}
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": places | elsewhere})
    )
    return folder


def test_weights_in_several_files_are_read(own):
    original = load_file(own / "model.safetensors")
    loaded = load_model(str(to_shards(own)), "classes", LABELS, seed=0)
    assert loaded.is_fine_tuned
    assert has_trained_head(str(own), "classes", LABELS)
    for name, value in loaded.model.state_dict().items():
        assert torch.equal(value, original[name])


@pytest.mark.parametrize(
    "where", ["../other.safetensors", "/absolute", "link", "gone", "config.json"]
)
def test_an_index_that_names_other_files_is_refused(own, tmp_path, where):
    save_file({"classifier.bias": torch.zeros(2)}, tmp_path / "other.safetensors")
    place = {
        "/absolute": str(tmp_path / "other.safetensors"),
        "link": "link.safetensors",
        "gone": "gone.safetensors",
    }.get(where, where)
    (own / "link.safetensors").symlink_to(tmp_path / "other.safetensors")
    to_shards(own, **{"classifier.bias": place})
    said = refused(own)
    assert "lies outside of its folder" in said or "which is no file of weights" in said
    assert not has_trained_head(str(own), "classes", LABELS)


@pytest.mark.parametrize("content", [{}, {"weight_map": 3}, {"weight_map": {"a": 3}}])
def test_an_index_that_names_nothing_is_refused(own, content):
    to_shards(own)
    (own / "model.safetensors.index.json").write_text(json.dumps(content))
    assert "does not name its files" in refused(own)


@pytest.mark.parametrize("front", ["bert.", ""])
@pytest.mark.parametrize(
    "left", ["encoder.layer.0.adapter.weight", "encoder.layer.2.output.dense.bias"]
)
def test_weights_that_are_left_over_inside_the_encoder_are_refused(own, front, left):
    weights = load_file(own / "model.safetensors")
    plain = {
        front + name.removeprefix("bert."): value
        for name, value in weights.items()
        if name.startswith("bert.")
    }
    save_file(plain | {front + left: torch.zeros(3)}, own / "model.safetensors")
    said = refused(own)
    assert f"weights of the encoder that its config does not name: bert.{left}" in said


def test_a_left_over_head_is_no_reason_to_refuse(own):
    weights = load_file(own / "model.safetensors")
    more = {
        "cls.predictions.bias": torch.zeros(27),
        "bert.embeddings.position_ids": torch.arange(64),
    }
    save_file(weights | more, own / "model.safetensors")
    assert load_model(str(own), "classes", LABELS, seed=0).is_fine_tuned
    assert not load_model(str(own), "span", (), seed=0).is_fine_tuned


def test_positions_that_are_not_counted_from_zero_are_refused(own):
    weights = load_file(own / "model.safetensors")
    moved = {"bert.embeddings.position_ids": torch.arange(64) + 2}
    save_file(weights | moved, own / "model.safetensors")
    assert "position_ids of its own kind" in refused(own)


def test_weights_in_whole_numbers_are_refused(own):
    weights = load_file(own / "model.safetensors")
    name = "bert.encoder.layer.0.output.dense.weight"
    save_file(weights | {name: weights[name].to(torch.int8)}, own / "model.safetensors")
    assert "its weights are of the type I8" in refused(own)


# Nobody is asked, and nothing takes long


@pytest.fixture
def no_network(monkeypatch):
    asked = []

    def refuse(*where, **_options):
        asked.append(where)
        raise OSError("no network here")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    yield
    assert asked == []


FAMILIES = [
    "gpt2",
    "dpr",
    "timm_backbone",
    "detr",
    "vision-encoder-decoder",
    "rag",
    "musicgen",
    None,
    3,
]


@pytest.mark.parametrize("family", FAMILIES)
def test_another_family_is_refused_without_asking_the_hub(own, no_network, family):
    change_json(own / "config.json", model_type=family, backbone="owner/model")
    began = time.monotonic()
    assert "Ternary Lab works with the BERT family (model_type bert)" in refused(own)
    with pytest.raises(InputError, match="works with the BERT family"):
        list(masked(str(own), [["a"]], [(0, 0)], 3))
    assert time.monotonic() - began < 5


def test_an_adapter_beside_a_model_does_not_ask_for_its_base(own, no_network):
    (own / "adapter_config.json").write_text('{"base_model_name_or_path": "owner/model"}')
    assert load_model(str(own), "classes", LABELS, seed=0).is_fine_tuned


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("num_hidden_layers", 1_000_000),
        ("num_hidden_layers", 0),
        ("num_hidden_layers", True),
        ("num_hidden_layers", 1e3),
        ("num_labels", 100_000_000),
        ("num_labels", -1),
        ("hidden_size", 10**9),
        ("vocab_size", 10**12),
        ("num_attention_heads", 3),
        ("max_position_embeddings", 10**9),
        ("type_vocab_size", "2"),
        ("hidden_dropout_prob", float("nan")),
        ("layer_norm_eps", 1e999),
        ("hidden_act", ["gelu"]),
        ("hidden_act", "mish"),
        ("is_decoder", True),
        ("is_decoder", 1),
        ("add_cross_attention", True),
        ("position_embedding_type", "relative_key"),
        ("pruned_heads", {"0": [1]}),
        ("quantization_config", {"quant_method": "gptq"}),
        ("auto_map", {"AutoModel": "a.B"}),
        ("pad_token_id", 27),
        ("id2label", {"0": "a", "2": "b"}),
        ("id2label", {"0": ["a"]}),
        ("id2label", 3),
        ("architectures", [3]),
        ("dtype", "float33"),
    ],
)
def test_a_setting_that_we_do_not_compute_is_refused_at_once(own, setting, value):
    change_json(own / "config.json", **{setting: value})
    if setting == "num_labels":
        plain = json.loads((own / "config.json").read_text())
        del plain["id2label"], plain["label2id"]
        (own / "config.json").write_text(json.dumps(plain))
    began = time.monotonic()
    said = refused(own)
    assert f"The config of {own} says that {setting} is " in said
    assert time.monotonic() - began < 5


def test_more_labels_than_anybody_tells_apart_are_refused_at_once(own):
    change_json(own / "config.json", id2label={str(i): "x" for i in range(200_000)})
    began = time.monotonic()
    assert "id2label" in refused(own)
    assert time.monotonic() - began < 5


def test_a_config_that_is_gone_is_said(own):
    (own / "config.json").unlink()
    assert "it has no config.json" in refused(own)


# The hub's cache


def test_a_snapshot_of_the_hubs_cache_is_a_folder_of_links_and_is_read(own, tmp_path, monkeypatch):
    repository = tmp_path / "hub" / "models--owner--bert"
    snapshot = repository / "snapshots" / "abc123"
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    for file in list(own.iterdir()):
        shutil.move(file, repository / "blobs" / f"blob-{file.name}")
        (snapshot / file.name).symlink_to(Path("../../blobs") / f"blob-{file.name}")
    asked = []

    def download(name, kind, patterns, instead, revision=""):
        asked.append((name, patterns, revision))
        return Snapshot(folder=snapshot, revision="abc123")

    monkeypatch.setattr(model_loading, "snapshot", download)
    loaded = load_model("owner/bert", "classes", LABELS, seed=0)
    assert (loaded.is_fine_tuned, loaded.revision) == (True, "abc123")
    assert load_tokenizer("owner/bert")("the film")["input_ids"] == [2, 5, 6, 3]
    assert asked[0] == ("owner/bert", ("config.json",), "")
    assert asked[1][2] == "abc123"
    change_json(repository / "blobs" / "blob-config.json", model_type="gpt2")
    asked.clear()
    with pytest.raises(InputError, match="owner/bert is a gpt2 model"):
        load_model("owner/bert", "classes", LABELS, seed=0)
    assert len(asked) == 1  # nothing of it but the config was fetched


def test_a_link_out_of_the_hubs_cache_is_refused(own, tmp_path, secret):
    snapshot = tmp_path / "models--a--b" / "snapshots" / "abc"
    shutil.copytree(own, snapshot)
    (tmp_path / "models--a--b" / "blobs").mkdir()
    (snapshot / "tokenizer.json").unlink()
    (snapshot / "tokenizer.json").symlink_to(secret)
    assert "lies outside of its folder" in refused(snapshot)


# Texts are read as before


def same(ours, theirs) -> None:
    assert len(ours) == len(theirs)
    for texts in (TEXTS, TEXTS[::-1]):
        for options in ({}, {"truncation": True, "max_length": 20}):
            found, wanted = ours(TEXTS, texts, **options), theirs(TEXTS, texts, **options)
            assert dict(found) == {name: wanted[name] for name in found}
            assert (
                dict(ours(TEXTS, **options))["input_ids"] == theirs(TEXTS, **options)["input_ids"]
            )
    words = [text.split() for text in TEXTS if text]
    found, wanted = (one(words, is_split_into_words=True) for one in (ours, theirs))
    assert [found.word_ids(i) for i in range(6)] == [wanted.word_ids(i) for i in range(6)]
    offsets = [one(TEXTS, return_offsets_mapping=True)["offset_mapping"] for one in (ours, theirs)]
    assert offsets[0] == offsets[1]


def test_the_shipped_tokenizer_reads_as_the_librarys_loader():
    ours = model_loading.tokenizer_from(str(SHIPPED_TOKENIZER), "minilm", find_family("bert"))
    assert json.loads((SHIPPED_TOKENIZER / "tokenizer_config.json").read_text())["do_lower_case"]
    same(ours, BertTokenizer.from_pretrained(SHIPPED_TOKENIZER))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"do_lower_case": False, "tokenizer_class": "BertTokenizerFast"},
        {"do_lower_case": False, "strip_accents": True, "tokenizer_class": "BertTokenizer"},
        {"tokenize_chinese_chars": False, "model_max_length": 64},
    ],
    ids=str,
)
def test_the_settings_beside_a_tokenizer_file_decide_as_with_the_library(tmp_path, settings):
    shutil.copy(SHIPPED_TOKENIZER / "tokenizer.json", tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    same(
        model_loading.tokenizer_from(str(tmp_path), "x", find_family("bert")),
        BertTokenizer.from_pretrained(tmp_path),
    )


def test_a_saved_tokenizer_reads_as_before(own):
    same(load_tokenizer(str(own)), AutoTokenizer.from_pretrained(own))


def shipped_words(folder: Path) -> None:
    """Only vocab.txt, of all 30,522 words."""
    words = Tokenizer.from_file(str(SHIPPED_TOKENIZER / "tokenizer.json")).get_vocab()
    folder.mkdir(exist_ok=True)
    listed = sorted(words, key=words.__getitem__)
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in listed), encoding="utf-8")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"do_lower_case": False},
        {"do_lower_case": True, "strip_accents": False},
        {"do_lower_case": False, "strip_accents": True},
        {"tokenize_chinese_chars": False},
        {"tokenizer_class": "BertTokenizerFast", "model_max_length": 512},
        {"additional_special_tokens": ["[unused1]", "good"]},
        {"mask_token": {"content": "[MASK]", "lstrip": True, "__type": "AddedToken"}},
        {"added_tokens_decoder": {"30522": {"content": "<new>", "special": True}}},
    ],
    ids=str,
)
def test_a_list_of_words_reads_as_the_librarys_bert(tmp_path, settings):
    shipped_words(tmp_path / "words")
    (tmp_path / "words" / "tokenizer_config.json").write_text(json.dumps(settings))
    ours = model_loading.tokenizer_from(str(tmp_path / "words"), "words", find_family("bert"))
    same(ours, BertTokenizer.from_pretrained(tmp_path / "words"))


def test_a_list_of_words_without_any_settings_and_with_odd_lines(own):
    words_only(own)
    (own / "tokenizer_config.json").unlink()
    odd = "".join(f"{word}\r\n" for word in WORD_LIST) + "odd \u3000\n\nthe\n"
    (own / "vocab.txt").write_bytes(odd.encode())
    same(load_tokenizer(str(own)), BertTokenizer.from_pretrained(own))


def test_a_tokenizer_that_is_kept_with_a_teacher_reads_as_before(lab, own):
    shutil.rmtree(own)
    save_tiny_model(own, tiny_model(seed=4))
    words_only(own, do_lower_case=False)
    before = load_tokenizer(str(own))
    before.save_pretrained(own / "kept")
    same(model_loading.tokenizer_from(str(own / "kept"), "kept", find_family("bert")), before)
    written = json.loads((own / "kept" / "tokenizer_config.json").read_text())
    assert not [value for value in written.values() if isinstance(value, str) and "/" in value]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"normalizer": {"type": "Evil"}}, "a normalizer of a kind unknown here"),
        (
            {"normalizer": {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": ""}},
            "a regular expression",
        ),
        (
            {
                "pre_tokenizer": {
                    "type": "Sequence",
                    "pretokenizers": [
                        {
                            "type": "Split",
                            "pattern": {"Regex": "(a+)+$"},
                            "behavior": "Isolated",
                            "invert": False,
                        }
                    ],
                }
            },
            "a regular expression",
        ),
        ({"model": None}, "has no model"),
        ({"model": {"type": "BPE", "dropout": 0.5, "vocab": {}, "merges": []}}, "has a dropout"),
        ({"model": {"type": "WordPiece", "max_input_chars_per_word": 10**9}}, "out of range"),
        ({"model": {"type": "WordPiece", "vocab": {}}}, "cannot be read"),
        ({"model": {"type": "WordPiece", "vocab": 3}}, "has no list of words"),
        ({"model": {"type": "WordPiece", "vocab": {"a": -1}}}, "has words without numbers"),
        ({"added_tokens": [{"content": "a"}]}, "adds words that have no numbers"),
        ({"truncation": 3}, "cannot be read"),
        ({"decoder": {"type": "Evil"}}, "a decoder of a kind unknown here"),
    ],
)
def test_a_part_of_a_tokenizer_that_is_not_known_is_refused(own, changes, sentence):
    change_json(own / "tokenizer.json", **changes)
    assert sentence in refused(own)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"truncation_side": "left"}, "truncation_side is not right"),
        ({"padding_side": "left"}, "padding_side is not right"),
        ({"do_lower_case": "/etc/passwd"}, "do_lower_case is neither true nor false"),
        ({"pad_token": ["x"]}, "names a special word that is no text"),
        ({"cls_token": "<nowhere>"}, "has no word '<nowhere>'"),
        ({"added_tokens_decoder": {"x": {"content": "a"}}}, "added words have no numbers"),
        ({"additional_special_tokens": "all"}, "special words are not a list"),
    ],
)
def test_a_setting_of_a_tokenizer_that_is_not_known_is_refused(own, settings, sentence):
    words_only(own, **settings)
    assert sentence in refused(own)


def test_words_that_are_no_text_are_refused(own):
    words_only(own)
    (own / "vocab.txt").write_bytes(b"\xff\n")
    assert "its vocab.txt is not text in UTF-8" in refused(own)
