"""The pinned versions satisfy the bounds of pyproject.toml, and every direct dependency is pinned."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
REQUIREMENTS = [Requirement(line) for lines in (PROJECT["dependencies"], *EXTRAS.values()) for line in lines]
PINNED = {
    canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line and not line.startswith("#")
    for pin in [Requirement(line)]
}


def test_pinned_versions_satisfy_the_bounds():
    wrong = [
        f"{requirement}: pinned {PINNED[name]}"
        for requirement in REQUIREMENTS
        if (name := canonicalize_name(requirement.name)) in PINNED
        and not requirement.specifier.contains(PINNED[name], prereleases=True)
    ]
    assert wrong == []


def test_every_dependency_of_setup_is_pinned():
    lines = [*PROJECT["dependencies"], *EXTRAS["train"], *EXTRAS["dev"]]
    assert [line for line in lines if canonicalize_name(Requirement(line).name) not in PINNED] == []
