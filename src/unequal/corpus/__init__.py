"""Corpus: who is shown how often, the text that shows it, the ledger that proves it, and token windows."""
