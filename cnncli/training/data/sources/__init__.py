"""The data sources, one file for each; :mod:`cnncli.training.data.load` registers them."""
