"""What `unequal metrics` prints."""

import pytest

from unequal.cli.metrics import metrics
from unequal.console import console
from unequal.errors import ConfigError
from unequal.evaluation.aggregates import AGGREGATES
from unequal.evaluation.metrics import METRICS


def printed(*words):
    with console.capture() as captured:
        metrics(*words)
    return captured.get()


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setattr(console, "width", 2000)


def test_the_list_has_every_metric_and_aggregate_with_its_formula_and_chance():
    lines = {line.split()[1]: line for line in printed().splitlines() if line.startswith("│")}
    assert set(lines) == {*METRICS, *AGGREGATES}
    for name, metric in METRICS.items():
        assert all(
            part in lines[name]
            for part in (metric.formula, metric.kind, metric.direction, metric.chance.words)
        )
    for name, aggregate in AGGREGATES.items():
        shown = (aggregate.formula, *aggregate.metrics, aggregate.direction, aggregate.chance)
        assert all(part in lines[name] for part in shown)


@pytest.mark.parametrize("words", [("show", "extraction_strength"), ("extraction_strength",)])
def test_one_metric_is_explained(words):
    shown = printed(*words)
    for part in (
        "extraction_strength (probability; higher means known)",
        "1 − k*/n, k* = min {k ≤ n",
        "k* may be n",
        "Range: [0, 1]",
        "Chance: (1/n) Σ_j vocabulary^−j",
        "Source: Wang et al. (2025)",
        "Needs: scores",
        "Probes: question, paraphrase, cloze, reverse",
    ):
        assert part in shown


@pytest.mark.parametrize("name", [*METRICS, *AGGREGATES])
def test_every_metric_and_aggregate_can_be_shown(name):
    target = (METRICS if name in METRICS else AGGREGATES).get(name)
    shown = printed("show", name)
    assert shown.startswith(f"{name} (")
    assert target.formula in shown
    assert target.source in shown


def test_an_aggregate_says_what_it_is_made_of():
    assert "From: truth_ratio of facts and of never-seen ones" in printed("show", "forget_quality")
    assert "From: true_false_hit, true_false_false_alarm\n" in printed("show", "true_false_dprime")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show",), "name one metric, not 0, for example: unequal metrics show extraction_strength"),
        (("show", "loss", "zlib"), "name one metric, not 2"),
        (("show", "extraction_strenght"), "unknown metric 'extraction_strenght'; did you mean"),
    ],
)
def test_a_wrong_request_says_what_to_type(words, said):
    with pytest.raises(ConfigError, match=said):
        metrics(*words)
