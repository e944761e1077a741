"""Pages of `unequal list`: what there is of each kind, what it is for, how it is set, and a call of it."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib import import_module
from inspect import cleandoc
from itertools import takewhile
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from unequal.cli.flags import Setting, settings_of
from unequal.errors import ConfigError, did_you_mean
from unequal.registry import Registry

if TYPE_CHECKING:
    from unequal.evaluation.aggregates.contract import Aggregate
    from unequal.evaluation.metrics.contract import Metric

PLUGGABLE = ("method", "metric", "attack", "model family", "counting engine")
"""Nouns of what a plugin may be, which is named by its place, ``module:attribute``."""

COMMANDS: Registry[Any] = Registry(
    "command with settings",
    {
        name: f"unequal.cli.{name.replace('-', '_')}:{function}"
        for name, function in {
            "count": "count",
            "corpus": "corpus",
            "pretrain": "pretrain",
            "plan": "ask",
            "unlearn": "unlearn",
            "tune": "tune",
            "evaluate": "evaluate",
            "audit": "audit",
            "forget": "forget",
            "lm-eval": "lm_eval",
            "attack": "attack",
        }.items()
    },
)


@dataclass(frozen=True)
class Page:
    """What is said of one name: its purpose in a line, the rest in full."""

    name: str
    purpose: str
    text: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    settings: list[Setting] = field(default_factory=list)
    example: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        settings = [
            {"name": one.key, "meaning": one.meaning, "default": one.default, "required": one.required}
            for one in self.settings
        ]
        values = {"name": self.name, "purpose": self.purpose, "text": self.text, **self.facts}
        return values | {"settings": settings, "example": self.example}


@dataclass(frozen=True)
class Kind:
    """One kind of thing that `unequal list` knows: a noun for one of them, their names, and their pages."""

    noun: str
    purpose: str
    names: Callable[[], Iterable[str]]
    page: Callable[[str], Page]

    def known(self, name: str) -> Page:
        """Return the page of a name; raises `ConfigError` that lists the known ones."""
        names = list(self.names())
        if name not in names and not (":" in name and self.noun in PLUGGABLE):
            known = f"{did_you_mean(name, names)} (known: {', '.join(names)})"
            raise ConfigError(f"unknown {self.noun} '{name}'{known}")
        return self.page(name)


def _method(name: str) -> Page:
    from unequal.unlearning.methods import METHODS

    method = METHODS.get(name)
    facts = {
        "Loss": method.formula,
        "Needs": ", ".join(sorted(method.needs)) or "the answers alone",
        "Cost": method.cost,
        "Source": method.source,
    }
    example = (
        f"unequal unlearn --model MODEL --forget forget.csv --retain retain.csv --method {name} --out out"
    )
    text = f"{method.title}. {_doc(method)}"
    return Page(name, METHODS.about(name), text, facts, _own(method), example)


def _metric(name: str) -> Page:
    from unequal.evaluation.aggregates import AGGREGATES
    from unequal.evaluation.metrics import METRICS

    target: Metric | Aggregate
    if name in AGGREGATES:
        target = AGGREGATES.get(name)
        metrics, chance = target.metrics, target.chance
        never_seen = " of facts and of never-seen ones" if target.against_never_seen else ""
        inputs = {"Kind": "aggregate over facts", "From": ", ".join(metrics) + never_seen}
        needs = {need for metric in metrics for need in METRICS.get(metric).needs}
    else:
        target = METRICS.get(name)
        metrics, chance, needs = (name,), target.chance.words, set(target.needs)
        inputs = {"Kind": target.kind, "Needs": ", ".join(target.needs), "Probes": ", ".join(target.probes)}
    facts = {
        "Formula": target.formula,
        "Direction": target.direction,
        "Range": f"[{target.low:g}, {target.high:g}]",
        "Chance": chance,
        "Source": target.source,
        **inputs,
    }
    flags = [f"--metrics {metric}" for metric in metrics] + [
        EXTRA_PASSES[one] for one in EXTRA_PASSES if one in needs
    ]
    text = _doc(target.value)
    example = f"unequal evaluate --model MODEL --facts facts.csv {' '.join(flags)} --out scores"
    return Page(name, _purpose(text), text, facts, [], example)


EXTRA_PASSES = {
    "samples": "--samples 10",
    "reference": "--reference OTHER_MODEL",
    "gradient_norm": "--gradient-norms",
}
"""The flags of `unequal evaluate` that run a pass which some metrics need."""


def _attack(name: str) -> Page:
    from unequal.attacks import ATTACKS

    attack = ATTACKS.get(name)
    facts = {"Shows": attack.shows, "Measures": ", ".join(attack.metrics), "Source": attack.source}
    example = f"unequal attack --model unlearned/model --facts facts.csv --attacks {name} --out attacked"
    purpose = f"{attack.title}: {attack.shows}"
    return Page(name, purpose, f"{attack.title}. {_doc(attack)}", facts, _own(attack), example)


def _family(name: str) -> Page:
    from unequal.models import FAMILIES
    from unequal.models.shapes import SIZES

    facts = {"Sizes": ", ".join(SIZES)}
    example = f"unequal pretrain --corpus corpus --family {name} --size 0.4M --out pretrained"
    return Page(name, FAMILIES.about(name), FAMILIES.about(name), facts, [], example)


def _model(name: str) -> Page:
    from unequal.models.sources.catalogue import folder_of, is_fetched, named_model

    model, fetched = named_model(name), is_fetched(name)
    facts = {
        "Licence": model.licence,
        "Size": f"{model.megabytes} MB to fetch",
        "Place": str(folder_of(name)) if fetched else f"not on this machine; unequal models get {name}",
        "Asked by": ", ".join(f"{key} = {json.dumps(value)}" for key, value in model.prompts.items()),
    }
    purpose = f"{model.summary}; {'on this machine' if fetched else 'not fetched'}"
    example = f"unequal evaluate --model {name} --facts country-capital --out scores"
    return Page(name, purpose, model.summary, facts, [], example)


def _fact_list(name: str) -> Page:
    from unequal.facts.packaged import packaged_facts
    from unequal.facts.table import read_facts

    found = read_facts(packaged_facts())
    purpose = "countries and their capitals, named in the packaged text factbook (CIA World Factbook)"
    facts = {"Facts": str(len(found)), "File": str(packaged_facts())}
    return Page(
        name, purpose, "", facts, [], f"unequal count --facts {name} --corpus factbook --out counts.parquet"
    )


def _engine(name: str) -> Page:
    from unequal.counting import COUNTERS

    settings = COUNTERS.get(name)
    needed = {
        "index_dir": "--index-dir indexes",
        "index": "--index v4_dolma-v1_7_llama",
        "corpus": "--corpus factbook",
    }
    flags = [flag for key, flag in needed.items() if key in settings.model_fields]
    example = f"unequal count --facts country-capital --engine {name} {' '.join(flags)} --out counts.parquet"
    return Page(name, _purpose(_doc(settings)), _doc(settings), {}, settings_of(settings), example)


def _matcher(name: str) -> Page:
    from unequal.counting.matching import MATCHERS

    example = f"unequal count --facts country-capital --corpus factbook --matcher {name} --out counts.parquet"
    text = MATCHERS.about(name)
    return Page(name, text, _doc(MATCHERS.get(name)), {}, [], example)


def _importer(name: str) -> Page:
    from unequal.facts.importers import IMPORTERS

    chosen = IMPORTERS.get(name)
    facts = {"Source": chosen.source, "Columns": " or ".join(", ".join(form) for form in chosen.forms)}
    facts["Countable"] = "yes" if chosen.countable else "no, it names no subject and object"
    patterns = " --patterns patterns.jsonl" if chosen.needs_patterns else ""
    example = f"unequal facts import {name} facts.jsonl{patterns} --out facts.parquet"
    return Page(name, chosen.title, "\n".join(chosen.notes), facts, [], example)


def _source(name: str) -> Page:
    from unequal.study.sources import SOURCES

    settings = SOURCES.get(name)
    facts = {"In a run file": f'source = "{name}"'}
    example = "unequal study run RUN_FILE --dry-run"
    return Page(name, _purpose(_doc(settings)), _doc(settings), facts, settings_of(settings), example)


def _command(name: str) -> Page:
    command = COMMANDS.get(name)
    return Page(name, _purpose(_doc(command)), _doc(command), {}, command.settings, f"unequal {name} --help")


def _run_file(name: str) -> Page:
    from unequal.study.packaged import packaged_run_files

    path = packaged_run_files()[name]
    comment = takewhile(lambda line: line.startswith("#"), path.read_text(encoding="utf-8").splitlines())
    text = "\n".join(line.removeprefix("#").strip() for line in comment)
    sentence = re.split(r"(?<=[.?])\s", " ".join(text.split()), maxsplit=1)[0]
    first = shorten(sentence, 200, placeholder=" …")
    return Page(name, first, text, {"File": str(path)}, [], f"unequal study run {name} --dry-run")


def _of(module: str, name: str) -> Callable[[], Iterable[str]]:
    """Return the names of a registry, which is imported when they are asked for."""
    return lambda: getattr(import_module(module), name)


def _own(model: type[BaseModel]) -> list[Setting]:
    """Return the settings of a choice without the name that chooses it."""
    return [setting for setting in settings_of(model) if setting.key != "kind"]


def _doc(target: object) -> str:
    return cleandoc(target.__doc__ or "")


def _purpose(text: str) -> str:
    """Return the first line of a docstring as a phrase."""
    return text.split("\n", 1)[0].removeprefix("Return ")


KINDS = {
    "methods": Kind("method", "unlearning methods", _of("unequal.unlearning.methods", "METHODS"), _method),
    "metrics": Kind("metric", "metrics of a fact, and aggregates over facts", lambda: _metrics(), _metric),
    "attacks": Kind(
        "attack", "attacks that try to get facts back", _of("unequal.attacks", "ATTACKS"), _attack
    ),
    "families": Kind(
        "model family", "model families to pre-train", _of("unequal.models", "FAMILIES"), _family
    ),
    "models": Kind(
        "model",
        "models by name, which are fetched when first used",
        _of("unequal.models.sources.catalogue", "NAMED_MODELS"),
        _model,
    ),
    "facts": Kind("fact list", "fact lists that come with unequal", lambda: ["country-capital"], _fact_list),
    "importers": Kind(
        "fact set",
        "public fact sets that can be imported",
        _of("unequal.facts.importers", "IMPORTERS"),
        _importer,
    ),
    "engines": Kind(
        "counting engine", "engines that count facts", _of("unequal.counting", "COUNTERS"), _engine
    ),
    "matchers": Kind(
        "matcher", "ways to find names in text", _of("unequal.counting.matching", "MATCHERS"), _matcher
    ),
    "studies": Kind(
        "run file", "run files of studies that come with unequal", lambda: _run_files(), _run_file
    ),
    "sources": Kind(
        "source of base models",
        "sources of the models of a study",
        _of("unequal.study.sources", "SOURCES"),
        _source,
    ),
    "settings": Kind(
        "command with settings",
        "all settings of a command, for its flags and its TOML file",
        lambda: COMMANDS,
        _command,
    ),
}


def _run_files() -> Iterable[str]:
    from unequal.study.packaged import packaged_run_files

    return packaged_run_files()


def _metrics() -> Iterable[str]:
    from unequal.evaluation.aggregates import AGGREGATES
    from unequal.evaluation.metrics import METRICS

    return [*METRICS, *AGGREGATES]
