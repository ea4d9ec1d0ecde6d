"""Networks with their weights as files for other programs; torch is not needed."""
