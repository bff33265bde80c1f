"""Bytes of files as pixels and samples."""

from __future__ import annotations

import io
import warnings
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import DataError, MissingExtraError
from tuneloop.core.i18n import t

if TYPE_CHECKING:
    from PIL.Image import Image

    FloatArray = np.ndarray[Any, np.dtype[np.float32]]


def image_of(data: bytes) -> Image:
    """The first frame of an image file in RGB, turned as its EXIF says.

    Raises:
        DataError: if it is none, is damaged, or has more pixels than Pillow takes for safe.
        MissingExtraError: without Pillow.
    """
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise MissingExtraError("pillow", "media") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            opened = Image.open(io.BytesIO(data))
            return ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(
            t("This is no image that can be read: {reason}", reason=str(error)[:200]),
            t("Save it again as PNG or JPEG."),
        ) from None


def sound_of(data: bytes, rate: int, *, max_seconds: float) -> FloatArray:
    """The samples of a sound file, -1 to 1, its channels mixed into one, float32, (samples,).

    Args:
        rate: samples per second that are wanted; others are converted (polyphase).
        max_seconds: what is longer is cut.

    Raises:
        DataError: if it is none or is damaged.
        MissingExtraError: without soundfile.
    """
    try:
        import soundfile
    except (ImportError, OSError):
        raise MissingExtraError("soundfile", "media") from None
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            given = int(file.samplerate)
            samples = file.read(int(max_seconds * given), dtype="float32", always_2d=True).mean(axis=1)
    except (soundfile.LibsndfileError, ValueError, RuntimeError) as error:
        raise DataError(
            t("This is no sound that can be read: {reason}", reason=str(error)[:200]),
            t("Save it again as WAV or FLAC."),
        ) from None
    if given != rate and len(samples):
        from scipy.signal import resample_poly

        ratio = Fraction(rate, given)
        samples = resample_poly(samples, ratio.numerator, ratio.denominator)
    return np.ascontiguousarray(samples, dtype=np.float32)


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
