"""Bytes of files as pixels and samples."""

from __future__ import annotations

import io
import warnings
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tuneloop.core.errors import DataError, MissingExtraError
from tuneloop.core.i18n import t

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")
"""Images that are opened; some other readers of Pillow start programs, as that of EPS does."""

RATES = (1_000, 768_000)
"""Samples per second that a sound may have; a damaged header may name any, and memory grows with it."""

FINEST = 1_000
"""Largest denominator of the ratio by which a rate is converted: off by a millionth at most."""


def image_of(data: bytes) -> Image:
    """The first frame of an image file in RGB, on white where it is transparent, turned as its EXIF says.

    Raises:
        DataError: if it is none, is damaged, has 32 bits a pixel, or more pixels than Pillow takes for safe.
        MissingExtraError: without Pillow.
    """
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise MissingExtraError("pillow", "media") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _in_colour(ImageOps.exif_transpose(Image.open(io.BytesIO(data), formats=FORMATS)))
    except Exception as error:  # damaged files make the readers of Pillow raise many kinds
        raise DataError(
            t("This is no image that can be read: {reason}", reason=str(error)[:200]),
            t("Save it again as PNG or JPEG."),
        ) from None


def _in_colour(image: Image) -> Image:
    """An image in RGB. Pillow alone would cut off grey of 16 bits at 255, and show what transparency hides."""
    from PIL import Image

    if image.mode in ("I", "F"):
        raise ValueError(t("it has 32 bits a pixel, of which nobody knows what is black and white"))
    if image.mode.startswith("I;16"):
        return image.convert("I").point(lambda value: value / 257).convert("L").convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    shown = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown).convert("RGB")


def sound_of(data: bytes, rate: int, *, max_seconds: float) -> FloatArray:
    """The samples of a sound file, -1 to 1, its channels mixed into one, float32, (samples,).

    Args:
        rate: samples per second that are wanted; others are converted (polyphase).
        max_seconds: what is longer is cut.

    Raises:
        DataError: if it is none, is damaged, or has a rate that no sound has.
        MissingExtraError: without soundfile.
    """
    import numpy as np

    try:
        import soundfile
    except (ImportError, OSError):
        raise MissingExtraError("soundfile", "media") from None
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            given = int(file.samplerate)
            if not RATES[0] <= given <= RATES[1]:
                raise ValueError(t("it has {rate:,} samples a second", rate=given))
            samples = file.read(int(max_seconds * given), dtype="float32", always_2d=True).mean(axis=1)
            if not np.isfinite(samples).all():
                raise ValueError(t("some of its samples are no numbers"))
    except (soundfile.LibsndfileError, ValueError, RuntimeError) as error:
        raise DataError(
            t("This is no sound that can be read: {reason}", reason=str(error)[:200]),
            t("Save it again as WAV or FLAC."),
        ) from None
    if given != rate and len(samples):
        from scipy.signal import resample_poly

        ratio = Fraction(rate, given).limit_denominator(FINEST)
        samples = resample_poly(samples, ratio.numerator, ratio.denominator)
    return np.ascontiguousarray(samples.clip(-1, 1), dtype=np.float32)


def check(kind: str, data: bytes) -> None:
    """Nothing, if a file can be decoded.

    Args:
        kind: image or audio.

    Raises:
        DataError: if not.
    """
    if kind == "image":
        image_of(data)
    elif not len(sound_of(data, 16_000, max_seconds=1)):
        raise DataError(t("The sound is empty."), t("Leave the cell empty."))
