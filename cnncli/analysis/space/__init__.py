"""What positions read of the input, and how they respond to shifts."""
