"""Write our probes as lm-eval tasks, so that others can score any model on them without this library."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from unequal.errors import ConfigError, DataError, did_you_mean
from unequal.evaluation.metrics.text import normalised_words
from unequal.facts.probes import PROBE_KINDS, Probe, ProbeKind, ProbeMaker, PromptFormat
from unequal.facts.schema import Fact
from unequal.files import atomic_folder, check_replaceable, write_text
from unequal.seeds import random_stream

TASK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
ANSWERED: tuple[ProbeKind, ...] = ("question", "paraphrase", "reverse")  # whose whole text must be the answer
TOKENS_A_WORD, LEAST_TOKENS = 4, 32
LOADER = '''"""Reads a file of this folder wherever the folder lies; lm-eval calls it for each task."""

from pathlib import Path

from datasets import Dataset


def load(file, **_):
    return {"test": Dataset.from_json(str(Path(__file__).parent / file))}
'''


def export_tasks(
    facts: Sequence[Fact],
    prompts: PromptFormat,
    out: Path,
    name: str = "facts",
    kinds: Sequence[ProbeKind] = PROBE_KINDS,
    n_wordings: int = 2,
) -> dict[str, int]:
    """Write the folder of tasks and return how many documents each holds.

    ``NAME_question`` and its like generate an answer, judged by exact match without case, punctuation and
    white space against all accepted answers; ``NAME_question_choice`` and its like ask for the most probable
    of the answer and its distractors, at a place drawn by the fact's id, so that ties do not favour it. The
    group ``NAME`` runs them all. In a chat prompts are what a user says, to be run with lm-eval's option
    apply_chat_template, and sentences to complete, which are no chat, have a group ``NAME_plain``. Raises
    `ConfigError` for a name that lm-eval would not take and `DataError` when the facts give no probe.
    """
    if not TASK_NAME.fullmatch(name):
        raise ConfigError(f"--name {name!r}: a task's name has letters, digits, _, . and -, a letter first")
    if prompts.chat and prompts.examples:
        raise ConfigError(
            "prompts.examples: tasks of a chat cannot show earlier turns; leave examples out, or chat"
        )
    check_replaceable(out, "load.py")
    maker = ProbeMaker(facts, prompts, n_wordings)
    tasks: dict[str, list[dict[str, Any]]] = defaultdict(list)
    groups: dict[str, dict[str, None]] = defaultdict(dict)
    stops: dict[str, Sequence[str]] = {}
    for probe in (probe for fact in facts for probe in maker.probes(fact, kinds)):
        group = f"{name}_plain" if prompts.chat and not probe.chat else name
        for task, document in _documents(name, probe):
            tasks[task].append(document)
            groups[group][task] = None
            stops[task] = probe.stops
    if not tasks:
        raise DataError("these facts give no probes of the kinds asked for, so there is nothing to export")
    with atomic_folder(out) as folder:
        write_text(folder / "load.py", LOADER)
        for group, members in groups.items():
            write_text(folder / f"{group}.yaml", _yaml({"group": group, "task": list(members)}))
        for task, documents in tasks.items():
            lines = [json.dumps(document, ensure_ascii=False) for document in documents]
            write_text(folder / f"{task}.jsonl", "\n".join(lines) + "\n")
            write_text(folder / f"{task}.yaml", _task(task, documents, stops[task]))
    return {task: len(documents) for task, documents in tasks.items()}


def probe_kinds(wanted: Sequence[str] | None) -> Sequence[ProbeKind]:
    """Return the kinds of probes that are named; all where none is."""
    if wanted is None:
        return PROBE_KINDS
    for name in wanted:
        if name not in PROBE_KINDS:
            hint = did_you_mean(name, PROBE_KINDS)
            raise ConfigError(f"--probes: no kind '{name}'{hint} (known: {', '.join(PROBE_KINDS)})")
    return [kind for kind in PROBE_KINDS if kind in wanted]


def _documents(name: str, probe: Probe) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the probe's documents, each with the name of its task."""
    if probe.kind in ANSWERED:
        yield f"{name}_{probe.kind}", _answer_document(probe)
    if probe.distractors:
        yield f"{name}_{probe.kind}_choice", _choice_document(probe)


def _answer_document(probe: Probe) -> dict[str, Any]:
    accepted = [answer for answer in dict.fromkeys(probe.accepted) if normalised_words(answer)]
    return _document(probe) | {"accepted": accepted or [probe.answer]}


def _choice_document(probe: Probe) -> dict[str, Any]:
    place = random_stream(0, "lm-eval", probe.fact_id, probe.kind, probe.variant).randint(
        0, len(probe.distractors)
    )
    choices = list(probe.distractors)
    choices.insert(place, probe.answer)
    return _document(probe) | {"choices": choices, "right": place}


def _document(probe: Probe) -> dict[str, Any]:
    return {"fact_id": probe.fact_id, "wording": probe.variant, "prompt": probe.prompt}


def _task(task: str, documents: Sequence[dict[str, Any]], stops: Sequence[str]) -> str:
    """Return a task file; a prompt that ends in white space is followed by the answer at once.

    Generated answers end at the stop strings that no accepted answer holds.
    """
    common = {
        "task": task,
        "custom_dataset": "!function load.load",
        "dataset_kwargs": {"file": f"{task}.jsonl"},
        "test_split": "test",
        "num_fewshot": 0,
        "doc_to_text": "prompt",
        "target_delimiter": "" if documents[0]["prompt"].endswith((" ", "\n")) else " ",
        "metadata": {"version": 1},
    }
    form = _choice_form() if "choices" in documents[0] else _answer_form(documents, stops)
    return _yaml(common | form)


def _choice_form() -> dict[str, Any]:
    return {
        "output_type": "multiple_choice",
        "doc_to_choice": "choices",
        "doc_to_target": "right",
        "metric_list": [_mean_of("acc"), _mean_of("acc_norm")],
    }


def _answer_form(documents: Sequence[dict[str, Any]], stops: Sequence[str]) -> dict[str, Any]:
    words = max(len(answer.split()) for document in documents for answer in document["accepted"])
    tokens = max(LEAST_TOKENS, TOKENS_A_WORD * (1 + words))
    accepted = [answer for document in documents for answer in document["accepted"]]
    until = [stop for stop in stops if not any(stop in answer for answer in accepted)]
    return {
        "output_type": "generate_until",
        "doc_to_target": "accepted",
        "generation_kwargs": {"until": until, "do_sample": False, "max_gen_toks": tokens},
        "metric_list": [_mean_of("exact_match") | {"ignore_case": True, "regexes_to_ignore": ["\\W+"]}],
    }


def _mean_of(metric: str) -> dict[str, Any]:
    return {"metric": metric, "aggregation": "mean", "higher_is_better": True}


def _yaml(values: dict[str, Any]) -> str:
    """Return the values as YAML, of which JSON is a part; only lm-eval's own tag is no JSON."""
    lines = []
    for key, value in values.items():
        tagged = isinstance(value, str) and value.startswith("!function ")
        lines.append(f"{key}: {value if tagged else json.dumps(value, ensure_ascii=False)}\n")
    return "".join(lines)
