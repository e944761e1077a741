"""Unlearn facts from language models, and measure how hard that is and whether the facts are gone."""

__version__ = "0.1.0"
