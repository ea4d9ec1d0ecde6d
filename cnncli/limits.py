"""Every limit that a file, a spec and an answer are held to, in one place.

A limit is a count, never a time: the same file is answered or refused on every machine. Together they keep
any question within 5 s of CPU time and 1 GiB on an ordinary machine. Limits of a single text or number are
compared where it is read; :mod:`cnncli.work` adds up what one question costs.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Limit(NamedTuple):
    """A bound on the work of one question: what is counted, and how much of it is allowed."""

    of: str
    """The plural of what is counted, for the message: ``terms of formulas``."""
    most: int


# -- the work of one question ----------------------------------------------------------------------------

TERMS: Final = Limit("terms of formulas", 1_500_000)
"""Terms that the arithmetic of formulas visits or makes."""

LAYERS: Final = Limit("layers", 50_000)
"""Layers of all graphs that are built, such as those that ``fit`` tries."""

RESIDUES: Final = Limit("residue classes of sizes", 2_000_000)
"""Residue classes and sizes that are examined to decide conditions and to intersect sets of sizes."""

CHARACTERS: Final = Limit("characters of expressions and strings, all copies counted", 1_000_000)
"""Characters of the expressions that are computed, and of the texts in which ``$name`` is replaced."""

VALUES: Final = Limit("values of lists, all copies counted", 1_000_000)
"""Values of the lists that are computed, compared, or read as a table."""

HULLS: Final = Limit("stretches that receptive fields consist of", 500_000)
"""Stretches of the input that are computed for one output of one path, to find what a node reads."""

BEGINNINGS: Final = Limit("characters of the beginnings of names", 60_000_000)
"""Characters of the names up to each dot in the full names of nodes."""

# -- a YAML file -----------------------------------------------------------------------------------------

MAX_FILE_BYTES: Final = 1024 * 1024
"""The size of a file; of a spec, together with the files that it extends."""

MAX_FILE_DEPTH: Final = 64
"""Lists and mappings within one another."""

MAX_FILE_VALUES: Final = 300_000
"""Words, lists and mappings, with aliases counted at every use."""

MAX_EXTENDS: Final = 16
"""Files that extend one another."""

MAX_ENTRIES: Final = 500_000
"""Files and folders that a folder or a pattern leads to."""

# -- numbers, texts and expressions ----------------------------------------------------------------------

MAX_SIZE: Final = 10**12
"""A size along an axis, and whole numbers without a limit of their own."""

MAX_SCALE_PARTS: Final = 64
"""Largest denominator of a factor of `upsample`: a power of 2, so that torch's floor(n * scale) is exact."""

MAX_AXES: Final = 3
"""Spatial axes of a map."""

MAX_EXACT: Final = 10**200
"""A number in a formula, a receptive field or a shift: products of strides grow with every layer."""

MAX_DIGITS: Final = 24
"""Characters of a whole number: longer ones exceed every limit."""

MAX_QUANTITY: Final = 40
"""Characters of a quantity such as ``1.2M``."""

MAX_SIZE_TEXT: Final = 36
"""Characters of one size in ``3x224x224``."""

MAX_RATE: Final = 1e30
"""Learning rates and the like: Adam divides by as little as 1e-6, and torch raises an error at 3.4e38."""

MAX_BETA: Final = 0.999999
"""Share of an old mean of gradients in the new one."""

MIN_EPS: Final = 1e-30
"""What is added to a denominator: a smaller number is 0 as a 32-bit one."""

MAX_MINUTES: Final = 1e6
"""The most minutes between two checkpoints."""

MAX_EXPRESSION: Final = 500
"""Characters of an expression."""

MAX_MAGNITUDE: Final = 2**63
"""A number that an expression computes, in either direction."""

MAX_EXPONENT: Final = 64
"""An exponent in an expression, in either direction."""

MAX_LIST: Final = 10_000
"""Values of a list that an expression computes, with the lists in it."""

MAX_TERMS: Final = 200
"""Terms of a formula that an expression computes."""

MAX_DEGREE: Final = 8
"""The degree of a formula that an expression computes."""

MAX_CHAIN: Final = 32
"""Names of which each needs the value of the next."""

MAX_TEXT: Final = 10_000
"""Characters of a text after ``$name`` is replaced."""

MAX_LINE: Final = 1_000
"""Characters of a text that is not a name, such as the title of a paper."""

MAX_TABLE_ROW: Final = 4096
"""Input channels that one output channel of a convolution's table reads."""

# -- what a spec expands to ------------------------------------------------------------------------------

MAX_NODES: Final = 20_000
"""Nodes of a graph: the deepest networks that were ever trained have 10,000 layers and their activations."""

MAX_BRANCHES: Final = 256
"""Branches of a join."""

MAX_BLOCK_DEPTH: Final = 40
"""Blocks and branches within one another."""

MAX_RENAMINGS: Final = 10
"""Expansions of a spec until no automatic name has the place of a written one; their work is added up."""

MAX_EXPANSION: Final = 1_000_000
"""Nodes, uses of blocks, branches and arguments, all copies counted, weighted by their time."""

MAX_NAME: Final = 200
"""Characters of a name as written."""

MAX_FULL_NAME: Final = 500
"""Characters of the full name of a node, with those of the blocks around it."""

MAX_MARGIN: Final = 1024
"""Pixels around images for crops."""

MAX_CLASSES: Final = 100_000
"""Classes that a recipe lists."""

MAX_GROUPS: Final = 32
"""Groups of layers that learn in another way than the rest."""

MAX_TRANSFORMS: Final = 64
"""Transforms of training images."""

MAX_CYCLES: Final = 100
"""Cycles of a learning rate."""

MAX_GROWTH: Final = 10
"""Factor between the lengths of two such cycles."""

MAX_MILESTONES: Final = 100
"""Times at which a learning rate changes."""

MAX_POWER: Final = 100
"""Exponent with which a learning rate falls."""

MAX_OPERATIONS: Final = 4
"""Operations that `randaugment` applies to an image."""

MAX_RATIO: Final = 10
"""Factor by which a transform enlarges, shrinks or stretches an image."""

MAX_SIGMA: Final = 16
"""Standard deviation of a blur, in pixels."""

MAX_ALPHA: Final = 1e6
"""Parameter of the Beta distribution of the shares of `mixup` and `cutmix`."""

MAX_SHRINKAGE: Final = 16
"""How many times smaller one `shrink` makes an image."""

# -- sizes, conditions and what fits ---------------------------------------------------------------------

MAX_PERIOD: Final = 100_000
"""The period of a set of sizes."""

MAX_ISOLATED: Final = 100_000
"""Single sizes of a set of sizes."""

MAX_DECISION: Final = 200_000
"""Residue classes times terms of one condition that is decided exactly: about a second."""

MAX_COUPLED: Final = 1_000_000
"""Sizes that are tried in one equation between sizes, times its terms: about a second."""

MAX_COMBINATIONS: Final = 20_000
"""Combinations of sizes that satisfy such an equation."""

MAX_PROOFS: Final = 100_000
"""The same for all decisions of :mod:`cnncli.algebra.bounds` together. Past it, less is proved."""

MAX_TRACK_PERIOD: Final = 4096
"""Outputs after which what they read repeats."""

MAX_TRIED: Final = 2048
"""Values of a variable that ``fit`` tries one by one."""

MAX_LAYERS_TRIED: Final = 20_000
"""Layers of all networks that ``fit`` tries one by one, and values of their specs by their time: seconds.

Variables have equal shares of it."""

MAX_REFUSED: Final = 100
"""Values in a row that a network refuses: larger ones, of a kernel for example, will be refused too."""

MAX_PARTS: Final = 64
"""Ranges of a variable on which a figure has different formulas."""

MAX_STEPS: Final = 100_000
"""Steps of the search for the largest value that satisfies a formula."""

MAX_CUTS: Final = 64
"""Places of a network between which segments to recompute are searched for."""

MAX_WAYS: Final = 128
"""Ways to recompute what is before a place that are followed further."""

# -- messages and pages ----------------------------------------------------------------------------------

MAX_OUTPUT: Final = 1_000_000
"""Bytes of the page that a command prints, unless the environment allows more, and of its messages."""

MAX_SPEC_NOTES: Final = 100
"""Warnings and notes about a spec: further ones are left out."""

MAX_FAULTS: Final = 100
"""Errors of a file, after which reading stops: nobody fixes a hundred at once."""

MAX_REPORTS: Final = 2_000
"""Errors of a file with repetitions, such as those of every use of a block."""

MAX_ERRORS_SHOWN: Final = 50
"""Errors that are shown; the others are counted."""

MAX_MESSAGE: Final = 300
"""Characters of one part of a message."""

MAX_QUOTED: Final = 60
"""Characters of a text that a message quotes."""

MAX_LOOKED_AT: Final = 3_000
"""Known words that are looked at for the one that was meant."""

MAX_CANDIDATES: Final = 300
"""Words of about the same length among them, which are compared with the one that is written."""

MAX_RELATED: Final = 12
"""Places besides its own that are shown of an error, such as uses of blocks; the others are counted."""

MAX_ORIGINS: Final = 8
"""Inputs of a join of which a message shows the place."""

MAX_SHAPE_TABLES: Final = 10
"""Errors with a table of the shapes above them."""

MAX_RESIDUES_SHOWN: Final = 8
"""Residue classes of a set of sizes that are written out."""

MAX_SIZES_SHOWN: Final = 12
"""Single sizes of a set that are written out."""

MAX_COMBINATIONS_SHOWN: Final = 12
"""Combinations of sizes that are written out."""

MAX_COMBINATIONS_LISTED: Final = 1_000
"""Combinations of sizes in a document; the others are counted."""

MAX_NOTES: Final = 5
"""Notes of one kind below a table; the others are counted."""

MAX_CONFUSION: Final = 12
"""Classes of which a page shows how often each was taken for each."""

MAX_CONFUSED: Final = 12
"""Pairs of classes that a page shows where there are more classes: those that are confused most."""

MAX_ANSWERS_SHOWN: Final = 12
"""Images of which a page shows what a network says in full; of more of them it has a line for each."""

MAX_ANSWERS_LISTED: Final = 100
"""Such lines; the others are counted."""

MAX_FILES_NAMED: Final = 20
"""Files of a data set with errors; the others are counted."""

MAX_TENSORS_NAMED: Final = 6
"""Tensors of a file of weights that a message names; the others are counted."""

MAX_HEADER_BYTES: Final = 100_000_000
"""Bytes of the header of a safetensors file, as its format allows."""

MAX_MODEL_BYTES: Final = 2**31 - 2**20
"""Bytes of the weights in an ONNX model: of the 2 GiB that its format allows, the rest is for its layers."""

# -- the folder of a run ---------------------------------------------------------------------------------

MAX_FOLDER_BYTES: Final = 200
"""Bytes of the network's name in that of the folder."""

MAX_RECORD_BYTES: Final = 32 << 20
"""Bytes of the ``run.json`` of a run: its spec, and the names of its classes."""

MAX_RUNS: Final = 10_000
"""Runs of one folder in a list."""

MAX_DRAWN_RUNS: Final = 40
"""Runs in one picture."""

MAX_METRICS_BYTES: Final = 256 << 20
"""Bytes of the ``metrics.jsonl`` of a run, a few hundred for each epoch, and of what is made of it."""

MAX_ENVIRONMENTS: Final = 10_000
"""Changes of the machine that a run records."""

MAX_THREADS: Final = 1 << 20
"""Threads that a run may have been computed with, as its record says."""

# -- data ------------------------------------------------------------------------------------------------

MAX_PICTURE_PIXELS: Final = 1 << 27
"""Pixels of one image file, 11,585 x 11,585; decoding them takes 3.5 GiB, which must be available too."""

MAX_SHEET_CLASSES: Final = 100
"""Classes on a contact sheet."""

MAX_PICTURED: Final = 24
"""Images in a picture of what a network says of them."""

MAX_EXAMPLES: Final = 3
"""Images of one kind, or with the same pixels, that are named; the others are counted."""

MAX_HASHED_BYTES: Final = 1 << 28
"""Bytes of a file of a pack that is hashed whenever the pack is opened, which takes a third of a second."""

MAX_SHARDS: Final = 100_000
"""Archives of a data set."""

MAX_LABEL_BYTES: Final = 1 << 20
"""Bytes of the file of one sample that its label is read from."""

# -- imported networks, and what is learned --------------------------------------------------------------

MAX_CHANNEL_FACTOR: Final = 64
"""The factor between two numbers of channels of an imported network that are written as a product."""

MAX_FOLDED_LAYERS: Final = 3_000
"""Layers of an imported network in which blocks are looked for; of larger ones each layer is written."""

MAX_NESTED_FUNCTIONS: Final = 40
"""Functions of an ONNX file within one another; one that calls itself has no end."""

MAX_IMPORTED_NODES: Final = 200_000
"""Nodes of an ONNX file, those of its functions counted wherever they are called."""

MAX_FOLDED_NUMBERS: Final = 1_000_000
"""Numbers of a constant of an ONNX file that is computed; larger ones are weights."""

MAX_TABLE_ROWS: Final = 20
"""Tensors and layers with other names in a table; JSON has all of them."""

MAX_LOOKED_ROWS: Final = 40
"""Rows of a table of what is inside a network; JSON has all of them."""

MAX_READ_IMAGES: Final = 1024
"""Images that are read at once for features."""

MAX_DRAWN_KERNELS: Final = 256
"""Kernels and maps in one picture."""

MAX_DRAWN_ROWS: Final = 24
"""Rows of kernels, and layers, in one picture."""
