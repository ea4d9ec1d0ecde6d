"""One file for each format that networks are exported to."""
