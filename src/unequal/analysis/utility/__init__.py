"""Utility: what is kept of everything that was never unlearned, and what forgetting costs."""
