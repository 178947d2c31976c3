"""The item table: rows that mean nothing stay nothing, features speak for items that have no events."""

import pytest
import torch
from torch.testing import assert_close

from nextbest.errors import InputError
from nextbest.models.sequence.item_table import ItemTable

NAN = float("nan")


def table(n_items=5, dim=4, *, seed=0, **options):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return ItemTable(n_items, dim, **options)


def features(n_items=5, n_columns=3, *, seed=2):
    return torch.randn(n_items, n_columns, generator=torch.Generator().manual_seed(seed))


def all_rows(made):
    return made.vectors(torch.arange(made.n_items + 2))


@pytest.mark.parametrize("features_IF", [None, features()])
def test_pad_is_zero_and_stays_zero_while_the_rest_learns(features_IF):
    made = table(features_IF=features_IF)
    before = all_rows(made).detach().clone()
    optimizer = torch.optim.AdamW(made.parameters(), lr=0.1, weight_decay=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        all_rows(made).exp().sum().backward()
        optimizer.step()
    after = all_rows(made).detach()
    assert (before[made.pad] == 0).all()
    assert (after[made.pad] == 0).all()
    moved = [*range(5), made.mask]
    assert (after[moved] != before[moved]).all()


@pytest.mark.parametrize("features_IF", [None, features()])
def test_one_table_reads_and_scores(features_IF):
    made = table(features_IF=features_IF, bias=True)
    assert torch.equal(made.all_vectors(), all_rows(made)[:5])
    items = torch.tensor([[3, 0], [1, 3]])
    assert torch.equal(made.vectors(items), made.all_vectors()[items])
    assert torch.equal(made.bias(items), made.all_bias()[items])
    assert (made.pad, made.mask) == (5, 6)


def test_bias_is_there_only_where_asked_for_and_learns():
    assert table().all_bias() is None
    assert table().bias(torch.tensor([0])) is None
    made = table(bias=True)
    assert (made.all_bias() == 0).all()
    made.bias(torch.tensor([1, 1, 3])).sum().backward()
    assert made.bias_I1.weight.grad[:, 0].tolist() == [0, 2, 0, 1, 0]


@pytest.mark.parametrize("dim", [4, 64])
@pytest.mark.parametrize("n_columns", [None, 3, 40])
def test_vectors_start_about_one_long(dim, n_columns):
    options = {} if n_columns is None else {"features_IF": features(2000, n_columns)}
    lengths = table(2000, dim, **options).all_vectors().square().sum(1)
    # a map of three features shares its three columns among all items, so its length varies from table to table
    assert lengths.mean().item() == pytest.approx(1, abs=0.05 if n_columns is None else 0.6)


def test_the_same_seed_gives_the_same_table():
    assert torch.equal(all_rows(table()), all_rows(table()))
    assert not torch.equal(all_rows(table()), all_rows(table(seed=1)))


def test_features_of_any_unit_give_the_same_vectors():
    plain = features(50)
    scaled = plain * torch.tensor([1e4, 1.0, 1e-3]) + torch.tensor([1e5, 0.0, 7.0])
    a, b = (table(50, features_IF=f).all_vectors() for f in (plain, scaled))
    assert_close(a, b, atol=2e-3, rtol=0)


def test_flags_are_read_as_they_are_and_a_constant_column_as_nothing():
    flags = torch.tensor([[1.0, 7.0], [0.0, 7.0], [0.0, 7.0], [NAN, 7.0], [0.0, 7.0]])
    made = table(features_IF=flags)
    read = made.features(torch.arange(7))
    assert read[:, 0].tolist() == [1, 0, 0, 0, 0, 0, 0]
    assert (read[:, 1] == 0).all()
    assert read[:, 2].tolist() == [0, 0, 0, 1, 0, 0, 0]  # unknown, said in a column of its own


def test_an_unknown_value_is_read_as_the_mean_and_a_wild_one_is_cut():
    prices = torch.cat([torch.tensor([1.0, 2.0, 3.0, NAN]), torch.full((996,), 2.0), torch.tensor([1e9])])[
        :, None
    ]
    read = table(1001, features_IF=prices).features(torch.arange(1001))
    assert read[3].tolist() == [0, 1]
    assert read[1000].tolist() == [10, 0]
    assert read.isfinite().all()


def test_a_column_of_nothing_but_unknown_values_is_harmless():
    made = table(features_IF=torch.full((5, 1), NAN))
    made.all_vectors().sum().backward()
    assert made.all_vectors().isfinite().all()
    assert made.features(torch.arange(5)).tolist() == [[0, 1]] * 5


def test_an_items_features_move_its_vector():
    f = features()
    other = f.clone()
    other[2] += 1
    moved = (
        table(features_IF=f).features(torch.arange(5)) != table(features_IF=other).features(torch.arange(5))
    ).any(1)
    assert moved[2]
    made = table(features_IF=f)
    with torch.no_grad():
        made.own.weight.zero_()
    assert_close(made.all_vectors(), made.features(torch.arange(5)) @ made.projection.weight.T)


def test_id_dropout_leaves_an_item_its_features_only_and_mask_its_own():
    made = table(300, features_IF=features(300), id_dropout=0.4).train()
    torch.manual_seed(0)
    drawn = made.all_vectors().detach()
    alone = made.projection(made.features(torch.arange(300))).detach()
    whole = made.eval().all_vectors().detach()
    dropped = (drawn == alone).all(1)
    kept = (drawn == whole).all(1)
    assert (dropped ^ kept).all()
    assert dropped.double().mean().item() == pytest.approx(0.4, abs=0.15)
    made.train()
    masks = made.vectors(torch.full((50,), made.mask))
    assert torch.equal(masks, made.own.weight[made.mask].expand(50, -1))


def test_id_dropout_follows_the_seed_and_ends_with_training():
    made = table(50, features_IF=features(50), id_dropout=0.5).train()
    torch.manual_seed(1)
    first = made.all_vectors()
    assert not torch.equal(first, made.all_vectors())
    torch.manual_seed(1)
    assert torch.equal(first, made.all_vectors())
    made.eval()
    assert torch.equal(made.all_vectors(), made.all_vectors())


def test_new_items_are_read_by_their_features_and_old_ones_stay():
    old_features = features(5)
    old_features[0, 1] = NAN
    made = table(features_IF=old_features, bias=True, id_dropout=0.3)
    with torch.no_grad():
        made.bias_I1.weight.copy_(torch.arange(5.0)[:, None])
    new_features = torch.stack([old_features[3], torch.tensor([NAN, NAN, 2.0])])
    more = made.eval().with_items(new_features)
    assert (more.n_items, more.pad, more.mask, more.id_dropout) == (7, 7, 8, 0.3)
    assert_close(more.all_vectors()[:5], made.all_vectors(), atol=1e-6, rtol=0)
    assert_close(more.vectors(torch.tensor([7, 8])), made.vectors(torch.tensor([5, 6])), atol=1e-6, rtol=0)
    assert_close(more.all_vectors()[5], made.projection(made.features(torch.tensor(3))))
    assert more.all_vectors()[6].isfinite().all()
    assert more.all_bias().tolist() == [0, 1, 2, 3, 4, 2, 2]
    assert made.n_items == 5
    assert not more.training


def test_new_items_learn_and_a_table_with_them_moves_by_its_weights():
    made = table(features_IF=features()).with_items(features(2, seed=8))
    made.all_vectors().sum().backward()
    assert (made.own.weight.grad[:7] == 1).all()
    other = table(features_IF=features(seed=5), seed=3).with_items(features(2, seed=9))
    other.load_state_dict(made.state_dict())
    assert torch.equal(other.all_vectors(), made.all_vectors())


def test_the_table_of_a_state_dict_is_the_same_table():
    f = features()
    f[1, 1] = NAN
    made, other = table(features_IF=f, bias=True), table(features_IF=f, bias=True, seed=4)
    other.load_state_dict(made.state_dict())
    assert torch.equal(all_rows(made), all_rows(other))


def test_a_map_of_features_alone_learns_what_tells_new_items_apart():
    """Items of two groups; a new item's features say its group, and its vector lands there."""
    group = torch.arange(40) % 2
    torch.manual_seed(0)
    flags = torch.nn.functional.one_hot(group).float()
    made = table(40, 8, features_IF=flags, id_dropout=0.3).train()
    wanted = torch.randn(2, 8)
    optimizer = torch.optim.Adam(made.parameters(), lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        (made.all_vectors() - wanted[group]).square().sum().backward()
        optimizer.step()
    new = made.eval().with_items(torch.eye(2)).all_vectors()[40:]
    assert_close(new.detach(), wanted, atol=0.3, rtol=0)


def test_an_empty_catalogue_is_a_table_too():
    made = table(0, bias=True)
    assert made.all_vectors().shape == (0, 4)
    assert made.vectors(torch.tensor([0, 1])).shape == (2, 4)
    grown = table(0, features_IF=torch.zeros(0, 2), bias=True).with_items(torch.ones(1, 2))
    assert grown.all_vectors().isfinite().all()
    assert grown.all_bias().tolist() == [0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ItemTable(-1, 4), "n_items: must be 0 or more; got -1"),
        (lambda: ItemTable(3, 0), "dim: must be 1 or more; got 0"),
        (lambda: ItemTable(3, 4, id_dropout=0.5), "id_dropout: needs features"),
        (lambda: ItemTable(3, 4, id_dropout=1.0), "id_dropout: must be 0 or more and below 1; got 1.0"),
        (lambda: table(3, features_IF=features(4)), "features: must have shape (3, F); got (4, 3)"),
        (lambda: table(3, features_IF=features(3)[0]), "features: must have shape (3, F); got (3,)"),
        (
            lambda: table(3, features_IF=torch.tensor([[0.0], [torch.inf], [-torch.inf]])),
            "features: must be finite or NaN; 2 row(s) break it; got [1, 2]",
        ),
        (lambda: table().with_items(features(1)), "features_MF: this model was trained without features"),
        (
            lambda: table(features_IF=features()).with_items(features(1, 2)),
            "features: must have shape (M, 3); got (1, 2)",
        ),
    ],
)
def test_bad_input_is_told(make, message):
    with pytest.raises(InputError) as caught:
        make()
    assert str(caught.value).startswith(message)
