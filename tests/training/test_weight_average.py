"""The moving average of weights in short trainings."""

import torch

from edgevision.training.weight_average import RampedAverage


def test_the_first_weights_are_forgotten_soon_and_later_ones_slowly() -> None:
    average = RampedAverage(0.99)._kwargs["avg_fn"]
    value = torch.zeros(())
    for step in range(1, 40):
        value = average(value, torch.ones(()), torch.tensor(step))
    assert value > 0.999
    late = average(torch.zeros(()), torch.ones(()), torch.tensor(100_000))
    assert abs(float(late) - 0.01) < 1e-6
