"""The comparison of several studies in one HTML file."""
