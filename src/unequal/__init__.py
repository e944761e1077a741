"""Count, pre-train, unlearn, evaluate, analyse: how hard is knowledge to remove, given how often it was seen?"""

__version__ = "0.1.0"
