"""Numbers, formulas and columns as text."""
