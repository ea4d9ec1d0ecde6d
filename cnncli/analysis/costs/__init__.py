"""What a network costs, and what follows from its costs."""
