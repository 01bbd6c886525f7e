"""Colours of one profile in another, where two pictures come together in one."""

import io

from PIL import Image

from edgevision.imaging.pictures import Picture


def in_profile(picture: Picture, profile: bytes | None) -> Picture:
    """``picture`` with the colours that it shows in the colour profile ``profile``; without one that is sRGB.

    It comes in 8 bits where it has to be converted. Gray stays as it is, and so does what has a damaged profile.
    """
    if picture.icc_profile == profile or picture.pixels.shape[2] == 1:
        return picture
    from PIL import ImageCms

    try:
        own, wanted = (
            ImageCms.createProfile("sRGB") if each is None else ImageCms.ImageCmsProfile(io.BytesIO(each))
            for each in (picture.icc_profile, profile)
        )
        shown = picture.in_8_bits()
        image = ImageCms.profileToProfile(
            Image.fromarray(shown.pixels), own, wanted, ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return picture
    assert image is not None
    return Picture(Picture.read(image).pixels, shown.alpha, profile, shown.exif, shown.xmp, shown.array_color)
