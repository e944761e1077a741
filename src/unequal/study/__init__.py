"""Study: a grid of runs as hash-addressed steps, and the conductor that runs what is not done yet."""
