"""Hooks of mkdocs: pages made at every build from the registries, the commands, run files and notebooks."""

import re
from collections.abc import Iterable
from inspect import cleandoc
from pathlib import Path
from typing import Any

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from unequal.attacks import ATTACKS
from unequal.cli.app import COMMANDS, app
from unequal.evaluation.aggregates import AGGREGATES
from unequal.evaluation.metrics import METRICS
from unequal.unlearning.methods import METHODS

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
REPORTS = "reports"
NO_REPORT = "No report lies in `docs/reports` yet. A report that is put there is shown on this page."


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Return the configuration with every page of the registries in its place in the navigation."""
    if config.nav is not None:
        config.nav = _with_pages(config.nav)
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Return the files with the generated pages among them."""
    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: MkDocsConfig, **_: Any) -> str:
    """Return the page with links to run files led to their page, and reports where it asks for them."""
    up = "../" * page.file.src_uri.count("/")
    text = re.sub(r"\]\(\.\./examples/([\w-]+)\.toml\)", rf"]({up}reference/run-files.md#\1)", markdown)
    text = re.sub(r"\]\(([\w./-]*notebooks/[\w-]+)\.ipynb\)", r"](\1.md)", text)
    return text.replace("<!-- reports -->", _reports(Path(config.docs_dir)))


def pages() -> dict[str, str]:
    """Return the text of every generated page by its path."""
    made = {"reference/run-files.md": _run_files()}
    made |= {f"notebooks/{path.stem}.md": _notebook(path) for path in NOTEBOOKS}
    for kind, (title, one_page) in REFERENCE.items():
        names = list(REGISTRIES[kind])
        made |= {f"reference/{kind}/{name}.md": one_page(name) for name in names}
        made[f"reference/{kind}/index.md"] = f"# {title}\n\n{_index(kind, names)}\n"
    return made


def _with_pages(items: Any) -> Any:
    """Return a piece of navigation with each index of a registry followed by its pages."""
    if isinstance(items, list):
        return [_with_pages(item) for item in items]
    if isinstance(items, dict):
        return {title: _with_pages(item) for title, item in items.items()}
    found = re.fullmatch(r"reference/(\w+)/index\.md", str(items))
    if found is None:
        return items
    kind = found[1]
    return [items, *({name: f"reference/{kind}/{name}.md"} for name in REGISTRIES[kind])]


def _table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table; what would end a cell is escaped."""
    names = list(columns)
    lines = [names, ["---"] * len(names), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    text = " ".join(str(value).split())
    return re.sub(r"(`[^`]*`)|\|", lambda found: found[1] or "\\|", text)


def _code(text: str) -> str:
    return f"```text\n{text}\n```"


def _command(name: str) -> str:
    text = app[name].generate_docs(usage_name=f"unequal {name}")
    text = re.sub(r"## Table of Contents\n.*?(?=\n\*\*Commands|\n## )", "", text, flags=re.DOTALL)
    return text.replace(f"# {name}\n", f"# unequal {name}\n", 1)


def _method(name: str) -> str:
    method = METHODS.get(name)
    facts = [
        ("needs", ", ".join(sorted(method.needs)) or "the answers alone"),
        ("cost", method.cost),
        ("source", method.source),
    ]
    head = f"# {name}: {method.title}\n\n{_code(method.formula)}\n\n{cleandoc(method.__doc__ or '')}\n"
    return f"{head}\n{_facts(facts)}\n\n## Settings\n\n{_settings(method)}\n"


def _attack(name: str) -> str:
    attack = ATTACKS.get(name)
    facts = [("measures", ", ".join(f"`{one}`" for one in attack.metrics)), ("source", attack.source)]
    head = f"# {name}: {attack.title}\n\nShows {attack.shows}.\n\n{cleandoc(attack.__doc__ or '')}\n"
    return f"{head}\n{_facts(facts)}\n\n## Settings\n\n{_settings(attack)}\n"


def _metric(name: str) -> str:
    metric = METRICS.get(name)
    facts = [
        ("kind", metric.kind),
        ("direction", metric.direction),
        ("range", f"{metric.low:g} to {metric.high:g}"),
        ("chance level", metric.chance.words),
        ("needs", ", ".join(metric.needs)),
        ("probes", ", ".join(metric.probes)),
        ("source", metric.source),
    ]
    return (
        f"# {name}\n\n{_code(metric.formula)}\n\n{cleandoc(metric.value.__doc__ or '')}\n\n{_facts(facts)}\n"
    )


def _aggregate(name: str) -> str:
    aggregate = AGGREGATES.get(name)
    beside = " of facts and of never-seen ones" if aggregate.against_never_seen else ""
    facts = [
        ("direction", aggregate.direction),
        ("range", f"{aggregate.low:g} to {aggregate.high:g}"),
        ("chance level", aggregate.chance),
        ("of", ", ".join(aggregate.metrics) + beside),
        ("source", aggregate.source),
    ]
    words = cleandoc(aggregate.value.__doc__ or "")
    return f"# {name}\n\n{_code(aggregate.formula)}\n\n{words}\n\n{_facts(facts)}\n"


def _facts(facts: list[tuple[str, str]]) -> str:
    return _table(["", ""], facts)


def _settings(model: type[BaseModel]) -> str:
    fields = [(name, field) for name, field in model.model_fields.items() if name != "kind"]
    rows = [(f"`{name}`", _default(field), field.description or "") for name, field in fields]
    return _table(["setting", "default", "meaning"], rows) if rows else "None."


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "–" if value is None or value == "" else f"`{value}`"


def _index(kind: str, names: list[str]) -> str:
    columns, row = INDEXES[kind]
    return _table(["name", *columns], [(f"[{name}]({name}.md)", *row(name)) for name in names])


def _run_files() -> str:
    parts = ["# Run files\n\nThe files under `examples/`, as they are."]
    for path in sorted((ROOT / "examples").glob("*.toml")):
        text = path.read_text(encoding="utf-8").strip()
        parts.append(f"## {path.name} {{ #{path.stem} }}\n\n```toml\n{text}\n```")
    return "\n\n".join(parts) + "\n"


def _notebook(path: Path) -> str:
    """Return a notebook as a page: its text, its code, and the outputs that are kept in it."""
    parts = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            parts += [f"```python\n{cell.source}\n```", *map(_output, cell.outputs)]
        else:
            parts.append(cell.source)
    title, *others = parts
    return "\n\n".join([title, f'[The notebook]({path.name}){{ download="{path.name}" }}', *others]) + "\n"


def _output(output: Any) -> str:
    """Return an output of a cell: a table as HTML, anything else as text."""
    data = output.get("data", {})
    if "text/html" in data:
        return "<div>" + re.sub(r"\n\s*", " ", data["text/html"]) + "</div>"
    return _code(output.get("text", data.get("text/plain", "")).strip())


def _reports(docs: Path) -> str:
    """Return a frame for every report in docs/reports, or a sentence that there is none."""
    frames = [
        f'## {path.stem}\n\n[The whole page]({REPORTS}/{path.name}){{ target="_blank" }}\n\n'
        f'<iframe src="../{REPORTS}/{path.name}" title="Report of {path.stem}" loading="lazy"'
        ' style="width:100%;height:80vh;border:1px solid #8884"></iframe>'
        for path in sorted((docs / REPORTS).glob("*.html"))
    ]
    return "\n\n".join(frames) or NO_REPORT


REGISTRIES: dict[str, Iterable[str]] = {
    "commands": COMMANDS,
    "methods": METHODS,
    "metrics": METRICS,
    "aggregates": AGGREGATES,
    "attacks": ATTACKS,
}
REFERENCE = {
    "commands": ("Commands", _command),
    "methods": ("Methods", _method),
    "metrics": ("Metrics of one fact and probe", _metric),
    "aggregates": ("Aggregates over facts", _aggregate),
    "attacks": ("Attacks", _attack),
}
INDEXES: dict[str, tuple[list[str], Any]] = {
    "commands": (["what it does"], lambda name: [COMMANDS[name]]),
    "methods": (
        ["title", "loss of a fact", "cost"],
        lambda name: [METHODS.get(name).title, f"`{METHODS.get(name).formula}`", METHODS.get(name).cost],
    ),
    "metrics": (
        ["kind", "formula", "direction", "chance level"],
        lambda name: [
            METRICS.get(name).kind,
            f"`{METRICS.get(name).formula}`",
            METRICS.get(name).direction,
            METRICS.get(name).chance.words,
        ],
    ),
    "aggregates": (
        ["of", "formula", "chance level"],
        lambda name: [
            ", ".join(AGGREGATES.get(name).metrics),
            f"`{AGGREGATES.get(name).formula}`",
            AGGREGATES.get(name).chance,
        ],
    ),
    "attacks": (
        ["title", "shows"],
        lambda name: [ATTACKS.get(name).title, ATTACKS.get(name).shows],
    ),
}
