"""Files of weights, compared with a graph before a weight is read; torch is not needed."""
