"""Plain values that the torch half and the reports share; no module here imports torch."""
