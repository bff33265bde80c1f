"""The same number is the same however it is written, and words are no numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuneloop.data.numbers import DIGITS, numbers_of


def chinese(value: int) -> str:
    """A number below 10 ** 8 in Chinese, spelled out place by place."""
    if value >= 10**4:
        top, low = divmod(value, 10**4)
        return chinese(top) + "万" + (("零" if low < 1000 else "") + chinese(low) if low else "")
    text, gap = "", False
    for size, mark in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = value // size % 10
        text += ("零" if gap and text else "") + DIGITS[digit] + mark if digit else ""
        gap = not digit
    return text


@given(st.integers(11, 10**8 - 1))
def test_a_chinese_numeral_is_its_number(value: int) -> None:
    assert numbers_of(f"共{chinese(value)}元") == [str(value)] == numbers_of(f"{value:,} yuan")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1,234,567.5 and 3.10, 12,34 or 7%", ["1234567.5", "3.10", "12,34", "7"]),
        ("１０００, 1，000 and 1000", ["1000", "1000", "1000"]),
        ("version 2.5 at 10:30, 10：30", ["2.5", "10:30", "10:30"]),
        ("步骤1：2个人，截至2024，30人", ["1", "2", "2024", "30"]),
        ("三十, 两百, 一千零五, 十二, 一百五, 二〇二四年", ["30", "200", "1005", "12", "150", "2024"]),
        ("3万元, 1.5万, 1亿2000万, 3千台", ["30000", "15000", "120000000", "3000"]),
        ("百分之五, 百分之三点五, 百分之百, 5％", ["5", "3.5", "100", "5"]),
        ("三天 两个 十分钟 一年 一个月 五台 零点五小时 百万元", ["3", "2", "10", "1", "1", "5", "0.5", "1000000"]),
        ("5千克 一千克 三点五十分 五个百分点", ["5", "50", "5"]),
        ("我们一起一样十分重要，千万不要，万一天气不好，万一下雨，一个人，第三方，一五一十，三三两两", []),
        ("两三天 几十天 数百人 星期三天气 单位：万元", []),
    ],
)
def test_numbers_are_read_in_one_form(text: str, numbers: list[str]) -> None:
    assert numbers_of(text) == numbers


def test_an_article_is_a_number_only_where_it_bears_one_out() -> None:
    assert numbers_of("第一章，一个") == [] and numbers_of("第一章，一个，一起", articles=True) == ["1", "1"]
    assert numbers_of("一" * 31 + "天") == numbers_of("万" * 5000) == []
