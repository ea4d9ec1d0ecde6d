"""Training (torch): data, optimizers, the loop, checkpoints, run folders, evaluation.

Nothing is imported here, so :mod:`cnncli.training.extras` can report missing packages before torch is
imported.
"""
