"""What other frameworks and papers call things: a table of their names and ours, for hints.

Names are compared without case, ``_``, ``-``, a module before them, ``1d`` to ``3d`` and arguments in
brackets: ``nn.Conv2d(3, 64)`` and ``conv_2d`` are ``conv``. A name applies only where one of ours is
possible, so ``rate`` means ``probability`` in a dropout and ``dilation`` in a convolution.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping
from typing import Final

_DIMENSIONS: Final = re.compile("[123]d")
_MODULES: Final = re.compile(
    r"^((torch|nn|f|functional|modules|optim|tf|tensorflow|keras|layers|flax|linen|caffe)\.)+"
)
_MARKS: Final = re.compile("[_ -]")


def _table(rows: str) -> dict[str, tuple[str, ...]]:
    """Return the table in lines of ``ours, ours: theirs theirs ...``."""
    found: dict[str, tuple[str, ...]] = {}
    for row in rows.strip().splitlines():
        ours, _, theirs = row.partition(":")
        names = tuple(name.strip() for name in ours.split(","))
        for name in theirs.split():
            found[name] = (*found.get(name, ()), *names)
    return found


KINDS: Final = _table("""
conv: convolution convolutional pointwiseconv pwconv spatialconvolution
conv: atrousconv dilatedconv
convtranspose: deconv deconvolution transposeconv transposedconv convtransposed upconv upconvolution
convtranspose: fractionallystridedconv backwardconv
linear: dense fc fullyconnected innerproduct ip perceptron affine dot
batchnorm: bn batchnormalization spatialbatchnorm syncbatchnorm batchrenorm
layernorm: ln layernormalization
groupnorm: gn groupnormalization
instancenorm: in instancenormalization
localresponsenorm: lrn localresponsenormalization crossmaplrn responsenorm
globalavgpool: gap globalaveragepool globalaveragepooling globalavgpooling globalpool globalpooling
globalmaxpool: gmp globalmaxpooling
maxpool, avgpool: pool pooling
maxpool: maxpooling mp spatialmaxpooling
avgpool: averagepool averagepooling avgpooling meanpool meanpooling
subsample: subsampling
adaptiveavgpool: adaptiveaveragepool adaptiveaveragepooling
adaptivemaxpool: adaptivemaxpooling
relu: rectifier rectifiedlinear rectifiedlinearunit
leaky_relu: lrelu leaky
prelu: parametricrelu
silu: swish
hard_swish: hswish
hard_sigmoid: hsigmoid
sigmoid: logistic
dropout: drop
dropout2d: spatialdropout featuredropout channeldropout
droppath: stochasticdepth
noise: gaussiannoise
add: eltwise elementwise sum residual addition plus
multiply: mul mult gate gating product se squeezeexcitation squeezeexcite hadamard
concat: cat concatenate concatenation merge depthconcat filterconcat route
identity: noop passthrough
reshape: view unflatten
flatten: flat vectorize
upsample: upsampling interpolate interpolation resize unpool unpooling bilinear
pixelshuffle: depthtospace subpixel subpixelconv
channelshuffle: shufflechannel shuffle
crop: cropping centercrop
pad: zeropad zeropadding padding reflectionpad replicationpad constantpad circularpad
capsules: caps capsule digitcaps primarycaps
""")
"""Kinds of layers; most are words after ``activation:`` too."""

ARGUMENTS: Final = _table("""
channels: outchannels filters numfilters nfilters nbfilter outplanes planes outputchannels numchannels depth
channels, features: numoutput out outputs outputsize
features: outfeatures units neurons hiddensize hidden outputdim nunits
kernel: kernelsize poolsize filtersize windowsize ksize window kernelshape filter f
kernel, scale: size
size: outputsize
size: localsize n
stride: strides step steps
padding: pad pads paddings border bordermode p
padding_mode: paddingmode
dilation, probability: rate
dilation: dilationrate dilations atrous
groups: group ngroups numgroups cardinality
bias: usebias hasbias biasterm withbias
activation: nonlinearity act activationfunction activationfn
norm: normalization batchnorm bn normalizer
probability: p prob dropprob dropoutratio ratio dropout
sigma: std stddev standarddeviation
slope: negativeslope alpha leak
start: init
eps: epsilon varianceepsilon
affine: elementwiseaffine learnable
scale: scalefactor factor upscalefactor blocksize
mode: interpolation method
keepdims: keepdim
classes: numclasses
shape: targetshape dims newshape
amount: cropping padding
ceil_mode: ceilmode ceil
count_padding: countincludepad
align: alignment
""")
"""Arguments of kinds."""

SETTINGS: Final = _table("""
lr: learningrate eta baselr initiallr
batch: batchsize minibatch bs
epochs: numepochs nepochs maxepochs
optimizer: optim solver
weight_decay: wd l2 l2reg decay regularization
schedule: scheduler lrscheduler lrschedule lrpolicy
warmup: warmupepochs warmupsteps
smoothing: labelsmoothing
seed: randomseed randomstate
tasks: losses loss criterion lossweights objective
data: dataset traindata
source: dataset
resize: imagesize resizing transform transforms
sgd: gd stochasticgradientdescent nag gradientdescent
alpha: rho
cosine: cosineannealing cosineannealinglr cosinedecay cos sgdr cosineannealingwarmrestarts
constant: fixed none const
linear: lineardecay linearlr
polynomial: poly polynomiallr polynomialdecay
step: steplr steps stepdecay staircase
multistep: multisteplr piecewiseconstant piecewiseconstantdecay
exponential: exponentiallr exponentialdecay exp
onecycle: onecyclelr superconvergence
plateau: reducelronplateau reduceonplateau
every: stepsize period decaysteps decayepochs
factor: gamma decayrate multiplier
floor: minlr etamin endlr endlearningrate
milestones: boundaries decaymilestones
cycles: restarts
growth: tmult cyclemul tmul
power: exponent
float32: fp32 f32 single float
float16: fp16 f16 half
bfloat16: bf16
float64: fp64 f64 double
cuda: gpu nvidia rocm hip
mps: metal apple
cpu: host processor
""")
"""Settings of training, and their words."""

SECTIONS: Final = _table("""
layers: architecture model network modules backbone body nodes
vars: variables parameters params constants hyperparameters
input: inputs inputshape inputsize shape
heads: outputs output
extends: base inherits inherit parent include
train: training fit hyper
budget: limits limit
blocks: templates macros modules
from: bottom inbound reads inputs in
repeat: times copies repeats
name: id
params: parameters nparams numparams numparameters
macs: mac madds multadds macc muladds
flops: flop operations ops
weights_size: size filesize modelsize bytes weights
""")
"""Sections of a spec, keys of a node, figures of a budget."""

WORDS: Final = _table("""
same: samepad sameupper
valid: none nopadding
zeros: zero
reflect: reflection mirror
replicate: replication edge clamp nearest border
circular: wrap periodic
constant: const
bilinear: linear trilinear
nearest: nearestneighbor nn
batch: bn batchnorm batchnormalization
layer: ln layernorm layernormalization
group: gn groupnorm groupnormalization
instance: in instancenorm instancenormalization
project: projection conv
""")
"""Words among which an argument chooses."""

TABLES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "kinds": KINDS,
    "arguments": ARGUMENTS,
    "settings": SETTINGS,
    "sections": SECTIONS,
    "words": WORDS,
}

_UNSHUFFLE: Final = (
    "cnncli does not have the inverse of 'pixelshuffle'; a 'conv' with kernel 2 and stride 2 also turns 2x2 "
    "positions into channels"
)
_DEPTHWISE: Final = "write a 'conv' with as many 'groups' as it has input channels"
_SEPARABLE: Final = f"{_DEPTHWISE}, and a 'conv' with kernel 1 after it"
_OWN_KIND: Final = "cnncli has no such layer; a plug-in can add one"
_ATTENTION: Final = (
    "cnncli has no attention between positions; a gate for each channel is a 'multiply' with a branch that "
    "begins with 'globalavgpool: {keepdims: true}'"
)
_UNPOOL: Final = "cnncli has no inverse of 'maxpool'; 'upsample' or 'convtranspose' enlarges a map"
_AXES: Final = "a spec contains no code and does not reorder axes; a plug-in can add such a layer"
_CONTAINER: Final = "a list of layers needs no container; under 'blocks' it can have a name"
_SEVERAL: Final = "name several layers under 'blocks', and use the block here as if it were a layer"
_INPUT: Final = "the input is not a layer: write 'input: [3, 224, 224]' above 'layers'"


def _advice(possible: str, advice: str, names: str) -> dict[str, tuple[str, str]]:
    return dict.fromkeys(names.split(), (possible, advice))


MISSING: Final[Mapping[str, tuple[str, str]]] = {
    **_advice("pixelshuffle", _UNSHUFFLE, "pixelunshuffle spacetodepth"),
    **_advice("conv", _DEPTHWISE, "depthwise depthwiseconv depthwiseconvolution dwconv"),
    **_advice("conv", _SEPARABLE, "separable separableconv separableconvolution depthwiseseparableconv"),
    **_advice("multiply", _ATTENTION, "attention selfattention multiheadattention mha transformer cbam"),
    **_advice("conv", _OWN_KIND, "lstm gru rnn embedding selu celu softsign hardtanh maxout glu"),
    **_advice("upsample", _UNPOOL, "maxunpool"),
    **_advice("reshape", _AXES, "transpose permute lambda"),
    **_advice("conv", _CONTAINER, "sequential modulelist"),
    **_advice("conv", _SEVERAL, "layers"),
    **_advice("conv", _INPUT, "input inputlayer"),
    **_advice("cuda", "networks are trained on cuda, mps or cpu", "tpu npu xpu"),
    **_advice("probability", "'probability' is the share that is set to 0: 1 - keep_prob", "keepprob"),
    **_advice("size", "'size' is the number of channels: 2 * depth_radius + 1", "depthradius"),
}
"""Names for which cnncli has nothing: one of ours that is possible in the same place, and what to do."""

_FOLLOWS: Final = "leave it out: it follows from the layer before"
_FIRST: Final = "leave it out: channels are always the first axis"
OMITTED: Final[Mapping[str, str]] = {
    **dict.fromkeys(("inchannels", "infeatures", "inplanes", "numfeatures", "numchannels"), _FOLLOWS),
    **dict.fromkeys(("inputdim", "inputshape", "inputsize", "normalizedshape"), _FOLLOWS),
    **dict.fromkeys(("dim", "axis", "dataformat"), _FIRST),
    "inplace": "leave it out: it does not change what the layer computes",
}
"""Arguments of other frameworks that no kind needs, and why."""


@functools.lru_cache(maxsize=1024)
def plain(name: str) -> str:
    """Return a name without case, module, arguments and marks: ``nn.Conv2d(3, 8)`` is ``conv2d``."""
    called = name.partition("(")[0].casefold()
    return _MARKS.sub("", _MODULES.sub("", called))


@functools.lru_cache(maxsize=1024)
def bare(name: str) -> str:
    """Return :func:`plain` without the number of dimensions: ``conv``."""
    return _DIMENSIONS.sub("", plain(name)) or plain(name)


def ours(name: str, possible: Collection[str]) -> tuple[str, ...]:
    """Return what we call what others call ``name``, of the names that are possible here."""
    for table in TABLES.values():
        found = tuple(each for each in table.get(bare(name), ()) if each in possible)
        if found:
            return found
    return ()


def beginning(letters: str, possible: Collection[str]) -> tuple[str, ...]:
    """Return what others call the names that are possible here, of the names with these first letters."""
    entries = _by_beginning(len(letters)).get(letters, ())
    return tuple(name for name, called in entries if any(each in possible for each in called))


@functools.cache
def _by_beginning(length: int) -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    """Return all entries by the first letters of the foreign name."""
    found: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for table in TABLES.values():
        for name, called in table.items():
            found.setdefault(name[:length], []).append((name, called))
    return found


def missing(name: str, possible: Collection[str]) -> str:
    """Return what to do about a name for which cnncli has nothing; empty for other names."""
    alike, advice = MISSING.get(bare(name), ("", ""))
    return advice if alike in possible else ""


def omitted(name: str) -> str:
    """Return why an argument of other frameworks is not needed; empty for other names."""
    return OMITTED.get(bare(name), "")
