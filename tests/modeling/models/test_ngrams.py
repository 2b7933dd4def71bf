import pytest
import torch

from modeling.config import ModelConfig
from modeling.engines.rowwise_adagrad import RowwiseAdagrad
from modeling.models import build_model
from modeling.models.ngrams import BASE, PRIME, NgramEmbedding

SIZE, ROWS, WIDTH = 12, 40, 5


def some_ngrams(order=4, dropout=0.0):
    torch.manual_seed(0)
    ngrams = NgramEmbedding(order, ROWS, WIDTH, dropout, SIZE)
    torch.nn.init.normal_(ngrams.table)
    return ngrams


def some_ids(streams, length):
    return torch.randint(SIZE, (streams, length), generator=torch.Generator().manual_seed(1))


def place_by_hand(ngrams, newest_first):
    """The row of one n-gram by the definition of the hash, in Python integers."""
    order = len(newest_first)
    codes = [int(ngrams.codes[character]) for character in newest_first]
    rest = sum(code * int(power) for code, power in zip(codes, ngrams.powers, strict=False)) % PRIME
    return (order - 2) * ROWS + (rest ^ rest >> 15) * BASE % PRIME % ROWS


@pytest.mark.parametrize("order", [2, 3, 4])
def test_a_character_gets_the_sum_of_the_rows_of_its_ngrams(order):
    ngrams, ids = some_ngrams(order), some_ids(3, 9)
    before = some_ids(order - 1, 3)
    vectors = ngrams(ids, before)
    assert vectors.shape == (3, 9, WIDTH)
    for stream in range(3):
        text = [*before[:, stream].tolist(), *ids[stream].tolist()]
        for place in range(9):
            end = place + order
            rows = [
                place_by_hand(ngrams, text[end - length : end][::-1])
                for length in range(2, order + 1)
            ]
            wanted = ngrams.table[rows].sum(dim=0)
            torch.testing.assert_close(vectors[stream, place], wanted)


def test_ngrams_are_told_apart_by_their_order_and_by_every_character():
    ngrams = NgramEmbedding(3, 2**20, 1, 0.0, 100)
    grid = torch.cartesian_prod(torch.arange(20), torch.arange(100), torch.arange(100))
    places = ngrams.places(grid[:, 2:], grid[:, :2].t())[:, 0]
    assert places[:, 0].max() < 2**20 <= places[:, 1].min()
    # 10,000 and 200,000 of 2^20 rows: a random function fills 9,950 and 182,000 of them.
    assert places[:, 0].unique().numel() > 9_900
    assert places[:, 1].unique().numel() > 180_000


def test_a_fresh_table_says_nothing():
    ids = some_ids(2, 7)
    shape = ModelConfig(embedding_size=6, hidden_size=8, ngram_order=3)
    torch.manual_seed(3)
    plain = build_model(ModelConfig(embedding_size=6, hidden_size=8), SIZE)
    torch.manual_seed(3)
    with_table = build_model(shape, SIZE)
    with_table.load_state_dict(plain.state_dict(), strict=False)
    assert torch.equal(with_table(ids)[0], plain(ids)[0])


def test_dropout_leaves_out_ngrams_in_training_and_keeps_the_mean():
    ngrams, ids, before = some_ngrams(dropout=0.5), some_ids(1, 1), some_ids(3, 1)
    whole = ngrams.eval()(ids, before)
    ngrams.train()
    drawn = torch.stack([ngrams(ids, before) for _ in range(4000)])
    assert drawn.flatten(1).unique(dim=0).shape[0] == 2**3
    torch.testing.assert_close(drawn.mean(dim=0), whole, atol=0.15, rtol=0)


def test_an_order_of_one_is_refused():
    with pytest.raises(ValueError, match="ngram_order must be 0 for none, or 2 to 32"):
        ModelConfig(ngram_order=1)


@pytest.mark.parametrize("native", [True, False])
def test_rowwise_adagrad_divides_by_the_root_of_the_mean_squares_of_a_row(native):
    table = torch.zeros(5, 2)
    optimizer = RowwiseAdagrad(table, native=native)

    def update(rows, values):
        optimizer.step(torch.tensor(rows)[:, None], torch.tensor(values), 0.5)

    update([1, 3, 1], [[1.0, 2.0], [-4.0, 0.0], [2.0, 2.0]])
    # Row 1 has the gradient (3, 4), whose mean square is 12.5; row 3 has 8.
    first = torch.zeros(5, 2)
    first[1], first[3] = -0.5 * torch.tensor([[3, 4], [-4, 0]]) / torch.tensor([[12.5], [8]]).sqrt()
    torch.testing.assert_close(table, first)
    update([3], [[4.0, 0.0]])
    first[3, 0] -= 0.5 * 4 / 16**0.5
    torch.testing.assert_close(table, first)


def updated_slowly(table, squares, places, gradient, learning_rate):
    """One update in float64, row by row."""
    whole = torch.zeros_like(table)
    for rows, values in zip(places.tolist(), gradient.double(), strict=True):
        for row in rows:
            whole[row] += values
    for row in set(places.flatten().tolist()) - {len(table) - 1}:
        squares[row] += whole[row].square().mean()
        table[row] -= learning_rate * whole[row] / (squares[row].sqrt() + 1e-8)


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("rate", [0.1, torch.tensor(0.1)], ids=["number", "tensor"])
def test_rowwise_adagrad_is_its_slow_reference_and_leaves_the_last_row_alone(rate, native):
    """Most rows are listed many times, the last one most often."""
    generator = torch.Generator().manual_seed(2)
    table = torch.randn(9, 6, generator=generator)
    table[-1] = 0
    slow, squares = table.double(), torch.zeros(9, dtype=torch.float64)
    optimizer = RowwiseAdagrad(table, native=native)
    for _ in range(20):
        places = torch.randint(9, (31, 3), generator=generator)
        places[torch.rand(31, 3, generator=generator) < 0.4] = 8
        gradient = torch.randn(31, 6, generator=generator)
        optimizer.step(places, gradient, rate)
        updated_slowly(slow, squares, places, gradient, 0.1)
    torch.testing.assert_close(table.double(), slow, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(optimizer.squares.double(), squares, atol=1e-5, rtol=1e-5)
    assert torch.equal(table[-1], torch.zeros(6))


@pytest.mark.parametrize("native", [True, False])
def test_a_row_that_nothing_reads_keeps_its_bits(native):
    table = torch.randn(6, 3)
    before, optimizer = table.clone(), RowwiseAdagrad(table, native=native)
    for places in ([[1, 2]], [[3, 5]]):
        optimizer.step(torch.tensor(places), torch.ones(1, 3), 0.1)
    assert torch.equal(table[[0, 4, 5]], before[[0, 4, 5]])
    assert not (table[[1, 2, 3]] == before[[1, 2, 3]]).any()


def test_the_gradient_of_the_sums_is_that_of_every_row_they_consist_of():
    ngrams, ids, before = some_ngrams(), some_ids(3, 9), some_ids(3, 3)
    weights = torch.randn(3, 9, WIDTH)
    (ngrams(ids, before) * weights).sum().backward()
    places, gradient = ngrams.gradient()
    whole = torch.zeros_like(ngrams.table)
    for column in places.unbind(1):
        whole.index_add_(0, column, gradient)
    table = ngrams.table.clone().requires_grad_()
    rows = ngrams.places(ids, before)
    (torch.nn.functional.embedding(rows, table).sum(dim=2) * weights).sum().backward()
    torch.testing.assert_close(whole, table.grad)


def test_what_is_left_out_has_no_part_in_the_gradient_and_the_rest_counts_more():
    ngrams, ids, before = some_ngrams(dropout=0.5), some_ids(4, 50), some_ids(3, 4)
    ngrams(ids, before).sum().backward()
    places, gradient = ngrams.gradient()
    left_out = places == len(ngrams.table) - 1
    assert 0.4 < left_out.float().mean() < 0.6
    assert torch.equal(places[~left_out], ngrams.places(ids, before).flatten(0, 1)[~left_out])
    assert torch.equal(gradient, torch.full_like(gradient, 2))


def test_rare_ngrams_are_learned_that_an_lstm_of_that_width_has_no_room_for():
    """Random text in which three characters decide the next: 1,000 rules for 8 hidden values."""
    generator = torch.Generator().manual_seed(5)
    rules = torch.randint(10, (10, 10, 10), generator=generator)
    text = torch.randint(10, (2, 3000), generator=generator)
    for end in range(3, 3000):
        noisy = torch.rand(2, generator=generator) < 0.1
        following = rules[text[:, end - 3], text[:, end - 2], text[:, end - 1]]
        text[:, end] = torch.where(noisy, text[:, end], following)

    def loss_after_training(order):
        torch.manual_seed(0)
        model = build_model(ModelConfig(hidden_size=8, ngram_order=order, ngram_rows=4000), 10)
        dense = torch.optim.AdamW(model.dense_parameters(), lr=0.02)
        table = None if model.ngrams is None else RowwiseAdagrad(model.ngrams.table)
        for step in range(150):
            start = step % 14 * 200
            logits, _ = model(text[:, start : start + 200])
            wanted = text[:, start + 1 : start + 201]
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten())
            model.zero_grad()
            loss.backward()
            dense.step()
            if table is not None:
                table.step(*model.ngrams.gradient(), 0.3)
        return loss.item()

    assert loss_after_training(3) < loss_after_training(0) - 0.3
