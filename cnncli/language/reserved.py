"""Names that no node may have, so that ``network.conv1`` is always the layer ``conv1``."""

from __future__ import annotations

from keyword import kwlist
from typing import Final

MODULE_NAMES: Final = frozenset(
    {
        "T_destination",
        "add_module",
        "apply",
        "bfloat16",
        "buffers",
        "call_super_init",
        "children",
        "compile",
        "cpu",
        "cuda",
        "double",
        "dump_patches",
        "eval",
        "extra_repr",
        "float",
        "forward",
        "get_buffer",
        "get_extra_state",
        "get_parameter",
        "get_submodule",
        "half",
        "ipu",
        "load_state_dict",
        "modules",
        "mtia",
        "named_buffers",
        "named_children",
        "named_modules",
        "named_parameters",
        "parameters",
        "register_backward_hook",
        "register_buffer",
        "register_forward_hook",
        "register_forward_pre_hook",
        "register_full_backward_hook",
        "register_full_backward_pre_hook",
        "register_load_state_dict_post_hook",
        "register_load_state_dict_pre_hook",
        "register_module",
        "register_parameter",
        "register_state_dict_post_hook",
        "register_state_dict_pre_hook",
        "requires_grad_",
        "set_extra_state",
        "set_submodule",
        "share_memory",
        "state_dict",
        "to",
        "to_empty",
        "train",
        "training",
        "type",
        "xpu",
        "zero_grad",
    }
)
"""The public attributes of ``torch.nn.Module``, written out so that a spec is read without torch."""

TRACED_NAMES: Final = frozenset(
    {
        "add_submodule",
        "code",
        "code_with_constants",
        "define",
        "delete_all_unused_submodules",
        "delete_submodule",
        "forward_magic_method",
        "get_debug_state",
        "graph",
        "graph_for",
        "inlined_graph",
        "meta",
        "original_name",
        "print_readable",
        "range_constraints",
        "recompile",
        "save",
        "save_to_buffer",
        "shape_env",
        "to_folder",
        "validate_inputs",
    }
)
"""The further public attributes of what torch.fx, torch.export and torch.jit make of a module."""

PYTHON_WORDS: Final = frozenset({*kwlist, "self"})
"""Words that mean something else in the Python code of a network, which torch.fx writes."""
