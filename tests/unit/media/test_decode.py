"""Bytes as pixels and samples: what is damaged is an error of the data, whatever its reader makes of it."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.media import image_bytes, square, tone, wav
from tuneloop.core.errors import DataError
from tuneloop.media import decode, samples
from tuneloop.media.decode import check, image_of, sound_of

RED_ABOVE_BLUE = Image.new("RGB", (2, 4), "red")
RED_ABOVE_BLUE.paste((0, 0, 255), (0, 2, 2, 4))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_images_of_many_formats_are_read_in_colour(format: str) -> None:
    image = image_of(image_bytes(Image.new("RGB", (30, 20), (200, 100, 50)), format))
    assert (image.mode, image.size) == ("RGB", (30, 20))
    assert np.allclose(np.array(image)[10, 15], (200, 100, 50), atol=6)


@pytest.mark.parametrize("format", ["EPS", "PDF"])
def test_what_its_reader_would_start_a_program_for_is_no_image(format: str) -> None:
    with pytest.raises(DataError, match="no image that can be read"):
        image_of(image_bytes(Image.new("RGB", (4, 4)), format))


@pytest.mark.parametrize("damaged", [b"", b"no image", square("red")[:60], square("red")[:-40], b"\x89PNG\r\n\x1a\n"])
def test_a_damaged_image_is_refused_with_a_remedy(damaged: bytes) -> None:
    with pytest.raises(DataError, match=r"no image that can be read.*\nSave it again as PNG or JPEG"):
        image_of(damaged)


turned = Image.Exif()
turned[0x0112] = 6
FILES = [
    image_bytes(RED_ABOVE_BLUE, format, **({"exif": turned} if format in ("JPEG", "TIFF", "PNG") else {}))
    for format in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP")
]
bytes_changed = st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=8)


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow, about what is damaged
@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FILES), bytes_changed)
def test_whatever_is_damaged_in_an_image_there_is_an_image_or_one_error(
    data: bytes, changes: list[tuple[int, int]]
) -> None:
    damaged = bytearray(data)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    try:
        assert image_of(bytes(damaged)).mode == "RGB"
    except DataError as error:
        assert "no image that can be read" in error.problem


def test_an_image_of_too_many_pixels_is_never_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    data = image_bytes(Image.new("1", (400, 400)))
    assert len(data) < 400 and image_of(data).size == (400, 400)
    for most in (100_000, 10_000):  # what Pillow warns of, and what it refuses
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
        with pytest.raises(DataError, match="decompression bomb"):
            image_of(data)


def test_an_image_is_turned_as_its_exif_says() -> None:
    image = image_of(image_bytes(RED_ABOVE_BLUE, exif=turned))  # held with its right side up
    assert image.size == (4, 2)
    assert image.getpixel((0, 0)) == (0, 0, 255) and image.getpixel((3, 0)) == (255, 0, 0)
    assert image_of(image_bytes(RED_ABOVE_BLUE)).size == (2, 4)


@pytest.mark.parametrize(("mode", "format"), [("RGBA", "PNG"), ("LA", "PNG"), ("P", "PNG"), ("RGBA", "GIF")])
def test_what_is_transparent_is_white(mode: str, format: str) -> None:
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 255))
    image, more = (
        (image.convert(mode), {}) if mode != "P" else (Image.frombytes("P", (2, 1), b"\0\1"), {"transparency": 0})
    )
    if mode == "P":
        image.putpalette([0] * 6)
    shown = image_of(image_bytes(image, format, **more))
    assert [shown.getpixel((column, 0)) for column in (0, 1)] == [(255, 255, 255), (0, 0, 0)]


def test_what_is_half_transparent_is_half_white() -> None:
    shown = image_of(image_bytes(Image.new("RGBA", (1, 1), (0, 0, 0, 128)))).getpixel((0, 0))
    assert shown == pytest.approx((127, 127, 127), abs=1)


def test_grey_of_sixteen_bits_keeps_its_shades() -> None:
    grey = Image.fromarray(np.array([[0, 257 * 50, 257 * 128, 65535]], np.uint16))
    assert grey.mode == "I;16"
    for format in ("PNG", "TIFF"):
        shown = image_of(image_bytes(grey, format))
        assert [shown.getpixel((column, 0)) for column in range(4)] == [(shade,) * 3 for shade in (0, 50, 128, 255)]


@pytest.mark.parametrize("mode", ["I", "F"])
def test_an_image_whose_white_nobody_knows_is_refused(mode: str) -> None:
    with pytest.raises(DataError, match="32 bits a pixel"):
        image_of(image_bytes(Image.new(mode, (2, 2), 1), "TIFF"))


def test_the_first_frame_of_a_film_is_read() -> None:
    frames = [Image.new("RGB", (2, 2), colour) for colour in ("red", "blue")]
    assert image_of(image_bytes(frames[0], "GIF", save_all=True, append_images=frames[1:])).getpixel((0, 0)) == (
        255, 0, 0,
    )  # fmt: skip


@pytest.mark.parametrize(("rate", "wanted"), [(8_000, 16_000), (44_100, 16_000), (16_000, 8_000), (11_025, 16_000)])
def test_sound_is_converted_to_the_rate_that_is_wanted(rate: int, wanted: int) -> None:
    found = sound_of(wav(tone(440, rate=rate), rate), wanted, max_seconds=10)
    assert found.dtype == np.float32 and found.ndim == 1
    assert len(found) == pytest.approx(wanted / 2, abs=2)
    middle = slice(wanted // 10, -wanted // 10)
    ideal = tone(440, rate=wanted, seconds=len(found) / wanted)
    assert np.abs(found[middle] - ideal[middle]).max() < 0.02


def test_sound_of_the_wanted_rate_is_as_it_was() -> None:
    samples = tone(440, rate=16_000)
    assert np.array_equal(sound_of(wav(samples, 16_000, subtype="FLOAT"), 16_000, max_seconds=10), samples)


def test_several_channels_are_mixed_into_one() -> None:
    left, right = tone(300), tone(500)
    found = sound_of(wav(np.stack([left, right], axis=1), subtype="FLOAT"), 8_000, max_seconds=10)
    assert np.allclose(found, (left + right) / 2, atol=1e-6)


def test_sound_that_is_longer_is_cut() -> None:
    data = wav(tone(440, seconds=0.5))
    assert len(sound_of(data, 8_000, max_seconds=0.25)) == 2_000
    assert len(sound_of(data, 16_000, max_seconds=0.25)) == 4_000
    assert len(sound_of(data, 8_000, max_seconds=60)) == 4_000


@pytest.mark.parametrize("damaged", [b"", b"no sound", wav(tone(440))[:20], square("red")])
def test_damaged_sound_is_refused_with_a_remedy(damaged: bytes) -> None:
    with pytest.raises(DataError, match=r"no sound that can be read.*\nSave it again as WAV or FLAC"):
        sound_of(damaged, 16_000, max_seconds=1)


@pytest.mark.parametrize("rate", [1, 999, 768_001, 2_000_000_011])
def test_a_rate_that_no_sound_has_is_refused_before_memory_is_taken_for_it(rate: int) -> None:
    data = bytearray(wav(tone(440)))
    data[24:28] = struct.pack("<I", rate)
    with pytest.raises(DataError, match=f"{rate:,} samples a second"):
        sound_of(bytes(data), 16_000, max_seconds=1)


def test_an_odd_rate_costs_no_more_than_another(monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy import signal

    asked: list[tuple[int, int]] = []
    resample = signal.resample_poly
    monkeypatch.setattr(
        signal, "resample_poly", lambda samples, up, down: asked.append((up, down)) or resample(samples, up, down)
    )
    for rate in (44_100, 48_000, 44_101, 191_999):
        assert len(sound_of(wav(tone(440, rate=rate), rate), 16_000, max_seconds=1)) == pytest.approx(8_000, abs=2)
    assert asked[:2] == [(160, 441), (1, 3)] and max(map(max, asked)) <= decode.FINEST


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_refused(wrong: float) -> None:
    samples = tone(440)
    samples[7] = wrong
    with pytest.raises(DataError, match="no numbers"):
        sound_of(wav(samples, subtype="FLOAT"), 8_000, max_seconds=1)


def test_sound_is_never_louder_than_one() -> None:
    assert np.abs(sound_of(wav(tone(440) * 1e6, subtype="FLOAT"), 16_000, max_seconds=1)).max() == 1


def test_empty_sound_is_refused_and_the_rest_passes() -> None:
    with pytest.raises(DataError, match="The sound is empty"):
        check("audio", wav(np.zeros(0, np.float32)))
    check("audio", wav(tone(440)))
    check("image", square("red"))
    with pytest.raises(DataError, match="no image"):
        check("image", wav(tone(440)))


def test_the_samples_that_are_made_here_are_sound() -> None:
    check("image", samples.image())
    check("audio", samples.sound())
    assert Image.open(io.BytesIO(samples.image())).format == "PNG"
