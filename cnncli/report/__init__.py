"""Pages, what commands answer, and a module for each format in which any page can be shown."""
