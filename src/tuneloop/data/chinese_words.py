"""Chinese text cut into words."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from tuneloop.core.errors import MissingExtraError


@lru_cache(maxsize=1)
def chinese_cutter() -> Any:
    """jieba with its own dictionary; a cache in a folder that everybody can write to is not read.

    Raises:
        MissingExtraError: if jieba is not installed.
    """
    try:
        import jieba
    except ImportError:
        raise MissingExtraError("jieba", "knowledge") from None
    cutter = jieba.Tokenizer()
    cutter.FREQ, cutter.total = cutter.gen_pfdict(cutter.get_dict_file())
    cutter.initialized = True
    return cutter
