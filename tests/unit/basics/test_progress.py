"""Progress in a pipe: a line each half minute, also within one long part, and parts of different costs."""

import time

from unequal import console, progress


def test_a_line_comes_also_while_a_single_part_runs(capsys, monkeypatch):
    monkeypatch.setattr(console, "BETWEEN_LINES", 0.02)
    monkeypatch.setattr(console, "SLACK", 0.01)
    with console.progress_bar("auditing") as report:
        progress.report_part("batch", 3, 40)
        _until(lambda: "so far, batch 3 of 40\n" in capsys.readouterr().out)
        report(1, 4)
        _until(lambda: "auditing: 25%, about" in capsys.readouterr().out)
    time.sleep(0.05)
    assert not capsys.readouterr().out


def _until(seen, seconds=60):
    end = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_short_command_says_nothing(capsys):
    with console.progress_bar("auditing") as report:
        report(1, 2)
        progress.report_part("batch", 1, 2)
    assert not capsys.readouterr().out


def test_parts_count_by_their_costs():
    told = []
    first, second = progress.split_progress(lambda *one: told.append(one), [1.0, 3.0])
    first(1, 2)
    first(2, 2)
    second(1, 3)
    second(3, 3)
    assert told == [(500, 4000), (1000, 4000), (2000, 4000), (4000, 4000)]


def test_parts_are_shown_by_the_innermost_only():
    told = []
    with progress.parts_shown_by(lambda *one: told.append(one)):
        with progress.parts_shown_by(lambda *_: None):
            progress.report_part("batch", 1, 2)
        progress.report_part("step", 2, 2)
    progress.report_part("step", 3, 3)
    assert told == [("step", 2, 2)]
