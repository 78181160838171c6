"""Selected entries of a matrix product, without the whole product. Each position logit costs one dot product.

The logit of query i and key j is (W_q x_i + v) . (W_R R)_k, where k is the relative position of i and j. Only some
entries (i, k) of the product of all queries with all rows occur. This is a sampled dense-dense product. Its gradients
are two products of a sparse matrix with a dense one.

A heads, Q queries, K rows, D head size, J keys of each query.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

WITH_SPARSE_PRODUCTS = ("cpu", "cuda")  # kinds of device


class Pattern(NamedTuple):
    """The entries to compute, as a sparse matrix (Q, K) by rows, and by columns for the gradient of the rows."""

    begins: Tensor  # int32 (Q + 1,) the first entry of each query
    columns: Tensor  # int32 (Q J,) the row that each entry uses
    order: Tensor  # int32 (Q J,) entries sorted by the row they use
    row_begins: Tensor  # int32 (K + 1,) the first entry of each row in that order
    queries: Tensor  # int32 (Q J,) the query of each entry in that order

    @property
    def shape(self) -> tuple[int, int]:
        """Q and K."""
        return len(self.begins) - 1, len(self.row_begins) - 1


def make_pattern(index: Tensor, num_rows: int) -> Pattern:
    """The pattern of an index int32 (..., J) into `num_rows` rows. Each leading place is a query."""
    keys = index.shape[-1]
    columns = index.flatten()  # (Q J,)
    ordered, order = columns.sort(stable=True)  # (Q J,) each
    order = order.int()
    each = torch.arange(num_rows + 1, dtype=columns.dtype, device=columns.device)  # (K + 1,)
    begins = torch.arange(0, columns.numel() + 1, keys, dtype=torch.int32, device=columns.device)  # (Q + 1,)
    return Pattern(
        begins,
        columns,
        order,
        torch.searchsorted(ordered, each, out_int32=True),
        torch.div(order, keys, rounding_mode="floor"),
    )


def sampled_product(query: Tensor, rows: Tensor, pattern: Pattern) -> Tensor:
    """out[a, e] = query[a, q_e] . rows[a, k_e] for every entry e of the pattern.

    Args:
        query: (A, Q, D); rows: (A, K, D), of the same dtype, float32 or float64.

    Returns:
        (A, Q J).
    """
    if query.device.type in WITH_SPARSE_PRODUCTS:
        return _SampledProduct.apply(query, rows, *pattern)
    # PyTorch has no sparse products on other devices: compute the whole product of one head at a time, then select.
    columns = pattern.columns.view(pattern.shape[0], -1).long()  # (Q, J)
    return torch.stack([(q @ r.T).gather(1, columns).flatten() for q, r in zip(query, rows, strict=True)])


class _SampledProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, rows: Tensor, *pattern: Tensor) -> Tensor:
        ctx.save_for_backward(query, rows, *pattern)
        own = Pattern(*pattern)
        entries = query.new_zeros(len(query), len(own.columns))  # (A, Q J)
        for a, values in enumerate(entries):
            # The sparse matrix is a view of `entries`. With itself as the output, it is filled in place.
            wanted = _sparse(own.begins, own.columns, values, own.shape)
            torch.sparse.sampled_addmm(wanted, query[a], rows[a].T, beta=0, out=wanted)
        return entries

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        query, rows, *pattern = ctx.saved_tensors
        own = Pattern(*pattern)
        of_query, of_rows = torch.empty_like(query), torch.empty_like(rows)  # (A, Q, D), (A, K, D)
        for a, values in enumerate(gradient):
            torch.mm(_sparse(own.begins, own.columns, values, own.shape), rows[a], out=of_query[a])
            by_row = _sparse(own.row_begins, own.queries, values.index_select(0, own.order), own.shape[::-1])
            torch.mm(by_row, query[a], out=of_rows[a])
        return of_query, of_rows, *(None for _ in pattern)


def _sparse(begins: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(begins, columns, values, shape, check_invariants=False)
