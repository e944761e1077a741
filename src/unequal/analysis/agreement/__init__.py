"""Agreement of generation and probability, and what wrong answers hide."""
