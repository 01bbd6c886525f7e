"""Translation: a picture in, a picture of another kind of the same things out."""

from collections.abc import Iterator

from edgevision.imaging.samples import Array, Samples
from edgevision.runtime.tasks.restoration.restorer import Restorer
from edgevision.runtime.tasks.restoration.tiled_network import TiledNetwork


class Translator(Restorer):
    """A translation network on an engine; call it on a picture. What is gray becomes what it draws in colours."""

    makes_colors = True

    def restore(self, samples: Samples) -> Iterator[tuple[int, Array]]:
        """The drawn rows of (H, W, 1 or 3), top to bottom, float32 (n, width, 3) around 0..1, not clipped."""
        network = self.network
        assert isinstance(network, TiledNetwork)
        return network.restore(samples, network_colors=True)
