"""The headline says first what could not be judged; nothing judged is never success; lacks are left out."""

import polars as pl
import pytest

from unequal.auditing.conclude import Audit
from unequal.auditing.evidence import attack_measures, control_of
from unequal.auditing.finding import finding, nothing_judged
from unequal.auditing.lacking import choice_note, is_lacking, wordings_note
from unequal.auditing.page import render_audit
from unequal.auditing.policy import Policy, check, unstated
from unequal.auditing.summary import resampler_of, unjudged_reasons, utility
from unequal.auditing.verdicts import NO_EVIDENCE, own_rows, verdicts
from unequal.facts.schema import Fact

LOST = [{"role": "utility", "kind": "generation", "metric": "exact_match", "before": 1.0, "after": 0.05,
         "loss": {"value": 0.95, "low": 0.9, "high": 1.0}, "n_facts": 20}]  # fmt: skip


def summary_of(n_unjudged=0, n_left=0, n_known=50, reasons=None, utility=(), policy=()):
    """Return the part of a summary that the headline and the page read."""
    numbers = {"still there": n_left, "suppressed": 0, "gone": n_known - n_left - n_unjudged}
    numbers |= {"not known before": 0, "unjudged": n_unjudged, "left": n_left}
    nothing = {"value": None, "low": None, "high": None}
    rows = [
        {"verdict": name, "n_facts": n, "share": n / max(n_known, 1), "never_seen": None, "excess": nothing}
        for name, n in numbers.items()
    ]
    why = {"relearn: the attack trained on this fact": n_unjudged} if reasons is None else reasons
    summary = {
        "n_facts": 50, "n_known": n_known, "n_never_seen": 0, "n_kept": 20, "control": "worked out",
        "verdicts": rows, "unjudged": [{"reason": one, "n_facts": n} for one, n in why.items() if n],
        "by_count": [], "attacks": [], "utility": list(utility), "texts": [], "evidence": [], "notes": [],
        "made_by": {}, "settings": {"before": "x", "after": "y"}, "policy": list(policy),
    }  # fmt: skip
    summary["nothing_judged"] = nothing_judged(summary)
    return summary


def test_where_nothing_was_judged_the_headline_says_why_and_what_was_lost():
    head = finding(summary_of(n_unjudged=50, utility=LOST))[0]
    assert head == (
        "Not judged: 50 of 50 facts (relearn: the attack trained on this fact, 50 facts)."
        " Of what should survive, 95% was lost at worst."
    )


def test_what_was_judged_comes_after_what_was_not():
    head, *below = finding(summary_of(n_unjudged=12, n_left=3, reasons={"a: b": 12, "c: d": 4}))
    assert head.startswith("Not judged: 12 of 50 facts (a: b, 12 facts; 1 more reason).")
    assert "3 of 50 facts are still in the model. What else was lost is not known" in head
    assert "Why facts could not be judged: a: b, 12 facts; c: d, 4 facts." in below
    assert "Nothing finds the other 38." in finding(summary_of(n_unjudged=12))[0]
    assert "Nothing finds the other one." in finding(summary_of(n_unjudged=49))[0]


def test_where_all_was_judged_the_headline_is_what_is_left_and_what_was_lost():
    assert finding(summary_of(n_left=1, utility=LOST))[0] == (
        "1 of 50 facts is still in the model. Of what should survive, 95% was lost at worst."
    )
    assert finding(summary_of(utility=LOST))[0] == (
        "Nothing finds any of the 50 facts that the model knew, but of what should survive 95% was lost at"
        " worst."
    )
    little = [{**LOST[0], "loss": {"value": -0.02, "low": -0.1, "high": 0.1}}]
    assert finding(summary_of(utility=little))[0] == (
        "Nothing finds any of the 50 facts that the model knew. Of what should survive, 0% was lost at worst."
    )
    unknown = finding(summary_of(n_known=0))[0]
    assert unknown.startswith("Nothing was judged: the first model knew none of the 50 facts.")


@pytest.mark.parametrize(
    ("summary", "passed"),
    [
        (summary_of(n_unjudged=50), False),
        (summary_of(n_known=0), False),
        (summary_of(n_unjudged=49), True),
        (summary_of(n_left=50), True),
    ],
    ids=["all unjudged", "none known", "one judged", "all left"],
)
def test_an_audit_that_judged_nothing_has_not_passed_without_a_policy(summary, passed):
    assert Audit(pl.DataFrame(), pl.DataFrame(), summary).passed == passed


def test_an_audit_that_judged_nothing_has_not_passed_whatever_the_policy_allows():
    summary = summary_of(n_unjudged=50)
    summary["policy"] = check(Policy(max_unjudged=1.0), summary)
    audit = Audit(pl.DataFrame(), pl.DataFrame(), summary)
    assert audit.broken() == []
    assert not audit.passed


def test_unjudged_facts_break_a_policy_that_does_not_allow_them():
    summary = summary_of(n_unjudged=5)
    (line,) = unstated(Policy(min_facts=1), summary)
    assert (line["rule"], line["limit"], line["found"], line["holds"]) == ("max_unjudged", 0, 0.1, False)
    summary["policy"] = [line]
    (said,) = Audit(pl.DataFrame(), pl.DataFrame(), summary).broken()
    assert said.startswith("max_unjudged = 0: found 0.1 (the default; a policy allows facts that cannot be")
    assert unstated(Policy(max_unjudged=0.2), summary) == []
    assert unstated(Policy(min_facts=1), summary_of()) == []


FACTS = pl.DataFrame(
    [
        {
            "subject": "s", "relation": "r", "answer": "a", "verdict": "unjudged", "evidence": "", "count": 3,
            "said_before": "x", "said_after": None, "role": "forget",
        }
    ]
)  # fmt: skip


def test_cannot_be_judged_is_not_broken_on_the_page():
    limits = {"max_degenerate": 0.1, "max_unjudged": 1.0}
    summary = summary_of(n_unjudged=10)
    page = render_audit(FACTS, {**summary, "policy": check(Policy(**limits), summary)})
    assert "The policy cannot be judged," in page
    assert "1 of 2 lines cannot be judged." in page
    assert "? </span>" not in page
    assert "✕" not in page
    assert "The policy is broken." not in page
    assert "Not judged: 10 of 50 facts" in page
    nothing = summary_of(n_unjudged=50)
    page = render_audit(FACTS, nothing)
    assert "Nothing was judged," in page
    assert "so nothing passes or fails here" not in page
    assert "Nothing finds" not in page


def fact(number, role="forget", **more):
    words = {"subject": f"s{number}", "object": f"o{number}", "question": "q", "answer": f"a{number}"}
    return Fact(fact_id=f"f{number}", relation="r", role=role, **words, **more)


def rows_of(facts, metric, value, reason=None, probe="question"):
    """Return score rows of one metric; value and reason may be functions of the fact's place."""
    lines = []
    for place, one in enumerate(facts):
        got = value(place) if callable(value) else value
        why = reason(place) if callable(reason) else reason
        row = {"fact_id": one.fact_id, "subject": one.subject, "relation": "r", "role": one.role}
        lines.append(
            row | {"probe": probe, "metric": metric, "value": got, "reason": why if got is None else None}
        )
    return pl.DataFrame(lines, schema_overrides={"value": pl.Float64, "reason": pl.String})


FORGET = [fact(i) for i in range(10)]
NEVER = [fact(i + 10, "never_seen") for i in range(30)]
TABLE = [*FORGET, *NEVER]
SAID = rows_of(TABLE, "exact_match", lambda place: float(place < 10))
UNSAID = rows_of(TABLE, "exact_match", 0.0)
NO_ATTACK = UNSAID.head(0)


def judged(before, after, attacked=NO_ATTACK, facts=TABLE, attacks=()):
    measures = [one for name in attacks for one in attack_measures(name, ("exact_match",))]
    table, evidence = verdicts(facts, before, after, attacked, control_of(facts), measures)
    return table.filter(pl.col("role") == "forget"), evidence


def test_what_a_table_lacks_leaves_no_fact_unjudged():
    """Half of the facts have wrong answers and paraphrases; the others are judged by the rest."""
    lacks = rows_of(
        TABLE, "choice_prob", lambda place: 0.1 if place % 2 else None, "the fact has no distractors"
    )
    prob = rows_of(TABLE, "answer_prob", 0.01)
    attack = rows_of(
        TABLE, "mine_exact_match", lambda place: 0.0 if place % 2 else None, "the fact has no paraphrases"
    )
    after = pl.concat([UNSAID, lacks, prob])
    table, _ = judged(pl.concat([SAID, lacks, prob]), after, attack, attacks=["mine"])
    assert set(table["verdict"]) == {"gone"}
    forget = frozenset(one.fact_id for one in FORGET)
    assert "choices were left out for 5 of 10 facts to forget" in choice_note(own_rows(after), forget)[0]
    assert "10 of 10 facts to forget have neither paraphrases" in wordings_note(after, forget)[0]


def test_what_an_attack_could_not_do_leaves_a_fact_unjudged():
    attack = rows_of(TABLE, "mine_exact_match", lambda place: 0.0 if place > 3 else None, "it broke; badly")
    table, evidence = judged(SAID, UNSAID, attack, attacks=["mine"])
    assert table["verdict"].value_counts().sort("count").rows() == [("unjudged", 4), ("gone", 6)]
    assert unjudged_reasons(table, evidence) == [{"reason": "mine: it broke; badly", "n_facts": 4}]


def test_a_fact_without_any_evidence_but_text_is_not_gone():
    table, evidence = judged(SAID, UNSAID)
    assert set(table["verdict"]) == {"unjudged"}
    assert unjudged_reasons(table, evidence) == [{"reason": NO_EVIDENCE, "n_facts": 10}]


def test_text_that_cannot_be_judged_is_neither_gone_nor_not_known():
    mute = rows_of(TABLE, "exact_match", None, "the answer has no words")
    prob = rows_of(TABLE, "answer_prob", 0.01)
    for before, after in ((mute, UNSAID), (SAID, mute)):
        table, evidence = judged(pl.concat([before, prob]), pl.concat([after, prob]))
        assert set(table["verdict"]) == {"unjudged"}
        reason = "generated answer: the answer has no words"
        assert unjudged_reasons(table, evidence) == [{"reason": reason, "n_facts": 10}]


def test_a_model_against_itself_has_all_that_it_knows_even_what_it_never_said():
    """Half of the facts are said, the others only shown by the probability of the answer."""
    said = rows_of(TABLE, "exact_match", lambda place: float(place < 5))
    prob = rows_of(TABLE, "answer_prob", lambda place: 0.9 if place < 10 else 0.01)
    same = pl.concat([said, prob])
    table, _ = judged(same, same)
    assert set(table["verdict"]) == {"still there"}
    hidden = rows_of(TABLE, "answer_prob", 0.01)
    attack = rows_of(TABLE, "mine_exact_match", lambda place: float(place < 10))
    table, _ = judged(same, pl.concat([UNSAID, hidden]), attack, attacks=["mine"])
    assert set(table["verdict"]) == {"suppressed"}  # gone by its own evidence, an attack brings it back


@pytest.mark.parametrize(
    ("reason", "lacking"),
    [
        ("the fact has no distractors", True),
        ("the fact lacks cloze prompts or distractors", True),
        ("there are no kept facts of the relation r for examples", True),
        ("the attack trained on this fact", False),
        ("a logit is not a number", False),
        (None, False),
    ],
)
def test_what_a_table_lacks_is_told_from_what_went_wrong(reason, lacking):
    rows = pl.DataFrame({"reason": [reason]}, schema={"reason": pl.String})
    assert rows.select(is_lacking(pl.col("reason"))).item() is lacking


def test_without_never_seen_facts_one_right_choice_of_the_question_is_evidence():
    """Other wordings, which may be filled in, do not take away what the question shows."""
    eight = {"distractors": tuple(f"w{i}" for i in range(8))}
    facts = [one.model_copy(update=eight) for one in FORGET]
    chosen = rows_of(facts, "choice_accuracy", 1.0)
    other = rows_of(facts, "choice_accuracy", 0.0, probe="paraphrase")
    unsaid = rows_of(facts, "exact_match", 0.0)
    same = pl.concat([unsaid, chosen, other])
    table, _ = judged(same, same, facts=facts)
    assert set(table["verdict"]) == {"still there"}
    table, _ = judged(pl.concat([rows_of(facts, "exact_match", 1.0), chosen, other]), same, facts=facts)
    assert set(table["verdict"]) == {"suppressed"}


def test_what_is_known_is_said_by_the_reading_that_gates():
    """The answers stand in sentences: by exact match nothing is known, by the default everything is."""
    prob = rows_of(TABLE, "answer_prob", 0.01)
    readings = pl.concat([SAID.with_columns(metric=pl.lit("answer_said")), UNSAID, prob])
    for known_by, verdict in (
        (None, "still there"),
        ("answer_said", "still there"),
        ("exact_match", "not known before"),
    ):
        table, _ = verdicts(TABLE, readings, readings, NO_ATTACK, control_of(TABLE), [], known_by)
        assert set(table.filter(pl.col("role") == "forget")["verdict"]) == {verdict}


def test_the_utility_that_is_lost_is_of_the_same_reading():
    kept = [fact(i, "utility") for i in range(6)]
    before = pl.concat([rows_of(kept, "answer_said", 1.0), rows_of(kept, "exact_match", 0.0)])
    after = pl.concat([rows_of(kept, "answer_said", 0.5), rows_of(kept, "exact_match", 0.0)])
    draws = resampler_of(kept, 0)
    (row,) = utility(before, after, draws)
    assert (row["kind"], row["metric"], row["loss"]["value"]) == ("generation", "answer_said", 0.5)
    (row,) = utility(before, after, draws, "exact_match")
    assert (row["metric"], row["loss"]["value"]) == ("exact_match", None)  # nothing was there to lose
