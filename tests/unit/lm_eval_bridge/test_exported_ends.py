"""Where the answers of exported tasks end: real models go on after the line break."""

import json

import pytest

from unequal.facts.probes import PromptFormat
from unequal.facts.schema import Fact
from unequal.lm_eval_bridge.export import export_tasks


def fact(answer):
    return Fact(
        fact_id="a",
        subject="Senegal",
        relation="capital",
        object=answer,
        question="Which city?",
        answer=answer,
    )


@pytest.mark.parametrize(
    ("prompts", "answer", "until"),
    [
        (PromptFormat(), "Dakar", ["\n", "Question:"]),
        (PromptFormat(), "first line\nsecond line", ["Question:"]),
        (PromptFormat(stop=("###",)), "Dakar", ["###"]),
        (PromptFormat(chat=True), "Dakar", []),
    ],
)
def test_a_generated_answer_ends_where_an_answer_ends(prompts, answer, until, tmp_path):
    export_tasks([fact(answer)], prompts, tmp_path / "tasks", kinds=["question"])
    lines = dict(
        line.split(": ", 1) for line in (tmp_path / "tasks/facts_question.yaml").read_text().splitlines()
    )
    settings = json.loads(lines["generation_kwargs"])
    assert settings["until"] == until
    assert settings["max_gen_toks"] >= 24
