"""Fine-tuning: fix which model a training starts from, before anything is planned.

`train.init_from=torch` means the last model of `torch` at this moment, so it is replaced by that
model's key and shape. The plan, the key of the stage and the report then name exactly one model.
"""

import json

from flows.errors import OptionError, StageError
from flows.options import Options, parse_overrides
from flows.store.runs import Store

SETTING = "train.init_from"


def pinned(options: Options, store: Store) -> Options:
    """Replace DATASET or DATASET@KEY in `train.init_from` by a full key; adopt the model's shape.

    Raises:
        OptionError: if there is no such model, or several keys start with KEY.
    """
    wanted = parse_overrides(options.overrides).get("train", {}).get("init_from")
    if wanted is None:
        return options
    dataset, at, key = str(wanted).partition("@")
    models = store.runs("train", dataset)
    try:
        model = models.find(key) if at else models.last()
    except StageError as error:
        trained = [name for name in store.datasets() if store.runs("train", name).latest]
        raise OptionError(
            f"{SETTING}={wanted}: no such model: {error}; trained: {', '.join(trained) or 'none'}"
        ) from None
    shape = json.loads((model.folder / "config.json").read_text(encoding="utf-8"))["model"]
    shape_overrides = [f"train.model.{name}={json.dumps(value)}" for name, value in shape.items()]
    return options.model_copy(
        update={
            "overrides": (*shape_overrides, *options.overrides, f"{SETTING}={dataset}@{model.key}")
        }
    )
