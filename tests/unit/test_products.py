"""The limit of a computation is made of its matrix products, forward and backward."""

import torch

from reassess.bench.products import Recorder, products_of


def step(layer, rows):
    layer(torch.ones(rows, 3)).sum().backward()


def shapes(recorder):
    return {
        tuple(layout[0] for layout in product): times
        for product, times in recorder.products.items()
    }


def test_products_are_counted_forward_and_backward():
    layer = torch.nn.Linear(3, 5)
    with Recorder() as recorder:
        step(layer, 4)
        step(layer, 4)
    assert shapes(recorder) == {((4, 3), (3, 5)): 2, ((5, 4), (4, 3)): 2}


def test_the_result_is_that_without_recording():
    torch.manual_seed(1)
    one, other = torch.rand(7, 3), torch.rand(3, 2)
    with Recorder():
        recorded = one @ other
    assert torch.equal(recorded, one @ other)


def test_the_same_number_of_products_is_done_again():
    layer = torch.nn.Linear(3, 5, bias=False)
    again = products_of(lambda: [step(layer, rows) for rows in (4, 4, 6)])
    with Recorder() as recorder:
        again()
    assert shapes(recorder) == {
        ((4, 3), (3, 5)): 2, ((5, 4), (4, 3)): 2, ((6, 3), (3, 5)): 1, ((5, 6), (6, 3)): 1,
    }  # fmt: skip


def test_a_broadcast_matrix_can_be_done_again():
    assert products_of(lambda: torch.ones(1, 3).expand(4, 3) @ torch.ones(3, 2))() > 0
