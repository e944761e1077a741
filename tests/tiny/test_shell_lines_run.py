"""The shell lines of the README and the documentation run in a tiny form.

A line's command is called with the flags that it shows, but for paths, models and sizes, which are those of a
world of some forty people. Only parsed are: engines and data sets of the network, engines and launchers that
are slow to start, and the commands in `ONLY_PARSED`.
"""

import copy
import json
import shutil
import sys
from pathlib import Path

import pytest

import hidden_knowledge as people_world
from command_line import call, toml
from shell_lines import ROOT, shell_lines
from study_settings import changed
from unequal.cli.app import app
from unequal.corpus.tokenizers import CHAT_TEMPLATE
from unequal.facts.table import facts_frame

pytestmark = pytest.mark.full

ONLY_PARSED = {
    "unequal.cli.plan": "needs a finished study whose models know something",
    "unequal.cli.models": "fetches a model, as its own tests do from a registry of theirs",
    "unequal.cli.forget": "needs a model that knows what it is asked, as its own tests have",
    "unequal.cli.launch": "starts several processes, as its own tests do",
}
SLOW_OR_FAR = {
    "engine": {"infinigram-api": "asks a service", "infinigram-local": "builds an index"},
    "launcher": {"ray": "starts a cluster"},
    "workers_per_gpu": {4: "needs a GPU"},
}
SETS = {
    "popqa": "id\tsubj\tprop\tobj\tquestion\tpossible_answers\ts_pop\to_pop\n"
    '1\tWork A\tauthor\tAda\tWho wrote Work A?\t["Ada"]\t1\t2\n',
    "entityquestions": json.dumps([{"question": "What is the capital of Land A?", "answers": ["Town A"]}]),
}
"""What a file of a public set holds, for the sets that lines import from files."""
TINY = {
    "n_forget": 2,
    "relations": ["colour"],
    "steps": 2,
    "samples": 2,
    "people": 3,
    "size": "0.1M",
    "limit": 4,
    "workers": 2,
}


def tiny_study():
    """Return a study of a second or two: one model, one method, one seed."""
    values = changed() | {"methods": ["ga"], "seeds": [0]}
    values["evaluate"] = {
        "allow_unknown": True,
        "facts_per_role": 4,
        "probes": ["question"],
        "probes_between": ["question"],
    }
    return values


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Return a folder with everything a line may name."""
    folder = tmp_path_factory.mktemp("lines")
    tokenizer = copy.deepcopy(people_world.tokenizer())
    tokenizer.chat_template = CHAT_TEMPLATE  # some lines ask in a chat
    for name, model in (("before", people_world.knowing()), ("after", people_world.hiding())):
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    people = people_world.people()
    of_role = {role: [f for f in people if f.role == role] for role in ("forget", "never_seen", "retain")}
    of_role = {"forget": of_role["forget"][:6], "never_seen": of_role["never_seen"][:6],
               "retain": of_role["retain"][:4], "utility": of_role["retain"][4:]}  # fmt: skip
    for role, facts in of_role.items():
        alone = [fact.model_copy(update={"role": None}) for fact in facts]
        facts_frame(alone).write_parquet(folder / f"{role}.parquet")
    everyone = [fact.model_copy(update={"role": role}) for role in of_role for fact in of_role[role]]
    facts_frame(everyone).write_parquet(folder / "facts.parquet")
    texts = [{"text": f"{fact.subject} likes {fact.object}."} for fact in everyone[::2] for _ in range(3)]
    (folder / "text.jsonl").write_text("".join(json.dumps(row) + "\n" for row in texts))
    (folder / "study.toml").write_text(toml(tiny_study()))
    (folder / "policy.toml").write_text((ROOT / "examples" / "policy.toml").read_text())
    prepare = [
        ("count", "--facts", folder / "facts.parquet", "--corpus", folder / "text.jsonl",
         "--out", folder / "counts.parquet"),
        ("facts", "export-lm-eval", folder / "facts.parquet", "--out", folder / "tasks", "--n-wordings", 1),
        ("tune", "--model", folder / "before", "--facts", folder / "facts.parquet", "--method", "ga",
         "--steps", 2, "--search.n-rates", 2, "--utility-drop", 1, "--allow-unknown",
         "--out", folder / "tune.json"),
        ("study", "run", folder / "study.toml", "--out", folder / "study", "--workers", 1),
    ]  # fmt: skip
    for words in prepare:
        result = call(*words)
        assert result.code == 0, (words, result.err)
    shutil.copytree(folder / "study", folder / "other")
    shutil.copytree(next(folder.glob("study/corpus/*/data")), folder / "corpus")
    return folder


@pytest.fixture(autouse=True)
def own_method(tmp_path, monkeypatch):
    """The file hinge.py that the page on extending shows, in a folder of modules."""
    page = (ROOT / "docs/extending.md").read_text()
    (tmp_path / "hinge.py").write_text(page.split("```python\n")[1].split("```")[0])
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("hinge", None)


def config_of(command, world):
    """Return settings that a file for this command would hold, with no flag beside it."""
    small = changed()
    model, after, out = str(world / "before"), str(world / "after"), str(world / "from-config")
    forget, retain, facts = (str(world / f"{name}.parquet") for name in ("forget", "retain", "facts"))
    training = {"model": model, "forget": forget, "method": "ga", "unlearn": {"steps": 2}}
    training |= {"allow_unknown": True}  # the small model knows too little
    return {
        "corpus": {"out": out, "world": small["world"], "corpus": small["corpus"]},
        "count": {"facts": facts, "corpus": str(world / "text.jsonl"), "out": f"{out}.parquet"},
        "unlearn": training | {"retain": retain, "out": out},
        "tune": training | {"utility": retain, "out": f"{out}.json"},
        "evaluate": {"model": after, "facts": facts, "out": out},
        "attack": {"model": after, "facts": forget, "out": out, "attacks": ["paraphrase"]},
        "audit": {"before": model, "after": after, "facts": forget, "out": out},
        "lm_eval": {"model": after, "tasks": "facts_question", "task_dir": str(world / "tasks")},
    }.get(command, {})


def places(command, world, out):
    """Return what stands in the place of the paths and models of a line."""
    tables = {
        name: world / f"{name}.parquet" for name in ("forget", "retain", "utility", "never_seen", "counts")
    }
    role_by_flag = command in ("attack", "audit")
    return tables | {
        "before": str(world / "before"), "after": str(world / "after"), "reference": str(world / "before"),
        "model": str(world / ("before" if command in ("unlearn", "tune") else "after")),
        "facts": world / ("forget.parquet" if role_by_flag else "facts.parquet"),
        "table": world / "facts.parquet", "policy": world / "policy.toml",
        "corpus": world / "corpus" if command == "pretrain" else str(world / "text.jsonl"),
        "tuned": world / "tune.json", "run_file": world / "study.toml",
        "study": world / "study", "against": world / "other",
        "others": (world / "other",), "report": out.with_suffix(".html"),
        "task_dir": world / "tasks", "tasks": "facts_question",
    }  # fmt: skip


def replaced(command, arguments, world, out):
    """Return the arguments of a line with the tiny world's in the place of its paths and sizes."""
    known = TINY | places(command, world, out)
    made = {name: known.get(name, value) for name, value in arguments.items()}
    if "out" in made:
        finished = command in ("run", "status", "verify") and not arguments.get("dry_run")
        made["out"] = world / "study" if finished else out.with_suffix(arguments["out"].suffix)
    if command == "lm_eval":
        made |= {name: known[name] for name in ("task_dir", "tasks")}
    if command in ("unlearn", "tune"):
        made["allow_unknown"] = True  # the tiny model knows too little
    if "config" in made:
        made["config"] = out.with_suffix(".toml")
        made["config"].write_text(toml(config_of(command, world)))
    return made


def why_only_parsed(command, arguments):
    """Return why a line is not run, None when it is."""
    for name, values in SLOW_OR_FAR.items():
        if arguments.get(name) in values:
            return values[arguments[name]]
    if command.__name__ == "import_" and (arguments["fact_set"] not in SETS or arguments.get("dataset")):
        return "needs the public set"
    return ONLY_PARSED.get(command.__module__)


def lines_to_run():
    """Return the different calls that the lines make, each with the first line that makes it."""
    found = {}
    for line in shell_lines():
        if line.words[0] == "unequal":
            command, bound, *_ = app.parse_args(line.words[1:], exit_on_error=False, print_error=False)
            if why_only_parsed(command, bound.arguments) is None:
                shown = {k: v for k, v in bound.arguments.items() if not isinstance(v, Path)}
                case = pytest.param(line, command, bound, id=str(line)[:90])
                found.setdefault((command, str(sorted(bound.arguments)), str(shown)), case)
    return list(found.values())


@pytest.mark.parametrize(("line", "command", "bound"), lines_to_run())
def test_a_line_runs(world, tmp_path, monkeypatch, line, command, bound):
    monkeypatch.chdir(tmp_path)
    name = command.__name__
    arguments = replaced(name, dict(bound.arguments), world, tmp_path / "out")
    if name == "import_":
        arguments["files"] = (tmp_path / arguments["files"][0].name,)
        arguments["files"][0].write_text(SETS[arguments["fact_set"]])
    bound.arguments.update(arguments)
    try:
        command(*bound.args, **bound.kwargs)
    except SystemExit as end:
        assert end.code == 3, line  # a policy that was broken
    if isinstance(out := arguments.get("out"), Path) and not arguments.get("dry_run"):
        assert out.exists(), line
