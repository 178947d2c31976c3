"""What every encoder promises: no look ahead, no word from padding, and a short way to the state that answers."""

import copy

import pytest
import torch
from torch.testing import assert_close

from models.sequence.encoder_cases import CASES, CAUSAL, DIM, MAX_LEN, encoder, sasrec, windows
from nextbest.errors import InputError
from nextbest.models.sequence.encoders.gru import GRUEncoder
from nextbest.models.sequence.encoders.transformer import TransformerEncoder

TOLERANCE = {"atol": 1e-5, "rtol": 0}


def influence(encode, x_BLD, length_B):
    """Size of the gradient of the state of place l with respect to the input of place m, shape (l, m)."""
    x_BLD = x_BLD.requires_grad_()
    h_BLD = encode(x_BLD, length_B)
    rows = [
        torch.autograd.grad(h_BLD[0, place].sum(), x_BLD, retain_graph=True)[0]
        for place in range(h_BLD.shape[1])
    ]
    return torch.stack(rows)[:, 0].abs().sum(-1)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", CAUSAL)
def test_no_state_of_a_causal_encoder_sees_the_future(name, training):
    made = encoder(name, dropout=0.3).train(training)
    felt = influence(made, *windows(MAX_LEN))
    assert made.is_causal
    assert (felt.triu(1) == 0).all()
    assert (felt.diagonal() > 0).all()
    if not training:  # dropout may silence a place
        assert (felt.tril() > 0).sum() == MAX_LEN * (MAX_LEN + 1) / 2


@pytest.mark.parametrize("name", ["bert4rec", "bert4rec, post-norm, three blocks"])
def test_a_bidirectional_encoder_sees_all_of_the_window_and_no_padding(name):
    made = encoder(name)
    felt = influence(made, *windows(4, n_places=MAX_LEN))
    assert not made.is_causal
    assert (felt[:4, :4] > 0).all()
    assert (felt[:4, 4:] == 0).all()


@pytest.mark.parametrize("name", CASES)
def test_padding_changes_no_state(name):
    made = encoder(name)
    x_BLD, length_B = windows(3, 5, 1, n_places=MAX_LEN)
    for row, length in enumerate(length_B.tolist()):
        alone_LD = made(x_BLD[row : row + 1, :length], torch.tensor([length]))[0]
        for padding in (0.0, 1e3):
            padded_BLD = x_BLD.clone()
            padded_BLD[row, length:] = padding
            assert_close(made(padded_BLD, length_B)[row, :length], alone_LD, **TOLERANCE)
            assert_close(made.last(padded_BLD, length_B)[row], alone_LD[-1], **TOLERANCE)


@pytest.mark.parametrize("name", CASES)
def test_states_of_padded_places_are_finite(name):
    assert encoder(name)(*windows(0, 2, MAX_LEN)).isfinite().all()


@pytest.mark.parametrize("name", CASES)
def test_the_order_of_a_batch_changes_no_state(name):
    made = encoder(name)
    x_BLD, length_B = windows(3, 0, 7, 1)
    order = torch.tensor([2, 0, 3, 1])
    assert_close(made(x_BLD[order], length_B[order]), made(x_BLD, length_B)[order], **TOLERANCE)
    assert_close(made.last(x_BLD[order], length_B[order]), made.last(x_BLD, length_B)[order], **TOLERANCE)


@pytest.mark.parametrize("name", CASES)
def test_last_is_the_state_of_the_newest_event(name):
    made = encoder(name)
    x_BLD, length_B = windows(1, 4, MAX_LEN, 4)
    expected = made(x_BLD, length_B)[torch.arange(4), length_B - 1]
    assert_close(made.last(x_BLD, length_B), expected, **TOLERANCE)


@pytest.mark.parametrize("name", CASES)
def test_last_of_an_empty_window_is_zero(name):
    made = encoder(name)
    x_BLD, length_B = windows(0, 3, 0)
    assert (made.last(x_BLD, length_B)[[0, 2]] == 0).all()
    assert (made.last(x_BLD[:, :0], length_B * 0) == 0).all()
    assert made.last(x_BLD[:, :0], length_B * 0).shape == (3, DIM)


@pytest.mark.parametrize("name", CASES)
def test_dropout_acts_in_training_only_and_follows_the_seed(name):
    made = encoder(name, dropout=0.5)
    batch = windows(5, 3)
    assert_close(made(*batch), encoder(name)(*batch), atol=0, rtol=0)
    made.train()
    torch.manual_seed(3)
    first = made(*batch)
    assert not torch.equal(first, made(*batch))
    torch.manual_seed(3)
    assert torch.equal(first, made(*batch))


@pytest.mark.parametrize("name", CASES)
def test_the_same_seed_gives_the_same_weights(name):
    a, b, c = (dict(encoder(name, seed=seed).named_parameters()) for seed in (0, 0, 1))
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not any(torch.equal(a[key], c[key]) for key in a)


@pytest.mark.parametrize("name", CASES)
def test_weights_move_to_another_encoder_by_name(name):
    made, other = encoder(name), encoder(name, seed=9)
    batch = windows(2, 6)
    assert not torch.allclose(made(*batch), other(*batch))
    other.load_state_dict({key: value.clone() for key, value in made.state_dict().items()})
    assert torch.equal(made(*batch), other(*batch))
    assert torch.equal(made(*batch), copy.deepcopy(made)(*batch))


@pytest.mark.parametrize("name", CASES)
def test_every_weight_learns(name):
    made = encoder(name).train()
    made(*windows(MAX_LEN, 4)).square().sum().backward()
    silent = [key for key, weight in made.named_parameters() if weight.grad is None or not weight.grad.any()]
    # softmax doesn't see what a bias of keys adds to all places alike: only rounding is left of its gradient
    assert silent == []


@pytest.mark.parametrize("name", CASES)
def test_gradients_of_last_are_those_of_forward(name):
    made = encoder(name)
    x_BLD, length_B = windows(2, 5, MAX_LEN)
    made.last(x_BLD, length_B).square().sum().backward()
    short = {key: weight.grad.clone() for key, weight in made.named_parameters() if weight.grad is not None}
    made.zero_grad()
    made(x_BLD, length_B)[torch.arange(3), length_B - 1].square().sum().backward()
    for key, weight in made.named_parameters():
        grad = short.get(key, torch.zeros_like(weight))
        assert_close(grad, weight.grad, atol=2e-4, rtol=1e-4, msg=lambda text, key=key: f"{key}: {text}")


def test_the_order_of_events_counts_in_both_kinds_of_attention():
    x_BLD, length_B = windows(4)
    for name in ("sasrec", "bert4rec"):
        made = encoder(name)
        swapped = x_BLD[:, [1, 0, 2, 3]]
        assert not torch.allclose(made.last(x_BLD, length_B), made.last(swapped, length_B), atol=1e-3)


def test_attention_dropout_acts_in_training_on_all_blocks():
    made = encoder("sasrec, one block", attention_dropout=0.5).train()
    x_BLD, length_B = windows(MAX_LEN)
    assert not torch.equal(made(x_BLD, length_B), made(x_BLD, length_B))
    assert not torch.equal(made.last(x_BLD, length_B), made.last(x_BLD, length_B))


def test_more_places_than_positions_are_told():
    x_BLD = torch.zeros(1, MAX_LEN + 1, DIM)
    for ask in (sasrec(), sasrec().last):
        with pytest.raises(InputError, match="more places than the 7 positions; got 8"):
            ask(x_BLD, torch.tensor([1]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GRUEncoder(0), "dim: must be 1 or more; got 0"),
        (lambda: GRUEncoder(4, n_layers=0), "n_layers: must be 1 or more; got 0"),
        (lambda: GRUEncoder(4, hidden_size=-1), "hidden_size: must be 1 or more; got -1"),
        (lambda: GRUEncoder(4, dropout=1.0), "dropout: must be 0 or more and below 1; got 1.0"),
        (lambda: sasrec(n_heads=3), "n_heads: must divide the 8 dims of an item vector; got 3"),
        (lambda: sasrec(n_blocks=0), "n_blocks: must be 1 or more; got 0"),
        (lambda: sasrec(norm="both"), "norm: must be 'pre' or 'post'; got 'both'"),
        (lambda: sasrec(activation="tanh"), "activation: must be 'gelu' or 'relu'; got 'tanh'"),
        (lambda: TransformerEncoder(4, max_len=0, is_causal=True), "max_len: must be 1 or more; got 0"),
    ],
)
def test_settings_out_of_range_are_told(make, message):
    with pytest.raises(InputError) as caught:
        make()
    assert str(caught.value) == message
