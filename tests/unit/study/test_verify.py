"""Two studies compared row by row: what is equal, what differs, what only one of them holds."""

import json
import math

import polars as pl
import pytest

from command_line import call
from study_settings import changed, study
from unequal.errors import ConfigError, DataError
from unequal.evaluation.score_table import GENERATION_SCHEMA, SCORE_SCHEMA
from unequal.study.verify import verify

VERDICT = {"claim": "C1", "verdict": "supported", "effect": -0.02, "low": -0.03, "high": -0.01, "p": None}
VERDICT |= {"n_facts": 4, "n_people": 2, "n_seeds": 1}
NONE = object()


def score(run="gpt2-ga-seed0-0123abcd", step=0, fact="a", value=0.25, **changes):
    row = dict.fromkeys(SCORE_SCHEMA)
    row |= {"study": "s", "run_id": run, "method": "ga", "seed": 0, "step": step, "fact_id": fact}
    row |= {"role": "forget", "exposure": 4, "probe": "question", "metric": "answer_prob", "value": value}
    return row | changes


def text(run="gpt2-ga-seed0-0123abcd", fact="a", said="Paris"):
    return dict(zip(GENERATION_SCHEMA, (run, 0, fact, "question", "Where?", "Paris", said), strict=True))


def folder(place, scores, texts=NONE, verdicts=NONE, settings=NONE):
    """Write a study folder of these rows."""
    place.mkdir(parents=True)
    pl.DataFrame(scores, schema=SCORE_SCHEMA).write_parquet(place / "scores.parquet")
    if texts is not NONE:
        pl.DataFrame(texts, schema=GENERATION_SCHEMA).write_parquet(place / "generations.parquet")
    if verdicts is not NONE:
        (place / "analysis").mkdir()
        (place / "analysis" / "verdicts.json").write_text(json.dumps({"verdicts": verdicts}))
    if settings is not NONE:
        (place / "study.json").write_text(json.dumps({"name": "s", "settings": settings}))
    return place


@pytest.fixture
def pair(tmp_path):
    """Return a function that writes two folders and compares them."""

    def compare(here, there, tolerance=1e-6, **both):
        left, right = folder(tmp_path / "a", here, **both), folder(tmp_path / "b", there, **both)
        return verify(left, right, tolerance)

    return compare


def counts(found, name="scores"):
    part = next(part for part in found.parts if part.name == name)
    return part.n_equal, part.n_different, part.n_only_here, part.n_only_there


def test_the_same_rows_in_another_order_are_the_same(pair):
    rows = [score(fact=fact, step=step) for fact in "abc" for step in (0, 1)]
    found = pair(rows, rows[::-1], texts=[text()], verdicts=[VERDICT])
    assert found.same and found.absent == () and found.first() == []
    assert counts(found) == (6, 0, 0, 0)
    assert [part.largest for part in found.parts] == [0.0, None, 0.0]


@pytest.mark.parametrize(
    ("here", "there", "same"),
    [
        (0.5, 0.5 + 9e-7, True),
        (0.5, 0.5 + 2e-6, False),
        (1e4, 1e4 + 5e-3, True),  # a share of the larger above 1
        (1e4, 1e4 + 5e-2, False),
        (-1e4, 1e4, False),
        (None, None, True),
        (None, 0.0, False),
        (0.0, None, False),
        (math.nan, math.nan, True),
        (math.nan, 0.0, False),
        (math.nan, None, False),
        (math.inf, math.inf, True),
        (math.inf, -math.inf, False),
        (math.inf, 1.0, False),
    ],
)
def test_when_two_values_are_equal(pair, here, there, same):
    found = pair([score(value=here), score(fact="b")], [score(value=there), score(fact="b")])
    assert found.same is same
    assert counts(found) == ((2, 0, 0, 0) if same else (1, 1, 0, 0))


def test_the_largest_difference_is_of_all_rows_equal_or_not(pair):
    rows = [score(fact=fact, value=0.5) for fact in "abc"]
    other = [score(fact=fact, value=0.5 + shift) for fact, shift in zip("abc", (0, 1e-9, -0.25), strict=True)]
    found = pair(rows, other)
    assert found.parts[0].largest == 0.25
    assert found.first() == [
        ("scores", "gpt2-ga-seed0-0123abcd 0 c forget question answer_prob", "value", 0.5, 0.25)
    ]


def test_rows_of_only_one_folder_are_a_difference(pair):
    found = pair([score(), score(fact="b")], [score(), score(fact="c"), score(fact="d")])
    assert not found.same
    assert counts(found) == (1, 0, 1, 2)
    assert [(row[1].split()[2], *row[3:]) for row in found.first()] == [
        ("b", "there", "missing"),
        ("c", "missing", "there"),
        ("d", "missing", "there"),
    ]


@pytest.mark.parametrize("column", ["exposure", "count", "subject", "kind", "n_params"])
def test_what_describes_a_row_is_compared_too(pair, column):
    value = 9 if SCORE_SCHEMA[column] == pl.Int64 else "another"
    found = pair([score()], [score(**{column: value})])
    assert counts(found) == (0, 1, 0, 0)
    assert found.first()[0][2] == column


def test_runs_are_matched_without_their_hash_where_hashes_differ(pair):
    here = [score(run=f"gpt2-{m}-seed0-0123abcd") for m in ("ga", "npo")]
    there = [score(run=f"gpt2-{m}-seed0-89abcdef") for m in ("npo", "ga")]
    found = pair(here, there)
    assert found.same and counts(found) == (2, 0, 0, 0)


def test_runs_that_only_the_hash_tells_apart_keep_it(pair):
    here = [score(run="gpt2-ga-0123abcd"), score(run="gpt2-ga-11111111")]
    found = pair(here, [score(run="gpt2-ga-0123abcd"), score(run="gpt2-ga-22222222")])
    assert counts(found) == (1, 0, 1, 1)


def test_the_only_run_of_a_folder_may_have_any_name(tmp_path):
    here = folder(tmp_path / "a", [score(run="models/mine")], texts=[text(run="models/mine")])
    there = folder(tmp_path / "b", [score(run="elsewhere")], texts=[text(run="elsewhere")])
    assert verify(here, there).same


def test_a_text_that_differs_is_shown(tmp_path):
    here = folder(tmp_path / "a", [score()], texts=[text(), text(fact="b")])
    there = folder(tmp_path / "b", [score()], texts=[text(), text(fact="b", said="Rome")])
    found = verify(here, there)
    assert counts(found, "generations") == (1, 1, 0, 0)
    assert found.first()[0][2:] == ("generation", "Paris", "Rome")


@pytest.mark.parametrize(("column", "value"), [("verdict", "refuted"), ("low", -0.04), ("n_facts", 5)])
def test_a_verdict_that_differs_is_shown(tmp_path, column, value):
    here = folder(tmp_path / "a", [score()], verdicts=[VERDICT])
    there = folder(tmp_path / "b", [score()], verdicts=[VERDICT | {column: value}])
    found = verify(here, there)
    assert not found.same
    assert found.first() == [("verdicts", "C1", column, VERDICT[column], value)]


def test_a_table_that_only_one_folder_has_is_a_difference_and_one_that_neither_has_is_named(tmp_path):
    here = folder(tmp_path / "a", [score()], texts=[text()])
    found = verify(here, folder(tmp_path / "b", [score()]))
    assert not found.same and found.absent == ("verdicts",)
    assert counts(found, "generations") == (0, 0, 1, 0)


def test_settings_that_differ_make_another_design(tmp_path):
    settings = study().model_dump(mode="json")
    other = study("methods.1.learning_rate", 2e-3).model_dump(mode="json")
    here = folder(tmp_path / "a", [score()], settings=settings)
    there = folder(tmp_path / "b", [score()], settings=other)
    found = verify(here, there)
    assert not found.same and all(part.same for part in found.parts)
    assert found.settings == (("settings", "methods.1.learning_rate", 1e-3, 2e-3),)


def test_a_study_of_an_older_version_is_filled_up_with_defaults_and_its_name_is_free(tmp_path):
    whole = study().model_dump(mode="json")
    old = changed() | {"name": "other"}  # as given, without any default
    here = folder(tmp_path / "a", [score()], settings=whole)
    assert verify(here, folder(tmp_path / "b", [score()], settings=old)).same


@pytest.mark.parametrize("which", ["scores", "generations"])
def test_a_row_that_stands_twice_is_refused(tmp_path, which):
    twice = {"scores": [score(), score()], "generations": [score()]}[which]
    here = folder(tmp_path / "a", [score()], texts=[text()])
    there = folder(tmp_path / "b", twice, texts=[text(), text()] if which == "generations" else [text()])
    with pytest.raises(DataError, match=rf"the {which} of .*b hold a row more than once"):
        verify(here, there)


@pytest.mark.parametrize("tolerance", [-1e-9, math.nan, math.inf])
def test_a_tolerance_that_is_no_distance_is_refused(pair, tolerance):
    with pytest.raises(ConfigError, match="--tolerance must be a number of at least 0"):
        pair([score()], [score()], tolerance=tolerance)


def test_the_command_says_what_it_found_and_its_exit_code_says_it_too(tmp_path):
    here = folder(tmp_path / "a", [score()])
    there = folder(tmp_path / "b", [score(value=0.75)])
    result = call("study", "verify", here, "--against", here)
    assert (result.code, result.err) == (0, "")
    assert "the same within 1e-06" in result.out and "neither folder holds verdicts" in result.out
    result = call("study", "verify", here, "--against", there)
    assert (result.code, result.err) == (3, "")
    assert "not the same" in result.out and "0.75" in result.out and "answer_prob" in result.out
    assert call("study", "verify", here, "--against", there, "--tolerance", "0.5").code == 0
    result = call("study", "verify", here, "--against", tmp_path / "nothing")
    assert result.code == 2 and "nothing" in result.err and "Traceback" not in result.err
    assert call("study", "verify", here).code == 2


def test_broken_verdicts_are_named(tmp_path):
    here = folder(tmp_path / "a", [score()], verdicts=[{"claim": "C1"}])
    with pytest.raises(DataError, match="holds no verdicts"):
        verify(here, here)
