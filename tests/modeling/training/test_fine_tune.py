import dataclasses
from collections import Counter

import pytest
import torch

from modeling.errors import CheckpointError
from modeling.models import build_model
from modeling.models.layout import BLANK, BREAK, TEXT
from modeling.training.fine_tune import take_over
from modeling.training.job import TrainingJob
from modeling.training.trainer import Trainer
from modeling.vocab import SPECIALS, Vocabulary

CPU = torch.device("cpu")


@pytest.fixture
def other(vocabulary):
    """A vocabulary with most of the characters under other ids, and three more."""
    return Vocabulary.from_counts(Counter([*vocabulary.characters[2:], *"@$\u20ac"]), min_count=1)


def fresh(config, vocabulary):
    torch.manual_seed(5)
    return build_model(config.model, vocabulary.size)


def test_a_shared_character_keeps_its_weights_under_its_new_id(config, model, vocabulary, other):
    target = fresh(config, other)
    untouched = target.output.bias.detach().clone()
    assert take_over(target, other, model, vocabulary) == 3
    for new, character in enumerate(other.characters, SPECIALS):
        if character in vocabulary.characters:
            old = SPECIALS + vocabulary.characters.index(character)
            assert torch.equal(target.embedding.weight[new], model.embedding.weight[old])
            assert torch.equal(target.output.weight[new], model.output.weight[old])
            assert target.output.bias[new] == model.output.bias[old]
        else:
            assert target.output.bias[new] == untouched[new]
    assert len(set(target.ngrams.codes.tolist())) == other.size
    text = "".join(c for c in vocabulary.characters if c in other.characters)[:12]
    vectors = [
        of.ngrams.eval()(torch.from_numpy(ids.astype("int64"))[None], torch.zeros(2, 1).long())
        for of, (ids,) in (
            (target, other.encode_documents([text])),
            (model, vocabulary.encode_documents([text])),
        )
    ]
    assert torch.equal(*vectors)
    assert torch.equal(target.layers[1].weight_hh_l0, model.layers[1].weight_hh_l0)
    assert torch.equal(target.output.bias[:SPECIALS], model.output.bias[:SPECIALS])


def test_a_model_of_another_shape_is_refused_in_one_line(config, model, vocabulary):
    shape = dataclasses.replace(config.model, hidden_size=24)
    target = build_model(shape, vocabulary.size)
    with pytest.raises(
        CheckpointError, match=r"shape lstm 2x16.*this one lstm 2x24.*must be equal"
    ):
        take_over(target, vocabulary, model, vocabulary)


def test_a_run_that_starts_from_a_trained_model_is_better_from_the_start(
    config, vocabulary, stream, documents
):
    def run(**others):
        trainer = Trainer(
            TrainingJob(
                config=config,
                vocabulary=vocabulary,
                stream=stream,
                validation=documents[:4],
                **others,
            ),
            device=CPU,
        )
        return trainer, list(trainer.run())

    trainer, first = run()
    _, second = run(initial=(trainer.best_model(), vocabulary))
    assert second[0].train_bits < first[0].train_bits - 0.5


def test_kinds_of_characters_move_with_them(config, vocabulary):
    """A fresh model knows no kinds; a tab in front moves all ids."""
    assert "\t" not in vocabulary.characters
    wider = Vocabulary.from_counts(Counter([*vocabulary.characters, "\t"]), min_count=1)
    shape = dataclasses.replace(config.model, layout=True)
    source, target = (build_model(shape, names.size) for names in (vocabulary, wider))
    source.learn_characters(vocabulary)
    take_over(target, wider, source, vocabulary)
    kinds = target.ngrams.layout.kinds
    assert kinds[wider.encode("\n a\t").astype(int)].tolist() == [BREAK, BLANK, TEXT, TEXT]
