"""Data sets that were decoded once, into files that are mapped into memory."""
