import re
from pathlib import Path

from modeling.checkpoint import save_model
from modeling.config import ModelConfig, TrainConfig
from modeling.models import build_model
from modeling.vocab import Vocabulary

PAGE = Path(__file__).parents[2] / "docs/api/index.md"


def test_the_example_of_the_python_page_runs(tmp_path, monkeypatch, capsys):
    found = re.search(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None
    config = TrainConfig(model=ModelConfig(embedding_size=4, hidden_size=8))
    vocabulary = Vocabulary.from_counts(
        {chr(code): 9 for code in (10, *range(32, 127))}, min_count=1
    )
    folder = tmp_path / "artifacts/train/python-stdlib/latest"
    save_model(folder, config, vocabulary, build_model(config.model, vocabulary.size))
    monkeypatch.chdir(tmp_path)
    exec(compile(found[1], str(PAGE), "exec"), {})
    printed = capsys.readouterr().out
    assert len(printed) > 300
    bits = re.search(r"^(\d\.\d\d) bits per character\n\Z", printed, re.MULTILINE)
    assert bits is not None
    assert 6 < float(bits[1]) < 8
