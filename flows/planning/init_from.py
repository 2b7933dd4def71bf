"""Fine-tuning: which model a training begins with, fixed before anything is planned.

`train.init_from=torch` means the newest model of `torch` now, so it is replaced by that model's key
and shape: the plan, the key of the stage and the report then name exactly one model.
"""

import json

from flows.errors import OptionError
from flows.options import Options, parse_overrides
from flows.store.paths import Layout

SETTING = "train.init_from"


def pinned(options: Options, layout: Layout) -> Options:
    """Replace a dataset's name in `train.init_from` by its newest model, and take its shape.

    Raises:
        OptionError: there is no such model.
    """
    wanted = parse_overrides(options.overrides).get("train", {}).get("init_from")
    if wanted is None:
        return options
    dataset, at, key = str(wanted).partition("@")
    key = key if at else layout.latest_key("train", dataset) or ""
    if not (key and layout.is_published("train", dataset, key)):
        known = sorted(path.parent.name for path in layout.root.glob("train/*/latest"))
        raise OptionError(
            f"{SETTING}={wanted}: there is no such model; trained are: {', '.join(known) or 'none'}"
        )
    config = layout.published("train", dataset, key) / "config.json"
    shape = json.loads(config.read_text(encoding="utf-8"))["model"]
    taken = [f"train.model.{name}={json.dumps(value)}" for name, value in shape.items()]
    return options.model_copy(
        update={"overrides": (*taken, *options.overrides, f"{SETTING}={dataset}@{key}")}
    )
