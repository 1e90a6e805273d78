"""Changed copies of examples: which words change, to what, and that the same seed says the same."""

from dataclasses import replace

import pytest
import torch
from datasets import Dataset
from torch.nn import functional as F
from transformers import BertForMaskedLM

from core import api
from core.errors import InputError
from core.events import Finished
from core.experiment import TrainRecipe
from core.families.bert import replacing
from core.families.registry import find_family
from core.tasks.registry import find_task
from core.training.augment import KEPT, Words, augmented, draw_rows
from core.training.candidates import masked, neighbours
from core.training.student_training import train
from tests.conftest import (
    BAD,
    GOOD,
    WORDS,
    save_tiny_model,
    tiny_config,
    tiny_model,
    tiny_tokenizer,
    with_train,
)

BERT, TOKENIZER = find_family("bert"), tiny_tokenizer()
KNOWN = replacing.words(TOKENIZER)
TEXTS = ["The film was good, and the plot dull!", "A lovely story (of a warm cast)."]
RECIPE = TrainRecipe(augment=True, augment_copies=3, augment_candidates=4, steps=4, batch_size=8)


def last(computing):
    try:
        while True:
            next(computing)
    except StopIteration as end:
        return end.value


def table_of(texts: list[str]) -> Dataset:
    return Dataset.from_dict({"text": texts, "label": list(range(len(texts)))})


def copies_of(
    texts: list[str], drawn: list[tuple[int, int]], seed: int = 0, **changes
) -> list[str]:
    recipe, task = replace(RECIPE, **changes), find_task("movie-sentiment")
    made = augmented(table_of(texts), task, recipe, drawn, BERT, tiny_model(), TOKENIZER, seed)
    found = last(made)
    assert found["label"] == [row for row, _ in drawn]
    return list(found["text"])


@pytest.fixture(scope="module")
def masked_model(tmp_path_factory) -> str:
    torch.manual_seed(3)
    folder = tmp_path_factory.mktemp("masked")
    save_tiny_model(folder, BertForMaskedLM(tiny_config()).eval())
    return str(folder)


def test_a_text_is_cut_into_words_and_put_together_again():
    words = Words.of('He said:  "Good film" (a must-see).')
    assert words.plain == ["he", "said", "good", "film", "a", "must-see"]
    assert [words.plain[i] for i in words.replaceable()] == ["said", "good", "film"]
    assert words.with_words({2: "bad", 3: "plot"}) == 'he said: "bad plot" (a must-see).'


def test_words_that_hold_a_sentence_together_stay():
    assert {"the", "not", "and", "was"} <= KEPT
    assert Words.of("not the -- 42 a1").replaceable() == []


def test_neighbours_are_the_nearest_by_cosine():
    embedding = tiny_model().get_input_embeddings().weight.detach()
    (found,) = last(neighbours(embedding, KNOWN, [["good"]], [(0, 0)], 3))
    likeness = {
        word: float(F.cosine_similarity(embedding[KNOWN["good"]], embedding[number], dim=0))
        for word, number in KNOWN.items()
        if word != "good"
    }
    assert list(found) == sorted(likeness, key=likeness.__getitem__, reverse=True)[:3]


def test_only_whole_words_are_proposed():
    assert set(KNOWN) == {w for w in (*WORDS, *GOOD, *BAD) if len(w) > 1}


def test_a_word_in_pieces_has_no_neighbours():
    embedding = tiny_model().get_input_embeddings().weight
    assert last(neighbours(embedding, KNOWN, [["unheardof"]], [(0, 0)], 3)) == [()]


def test_masked_proposals_are_what_the_model_expects_there(masked_model):
    text = ["the", "film", "was", "good"]
    (found,) = last(masked(masked_model, [text], [(0, 1)], 3))
    network = BertForMaskedLM.from_pretrained(masked_model, dtype=torch.float32).eval()
    ids = TOKENIZER("the film was good")["input_ids"]
    ids[2] = TOKENIZER.mask_token_id
    with torch.no_grad():
        logits = network(input_ids=torch.tensor([ids])).logits[0, 2]
    names = {number: word for word, number in KNOWN.items()}
    order = [names[i] for i in logits.argsort(descending=True)[:12].tolist() if i in names]
    assert list(found) == [word for word in order if word != "film"][:3]


def test_places_are_answered_each_for_itself_whatever_stands_beside_them(masked_model):
    texts = [["good", "film"], ["the", "story", "of", "a", "dull", "cast"]]
    together = last(masked(masked_model, texts, [(1, 4), (0, 0), (1, 1)], 2))
    for place, found in zip([(1, 4), (0, 0), (1, 1)], together, strict=True):
        assert last(masked(masked_model, texts, [place], 2)) == [found]


def test_a_model_that_fills_no_gaps_is_refused(lab, tmp_path):
    with pytest.raises(InputError, match="no masked language model's head"):
        last(masked(lab.model, [["good"]], [(0, 0)], 2))
    with pytest.raises(InputError, match="There is no folder"):
        last(masked(str(tmp_path / "nothing"), [["good"]], [(0, 0)], 2))


@pytest.mark.parametrize("kind", ["neighbours", "masked"])
def test_every_meaningful_word_changes_when_all_should(kind, masked_model):
    model = masked_model if kind == "masked" else ""
    (copy,) = copies_of(TEXTS[:1], [(0, 1)], augment_probability=1.0, augment_model=model)
    before, after = Words.of(TEXTS[0]), Words.of(copy)
    assert after.before == before.before
    assert after.after == before.after
    changed = [i for i, word in enumerate(after.plain) if word != before.plain[i]]
    assert changed == before.replaceable()


def test_nothing_changes_when_nothing_should():
    assert copies_of(TEXTS, [(0, 1), (1, 2)], augment_probability=0.0) == [
        Words.of(text).with_words({}) for text in TEXTS
    ]


def test_the_example_itself_stays_as_it_is():
    assert copies_of(TEXTS, [(1, 0), (0, 0)]) == [TEXTS[1], TEXTS[0]]


def test_a_copy_depends_on_seed_example_and_copy_alone():
    drawn = [(0, 1), (0, 2), (1, 1), (0, 0), (1, 3)]
    made = dict(zip(drawn, copies_of(TEXTS, drawn, augment_probability=0.7), strict=True))
    again = copies_of(TEXTS, drawn[::-1], augment_probability=0.7)
    assert dict(zip(drawn[::-1], again, strict=True)) == made
    assert copies_of(TEXTS, [(1, 3)], augment_probability=0.7) == [made[1, 3]]
    assert len({*made.values()}) == len(drawn)
    other = copies_of(TEXTS, drawn, seed=1, augment_probability=0.7)
    assert other != list(made.values())


def test_what_is_read_is_drawn_from_examples_and_copies():
    drawn = draw_rows(5, RECIPE, needed=100, seed=0)
    assert sorted(drawn) == [(row, copy) for row in range(5) for copy in range(4)]
    assert draw_rows(5, RECIPE, needed=7, seed=0) == drawn[:7]
    assert draw_rows(5, RECIPE, needed=7, seed=1) != drawn[:7]


def test_both_texts_of_a_pair_change():
    task = replace(find_task("rte"), labels=("a", "b"))
    table = Dataset.from_dict({"sentence1": ["good film"], "sentence2": ["bad plot"], "label": [1]})
    recipe = replace(RECIPE, augment_probability=1.0)
    made = last(augmented(table, task, recipe, [(0, 1)], BERT, tiny_model(), TOKENIZER, seed=0))
    assert made["sentence1"][0] != "good film"
    assert made["sentence2"][0] != "bad plot"
    assert made["label"] == [1]


def test_training_on_copies_runs_and_says_the_same_again(lab):
    experiment = with_train(lab.experiment, augment=True, augment_copies=2)
    first, second = list(train(experiment)), list(train(experiment))
    losses = [[e.loss for e in run if hasattr(e, "loss")] for run in (first, second)]
    assert losses[0] == losses[1]
    plain = [e.loss for e in train(lab.experiment) if hasattr(e, "loss")]
    assert losses[0] != plain
    assert isinstance(first[-1], Finished)


def test_the_preview_pairs_examples_with_their_copies(lab):
    found = last(api.augmented_examples("movie-sentiment", lab.model, RECIPE))
    assert len(found) == 5
    assert all(len(copies) == 3 for _, copies in found)
    assert any(copy != text for text, copies in found for copy in copies)


def test_answers_in_passages_forbid_it(lab):
    experiment = replace(with_train(lab.experiment, augment=True), task="squad")
    with pytest.raises(InputError, match="turn augmentation off"):
        api.check(experiment)
