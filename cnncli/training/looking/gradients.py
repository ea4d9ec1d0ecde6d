"""What a score depends on: the gradient at the pixels, and Grad-CAM at a layer.

Gradients come from the values of the compiled graph: no hook is added, nothing is accumulated in ``grad`` of
a weight, and the network is left as it was.
"""

from __future__ import annotations

import torch
from torch import Tensor

from cnncli.training.looking.goals import Goal
from cnncli.training.looking.opened import Opened


def input_gradient(opened: Opened, goal: Goal, inputs: Tensor) -> Tensor:
    """Return the gradient of the score of each image with respect to its pixels, [n, *input].

    K. Simonyan, A. Vedaldi and A. Zisserman, "Deep inside convolutional networks: visualizing image
    classification models and saliency maps", 2013. The pixels are those that the network sees: normalized.
    """
    node = opened.trained.outputs[goal.head].node
    seen = inputs.detach().clone().requires_grad_()
    with torch.enable_grad():
        score = goal.score(opened.values_with_logits([node])(seen)[node])
        (gradient,) = torch.autograd.grad(score.sum(), seen)
    return gradient.detach()


def saliency(gradient: Tensor) -> Tensor:
    """Return the largest absolute gradient over the channels of each pixel, [n, height, width]."""
    return gradient.abs().amax(1)


def gradcam(opened: Opened, goal: Goal, layer: str, inputs: Tensor) -> Tensor:
    """Return the Grad-CAM map of each image at a layer, [n, h, w], at the positions of the layer.

    R. Selvaraju et al., "Grad-CAM: Visual explanations from deep networks via gradient-based localization",
    2017: relu(sum over k of a_k A_k), where A_k is channel k of the layer, and a_k the mean over its
    positions of the gradient of the score (equations 1 and 2).

    Raises:
        RuntimeError: the score does not depend on the layer.
    """
    node = opened.trained.outputs[goal.head].node
    seen = inputs.detach().clone().requires_grad_()
    with torch.enable_grad():
        values = opened.values_with_logits([layer, node])(seen)
        (gradient,) = torch.autograd.grad(goal.score(values[node]).sum(), values[layer])
    weights = gradient.mean((2, 3), keepdim=True)
    return (weights * values[layer].detach()).sum(1).relu()
