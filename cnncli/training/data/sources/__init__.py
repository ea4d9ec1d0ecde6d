"""Where data comes from, one file a source; each gives what it read to :func:`assemble`."""
