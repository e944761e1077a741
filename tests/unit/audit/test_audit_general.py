"""General utility in an audit: limits of the policy, sentences below the headline, and the page's table."""

import polars as pl
import pytest

from test_audit_finding import FACTS, summary_of
from unequal.auditing.finding import finding
from unequal.auditing.page import render_audit
from unequal.auditing.policy import Policy, check
from unequal.evaluation.general_table import GENERAL_SCHEMA, changes, loss_of, sentences


def table(perplexity, degenerate, accuracy, reason=None):
    rows = [
        ("text", "perplexity", "factbook", perplexity, None, 512, False, reason),
        ("text", "bits_per_byte", "factbook", 1.2, None, 512, False, None),
        ("generation", "degenerate_share", "open prompts", degenerate, None, 4, False, None),
        ("task", "acc", "arc_easy", accuracy, 0.02, 200, True, None),
        ("task", "perplexity", "lambada", 8.0, 0.1, 200, False, None),
    ]
    return pl.DataFrame(rows, schema=GENERAL_SCHEMA, orient="row")


BEFORE = table(20.0, 0.0, 0.5)
WORSE = changes(BEFORE, table(26.0, 0.75, 0.4))
SAME = changes(BEFORE, BEFORE)
MISSING = changes(BEFORE, table(None, 0.0, 0.5, "no such text"))


def test_a_change_is_a_ratio_and_a_share_that_was_lost():
    assert [row["ratio"] for row in WORSE] == pytest.approx([1.3, 1.0, None, 0.8, 1.0])
    assert [loss_of(row) for row in WORSE] == pytest.approx([0.3, 0.0, 0.75, 0.2, 0.0])
    assert sentences(WORSE) == [
        "perplexity of held-out text 20.0 → 26.0",
        "degenerate open prompts 0% → 75%",
        "acc of arc_easy 0.500 → 0.400",
        "perplexity of lambada 8.000 → 8.000",
    ]
    assert sentences(BEFORE.to_dicts())[0] == "perplexity of held-out text 20.0"
    assert sentences(MISSING)[0] == "perplexity of held-out text not measured: no such text"


@pytest.mark.parametrize(
    ("rows", "rise", "task"),
    [
        (WORSE, (0.3, False), (0.2, False)),
        (SAME, (0.0, True), (0.0, True)),
        (MISSING, (None, False), (0.0, True)),
        ([], (None, False), (None, False)),
    ],
    ids=["worse", "same", "missing", "not measured"],
)  # fmt: skip
def test_a_policy_limits_perplexity_and_tasks(rows, rise, task):
    limits = Policy(max_perplexity_rise=0.1, max_task_loss=0.1)
    lines = {line["rule"]: line for line in check(limits, {**summary_of(), "general": rows})}
    for rule, (found, holds) in (("max_perplexity_rise", rise), ("max_task_loss", task)):
        assert lines[rule]["found"] == (None if found is None else pytest.approx(found))
        assert lines[rule]["holds"] == holds
        assert bool(lines[rule]["why"]) == (found is None)
    assert Policy(max_perplexity_rise=2.5).max_perplexity_rise == 2.5


def test_what_got_much_worse_stands_below_the_headline():
    below = finding({**summary_of(n_left=1), "general": WORSE})[1:]
    assert [line for line in below if line.startswith("Worse in general: ")] == [
        "Worse in general: perplexity of held-out text 20.0 → 26.0.",
        "Worse in general: degenerate open prompts 0% → 75%.",
        "Worse in general: acc of arc_easy 0.500 → 0.400.",
    ]
    assert not [line for line in finding({**summary_of(), "general": SAME}) if "Worse" in line]


def test_the_page_has_a_table_where_general_utility_was_measured():
    page = render_audit(FACTS, {**summary_of(), "general": WORSE})
    assert '<h2 id="general-title" class="rule">General utility</h2>' in page
    assert '<td class="num">26.00</td><td class="num">30%</td>' in page
    assert "no such text" in render_audit(FACTS, {**summary_of(), "general": MISSING})
    assert "General utility" not in render_audit(FACTS, {**summary_of(), "general": []})
