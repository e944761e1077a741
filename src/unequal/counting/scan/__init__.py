"""The streaming scan, the default counting engine: exact counts of all facts in one pass over a corpus."""
