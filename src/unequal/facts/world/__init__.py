"""The synthetic world: people who do not exist, whose every fact is known and whose wordings are our own."""
