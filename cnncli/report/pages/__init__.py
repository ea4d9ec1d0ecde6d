"""A module for each command, which builds its page."""
