"""Private training: it spends what the accountant says, its noise is there, and no picture is in every batch."""

import numpy as np
import onnx
import pytest
import torch

from edgevision.core.errors import InputError
from edgevision.modelfiles.model_file import require_metadata
from edgevision.models import build_model
from edgevision.training.settings import Balance, ClassifierSettings, Mix, MixedPrecision

pytest.importorskip("opacus")
from edgevision.training.private_learning import PoissonBatches, PrivateLearning, private_options


def learning(**changes: object) -> PrivateLearning:
    return PrivateLearning(ClassifierSettings(private=True, batch_size=64, epochs=4, **changes), 1000)  # type: ignore[arg-type]


def test_the_budget_lasts_to_the_end_and_no_longer() -> None:
    private = learning(epsilon=3.0)
    spent = [private.spent(private.steps_an_epoch * epochs).epsilon for epochs in (1, 4, 5)]
    assert spent[0] < spent[1] <= 3.001 < spent[2]
    assert spent[1] == pytest.approx(3.0, abs=0.05)
    assert learning(epsilon=1.0).spent(10).noise > private.spent(10).noise


def test_every_picture_is_in_a_batch_with_the_same_probability() -> None:
    batches = list(PoissonBatches(200, 0.25, 400))
    assert len(batches) == 400
    counts = np.bincount(np.concatenate(batches), minlength=200)
    # Of 400 batches a quarter, give or take five standard deviations; their sizes differ, as fixed ones would not.
    assert np.abs(counts - 100).max() < 5 * np.sqrt(400 * 0.25 * 0.75)
    assert len({len(batch) for batch in batches}) > 10
    assert list(PoissonBatches(200, 0.25, 2)) != list(PoissonBatches(200, 0.25, 2))


def test_a_step_clips_the_gradient_of_each_picture_and_adds_noise() -> None:
    def step(scale: float, clip: float) -> torch.Tensor:
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2))
        before = network[1].weight.detach().clone()
        private = PrivateLearning(ClassifierSettings(private=True, batch_size=8, epochs=1, epsilon=1000, clip=clip), 16)
        optimizer = private.optimizer(network, torch.optim.SGD(network.parameters(), lr=1.0))
        pictures = (scale * torch.randn(8, 1, 2, 2)).requires_grad_()
        torch.nn.functional.cross_entropy(network(pictures), torch.zeros(8, dtype=torch.int64)).backward()
        optimizer.step()
        return network[1].weight.detach() - before

    # However large the pictures: eight gradients of length at most 1e-3, in the mean, and noise of the same size.
    assert step(1e4, 1e-3).norm() < 5e-3
    # The seed is the same, and the noise is not.
    assert not torch.equal(step(1.0, 1.0), step(1.0, 1.0))


@pytest.mark.parametrize("model", ["resnet20", "mobilenet", "mobilevit", "pyramid"])
def test_no_picture_of_a_batch_changes_the_answer_to_another(model) -> None:
    options = {"num_classes": 3, "in_channels": 1, "dropout": 0.0}
    pictures = torch.randn(4, 1, 64, 64, generator=torch.Generator().manual_seed(0))

    def change(chosen) -> float:
        torch.manual_seed(0)
        network = build_model(model, **chosen).train()
        return float((network(pictures)[:1] - network(pictures[:2])[:1]).detach().abs().max())

    assert change(options) > 1e-3
    assert change(private_options(model, options)) < 1e-4
    assert private_options("cnn3", {"num_classes": 3}) == {"num_classes": 3}


def test_what_mixes_pictures_is_refused() -> None:
    for changes in ({"mix": (Mix.MIXUP,)}, {"balance": Balance.RESAMPLE}):
        with pytest.raises(InputError, match="goes without --mix and --balance"):
            ClassifierSettings(private=True, **changes)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="in fp32, in one process"):
        ClassifierSettings(private=True, precision=MixedPrecision.BF16)
    with pytest.raises(InputError, match="row_lstm has a recurrent layer"):
        private_options("row_lstm", {"num_classes": 2, "image_size": 32})
    with pytest.raises(InputError, match="delta must lie between"):
        ClassifierSettings(delta=1.0)
    with pytest.raises(InputError, match="no noise keeps"):
        PrivateLearning(ClassifierSettings(private=True, batch_size=1000, epochs=1000, epsilon=0.01), 1000)


def test_a_private_training_says_what_it_spent(edgevision, tmp_path) -> None:
    words = ("train", "classify", "--private", "--epsilon", "8", "--epochs", "1", "--model", "cnn2")
    code, _, err = edgevision(*words, "--image-size", "32", "-o", tmp_path / "run", "--quiet")
    assert code == 0, err
    (checkpoint,) = (tmp_path / "run").glob("cnn2.pt")
    metadata = require_metadata(checkpoint)
    budget = metadata.provenance.privacy
    assert budget is not None
    assert 7 < budget.epsilon <= 8.001
    assert (budget.delta, budget.clip) == (1e-5, 1.0)
    assert metadata.image is not None
    assert (metadata.image.mean, metadata.image.std) == ((0.5,), (0.5,))
    assert f"private     epsilon {budget.epsilon:g}, delta 1e-05" in edgevision("inspect", checkpoint)[1]


def test_a_network_with_batch_norm_learns_with_group_norm_and_can_be_exported(edgevision, tmp_path) -> None:
    licences = ("--licence", "MIT", "--data-licence", "CC-BY-4.0")
    words = ("train", "classify", "--private", "--epsilon", "8", "--epochs", "1", "--batch-size", "256", *licences)
    options = ("--model", "pyramid", "--model-options", '{"widths": [8, 8, 8, 16, 16], "blocks": [1, 1, 1, 1]}')
    code, _, err = edgevision(*words, *options, "--image-size", "32", "-o", tmp_path / "run")
    assert code == 0, err
    assert "pyramid is trained with group normalisation in place of batch normalisation" in err
    model = tmp_path / "private.onnx"
    code, _, err = edgevision("export", tmp_path / "run/pyramid.pt", "-o", model)
    assert code == 0, err
    metadata = require_metadata(model)
    assert (metadata.licence, metadata.provenance.data_licence) == ("MIT", "CC-BY-4.0")
    budget = metadata.provenance.privacy
    assert budget is not None
    assert 7 < budget.epsilon <= 8.001
    assert not {"BatchNormalization"} & {node.op_type for node in onnx.load(model).graph.node}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--model", "row_lstm"), "has a recurrent layer"),
        (("--epsilon", "0.01", "--batch-size", "1000", "--epochs", "1000"), "no noise keeps"),
    ],
)
def test_a_training_that_is_refused_leaves_nothing(edgevision, tmp_path, options, said) -> None:
    train = ("train", "classify", "--private", "--image-size", "8", *options)
    code, _, err = edgevision(*train, "-o", tmp_path / "run")
    assert (code, said in err) == (2, True), err
    assert not (tmp_path / "run").exists()
    # What a user made stays.
    (tmp_path / "own").mkdir()
    assert edgevision(*train, "-o", tmp_path / "own")[0] == 2
    assert list((tmp_path / "own").iterdir()) == []
