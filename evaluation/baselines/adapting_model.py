"""Rows of the ladder for a model that keeps learning from the held-out text while it is scored."""

from collections.abc import Generator, Sequence

import numpy as np
from torch.nn import functional

from evaluation.baselines.context_mixing import ContextMixing
from evaluation.baselines.ladder import HeldOut
from evaluation.results import LadderRow
from modeling.inference.dynamic_evaluation import chosen_adaptation, dynamic_distributions
from modeling.models.model import CharModel
from modeling.vocab import UNKNOWN_ID, Ids, Vocabulary
from system.progress import Progress


def adapting_rows(
    name: str,
    model: CharModel,
    vocabulary: Vocabulary,
    *,
    priming: Sequence[Ids],
    validation: Sequence[Ids],
    held_out: HeldOut,
    span: tuple[float, float],
) -> Generator[Progress, None, list[LadderRow]]:
    """Score the held-out files by dynamic evaluation, alone and mixed with contexts.

    Args:
        name: of the model, for the rows.
        model: not changed.
        vocabulary: of the model and of all ids.
        priming: training documents whose contexts count.
        validation: documents on which the learning rates are chosen.
        held_out: the documents to score.
        span: fractions of the stage's work that are done before and afterwards.

    Yields:
        Progress, after every document.

    Returns:
        A row for dynamic evaluation, and one for the mixture.
    """
    label = f"{name}, dynamic evaluation"
    begin, end = span
    yield Progress.at(begin, f"scoring held-out files: {label}")
    adaptation = chosen_adaptation(model, vocabulary, validation)
    distributions = dynamic_distributions(model, held_out.ids, adaptation)
    mixing = ContextMixing(priming, held_out.ids, vocabulary.size)
    names = [vocabulary.unknown_bits * np.count_nonzero(one == UNKNOWN_ID) for one in held_out.ids]
    alone, mixed = np.array(names, np.float64), np.array(names, np.float64)
    for index, segments in enumerate(distributions):
        for logits in segments:
            log_probabilities = functional.log_softmax(logits.float(), dim=1).cpu().numpy()
            alone[index] += mixing.bits(log_probabilities).sum()
            mixed[index] += mixing.charge(log_probabilities).sum()
        done = begin + (end - begin) * (index + 1) / len(names)
        yield Progress.at(done, f"scoring held-out files: {label}")
    return [
        held_out.row(label, "adaptive", alone),
        held_out.row(f"{label}, context mixing", "adaptive", mixed),
    ]
