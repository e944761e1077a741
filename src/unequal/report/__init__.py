"""Report: figures, tables and sentences of a finished study in one self-contained HTML file."""
