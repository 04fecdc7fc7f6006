"""The types of all parameters. Written by generate_parameters.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Optional, TypedDict, Union


class Parameters(TypedDict, total=False):
    """The parameters of docs/parameters.md. None means that a parameter is not set."""

    #: each 1 .. 65536. Default: 100
    layers: Optional[Union[int, Sequence[int]]]
    #: cross-entropy, bpr, top1, bpr-max, top1-max. Default: cross-entropy
    loss: Optional[Literal["cross-entropy", "bpr", "top1", "bpr-max", "top1-max"]]
    #: linear, relu, tanh, leaky-a, elu-a, selu-l-a; a >= 0, l > 0. Default: the loss's own: tanh for bpr and top1, elu-elu_param for bpr-max and top1-max
    final_act: Optional[str]
    #: linear, relu, tanh, leaky-a, elu-a, selu-l-a; a >= 0, l > 0. Default: tanh
    hidden_act: Optional[str]
    #: reset_before, reset_after. Default: reset_before
    gru_variant: Optional[Literal["reset_before", "reset_after"]]
    #: true, false. Default: true
    constrained_embedding: Optional[bool]
    #: 0 .. 65536, layersize. Default: 0
    embedding: Optional[Union[int, str]]
    #: last, history. Default: last
    input: Optional[Literal["last", "history"]]
    #: (0, 1]. Default: 0.9
    input_decay: Optional[float]
    #: 1 .. 1000. Default: 20
    history_max: Optional[int]
    #: true, false. Default: false
    deep_input: Optional[bool]
    #: 1 .. 1000000. Default: 32
    batch_size: Optional[int]
    #: 1 .. 1000000. Default: 10
    n_epochs: Optional[int]
    #: 1 .. 1000. Default: 1
    bptt: Optional[int]
    #: > 0. Default: 0.05; adadelta 1
    learning_rate: Optional[float]
    #: [0, 1). Default: 0
    momentum: Optional[float]
    #: sgd, adagrad, rmsprop, adadelta, adam. Default: adagrad
    adapt: Optional[Literal["sgd", "adagrad", "rmsprop", "adadelta", "adam"]]
    #: each [0, 1). Default: rmsprop 0.9, adadelta 0.95, adam 0.9/0.999
    adapt_params: Optional[Union[float, Sequence[float]]]
    #: >= 0. Default: 0
    lmbd: Optional[float]
    #: >= 0. Default: 0
    grad_cap: Optional[float]
    #: (0, 1]. Default: 1
    lr_decay: Optional[float]
    #: [0, 1). Default: 0
    dropout_p_embed: Optional[float]
    #: [0, 1). Default: 0
    dropout_p_hidden: Optional[float]
    #: 0 .. 10000000. Default: 2048
    n_sample: Optional[int]
    #: [0, 1]. Default: 0.5
    sample_alpha: Optional[float]
    #: true, false. Default: false
    mask_duplicates: Optional[bool]
    #: >= 0. Default: 0
    logq: Optional[float]
    #: [0, 1). Default: 0
    smoothing: Optional[float]
    #: true, false. Default: false
    pairwise_mean: Optional[bool]
    #: >= 0. Default: 1
    bpreg: Optional[float]
    #: >= 0. Default: 0.5
    elu_param: Optional[float]
    #: >= 0. Default: 0
    sigma: Optional[float]
    #: true, false. Default: false
    init_as_normal: Optional[bool]
    #: time, file, random. Default: time
    session_order: Optional[Literal["time", "file", "random"]]
