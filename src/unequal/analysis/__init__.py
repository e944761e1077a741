"""Analysis: from the score table to effects with intervals and verdicts on the claims; never needs torch."""
