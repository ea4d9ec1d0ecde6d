"""What a trained network computes of images: features, neighbors, and pictures of what is inside."""
