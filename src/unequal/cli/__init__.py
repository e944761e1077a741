"""The command line: parse, call the library, render. One file a command, imported only when it runs."""
