"""The harness: tasks of EleutherAI's lm-eval, run on a loaded model, and our probes written as its tasks."""
