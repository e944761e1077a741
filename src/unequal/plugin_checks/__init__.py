"""Contract tests of methods, metrics, attacks, model families and counting engines, ours and plugins."""
