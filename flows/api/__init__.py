"""charmill in a notebook: datasets, corpora, trainings and reports as pandas frames.

    import flows.api as charmill

    dataset = charmill.open_dataset("python-stdlib")
    text = dataset.model().sample("def ", temperature=0.8)
    charmill.score(text, dataset.language)

    charmill.reports()                    # all reports of all datasets, a row each
    dataset.ledger()["reason"].value_counts()
    dataset.curve().plot(x="characters", y=["train_bits", "validation_bits"])

docs/notebooks.md lists every frame and its columns, and docs/notebooks/ holds two examples.

Nothing is written to the artifact store. What the user can fix is a `CharmillError`, in one line.
"""

from flows.api.dataset import Dataset, open_dataset
from flows.api.model import Model, score
from flows.api.report_frames import reports
from system.errors import CharmillError

__all__ = ["CharmillError", "Dataset", "Model", "open_dataset", "reports", "score"]
