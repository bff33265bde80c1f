"""The numbers of a text in one form, so that the same number is the same however it is written."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

DIGITS = "零一二三四五六七八九"
MAGNITUDES = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8}
VARIANTS = str.maketrans("〇兩萬億％", "零两万亿%")

UNIT = r"(?:个?(?:小时|月|星期|工作日|季度)|分钟|天(?!气)|日(?!常)|[年周秒元岁倍号%])"
"""What makes a number of any numeral before it."""

MEASURE = r"(?:次(?![日要])|公里|公斤|千[克米瓦]|[个台件人名位条页章项步份块吨克米])"
"""What makes a number of a numeral before it, but for 一, which is mostly an article there (一个)."""

SPLITTING = re.compile(r"，(?!\d{3}(?!\d))|(?<=\d{4})，|：(?!\d{2}(?!\d))")
"""Chinese commas and colons between numbers, but for those of 1，000 and 10：30."""

LONGEST_NUMERAL = 30

FIGURE = r"\d+(?:[.,:]\d+)*"
THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")
KILO = r"千(?![克米瓦])"
TERM = rf"\d+(?:,\d{{3}})*(?:\.\d+)? ?(?:[百万亿]|{KILO}){{1,4}}"
NUMERAL = rf"(?:[{DIGITS}两十百万亿]|{KILO})+"
TOKEN = re.compile(
    rf"(?P<terms>(?:{TERM})+)|(?P<figure>{FIGURE})"
    rf"|(?P<percent>百分之)?(?P<numeral>{NUMERAL})(?:点(?P<decimals>[{DIGITS}]+)(?![十百千万亿]))?"
)
UNDER_TEN_THOUSAND = re.compile(
    rf"(?:([{DIGITS}两])千)?零?(?:([{DIGITS}两])百)?零?(?:([{DIGITS}]?)十)?零?([{DIGITS}两])?"
)
SAID_SHORT = re.compile(rf".*([百千万亿])([{DIGITS[1:]}])")


def numbers_of(text: str, *, articles: bool = False) -> list[str]:
    """The numbers of a text, as they follow each other: "1,000", "１０００" and "一千" are all "1000".

    Versions, decimals and times stay whole (2.5, 10:30); signs and units are left out, also of percentages. A Chinese
    numeral is a number if it has a digit and a magnitude (三十), three digits or more (二〇二四), or stands behind
    百分之 or before a unit or a measure word (三天, 两个). None are 一起, 万一, 千万, 十分, what is about so many
    (两三天, 几十天), fractions (三分之一), and the numerals of cheques (壹贰叁).

    Args:
        articles: whether 一 before a measure word (一个) is a number: yes for a text that bears out another one, so
            that 1个 is found in it; no for the text that is to be borne out, as 一个 mostly says no more than "a".
    """
    plain = unicodedata.normalize("NFKC", SPLITTING.sub(" ", text)).translate(VARIANTS)
    found = (_number(match, plain, articles) for match in TOKEN.finditer(plain))
    return [number for number in found if number is not None]


def _number(match: re.Match[str], text: str, articles: bool) -> str | None:
    """What one place of a text counts as; None if it is no number."""
    if match["terms"]:
        terms = re.findall(r"([\d,.]+) ?(\D+)", match["terms"])
        return _plain(sum((_product(figure, magnitudes) for figure, magnitudes in terms), Decimal(0)))
    if match["figure"]:
        figure = match["figure"]
        return figure.replace(",", "") if THOUSANDS.fullmatch(figure) else figure
    numeral, percent = match["numeral"], match["percent"] is not None
    before = text[match.start() - 1] if match.start() else ""
    if not percent and before and before in "几数":
        return None
    behind = text[match.end() : match.end() + 4]
    bare = numeral == "一" and not articles and not percent and match["decimals"] is None
    if len(numeral) > LONGEST_NUMERAL or (bare and not re.match(UNIT, behind)):
        return None
    if not percent and not _counts(numeral, behind, decimal=match["decimals"] is not None):
        return None
    value = _value("一" + numeral if numeral[0] in "百千" else numeral)
    if value is None:
        return None
    return f"{value}.{_figures(match['decimals'])}" if match["decimals"] else str(value)


def _counts(numeral: str, behind: str, *, decimal: bool) -> bool:
    """Whether a numeral is a number with what stands behind it."""
    if re.match(f"{UNIT}|{MEASURE}", behind):
        return numeral[0] not in "百千万亿" or re.fullmatch("[百千][万亿]", numeral) is not None
    magnitude, digit = any(each in MAGNITUDES for each in numeral), any(each not in MAGNITUDES for each in numeral)
    whole = (magnitude and digit) or len(numeral) > 2
    return whole and not decimal and numeral[0] not in "百千万亿"


def _value(numeral: str) -> int | None:
    """The value of a Chinese numeral; None if it is not formed as one."""
    if len(numeral) > 2 and set(numeral) <= set(DIGITS):
        return int(_figures(numeral))
    short = SAID_SHORT.fullmatch(numeral)  # 一百五 is 150
    if short:
        top = _value(numeral[:-1])
        return None if top is None else top + DIGITS.index(short[2]) * MAGNITUDES[short[1]] // 10
    for magnitude in "亿万":
        if magnitude in numeral:
            head, _, rest = numeral.rpartition(magnitude)
            top, low = _value(head), _value(rest) if rest else 0
            return None if top is None or low is None else top * MAGNITUDES[magnitude] + low
    match = UNDER_TEN_THOUSAND.fullmatch(numeral)
    if not numeral or match is None:
        return None
    thousands, hundreds, tens, ones = (_digit(group) for group in match.groups())
    return 1000 * thousands + 100 * hundreds + 10 * (1 if match[3] == "" else tens) + ones


def _figures(digits: str) -> str:
    return "".join(str(DIGITS.index(each)) for each in digits)


def _digit(character: str | None) -> int:
    return 2 if character == "两" else DIGITS.index(character or "零")


def _product(figure: str, magnitudes: str) -> Decimal:
    value = Decimal(figure.replace(",", ""))
    for magnitude in magnitudes:
        value *= MAGNITUDES[magnitude]
    return value


def _plain(value: Decimal) -> str:
    return format(value.normalize(), "f")
