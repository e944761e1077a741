"""Unlearning: methods as per-fact losses, the training objectives around them, and the run."""
