"""Report: pictures and words of a finished study in one self-contained HTML file."""
