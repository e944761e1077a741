"""The direction of imports: a package imports only from those above it, and torch stays where it belongs."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "unequal"
ORDER = [
    "plain_text", "errors", "streams", "strict",
    "distributed_env", "oom", "workers", "ray_cluster", "seeds", "temporary", "files", "places",
    "csv_injection", "checksums",
    "registry", "config", "records", "console", "manifest", "facts", "counting", "corpus", "models",
    "scoring", "training",
    "unlearning", "evaluation", "lm_eval_bridge", "attacks", "analysis", "report", "audit", "study",
    "difficulty_prediction", "cli",
]  # fmt: skip
WITHOUT_TORCH = {*ORDER[: ORDER.index("corpus")], "analysis", "report", "cli"}
HEAVY = {"torch", "transformers", "accelerate", "tokenizers", "safetensors"}


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


@pytest.mark.parametrize("path", module_files(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_package_imports_only_from_those_above_it(path: Path) -> None:
    here = package_of(path)
    for module in imports(ast.parse(path.read_text()), inside_functions=True):
        parts = module.split(".")
        if parts[0] == "unequal" and len(parts) > 1:
            assert ORDER.index(parts[1]) <= ORDER.index(here), f"{path.name} imports {module}"


@pytest.mark.parametrize("path", module_files(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_torch_is_not_imported_where_it_may_be_missing(path: Path) -> None:
    if package_of(path) in WITHOUT_TORCH:
        top_level = {module.split(".")[0] for module in imports(ast.parse(path.read_text()), False)}
        assert not top_level & HEAVY


def test_no_folder_is_deeper_than_three_levels_and_no_file_is_a_drawer_of_everything() -> None:
    for path in SOURCE.rglob("*.py"):
        assert len(path.relative_to(SOURCE).parts) <= 3
        assert path.stem not in {"utils", "helpers", "misc", "common"}
