"""Training (torch): data, optimizers, the loop, checkpoints, run folders, evaluation.

Nothing is imported here, so that :mod:`cnncli.training.extras` can say what is missing before torch
is asked for.
"""
