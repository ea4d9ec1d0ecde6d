"""Windows: all arithmetic along an axis."""
