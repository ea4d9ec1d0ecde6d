"""Convolutional networks from YAML: exact analysis without torch, and training of the same graph."""

__version__ = "0.1.0"
