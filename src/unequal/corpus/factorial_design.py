"""Two-level fractional factorial designs of resolution IV: main effects clear of two-factor interactions."""

from itertools import product

Run = tuple[bool, ...]
"""One run of a design: for each factor whether it is at its high level."""


def fractional_design(n_factors: int) -> list[Run]:
    """Return the smallest regular design of resolution IV or better for that many factors, a row a run.

    The columns are the words of odd length over k basic factors, those of one letter first, and k is the
    least number that has enough of them: up to three factors are crossed in full, four need 8 runs, five to
    eight need 16, nine to sixteen need 32. The product of three columns is a word of odd length again and so
    never the constant: no main effect is aliased with another one or with an interaction of two factors,
    while interactions of two factors are aliased with one another (Box and Hunter 1961). Every level of
    every factor occurs in half of the runs, every pair of levels of two factors in a quarter, and every
    triple of levels of three factors in an eighth.
    """
    n_basic = min(n_factors, 3)
    while n_factors > 3 and 2 ** (n_basic - 1) < n_factors:
        n_basic += 1
    odd = (word for word in product((0, 1), repeat=n_basic) if sum(word) % 2)
    words = sorted(odd, key=lambda word: (sum(word), [-letter for letter in word]))[:n_factors]
    basics = product((0, 1), repeat=n_basic)
    return [tuple(_high(word, basic) for word in words) for basic in basics]


def _high(word: tuple[int, ...], basic: tuple[int, ...]) -> bool:
    """Return the sign of a product of basic factors at ±1, true for +1."""
    low = sum(letter and not level for letter, level in zip(word, basic, strict=True))
    return low % 2 == 0
