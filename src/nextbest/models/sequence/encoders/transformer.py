"""Self-attention over a window: SASRec reads it one way, BERT4Rec both ways.

Axes: B windows, L places, D dims, H heads, E dims of a head (D = H x E).
"""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from nextbest.errors import InputError
from nextbest.models.sequence.encoders.base import Encoder, newest, zero_where_empty
from nextbest.models.sequence.encoders.dropout import Dropout
from nextbest.models.sequence.encoders.gelu import gelu

if TYPE_CHECKING:
    from nextbest.models.sequence.onnx_graph import GraphBuilder

Norm = Literal["pre", "post"]
Activation = Literal["gelu", "relu"]
_EPS = 1e-5
_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"gelu": gelu, "relu": functional.relu}


class TransformerEncoder(Encoder):
    """Blocks of attention and a two-layer network, with learned positions counted from the window's start.

    Parameters
    ----------
    dim
        D: size of item vectors and states; a multiple of `n_heads`.
    max_len
        Places that have a position. A model that appends a mask to a history asks for one more.
    is_causal
        True: a place attends to itself and older ones (SASRec). False: to all of the window (BERT4Rec).
    n_blocks, n_heads
        1 or more each.
    feed_forward
        Inner size of the two-layer network; unit: `dim`.
    dropout
        Share dropped of vectors with positions and of what each half of a block adds.
    attention_dropout
        Share of attention weights that is dropped. 0 by default: on a CPU it doubles the price of attention.
    norm
        `pre`: each half of a block normalises what it reads, and the end once more (Xiong et al. 2020: trains
        without warm-up). `post`: each half normalises what it leaves (the papers' own).
    activation
        Of the two-layer network.

    Raises
    ------
    InputError
        A size below 1, `dim` isn't a multiple of `n_heads`, or a dropout that isn't in [0, 1).

    Notes
    -----
    Kang & McAuley 2018 (SASRec), Sun et al. 2019 (BERT4Rec), Vaswani et al. 2017 for the vectors' factor sqrt(D).
    """

    def __init__(
        self,
        dim: int,
        *,
        max_len: int,
        is_causal: bool,
        n_blocks: int = 2,
        n_heads: int = 1,
        feed_forward: int = 1,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        norm: Norm = "pre",
        activation: Activation = "gelu",
    ) -> None:
        super().__init__()
        sizes = {
            "dim": dim,
            "max_len": max_len,
            "n_blocks": n_blocks,
            "n_heads": n_heads,
            "feed_forward": feed_forward,
        }
        for name, value in sizes.items():
            if value < 1:
                raise InputError(name, "must be 1 or more", value=value)
        if dim % n_heads:
            raise InputError("n_heads", f"must divide the {dim} dims of an item vector", value=n_heads)
        if norm not in ("pre", "post"):
            raise InputError("norm", "must be 'pre' or 'post'", value=norm)
        if activation not in _ACTIVATIONS:
            raise InputError("activation", "must be 'gelu' or 'relu'", value=activation)
        self.dim, self.max_len, self.is_causal, self.norm = dim, max_len, is_causal, norm
        self.positions = nn.Embedding(max_len, dim)
        self.dropout = Dropout(dropout)
        blocks = [
            Block(
                dim,
                is_causal=is_causal,
                n_heads=n_heads,
                inner=feed_forward * dim,
                dropout=dropout,
                attention_dropout=attention_dropout,
                norm=norm,
                activation=activation,
                share=1 / n_blocks,
            )
            for _ in range(n_blocks)
        ]
        self.blocks: Sequence[Block] = cast(Sequence[Block], nn.ModuleList(blocks))
        # post-norm: the first block reads normalised vectors too, as in BERT; pre-norm: the sum ends normalised
        self.outer_norm = nn.LayerNorm(dim, _EPS)
        # item vectors arrive with numbers of about 1 (see `_with_positions`): places speak, items speak louder
        nn.init.normal_(self.positions.weight, std=dim**-0.5)

    def forward(self, x_BLD: Tensor, length_B: Tensor) -> Tensor:
        x_BLD = self._with_positions(x_BLD)
        seen_B11L = None if self.is_causal else _within(length_B, x_BLD.shape[1])
        for block in self.blocks:
            x_BLD = block(x_BLD, seen_B11L)
        return self._end(x_BLD)

    def last(self, x_BLD: Tensor, length_B: Tensor) -> Tensor:
        if not x_BLD.shape[1]:
            return x_BLD.new_zeros(len(x_BLD), self.dim)
        x_BLD = self._with_positions(x_BLD)
        within_B11L = _within(length_B, x_BLD.shape[1])
        for block in self.blocks[:-1]:
            x_BLD = block(x_BLD, None if self.is_causal else within_B11L)
        return zero_where_empty(self._end(self.blocks[-1].last(x_BLD, length_B, within_B11L)), length_B)

    def _with_positions(self, x_BLD: Tensor) -> Tensor:
        n_places = x_BLD.shape[1]
        if n_places > self.max_len:
            raise InputError("x_BLD", f"has more places than the {self.max_len} positions", value=n_places)
        x_BLD = torch.add(self.positions.weight[:n_places], x_BLD, alpha=math.sqrt(self.dim))
        x_BLD = self.outer_norm(x_BLD) if self.norm == "post" else x_BLD
        dropped: Tensor = self.dropout(x_BLD)
        return dropped

    def _end(self, x: Tensor) -> Tensor:
        ended: Tensor = self.outer_norm(x) if self.norm == "pre" else x
        return ended

    def onnx(self) -> bytes:
        from nextbest.models.sequence.onnx_graph import GraphBuilder

        graph = GraphBuilder(self.dim)
        positions_LD = graph.first_places(self.positions.weight)
        x = graph.op("Add", graph.op("Mul", graph.x, graph.scalar(math.sqrt(self.dim))), positions_LD)
        x = graph.layer_norm(x, self.outer_norm) if self.norm == "post" else x
        within = graph.log_within()
        for block in self.blocks[:-1]:
            x = block.onnx(graph, x, graph.log_causal() if self.is_causal else within)
        h = self.blocks[-1].onnx_last(graph, x, within)
        h = graph.layer_norm(h, self.outer_norm) if self.norm == "pre" else h
        return graph.finish(graph.zero_where_empty(h))


class Block(nn.Module):
    """Attention, then a two-layer network; each adds to what it read. `share`: of all blocks' sum, for the start."""

    def __init__(
        self,
        dim: int,
        *,
        is_causal: bool,
        n_heads: int,
        inner: int,
        dropout: float,
        attention_dropout: float,
        norm: Norm,
        activation: Activation,
        share: float,
    ) -> None:
        super().__init__()
        self.n_heads, self.is_causal, self.norm, self.activation = n_heads, is_causal, norm, activation
        self.attention_dropout = Dropout(attention_dropout).p
        self.norm_attention, self.norm_network = nn.LayerNorm(dim, _EPS), nn.LayerNorm(dim, _EPS)
        self.qkv, self.mixed = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.inner, self.outer = nn.Linear(dim, inner), nn.Linear(inner, dim)
        self.dropout = Dropout(dropout)
        # numbers of size 1 stay of size 1; what 2 x n_blocks halves add sums to size 1 (Radford et al. 2019)
        for layer, gain in (
            (self.qkv, 1.0),
            (self.inner, 1.0),
            (self.mixed, (share / 2) ** 0.5),
            (self.outer, (share / 2) ** 0.5),
        ):
            nn.init.normal_(layer.weight, std=gain * layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)

    def forward(self, x_BLD: Tensor, seen_B11L: Tensor | None) -> Tensor:
        n_windows, n_places, dim = x_BLD.shape
        y_BLD = self._read(x_BLD, self.norm_attention)
        qkv = self.qkv(y_BLD).view(n_windows, n_places, 3, self.n_heads, -1).permute(2, 0, 3, 1, 4)
        q_BHLE, k_BHLE, v_BHLE = qkv.unbind(0)
        mixed_BHLE = functional.scaled_dot_product_attention(
            q_BHLE,
            k_BHLE,
            v_BHLE,
            attn_mask=seen_B11L,
            is_causal=self.is_causal,
            dropout_p=self.attention_dropout if self.training else 0.0,
        )
        mixed_BLD = self.mixed(mixed_BHLE.transpose(1, 2).reshape(n_windows, n_places, dim))
        return self._network(self._added(x_BLD, mixed_BLD, self.norm_attention))

    def last(self, x_BLD: Tensor, length_B: Tensor, within_B11L: Tensor) -> Tensor:
        """The block at each window's newest event, shape (B, D).

        One query a window: it is taken through the keys' map to meet what keys are made of, and the values' map is
        taken of the weighted mean instead of all places. The keys' bias adds the same to all places and drops out.
        """
        n_windows, _, dim = x_BLD.shape
        w_qHED, w_kHED, w_vHED = self.qkv.weight.view(3, self.n_heads, -1, dim).unbind(0)
        b_qHE, _, b_vHE = self.qkv.bias.view(3, self.n_heads, -1).unbind(0)
        y_BLD = self._read(x_BLD, self.norm_attention)
        x_BD, y_BD = newest(x_BLD, length_B), newest(y_BLD, length_B)
        q_BHE = torch.einsum("bd,hed->bhe", y_BD, w_qHED) + b_qHE
        q_BHD = torch.einsum("bhe,hed->bhd", q_BHE, w_kHED) / math.sqrt(dim // self.n_heads)
        logits_BHL = (q_BHD @ y_BLD.transpose(1, 2)).masked_fill(~within_B11L[:, 0], -torch.inf)
        weight_BHL = functional.dropout(logits_BHL.softmax(-1), self.attention_dropout, self.training)
        # dropped weights don't add up to 1, so the bias comes with their sum
        mean_BHE = torch.einsum("bhd,hed->bhe", weight_BHL @ y_BLD, w_vHED) + b_vHE * weight_BHL.sum(
            -1, keepdim=True
        )
        mixed_BD = self.mixed(mean_BHE.reshape(n_windows, dim))
        return self._network(self._added(x_BD, mixed_BD, self.norm_attention))

    def _network(self, x: Tensor) -> Tensor:
        inner = _ACTIVATIONS[self.activation](self.inner(self._read(x, self.norm_network)))
        return self._added(x, self.outer(inner), self.norm_network)

    def _read(self, x: Tensor, norm: nn.LayerNorm) -> Tensor:
        read: Tensor = norm(x) if self.norm == "pre" else x
        return read

    def _added(self, x: Tensor, part: Tensor, norm: nn.LayerNorm) -> Tensor:
        added: Tensor = x + self.dropout(part)
        return norm(added) if self.norm == "post" else added

    def onnx(self, graph: "GraphBuilder", x: str, log_seen: str) -> str:
        y = graph.layer_norm(x, self.norm_attention) if self.norm == "pre" else x
        q, k, v = (graph.heads(graph.linear(y, *part), self.n_heads) for part in self._parts())
        mixed = graph.from_heads(graph.attention(q, k, v, log_seen=log_seen, dim=self._head_dim), graph.dim)
        return self._onnx_network(
            graph, self._onnx_added(graph, x, graph.linear(mixed, self.mixed), self.norm_attention)
        )

    def onnx_last(self, graph: "GraphBuilder", x: str, log_within: str) -> str:
        """`last`, step for step."""
        (w_q, b_q), (w_k, _), (w_v, b_v) = self._parts()
        y = graph.layer_norm(x, self.norm_attention) if self.norm == "pre" else x
        x_B1D, y_B1D = graph.newest(x), graph.newest(y)
        q_BH1E = graph.heads(graph.linear(y_B1D, w_q, b_q), self.n_heads)
        by_head = (self.n_heads, self._head_dim, -1)
        q_BH1D = graph.op("MatMul", q_BH1E, graph.constant(w_k.view(by_head)))
        y_B1LD = graph.op("Unsqueeze", y, graph.ints([1]))
        mean_BH1D = graph.attention(q_BH1D, y_B1LD, y_B1LD, log_seen=log_within, dim=self._head_dim)
        v_BH1E = graph.op("MatMul", mean_BH1D, graph.constant(w_v.view(by_head).transpose(1, 2)))
        mixed = graph.op("Add", graph.from_heads(v_BH1E, graph.dim), graph.constant(b_v))
        added = self._onnx_added(graph, x_B1D, graph.linear(mixed, self.mixed), self.norm_attention)
        return graph.op("Squeeze", self._onnx_network(graph, added), graph.ints([1]))

    def _onnx_network(self, graph: "GraphBuilder", x: str) -> str:
        y = graph.layer_norm(x, self.norm_network) if self.norm == "pre" else x
        inner = graph.linear(y, self.inner)
        inner = graph.gelu(inner) if self.activation == "gelu" else graph.op("Relu", inner)
        return self._onnx_added(graph, x, graph.linear(inner, self.outer), self.norm_network)

    def _onnx_added(self, graph: "GraphBuilder", x: str, part: str, norm: nn.LayerNorm) -> str:
        added = graph.op("Add", x, part)
        return graph.layer_norm(added, norm) if self.norm == "post" else added

    @property
    def _head_dim(self) -> int:
        return self.mixed.in_features // self.n_heads

    def _parts(self) -> list[tuple[Tensor, Tensor]]:
        """Weight and bias of queries, keys and values."""
        return list(zip(self.qkv.weight.chunk(3), self.qkv.bias.chunk(3), strict=True))


def _within(length_B: Tensor, n_places: int) -> Tensor:
    """True at places with an event, shape (B, 1, 1, L); an empty window keeps its first, so that weights stay finite."""
    places_L = torch.arange(n_places, device=length_B.device)
    return (places_L < length_B.clamp(min=1)[:, None])[:, None, None, :]
