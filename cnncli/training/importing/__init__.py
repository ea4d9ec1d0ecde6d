"""Networks of other programs, run with torch: traced, and compared with what was made of them."""
