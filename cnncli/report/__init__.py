"""One file for each format in which answers are shown."""
