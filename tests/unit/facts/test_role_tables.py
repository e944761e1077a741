"""Facts of a command by role: one table with roles or one a role, and what is drawn from the rest."""

from pathlib import Path

import polars as pl
import pytest

import unequal as uq
from unequal.api.roles import by_role
from unequal.config import build
from unequal.errors import ConfigError, DataError
from unequal.facts.role_tables import FactTables
from unequal.facts.roles import FactsByRole, drawn, in_role
from unequal.facts.table import facts_of_rows

CAPITALS = Path("country-capital")


def row(number, role=None, relation="capital"):
    names = {"subject": f"S{number}", "object": f"O{number}", "answer": f"O{number}"}
    fact = {"fact_id": f"{relation}{number}", "relation": relation, "question": f"Where is S{number}?"}
    return {**fact, **names, "role": role}


@pytest.fixture
def table(tmp_path):
    """Return a function that writes rows as a table and returns its path."""

    def written(*rows, name="facts"):
        path = tmp_path / f"{name}.parquet"
        pl.DataFrame(rows, infer_schema_length=None).write_parquet(path)
        return path

    return written


def ids(facts):
    return [fact.fact_id for fact in facts]


def test_one_table_has_all_roles(table):
    path = table(
        row(0, "forget"), row(1, "retain"), row(2, "utility"), row(3, "never_seen"), row(4, "neighbour")
    )
    facts = FactTables(facts=path).read()
    roles = ("forget", "retain", "utility", "never_seen", "neighbour")
    assert [ids(facts.of_role(role)) for role in roles] == [[f"capital{number}"] for number in range(5)]


def test_without_roles_all_facts_are_to_be_forgotten(table):
    facts = FactTables(facts=table(*map(row, range(4)))).read()
    assert ids(facts.forget) == ids(facts.all)


def test_beside_facts_to_forget_others_without_a_role_are_drawn_from(table):
    marked = [row(0, "forget"), row(1, "forget"), *map(row, range(2, 9)), row(9, None, "currency")]
    facts = FactTables(facts=table(*marked)).read()
    assert ids(facts.forget) == ["capital0", "capital1"]
    assert (len(facts.retain), len(facts.utility)) == (2, 2)
    assert all(fact.relation == "capital" for fact in facts.all)
    again = FactsByRole.of(uq.read_facts(table(*marked)))
    assert again == facts == by_role(uq.read_facts(table(*marked)), None, None, None, 0)


def test_a_role_with_a_table_of_its_own_is_not_drawn(table):
    retain = table(row(20, "forget", "currency"), name="retain")
    marked = table(row(0, "forget"), *map(row, range(1, 6)))
    facts = FactTables(facts=marked, retain=retain).read()
    assert ids(facts.retain) == ["currency20"]
    assert len(facts.utility) == 1


def test_as_many_are_forgotten_as_asked_and_the_same_as_in_python():
    facts = FactTables(facts=CAPITALS, n_forget=24).read()
    assert [len(facts.of_role(role)) for role in ("forget", "retain", "utility")] == [24, 24, 24]
    assert facts == by_role(uq.read_facts(CAPITALS).sample(24, seed=0), None, None, None, 0)


def test_only_some_relations_are_taken(table):
    mixed = table(row(0, "forget"), row(1, "retain"), row(2, "forget", "currency"))
    assert ids(FactTables(facts=mixed, relations=("currency",)).read().all) == ["currency2"]
    with pytest.raises(ConfigError, match=r"no fact of 'curency'; did you mean 'currency'\?"):
        FactTables(facts=mixed, relations=("curency",)).read()


def test_a_table_to_forget_has_that_role_whatever_it_says(table):
    facts = FactTables(forget=table(row(0, "utility"), row(1))).read()
    assert ids(facts.forget) == ["capital0", "capital1"]


def test_what_does_not_go_together_is_one_sentence(table):
    path = table(row(0, "retain"))
    with pytest.raises(ConfigError, match="give one of --facts"):
        build(FactTables, {}, "here")
    with pytest.raises(ConfigError, match="give one of --facts"):
        build(FactTables, {"facts": path, "forget": path}, "here")
    with pytest.raises(ConfigError, match="draws from one table"):
        build(FactTables, {"forget": path, "n_forget": 1}, "here")
    with pytest.raises(ConfigError, match=r"n_forget: country-capital holds 229 facts"):
        FactTables(facts=CAPITALS, n_forget=300).read()
    with pytest.raises(DataError, match="holds no facts to forget"):
        FactTables(facts=path).read()


def test_chunks_of_a_passage_to_forget_are_not_retained_and_neighbours_stay_together():
    texts = {
        title: " ".join(f"{title}{number}" for number in range(400)) for title in ("one", "two", "three")
    }
    facts = facts_of_rows([{"title": title, "text": text} for title, text in texts.items()])
    assert [fact.subject for fact in facts] == ["one"] * 8 + ["two"] * 8 + ["three"] * 8
    found = drawn(in_role(facts[:8], "forget"), facts[4:])
    assert {fact.role: fact.subject for fact in found} == {"retain": "two", "utility": "three"}
    assert len(found) == 16
