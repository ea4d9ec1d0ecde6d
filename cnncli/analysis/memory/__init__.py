"""How much memory a network needs."""
