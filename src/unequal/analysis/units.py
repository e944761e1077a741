"""Shares and differences as text: shares in per cent, differences in percentage points."""

POINTS = "points"


def in_points(value: float, digits: int = 1) -> str:
    """Return a difference of shares in points with its sign, such as ``−1.8`` for −0.018."""
    return f"{value * 100:+.{digits}f}".replace("-", "−")


def points_of(value: float, low: float | None, high: float | None) -> str:
    """Return a difference with its interval if it has one, such as ``−1.8 points [−3.1, −0.4]``."""
    ends = "" if low is None or high is None else f" [{in_points(low)}, {in_points(high)}]"
    return f"{in_points(value)} {POINTS}{ends}"
