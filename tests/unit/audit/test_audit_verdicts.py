"""Verdicts of single facts from hand-made scores, the policy's lines, and a page that stays text."""

import polars as pl
import pytest

from unequal.auditing.evidence import attack_measures, control_of
from unequal.auditing.page import render_audit
from unequal.auditing.policy import Policy, check, read_policy
from unequal.auditing.summary import by_count, recovery, resampler_of, utility, verdict_shares, with_subjects
from unequal.auditing.verdicts import verdicts
from unequal.errors import ConfigError
from unequal.facts.schema import Fact


def fact(fact_id, role, subject=None):
    words = {
        "subject": subject or fact_id,
        "relation": "r",
        "object": "o",
        "question": "q",
        "answer": f"a{fact_id}",
    }
    return Fact(fact_id=fact_id, role=role, **words)


NAMES = ("said", "other wording", "hidden", "gone", "unknown", "unasked")
FACTS = [
    *(fact(f"{name} {i}", "forget") for name in NAMES for i in range(10)),
    *(fact(f"never {i}", "never_seen") for i in range(60)),
    *(fact(f"kept {i}", "utility") for i in range(4)),
]


def scores(exact, prob):
    """Return score rows of two wordings, each metric as a function of the fact's kind."""
    rows = []
    for one in FACTS:
        kind = one.fact_id.rsplit(" ", 1)[0]
        for probe in ("question", "paraphrase"):
            for metric, values in (("exact_match", exact), ("answer_prob", prob)):
                value = values(kind, probe)
                row = {"fact_id": one.fact_id, "subject": one.subject, "relation": "r", "role": one.role}
                rows.append(row | {"probe": probe, "metric": metric, "value": value, "reason": None})
    return pl.DataFrame(rows, schema_overrides={"value": pl.Float64, "reason": pl.String})


BEFORE = scores(
    lambda kind, _: float(kind not in ("unknown", "never")), lambda kind, _: 0.8 if kind != "never" else 0.01
)
BEFORE = BEFORE.with_columns(
    value=pl.when(pl.col("fact_id").str.starts_with("unknown")).then(0.0).otherwise("value")
)
AFTER = scores(
    lambda kind, probe: float(
        kind == "said" or (kind, probe) == ("other wording", "paraphrase") or kind == "kept"
    ),
    lambda kind, _: 0.4 if kind in ("said", "hidden", "kept") else 0.01,
)
ATTACK = pl.DataFrame(
    [
        {"fact_id": one.fact_id, "relation": "r", "metric": "mine_exact_match",
         "value": None if one.fact_id.startswith("unasked") else 0.0, "reason": "trained on"}
        for one in FACTS if one.role != "utility"
    ],
    schema_overrides={"value": pl.Float64},
)  # fmt: skip


@pytest.fixture(scope="module")
def table():
    measures = attack_measures("mine", ("exact_match",))
    return verdicts(FACTS, BEFORE, AFTER, ATTACK, control_of(FACTS), measures)[0]


@pytest.mark.parametrize(
    ("kind", "verdict", "evidence", "why"),
    [
        ("said", "still there", "generated answer, answer probability", None),
        ("other wording", "still there", "generated answer", None),
        ("hidden", "suppressed", "answer probability", None),
        ("gone", "gone", "", None),
        ("unknown", "not known before", "", None),
        ("unasked", "unjudged", "", "mine: trained on"),
        ("never", "gone", "", None),
    ],
)
def test_each_kind_of_fact_has_its_verdict(kind, verdict, evidence, why, table):
    own = table.filter(pl.col("fact_id").str.starts_with(kind))
    assert set(own["verdict"]) == {verdict}
    assert set(own["evidence"]) == {evidence}
    assert set(own["why"]) == {why}


@pytest.fixture(scope="module")
def summary(table):
    draws = resampler_of(FACTS, 0)
    clustered = with_subjects(table, FACTS)
    return {
        "n_facts": 60, "n_known": 50, "n_never_seen": 60, "n_kept": 4, "control": "never-seen facts",
        "verdicts": verdict_shares(clustered, draws),
        "by_count": by_count(clustered, {one.fact_id: i for i, one in enumerate(FACTS)}),
        "attacks": [recovery(ATTACK, clustered, "mine", ("exact_match",), draws)],
        "utility": utility(BEFORE, AFTER, draws),
        "texts": [{"role": "utility", "metric": "refusal", "before": 0.0, "after": 0.25},
                  {"role": "forget", "metric": "refusal", "before": 0.0, "after": 1.0}],
        "evidence": [], "notes": ["a <b>note</b>"], "made_by": {},
        "settings": {"before": "x", "after": "<i>y</i>"},
    }  # fmt: skip


def test_shares_are_of_the_facts_known_before(summary):
    found = {
        row["verdict"]: (row["n_facts"], row.get("share"), row.get("never_seen"))
        for row in summary["verdicts"]
    }
    assert found == {
        "still there": (20, 0.4, 0.0), "suppressed": (10, 0.2, 0.0), "gone": (10, 0.2, 1.0),
        "not known before": (10, None, None), "unjudged": (10, 0.2, 0.0),
        "left": (30, pytest.approx(0.6), 0.0),
    }  # fmt: skip
    (left,) = (row["excess"] for row in summary["verdicts"] if row["verdict"] == "left")
    assert 0.4 < left["low"] < left["value"] < left["high"] < 0.8


def test_buckets_of_counts(summary):
    """The facts known before by count: still there, then hidden and gone, then unasked."""
    rows = [(row["counts"], row["n_facts"], row["still there"], row["left"]) for row in summary["by_count"]]
    assert rows == [("0–16", 17, 17, 1.0), ("17–33", 17, 3, pytest.approx(13 / 17)), ("34–59", 16, 0, 0.0)]


def test_utility_is_what_is_left_of_what_was_there(summary):
    assert [(row["kind"], row["loss"]["value"]) for row in summary["utility"]] == [
        ("generation", 0.0), ("probability", pytest.approx(0.5)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "holds", "found"),
    [
        ({"max_still_there": 0.4}, True, 0.4),
        ({"max_still_there": 0.39}, False, 0.4),
        ({"max_still_there": 0.4, "bound": "upper"}, False, None),
        ({"max_suppressed": 0.2}, True, 0.2),
        ({"max_left": 0.5}, False, 0.6),
        ({"max_left_in_any_bucket": 0.9}, False, 1.0),
        ({"max_unjudged": 0.1}, False, 0.2),
        ({"max_utility_loss": 0.49}, False, 0.5),
        ({"max_utility_loss": 0.51}, True, 0.5),
        ({"max_refusal": 0.3}, True, 0.25),
        ({"max_refusal": 0.2}, False, 0.25),
        ({"max_degenerate": 1.0}, False, "cannot be judged: no facts that should survive; give --utility"),
        ({"min_facts": 50}, True, 50),
        ({"min_facts": 51}, False, 50),
        ({"min_never_seen": 61}, False, 60),
        ({"max_recovery": {"mine": 0.0}}, True, 0.0),
        ({"max_recovery": {"nf4": 1.0}}, False, "cannot be judged: the attack was not run"),
    ],
    ids=str,
)
def test_each_line_of_a_policy(policy, holds, found, summary):
    (line,) = check(Policy.model_validate(policy), summary)
    assert line["holds"] == holds
    if isinstance(found, str):
        assert (line["found"], line["why"]) == (None, found)
    elif found is not None:
        assert line["found"] == pytest.approx(found)


def test_the_example_policy_can_be_read(tmp_path, request):
    policy = read_policy(request.config.rootpath / "examples" / "policy.toml")
    assert policy.min_facts == 20
    assert set(policy.max_recovery) == {"relearn", "nf4", "sample"}
    (tmp_path / "bad.toml").write_text("max_left = 1.5\n[max_recovery]\nrelearn = 'none'\n")
    with pytest.raises(ConfigError) as error:
        read_policy(tmp_path / "bad.toml")
    assert "max_left" in str(error.value)
    assert "max_recovery: found 'none'; it should be a number" in str(error.value)


@pytest.mark.fault(
    "facts hold HTML, formulas, LaTeX or path tricks", "they are shown as they are and do nothing, anywhere"
)
def test_words_of_facts_stay_text_on_the_page(summary):
    spoiled = {**summary, "policy": check(Policy(max_left=0.1), summary), "passed": False}
    words = {"subject": "<script>alert(1)</script>", "relation": "r", "answer": "</script><b>", "count": 3}
    row = {
        **words,
        "verdict": "gone",
        "evidence": "",
        "said_before": "x",
        "said_after": None,
        "role": "forget",
    }
    page = render_audit(pl.DataFrame([row]), spoiled)
    assert "<script>alert" not in page
    assert "\\u003cscript\\u003ealert(1)" in page
    assert "<b>note" not in page
    assert "<i>y" not in page
    assert "The policy is broken." in page
    assert "30 of 50 facts are still in the model." in page
    assert "://" not in page
