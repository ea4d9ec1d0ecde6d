"""What positions read of the input, and how they answer to shifts."""
