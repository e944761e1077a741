"""Unlearning: methods as pure per-fact losses, and the one objective and run that go around them all."""
