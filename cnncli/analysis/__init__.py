"""One file for each question about an architecture."""
