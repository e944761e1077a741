"""A folder for a paper: figures as PDF and SVG, tables as CSV and LaTeX."""
