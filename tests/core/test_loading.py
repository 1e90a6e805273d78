"""A person's own model: taken as it is, fine-tuned, or refused with a sentence; never unpickled."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core import api
from core.errors import InputError
from core.events import StepDone, Taught
from core.experiment import Teaching, TrainRecipe
from core.families.bert.heads import class_of
from core.families.registry import find_family
from core.targets.registry import targets
from core.teacher_folders import teacher_folder
from core.teachers.labels import label_order, use_label_order
from core.teachers.model_loading import files_of, has_trained_head, load_model, load_tokenizer
from core.teachers.teacher_store import load_teacher
from core.training.teacher_training import teach
from tests.conftest import save_tiny_model, tiny_config, tiny_head, tiny_model

TASK, LABELS = "movie-sentiment", ("negative", "positive")
RECIPE = TrainRecipe(steps=2, batch_size=8, max_tokens=16)
HEADLESS = ("classifier.", "qa_outputs.")


@pytest.fixture
def own(tmp_path) -> Path:
    """A folder of a person's own, with a classifier."""
    save_tiny_model(tmp_path / "own", tiny_model(seed=4))
    return tmp_path / "own"


def change_config(folder: Path, **changes) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def name_labels(folder: Path, *labels: str) -> None:
    change_config(
        folder,
        id2label={str(i): label for i, label in enumerate(labels)},
        label2id={label: i for i, label in enumerate(labels)},
    )


def change_weights(folder: Path, change) -> None:
    """Rewrite the file with what `change` makes of its weights."""
    weights = load_file(folder / "model.safetensors")
    save_file(change(weights), folder / "model.safetensors", metadata={"format": "pt"})


def adopt(folder: Path, task: str = TASK) -> Teaching:
    return Teaching(task=task, model=str(folder), fine_tune=False, train=RECIPE)


def head_of(model) -> torch.nn.Linear:
    return model.get_submodule("classifier")


# Adopted as it is


def test_a_fine_tuned_checkpoint_becomes_the_teacher_bit_for_bit(lab, own):
    original = load_file(own / "model.safetensors")
    events = list(teach(adopt(own)))
    assert not [event for event in events if isinstance(event, StepDone)]
    assert isinstance(events[-1], Taught)
    card = events[-1].teacher
    assert (card.task, card.model, card.labels) == (TASK, str(own), LABELS)
    assert not card.fine_tuned
    assert card.shared_embedding == card.model_revision == ""
    assert card.test.examples == 20
    assert card in api.teachers()
    kept = load_teacher(TASK, str(own)).state_dict()
    assert set(kept) == set(original)
    for name, value in original.items():
        assert kept[name].dtype == torch.float32
        assert torch.equal(kept[name], value), name


def test_a_checkpoint_in_half_precision_is_adopted_in_float32(lab, own):
    change_weights(own, lambda weights: {name: value.half() for name, value in weights.items()})
    list(teach(adopt(own)))
    original = load_file(own / "model.safetensors")
    for name, value in load_teacher(TASK, str(own)).state_dict().items():
        assert torch.equal(value, original[name].float())


def test_an_adopted_teacher_needs_its_folder_no_more(lab, own):
    list(teach(adopt(own)))
    before = api.predict(api.open_model(api.source_of_teacher(TASK, str(own))), "a lovely film")
    shutil.rmtree(own)
    after = api.predict(api.open_model(api.source_of_teacher(TASK, str(own))), "a lovely film")
    assert after.probabilities == before.probabilities
    assert after.tokens == before.tokens == 5


@pytest.mark.parametrize("kind", targets())
def test_a_checkpoint_with_its_head_is_known_as_fine_tuned(tmp_path, kind):
    model = tiny_model(seed=2, kind=kind)
    save_tiny_model(tmp_path, model)
    loaded = load_model(str(tmp_path), kind, LABELS, seed=0)
    assert loaded.is_fine_tuned
    assert type(loaded.model) is class_of(tiny_head(kind))
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], value)


# The order of the labels


def test_labels_in_another_order_are_brought_into_the_tasks(lab, own):
    name_labels(own, "POSITIVE", "Negative ")
    original = load_file(own / "model.safetensors")
    list(teach(adopt(own)))
    head = head_of(load_teacher(TASK, str(own)))
    assert torch.equal(head.weight, original["classifier.weight"][[1, 0]])
    assert torch.equal(head.bias, original["classifier.bias"][[1, 0]])


@pytest.mark.parametrize(
    ("theirs", "order"),
    [
        (("entailment", "neutral", "contradiction"), [0, 1, 2]),
        (("CONTRADICTION", "neutral", "ENTAILMENT"), [2, 1, 0]),
        (("neutral", "contra_diction", "entail-ment"), [2, 0, 1]),
        (("LABEL_0", "LABEL_1", "LABEL_2"), [0, 1, 2]),
        (("label0", "label1", "label2"), [0, 1, 2]),
    ],
)
def test_outputs_are_ordered_by_their_names_and_numbers_keep_their_order(tmp_path, theirs, order):
    config = tiny_config()
    config.id2label = dict(enumerate(theirs))
    torch.manual_seed(0)
    model = class_of(tiny_head("classes"))(config)
    save_tiny_model(tmp_path, model)
    labels = ("entailment", "neutral", "contradiction")
    loaded = load_model(str(tmp_path), "classes", labels, seed=0)
    assert loaded.labels == theirs
    use_label_order(find_family("bert"), loaded, labels)
    assert torch.equal(head_of(loaded.model).weight, head_of(model).weight[order])
    assert torch.equal(head_of(loaded.model).bias, head_of(model).bias[order])
    assert tuple(loaded.model.config.id2label.values()) == labels


@pytest.mark.parametrize(
    ("theirs", "ours", "order"),
    [
        (("-1", "0", "1"), ("-1", "0", "1"), [0, 1, 2]),
        (("1", "0", "-1"), ("-1", "0", "1"), [2, 1, 0]),
        (("-", "+"), ("+", "-"), [1, 0]),
        (("C#", "C", "C++"), ("c", "c++", "c#"), [1, 2, 0]),
        ((">30", "<30"), ("<30", ">30"), [1, 0]),
        (("LABEL_1", "LABEL_0"), ("LABEL_0", "LABEL_1"), [1, 0]),
        (("label 0", "LABEL-1"), ("-1", "1"), [0, 1]),
        (("Not duplicate", "DUPLICATE"), ("duplicate", "not_duplicate"), [1, 0]),
        (("A", "a"), ("a", "A"), [1, 0]),
        (("-1", "0"), ("0", "1"), None),
        (("-1", "1"), ("1", " +1"), None),
        (("<30", "50"), (">30", "50"), None),
        (("a", "A"), ("A", "b"), None),
        (("good", "good"), ("good", "bad"), None),
        (("no entail", "entail"), ("noentail", "Entail", "x"), None),
        (("LABEL_0", "LABEL_1", "LABEL_2"), ("a", "b"), None),
        (("LABEL_0", "LABEL_2"), ("a", "b"), None),
        (("1 0", "1"), ("10", "1"), None),
    ],
)
def test_labels_that_look_alike_are_never_taken_for_each_other(theirs, ours, order):
    assert label_order(theirs, ours) == order


def test_every_class_of_a_checkpoint_of_signs_keeps_its_own_row_of_the_head(lab, own):
    """As after `import` of a file whose labels are -1, 0 and 1."""
    labels = ("-1", "0", "1")
    config = tiny_config()
    config.id2label = dict(enumerate(("1", "-1", "0")))
    model = class_of(tiny_head("classes"))(config)
    save_tiny_model(own, model)
    loaded = load_model(str(own), "classes", labels, seed=0)
    use_label_order(find_family("bert"), loaded, labels)
    assert torch.equal(head_of(loaded.model).weight, head_of(model).weight[[1, 2, 0]])
    assert torch.equal(head_of(loaded.model).bias, head_of(model).bias[[1, 2, 0]])


@pytest.mark.parametrize(
    "theirs", [("bad", "good"), ("negative", "negative"), ("label_1", "label_0")]
)
def test_labels_of_other_names_are_refused(lab, own, theirs):
    name_labels(own, *theirs)
    with pytest.raises(InputError, match=r"labels are .*; the task's are negative, positive\. Re"):
        list(teach(adopt(own)))
    assert not (lab.home / "teachers" / teacher_folder(TASK, str(own))).exists()


# Fine-tuned here, or refused


@pytest.mark.parametrize("kind", targets())
@pytest.mark.parametrize("wanted", targets())
def test_a_look_at_the_file_tells_whether_a_head_fits(tmp_path, kind, wanted):
    """The form asks this before anything is loaded; loading comes to the same conclusion."""
    save_tiny_model(tmp_path, tiny_model(kind=kind))
    fits = has_trained_head(str(tmp_path), wanted, LABELS)
    ours, theirs = tiny_head(kind, LABELS), tiny_head(wanted, LABELS)
    same_head = class_of(ours) is class_of(theirs)
    same_size = len(ours.outputs) == len(theirs.outputs)
    assert fits == (same_head and same_size)
    assert fits == load_model(str(tmp_path), wanted, LABELS, seed=0).is_fine_tuned


@pytest.mark.parametrize("name", ["minilm-l3", "owner/bert", "/nowhere", "~nobody-here/x", "a\0b"])
def test_where_there_is_no_folder_there_is_no_head(lab, name):
    assert not has_trained_head(name, "classes", LABELS)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff" * 100])
def test_a_damaged_file_has_no_head(own, content):
    (own / "model.safetensors").write_bytes(content)
    assert not has_trained_head(str(own), "classes", LABELS)


@pytest.mark.parametrize(
    ("task", "kind"),
    [(TASK, "span"), (TASK, "value"), ("stsb", "classes"), ("squad", "classes")],
)
def test_without_a_fitting_head_a_model_cannot_be_taken_as_it_is(tmp_path, lab, task, kind):
    save_tiny_model(tmp_path / "own", tiny_model(kind=kind))
    wanted = {"movie-sentiment": "classes", "stsb": "value", "squad": "span"}[task]
    loaded = load_model(str(tmp_path / "own"), wanted, LABELS if wanted == "classes" else (), 0)
    assert not loaded.is_fine_tuned
    if task == TASK:
        with pytest.raises(InputError, match=r"no head that was trained for Movie .* Fine-tune it"):
            list(teach(adopt(tmp_path / "own")))


def test_a_plain_bert_is_fine_tuned_but_not_taken_as_it_is(lab, own):
    def plain(weights):  # as a BertModel writes it: without head, without "bert."
        kept = {k: v for k, v in weights.items() if not k.startswith(HEADLESS)}
        return {name.removeprefix("bert."): value for name, value in kept.items()}

    original = load_file(own / "model.safetensors")
    change_weights(own, plain)
    with pytest.raises(InputError, match="has no head that was trained for Movie sentiment"):
        list(teach(adopt(own)))
    loaded = load_model(str(own), "classes", LABELS, seed=0)
    name = "bert.encoder.layer.1.output.dense.weight"
    assert torch.equal(loaded.model.state_dict()[name], original[name])
    *_, last = teach(Teaching(task=TASK, model=str(own), train=RECIPE))
    assert last.teacher.fine_tuned
    assert (
        load_file(lab.home / "teachers" / teacher_folder(TASK, str(own)) / "model.safetensors")[
            name
        ].dtype
        == torch.float16
    )


def test_a_head_without_its_pooler_is_not_fine_tuned(own):
    change_weights(own, lambda w: {k: v for k, v in w.items() if ".pooler." not in k})
    assert not load_model(str(own), "classes", LABELS, seed=0).is_fine_tuned


def test_a_missing_head_is_drawn_from_the_seed(own):
    labels = ("a", "b", "c")
    first, again, other = (load_model(str(own), "classes", labels, seed) for seed in (0, 0, 1))
    assert head_of(first.model).weight.shape == (3, 32)
    assert torch.equal(head_of(first.model).weight, head_of(again.model).weight)
    assert not torch.equal(head_of(first.model).weight, head_of(other.model).weight)


def test_weights_in_the_spelling_of_the_first_berts_are_read(own):
    def old(weights):
        spelled = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
        for new, was in spelled.items():
            weights = {name.replace(new, was): value for name, value in weights.items()}
        return weights

    original = load_file(own / "model.safetensors")
    change_weights(own, old)
    loaded = load_model(str(own), "classes", LABELS, seed=0)
    assert loaded.is_fine_tuned
    for name, value in loaded.model.state_dict().items():
        assert torch.equal(value, original[name])


@pytest.mark.parametrize(
    "changes", [{"num_hidden_layers": 3}, {"hidden_size": 64}, {"vocab_size": 30}]
)
def test_an_encoder_that_the_file_does_not_fill_is_refused(own, changes):
    change_config(own, **changes)
    with pytest.raises(InputError, match="could not be loaded: its file has no fitting weights"):
        load_model(str(own), "classes", LABELS, seed=0)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    "name", ["bert.embeddings.LayerNorm.bias", "classifier.bias", "cls.predictions.bias"]
)
def test_a_number_that_is_not_finite_is_refused_before_anything_is_computed(lab, own, name, number):
    def spoil(weights):
        weights[name] = torch.full((2,), number) if name.startswith("cls") else weights[name]
        weights[name][-1] = number
        return weights

    change_weights(own, spoil)
    for fine_tune in (True, False):
        teaching = Teaching(task=TASK, model=str(own), fine_tune=fine_tune, train=RECIPE)
        events = []
        with pytest.raises(InputError, match=f"its weight {name} holds a number that is not fin"):
            events.extend(teach(teaching))
        assert not (lab.home / "teachers" / teacher_folder(TASK, str(own))).exists()


def test_a_kept_teacher_with_a_number_that_is_not_finite_is_damaged(lab):
    folder = lab.home / "teachers" / teacher_folder(TASK, lab.model)
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"][0] = float("nan")
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(InputError, match=r"is damaged .*classifier.bias holds a number that is"):
        load_teacher(TASK, lab.model)


def test_too_large_a_number_for_float32_is_refused(own):
    def spoil(weights):
        weights["classifier.bias"] = torch.full((2,), 1e300, dtype=torch.float64)
        return weights

    change_weights(own, spoil)
    with pytest.raises(InputError, match=r"its weight classifier\.bias holds a number that is not"):
        load_model(str(own), "classes", LABELS, seed=0)


@pytest.mark.parametrize("fine_tune", [True, False])
@pytest.mark.parametrize(("task", "kind"), [("rte", "classes"), ("squad", "span")])
def test_pairs_need_a_model_that_knows_two_kinds_of_text(
    lab, tmp_path, monkeypatch, task, kind, fine_tune
):
    monkeypatch.setattr("core.training.teacher_training.prepare", lambda task: iter(()))
    save_tiny_model(tmp_path / "own", tiny_model(kind=kind, type_vocab_size=1))
    teaching = Teaching(task=task, model=str(tmp_path / "own"), fine_tune=fine_tune, train=RECIPE)
    with pytest.raises(InputError, match=r"knows one kind of text .type_vocab_size 1.; this task"):
        list(teach(teaching))


def test_a_head_of_many_labels_at_once_is_no_classifier_of_one(lab, own):
    change_config(own, problem_type="multi_label_classification")
    with pytest.raises(InputError, match=r"any number of labels at once.* Fine-tune it first"):
        list(teach(adopt(own)))


def test_a_tokenizer_of_another_model_is_refused(lab, tmp_path):
    save_tiny_model(tmp_path / "own", tiny_model(vocab_size=20))
    for fine_tune in (True, False):
        teaching = Teaching(
            task=TASK, model=str(tmp_path / "own"), fine_tune=fine_tune, train=RECIPE
        )
        with pytest.raises(InputError, match="knows 27 words, the model only 20: they do not bel"):
            list(teach(teaching))


@pytest.mark.parametrize("family", ["gpt2", "roberta", "distilbert", "albert", "xlm-roberta"])
def test_another_architecture_is_refused_with_what_works(own, family):
    change_config(own, model_type=family)
    sentence = f"is a {family} model.*BERT family .model_type bert.*minilm-l3, minilm-l6"
    with pytest.raises(InputError, match=sentence):
        load_model(str(own), "classes", LABELS, seed=0)


def test_code_that_comes_with_a_model_is_never_run(own, tmp_path):
    ran = tmp_path / "ran"
    (own / "evil.py").write_text(f"open({str(ran)!r}, 'w')\n")
    code = {name: f"evil.{name}" for name in ("AutoConfig", "AutoModel", "AutoTokenizer")}
    (own / "tokenizer_config.json").write_text(json.dumps({"auto_map": code}))
    with pytest.raises(InputError, match=r"its tokenizer is code of its own .* never run"):
        load_tokenizer(str(own))
    change_config(own, auto_map=code)
    with pytest.raises(InputError, match=r"says that auto_map is .* only without that setting"):
        load_model(str(own), "classes", LABELS, seed=0)
    change_config(own, model_type="evil")
    with pytest.raises(InputError, match="is a evil model, by its config"):
        load_model(str(own), "classes", LABELS, seed=0)
    assert not ran.exists()


def test_a_pickled_checkpoint_is_not_opened(own, tmp_path):
    (own / "model.safetensors").unlink()
    ran = tmp_path / "ran"
    command = f"cposix\nsystem\n(S'touch {ran}'\ntR."
    (own / "pytorch_model.bin").write_bytes(command.encode())
    with pytest.raises(InputError, match="could not be loaded"):
        load_model(str(own), "classes", LABELS, seed=0)
    assert not ran.exists()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nobody/nothing-of-that-name", "the hub does not answer.*minilm-l3, minilm-l6"),
        ("/nowhere", "There is no folder /nowhere"),
        ("./nowhere", "There is no folder ./nowhere"),
        ("..", "could not be loaded"),  # a folder, but of no model
        (r"C:\models\bert", "There is no folder"),
        ("a/b/c", "is not the name of a hub repository"),
        ("a" * 300, "is not the name of a hub repository"),
        ("a\0b", "is not the name of a hub repository"),
    ],
)
def test_a_model_that_is_nowhere_is_explained(lab, monkeypatch, tmp_path, name, sentence):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(InputError, match=sentence):
        load_model(name, "classes", LABELS, seed=0)


def test_a_model_of_the_folder_that_stands_in_for_the_hub_is_loaded(own, tmp_path, monkeypatch):
    monkeypatch.setenv("TERNARY_LAB_HUB", str(tmp_path / "hub"))
    shutil.copytree(own, tmp_path / "hub" / "owner" / "bert")
    assert files_of("owner/bert") == (str(tmp_path / "hub" / "owner" / "bert"), "")
    loaded = load_model("owner/bert", "classes", LABELS, seed=0)
    assert loaded.is_fine_tuned
    assert load_tokenizer("owner/bert")("the film")["input_ids"][0] == 2
    with pytest.raises(
        InputError, match=r"owner/other is not in the folder of TERNARY_LAB_HUB\. U"
    ):
        load_model("owner/other", "classes", LABELS, seed=0)
