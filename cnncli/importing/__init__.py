"""Networks of other programs as specs: operations are reduced to kinds of layers; torch is not needed."""
