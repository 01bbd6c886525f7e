"""Clusters of embeddings."""

import numpy as np
import pytest

from edgevision.runtime.tasks.segmentation.clustering import clusters
from edgevision.runtime.tasks.segmentation.spec import ClusteringSpec, MapField, MapPart, SegmentationHead

SPEC = ClusteringSpec(radius=0.75, min_area=4)


def field(*means, spread=0.3):
    """(channels, 8, 8 a mean): embeddings round each mean, beside each other."""
    generator = np.random.default_rng(0)
    parts = [np.array(mean, np.float32)[:, None, None] * np.ones((1, 8, 8), np.float32) for mean in means]
    embedding = np.concatenate(parts, axis=2)
    angle = generator.normal(size=embedding.shape)
    return embedding + (spread * angle / np.linalg.norm(angle, axis=0)).astype(np.float32)


def test_what_is_alike_is_one_thing_wherever_it_lies():
    embedding = field((0, 0), (1.6, 0), (0, 0))
    inside = np.ones(embedding.shape[1:], bool)
    inside[0] = False
    sure = np.full(inside.shape, 0.5, np.float32)
    sure[:, 8:16] = 0.9
    labels = clusters(embedding, sure, inside, SPEC)
    assert (labels[0] == 0).all()
    assert (labels[1:, 8:16] == 1).all()  # the surest first
    assert (labels[1:, :8] == 2).all()
    assert (labels[1:, 16:] == 2).all()


def test_a_mean_is_found_from_its_rim():
    """The surest pixel lies so far out that some of its own cluster are beyond the radius."""
    embedding = field((0.0,), (3.0,), spread=0.0)
    embedding[0, :, :4] = 0.5
    embedding[0, 0, 0] = -0.4
    sure = np.zeros(embedding.shape[1:], np.float32)
    sure[0, 0] = 1
    labels = clusters(embedding, sure, np.ones(sure.shape, bool), SPEC)
    assert (labels[:, :8] == 1).all()
    assert (labels[:, 8:] == 2).all()


def test_clusters_of_few_pixels_are_nothing():
    embedding = field((0, 0), spread=0.0)
    embedding[:, 0, :3] = 9
    labels = clusters(embedding, np.ones((8, 8), np.float32), np.ones((8, 8), bool), SPEC)
    assert (labels[0, :3] == 0).all()
    assert np.count_nonzero(labels == 1) == 61
    assert not clusters(embedding, np.ones((8, 8), np.float32), np.zeros((8, 8), bool), SPEC).any()


def test_a_clustering_belongs_to_an_embedding():
    foreground, embedding = (MapPart(output=name, fields=(name,)) for name in (MapField.FOREGROUND, MapField.EMBEDDING))
    assert SegmentationHead(maps=(foreground, embedding), clustering=SPEC).tells_apart
    with pytest.raises(ValueError, match="belong together"):
        SegmentationHead(maps=(foreground, embedding))
    with pytest.raises(ValueError, match="belong together"):
        SegmentationHead(maps=(foreground,), clustering=SPEC)
    with pytest.raises(ValueError, match="radius is above 0"):
        ClusteringSpec(radius=0)
