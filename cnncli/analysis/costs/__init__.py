"""The costs of a network, and figures derived from them."""
