from flows.cli import bars


def test_counting_prints_lines_where_there_is_no_terminal(monkeypatch, capsys):
    now = iter(range(0, 10_000, 4))
    monkeypatch.setattr(bars.time, "monotonic", lambda: next(now))
    assert list(bars.tracked("abcdefgh", 8)) == list("abcdefgh")
    lines = capsys.readouterr().err.splitlines()
    assert 1 < len(lines) < 8
    assert all(line.startswith("scored ") and line.endswith(" of 8") for line in lines)


def test_short_work_prints_nothing(capsys):
    assert list(bars.tracked("abc", 3)) == list("abc")
    assert capsys.readouterr().err == ""
