"""The memory that a network needs."""
