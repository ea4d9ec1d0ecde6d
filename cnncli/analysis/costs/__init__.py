"""What a network costs, and what is derived from it."""
