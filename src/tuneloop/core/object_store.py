"""An object store by URL: files by their SHA-256, and a list of them as what makes a folder exist there.

    URL/objects/4e/4e07...        a file, written once
    URL/releases/mood-3.json      names, sizes and hashes of the files of a folder, written last

A folder is there once its list is. What an interrupted upload has left is used by the next one; files that two folders
share lie there once. S3 and Google Cloud Storage are spoken to by pyarrow, everything else by the package that fsspec
names for the URL.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from tuneloop.core import fsio
from tuneloop.core.errors import ConfigError, StorageError
from tuneloop.core.hashing import CHUNK_BYTES
from tuneloop.core.i18n import t

URL = re.compile(r"^([a-z][a-z0-9+.-]+):/+(.+)$")
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
DIGEST = re.compile(r"[0-9a-f]{64}")


def url_of(given: str | Path) -> str:
    """The URL that is given, also where a `Path` has made one slash of two; empty for a path.

    Raises:
        ConfigError: if a key stands in it.
    """
    found = URL.match(str(given))
    if not found:
        return ""
    scheme, rest = found.groups()
    if "@" in rest.partition("/")[0]:
        raise ConfigError(
            t("A key stands in the URL of an object store."),
            t("Put it into the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."),
        )
    return f"{scheme}:///{rest}" if scheme in ("file", "local") else f"{scheme}://{rest}"


class ObjectStore:
    """What lies behind a URL.

    Args:
        url: such as s3://BUCKET/PREFIX; keys and endpoint come from the environment, as for every client of it.

    Raises:
        ConfigError: if the URL is none, or the package for it is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        # objects appear whole where these two keep them; elsewhere they are written beside their place and renamed
        self._whole = self.url.startswith(("s3://", "gs://"))
        self._fs, self._root = _native(self.url) if self._whole else _by_fsspec(self.url)

    def names(self, kind: str) -> list[str]:
        """Folders of a kind that are there, by name."""
        folder = posixpath.join(self._root, kind)
        with self._refusals():
            self._fs.invalidate_cache()
            if not self._fs.exists(folder):
                return []
            found = [posixpath.basename(path) for path in self._fs.ls(folder, detail=False)]
        return sorted(name.removesuffix(".json") for name in found if name.endswith(".json"))

    def listed(self, kind: str, name: str) -> dict[str, Any] | None:
        """What is told of a folder: `files` and whatever else was told; None where it is not there.

        Raises:
            StorageError: if it is no such list.
        """
        path = posixpath.join(self._root, kind, f"{name}.json")
        with self._refusals():
            self._fs.invalidate_cache()
            if not self._fs.exists(path):
                return None
            with self._fs.open(path, "rb") as file:
                text = file.read()
        try:
            told = json.loads(text)
            for file, entry in told["files"].items():
                if not _is_safe(file) or not DIGEST.fullmatch(entry["sha256"]) or entry["bytes"] < 0:
                    raise ValueError(file)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise StorageError(
                t("{url} is damaged.", url=f"{self.url}/{kind}/{name}.json"), t("Push it again from where it was made.")
            ) from None
        return dict(told)

    def publish(self, kind: str, name: str, told: Mapping[str, Any]) -> None:
        """Let a folder exist whose files are all there."""
        data = fsio.to_json(dict(told)).encode()
        self._write(posixpath.join(kind, f"{name}.json"), lambda file: file.write(data))

    def put(self, path: Path, digest: str) -> bool:
        """Have a file there; whether it had to be sent."""
        place, size = _place(digest), path.stat().st_size
        with self._refusals():
            where = posixpath.join(self._root, place)
            if self._fs.exists(where) and self._fs.info(where)["size"] == size:
                return False

        def send(file: Any) -> None:
            with path.open("rb") as source:
                while chunk := source.read(CHUNK_BYTES):
                    file.write(chunk)

        self._write(place, send)
        return True

    def get(self, digest: str, into: Path) -> None:
        """Write a file to a new place.

        Raises:
            StorageError: if it is not the file of this hash; nothing is written then.
        """
        found = sha256()
        with fsio.new_file(into) as temporary:
            with (
                self._refusals(),
                self._fs.open(posixpath.join(self._root, _place(digest)), "rb") as source,
                temporary.open("wb") as target,
            ):
                while chunk := source.read(CHUNK_BYTES):
                    found.update(chunk)
                    target.write(chunk)
            if found.hexdigest() != digest:
                raise StorageError(
                    t("{url} is damaged.", url=f"{self.url}/{_place(digest)}"),
                    t("Remove it there, and push again from where it was made."),
                )

    def _write(self, place: str, write: Callable[[Any], Any]) -> None:
        path = posixpath.join(self._root, place)
        with self._refusals():
            if self._whole:
                with self._fs.open(path, "wb") as file:
                    write(file)
                return
            self._fs.makedirs(posixpath.dirname(path), exist_ok=True)
            temporary = f"{path}.{uuid.uuid4().hex[:8]}.tmp"
            with self._fs.open(temporary, "wb") as file:
                write(file)
            self._fs.mv(temporary, path)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                t("{url} cannot be read or written: {error}", url=self.url, error=" ".join(str(error).split())[:300]),
                t("Look at the address, the keys in the environment, and what they may do there."),
            ) from error


def _native(url: str) -> tuple[Any, str]:
    """S3 or Google Cloud Storage, and the path there."""
    from fsspec.implementations.arrow import ArrowFSWrapper
    from pyarrow.fs import GcsFileSystem, S3FileSystem

    scheme, _, path = url.partition("://")
    if scheme == "gs":
        return ArrowFSWrapper(GcsFileSystem(), skip_instance_cache=True), path
    endpoint, region = _first(ENDPOINTS), _first(REGIONS)
    made = S3FileSystem(endpoint_override=endpoint, region=region, background_writes=False)
    return ArrowFSWrapper(made, skip_instance_cache=True), path


def _by_fsspec(url: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    try:
        filesystem, path = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise ConfigError(
            t("{url} cannot be opened: {error}", url=url, error=error),
            t("Install the package that fsspec names for such addresses, or use s3://BUCKET/PREFIX."),
        ) from None
    return filesystem, str(path)


def _first(names: tuple[str, ...]) -> str | None:
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


def _place(digest: str) -> str:
    return f"objects/{digest[:2]}/{digest}"


def _is_safe(name: str) -> bool:
    """Whether a file's name stays inside its folder: lists may come from strangers."""
    parts = name.split("/")
    return not name.startswith("/") and "\\" not in name and all(part not in ("", ".", "..") for part in parts)
