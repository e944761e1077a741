"""The HTML report of a count table: how often facts occur in a corpus."""
