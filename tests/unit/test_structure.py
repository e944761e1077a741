"""The direction of imports: a package imports only from those above it, and torch stays where it belongs."""

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "unequal"
ORDER = [
    "plain_text", "progress", "errors", "streams", "strict",
    "distributed_env", "oom", "workers", "ray_cluster", "seeds", "temporary", "files", "output_paths",
    "csv_injection", "checksums",
    "registry", "config", "records", "console", "manifest", "facts", "counting", "corpus", "models",
    "scoring", "training",
    "unlearning", "evaluation", "lm_eval_bridge", "general_utility", "attacks", "analysis", "report",
    "auditing", "forgetting", "study", "difficulty_prediction", "plugin_checks", "api", "cli",
]  # fmt: skip
WITHOUT_TORCH = {*ORDER[: ORDER.index("corpus")], "analysis", "report", "cli"}
HEAVY = {"torch", "transformers", "accelerate", "tokenizers", "safetensors"}


IN_ANALYSIS = [
    "stats", "claims", "units", "study_record", "excluded_runs", "covariates", "observations", "known",
    "outcomes", "effects", "agreement", "utility", "sizes", "factors", "difficulty", "verdicts",
    "tables", "analyze",
]  # fmt: skip


def module_files() -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*.py") if path.parent != SOURCE or path.stem in ORDER)


def package_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(tree: ast.AST, inside_functions: bool) -> Iterator[str]:
    """Yield imported modules; those under ``if TYPE_CHECKING`` never run and do not count."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif inside_functions or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imports(node, inside_functions)


def upward(order: list[str], place: int) -> list[str]:
    """Return the imports of our own from a package further down; ``place`` is of its name in a module's."""
    found = []
    for path in module_files():
        own = (*path.relative_to(SOURCE).with_suffix("").parts,)
        if place > 1 and (own[0] != "analysis" or own[-1] == "__init__"):
            continue
        here = own[place - 1]
        for module in imports(ast.parse(path.read_text()), inside_functions=True):
            parts = module.split(".")
            ours = parts[0] == "unequal" and parts[1:place] == list(own[: place - 1]) and len(parts) > place
            if ours and order.index(parts[place]) > order.index(here):
                found.append(f"{path.relative_to(SOURCE)} imports {module}")
    return found


def test_a_package_imports_only_from_those_above_it() -> None:
    assert upward(ORDER, 1) == []
    assert upward(IN_ANALYSIS, 2) == []


def test_torch_is_not_imported_where_it_may_be_missing() -> None:
    found = [
        str(path.relative_to(SOURCE))
        for path in module_files()
        if package_of(path) in WITHOUT_TORCH
        and {module.split(".")[0] for module in imports(ast.parse(path.read_text()), False)} & HEAVY
    ]
    assert found == []


def test_no_folder_is_deeper_than_three_levels_and_no_file_is_a_drawer_of_everything() -> None:
    for path in SOURCE.rglob("*.py"):
        assert len(path.relative_to(SOURCE).parts) <= 3
        assert path.stem not in {"utils", "helpers", "misc", "common"}
