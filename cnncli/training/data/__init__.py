"""Data: sources, splits, batches."""
