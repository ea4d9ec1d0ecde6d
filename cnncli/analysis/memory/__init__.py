"""How much memory a network takes."""
