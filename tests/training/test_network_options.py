import pytest

from edgevision.core.errors import InputError
from edgevision.training.network_options import network_options


def test_what_is_given_stands_beside_what_is_decided():
    assert network_options({"num_classes": 2}, {"width": 8}) == {"num_classes": 2, "width": 8}
    assert network_options({"num_classes": 2}, {"num_classes": 2}) == {"num_classes": 2}


def test_what_contradicts_the_data_is_refused():
    with pytest.raises(InputError, match=r"gives num_classes 3, and by the data and the other options it is 2"):
        network_options({"num_classes": 2, "in_channels": 3}, {"num_classes": 3})
