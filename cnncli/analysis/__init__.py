"""Questions about an architecture, one file each."""
