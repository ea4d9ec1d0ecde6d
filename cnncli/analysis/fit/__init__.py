"""The largest values of variables with which a network keeps to its limits."""
