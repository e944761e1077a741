"""Matchers: multi-pattern string search for names in a block of text, with equal results."""

from importlib.util import find_spec

from unequal.counting.matching.matcher import MatcherFactory
from unequal.errors import MissingExtraError
from unequal.registry import Registry

MATCHERS: Registry[MatcherFactory] = Registry(
    "matcher",
    {
        "words": "unequal.counting.matching.word_start_matcher:WordStartMatcher",
        "ahocorasick": "unequal.counting.matching.aho_corasick:AhoCorasickMatcher",
        "hyperscan": "unequal.counting.matching.hyperscan:HyperscanMatcher",
    },
)

FEW_PATTERNS = 1000
"""Number of patterns up to which Hyperscan is the fastest (benchmarks/count.py)."""


def choose_matcher(name: str, n_patterns: int) -> str:
    """Return the name of the matcher: the given one, or for ``auto`` the fastest for the number of patterns.

    Raises `ConfigError` for an unknown name, `MissingExtraError` if its library is not installed.
    """
    if name == "auto":
        return "hyperscan" if n_patterns <= FEW_PATTERNS and find_spec("hyperscan") else "words"
    MATCHERS.get(name)
    if name == "hyperscan" and not find_spec("hyperscan"):
        raise MissingExtraError("the matcher hyperscan", "hyperscan")
    return name
