"""Training: one explicit loop for pre-training and unlearning, its schedule and its checkpoints."""
