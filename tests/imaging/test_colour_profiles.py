import numpy as np
from PIL import ImageCms

from edgevision.imaging.colour_profiles import in_profile
from edgevision.imaging.pictures import Picture

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def picture(profile: bytes | None) -> Picture:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 9, 3)).astype(np.uint8)
    return Picture(pixels, pixels[:, :, 0].copy(), icc_profile=profile)


def test_without_a_profile_it_is_srgb() -> None:
    converted = in_profile(picture(None), SRGB)
    assert converted.icc_profile == SRGB
    assert np.abs(converted.pixels.astype(int) - picture(None).pixels).max() <= 2
    np.testing.assert_array_equal(converted.alpha, picture(None).alpha)


def test_what_cannot_be_converted_stays_as_it_is() -> None:
    for profile in (b"damaged", SRGB):
        kept = picture(profile)
        assert in_profile(kept, profile) is kept
    damaged = picture(b"damaged")
    assert in_profile(damaged, SRGB) is damaged
    gray = Picture(np.zeros((4, 4, 1), np.uint8))
    assert in_profile(gray, SRGB) is gray
