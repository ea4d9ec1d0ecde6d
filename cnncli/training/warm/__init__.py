"""Beginning with weights that are already learned."""
