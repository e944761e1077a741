"""Corpus: exposure plan, training text, exposure ledger and token windows."""
