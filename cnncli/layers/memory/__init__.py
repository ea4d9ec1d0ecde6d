"""What layers hold in memory."""
