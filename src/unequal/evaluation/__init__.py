"""Evaluation: metrics as pure functions over the two passes' records, and the score table they fill."""
