"""The text of functions and classes that exported modules contain."""
