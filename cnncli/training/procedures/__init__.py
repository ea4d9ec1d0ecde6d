"""How networks learn other than by the gradient of an objective."""
