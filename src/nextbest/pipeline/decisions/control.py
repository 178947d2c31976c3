"""The permanent random control group: clients whom the model never chooses for.

Membership is a property of the client's id and the policy's salt alone. It needs no table, doesn't change
when clients come or go, and a group of a larger share holds the smaller one.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nextbest.pipeline.decisions.hashing import U64, id_hash, text_key, uniforms
from nextbest.pipeline.decisions.policy import ControlGroup


def in_control(
    client_ids: pl.Series, control: ControlGroup, *, hashes: U64 | None = None
) -> NDArray[np.bool_]:
    """Who is in the control group. Shape (N,).

    Parameters
    ----------
    client_ids
        Integers or strings, not null; 42 and "42" are the same client.
    control
        Share and salt.
    hashes
        What `id_hash` gave for these ids, where it is known already.

    Raises
    ------
    DataError
        Ids of another type, or null.
    """
    hash_N = id_hash(client_ids) if hashes is None else hashes
    return uniforms(hash_N, text_key(f"control:{control.salt}")) < control.share
