import re
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import BaseModel

from docs.site.settings import meanings, page
from flows.options import Options, prepare
from modeling.config import TrainConfig

PAGE = Path(__file__).parents[2] / "docs/settings.md"


def test_the_page_is_what_the_models_say():
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "stale: python -m docs.site.settings > docs/settings.md"
    )


def test_every_setting_of_a_training_is_a_row_with_its_default():
    section = page().partition("## `[train]`\n")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| `([^|]+)` \| .+ \|$", section, re.MULTILINE))
    assert rows.keys() == TrainConfig().to_dict().keys() - {"model"}
    assert (rows["budget"], rows["validation_characters"]) == ('"3m"', "100_000")


@pytest.mark.parametrize(("section", "stage"), [("train", "train"), ("train.model", "train")])
def test_defaults_on_the_page_are_accepted_as_settings(section, stage):
    text = page().partition(f"## `[{section}]`\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| `([^|]+)` \|", text, re.MULTILINE)
    changes = tuple(f"{section}.{key}={value}" for key, value in rows)
    run = prepare("python-stdlib", Options(preset="smoke", overrides=changes))
    expected = TrainConfig().to_dict()
    if section == "train":
        expected |= {"model": run.train.to_dict()["model"]}
        assert run.train.to_dict() == expected
    else:
        assert run.train.to_dict()["model"] == expected["model"]


def test_descriptions_are_found_in_docstrings_of_a_class_and_its_bases():
    class Below(BaseModel):
        """Something.

        Attributes:
            one: the first, in
                two lines.
            two, three: a | b.

        Raises:
            ValueError: never.
        """

        shared: ClassVar[int] = 0

    class Above(Below):
        """More.

        Attributes:
            two: replaced.
        """

    assert meanings(Above) == {
        "one": "The first, in two lines.",
        "two": "Replaced.",
        "three": r"A \| b.",
    }
