"""Forgetting in one command: from a checkpoint and facts to an unlearned checkpoint that was audited."""
