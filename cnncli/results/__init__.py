"""Plain values that the torch half and the reports share; nothing here imports torch."""
