"""Small files in the exact layout of each suite, written by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def lines(*records: Any) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def whole(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def table(*rows: str) -> str:
    """Rows with spaces around bars for tabs."""
    return "".join("\t".join(cell.strip() for cell in row.split("|")) + "\n" for row in rows)


def squad(*questions: dict[str, Any], context: str = "《战国无双3》由光荣和ω-force开发。") -> str:
    paragraph = {"context": context, "qas": list(questions)}
    return whole({"version": "v1.0", "data": [{"paragraphs": [paragraph], "id": "DEV_0", "title": "战国无双3"}]})


AFQMC = {"sentence1": "蚂蚁借呗等额还款可以换成先息后本吗", "sentence2": "借呗有先息到期还本吗", "label": "0"}
AFQMC_2 = {"sentence1": "蚂蚁花呗说我违约一次", "sentence2": "蚂蚁花呗违约行为是什么", "label": "1"}
TNEWS = {"label": "108", "label_desc": "news_edu", "sentence": "上课时学生手机响个不停", "keywords": ""}
TNEWS_2 = {"label": "104", "label_desc": "news_finance", "sentence": "商赢环球回复问询函", "keywords": "商赢环球,年报"}
IFLYTEK = {"label": "11", "label_des": "薅羊毛", "sentence": "打造共享联盟，你花钱，我送钱"}
IFLYTEK_2 = {"label": "95", "label_des": "借贷", "sentence": "全国最大的信用卡专业服务平台"}
OCNLI = {
    "level": "medium", "sentence1": "身上裹一件工厂发的棉大衣,手插在袖筒里", "sentence2": "身上至少一件衣服",
    "label": "entailment", "label0": "entailment", "label1": "entailment", "label2": "entailment",
    "label3": "entailment", "label4": "entailment", "genre": "lit", "prem_id": "lit_635", "id": 0,
}  # fmt: skip
OCNLI_NONE = OCNLI | {"sentence2": "他很冷", "label": "-", "label0": "neutral", "id": 1}
OCNLI_2 = OCNLI | {"sentence2": "他没穿衣服", "label": "contradiction", "id": 2}
CMNLI = {"sentence1": "新的权利已经足够好了", "sentence2": "每个人都很喜欢最新的福利", "label": "neutral"}
CMNLI_NONE = {"sentence1": "是的", "sentence2": "不是", "label": "-"}
CMNLI_2 = {"sentence1": "他来了", "sentence2": "他到了", "label": "entailment"}
WSC = {
    "target": {"span2_index": 8, "span1_index": 0, "span1_text": "小明", "span2_text": "他"},
    "idx": 0, "label": "true", "text": "小明去找小刚因为他病了",
}  # fmt: skip
WSC_2 = WSC | {"target": WSC["target"] | {"span1_text": "小刚", "span1_index": 4}, "label": "false", "idx": 1}
CSL = {
    "id": 1,
    "abst": "为解决传统均匀FFT波束形成算法的分辨率问题",
    "keyword": ["水声学", "FFT", "波束形成"],
    "label": "1",
}
CSL_2 = {"id": 2, "abst": "本文提出一种新方法", "keyword": ["方法", "水稻"], "label": "0"}
CMRC = {"question": "《战国无双3》是由哪两个公司合作开发的？", "id": "DEV_0_QUERY_0",
        "answers": [{"text": "光荣和ω-force", "answer_start": 8}, {"text": "光荣", "answer_start": 8}]}  # fmt: skip
CMRC_2 = {"question": "游戏叫什么？", "id": "DEV_0_QUERY_1", "answers": [{"text": "战国无双3", "answer_start": 1}]}
IDIOMS = ["百家争鸣", "一五一十", "自言自语"]
CHID = {"candidates": IDIOMS, "content": ["学术上提倡#idiom000378#，他却#idiom000379#地说", "他#idiom000380#了一句"]}
CHID_ANSWERS = {"#idiom000378#": 0, "#idiom000379#": 1, "#idiom000380#": 2}
C3 = [
    ["女：你好。", "男：好久不见。"],
    [{"question": "他们的关系是？", "choice": ["朋友", "师生", "夫妻"], "answer": "朋友"}],
    "d-1",
]
C3_2 = [["今天下雨。"], [{"question": "天气？", "choice": ["晴", "雨 "], "answer": "雨 "}], "m-1"]


def unlabelled(record: dict[str, Any], number: int = 0) -> dict[str, Any]:
    """A record as the test files have it."""
    return {"id": number} | {name: value for name, value in record.items() if not name.startswith("label")}


def c3_test(document: list[Any], number: int) -> list[Any]:
    question = {name: value for name, value in document[1][0].items() if name != "answer"}
    return [document[0], [question | {"id": number}], document[2]]


def clue_files() -> dict[str, str]:
    """Path to content, of every task."""
    files: dict[str, str] = {}
    pairs = {
        "afqmc_public": (AFQMC, AFQMC_2),
        "tnews_public": (TNEWS, TNEWS_2),
        "iflytek_public": (IFLYTEK, IFLYTEK_2),
        "cmnli_public": (CMNLI, CMNLI_NONE, CMNLI_2),
        "cluewsc2020_public": (WSC, WSC_2),
        "csl_public": (CSL, CSL_2),
    }
    for folder, records in pairs.items():
        files |= {f"{folder}/train.json": lines(*records, records[0]), f"{folder}/dev.json": lines(*records)}
        files[f"{folder}/test.json"] = lines(unlabelled(records[0]), unlabelled(records[-1], 1))
    ocnli = (OCNLI, OCNLI_NONE, OCNLI_2)
    files |= {"ocnli_public/train.50k.json": lines(*ocnli), "ocnli_public/train.10k.json": lines(OCNLI)}
    files |= {"ocnli_public/dev.json": lines(*ocnli), "ocnli_public/test.json": lines(unlabelled(OCNLI))}
    files["tnews_public/test1.0.json"] = lines(unlabelled(TNEWS_2))
    question = {"question": "开发者？", "id": "TEST_0_QUERY_0"}
    files |= {"cmrc2018_public/train.json": squad(CMRC, CMRC_2), "cmrc2018_public/dev.json": squad(CMRC, CMRC_2)}
    files["cmrc2018_public/test.json"] = squad(question)
    files |= {"chid_public/train.json": lines(CHID), "chid_public/train_answer.json": whole(CHID_ANSWERS)}
    files |= {"chid_public/dev.json": lines(CHID), "chid_public/dev_answer.json": whole(CHID_ANSWERS)}
    files["chid_public/test1.1.json"] = lines(CHID)
    for split in ("train", "dev"):
        files |= {f"c3_public/d-{split}.json": whole([C3]), f"c3_public/m-{split}.json": whole([C3_2])}
    files["c3_public/test1.1.json"] = whole([c3_test(C3, 0), c3_test(C3_2, 1)])
    return files


MNLI_START = "index | promptID | pairID | genre | sentence1_binary_parse | sentence2_binary_parse | sentence1_parse | "
MNLI_START += "sentence2_parse | sentence1 | sentence2"


def mnli_row(number: int, label: str = "", labels: int = 0) -> str:
    cells = (
        f"{number} | 63735 | 63735n | slate | ( a ) | ( b ) | (ROOT a) | (ROOT b) | The new rights | Everyone {number}"
    )
    return cells + f" | {label}" * (labels + 1) if label else cells


def glue_files() -> dict[str, str]:
    """Path to content, of every task."""
    files: dict[str, str] = {}
    cola = table(
        "gj04 | 1 |  | Our friends won't buy this.", 'gj04 | 0 | * | They "drank the pub.', "bc01 | 1 |  | I saw him."
    )
    files |= {"CoLA/train.tsv": cola, "CoLA/dev.tsv": cola}
    files["CoLA/test.tsv"] = table("index | sentence", "0 | Bill whistled past the house.", "1 | The car honked.")
    sst = table("sentence | label", "hide new secretions | 0", "a joyous film | 1", 'a "good one | 1')
    files |= {"SST-2/train.tsv": sst, "SST-2/dev.tsv": sst, "SST-2/test.tsv": table("index | sentence", "0 | uneasy")}
    mrpc = table(
        "Quality | #1 ID | #2 ID | #1 String | #2 String", '1 | 7 | 8 | He said | He " said', "0 | 9 | 10 | No | Yes"
    )
    files |= {"MRPC/train.tsv": "\ufeff" + mrpc, "MRPC/dev.tsv": mrpc}
    files["MRPC/test.tsv"] = table("index | #1 ID | #2 ID | #1 String | #2 String", "0 | 7 | 8 | PCCW | Current")
    start = "index | genre | filename | year | old_index | source1 | source2 | sentence1 | sentence2"
    row = "{} | main-captions | MSRvid | 2012test | 0001 | none | none | A plane. | An air plane."
    stsb = table(start + " | score", row.format(0) + " | 5.000", row.format(1) + " | 0.250")
    files |= {"STS-B/train.tsv": stsb, "STS-B/dev.tsv": stsb, "STS-B/test.tsv": table(start, row.format(0))}
    qqp = table(
        "id | qid1 | qid2 | question1 | question2 | is_duplicate",
        "1 | 2 | 3 | How? | Why? | 0",
        "4 | 5 | 6 | Who? | Who is? | 1",
    )
    files |= {"QQP/train.tsv": qqp + "7\t8\t9\tbroken\n", "QQP/dev.tsv": qqp}
    files["QQP/test.tsv"] = table("id | question1 | question2", "0 | Would? | What?")
    names = ("neutral", "entailment", "contradiction")
    files["MNLI/train.tsv"] = table(
        MNLI_START + " | label1 | gold_label", *(mnli_row(n, label, 1) for n, label in enumerate(names))
    )
    five = " | label1 | label2 | label3 | label4 | label5 | gold_label"
    for kind in ("matched", "mismatched"):
        files[f"MNLI/dev_{kind}.tsv"] = table(
            MNLI_START + five, mnli_row(0, "neutral", 5), mnli_row(1, "entailment", 5)
        )
        files[f"MNLI/test_{kind}.tsv"] = table(MNLI_START, mnli_row(0))
    files["diagnostic/diagnostic.tsv"] = table("index | sentence1 | sentence2", "0 | The cat sat. | The cat did not.")
    qnli = table(
        "index | question | sentence | label", "0 | When? | In 1990. | entailment", "1 | Who? | It. | not_entailment"
    )
    files |= {
        "QNLI/train.tsv": qnli,
        "QNLI/dev.tsv": qnli,
        "QNLI/test.tsv": table("index | question | sentence", "0 | What? | Rock."),
    }
    rte = table("index | sentence1 | sentence2 | label", "0 | A. | B. | not_entailment", "1 | C. | D. | entailment")
    files |= {
        "RTE/train.tsv": rte,
        "RTE/dev.tsv": rte,
        "RTE/test.tsv": table("index | sentence1 | sentence2", "0 | E. | F."),
    }
    wnli = table("index | sentence1 | sentence2 | label", "0 | I stuck a pin. | The carrot. | 1", "1 | He. | She. | 0")
    files |= {
        "WNLI/train.tsv": wnli,
        "WNLI/dev.tsv": wnli,
        "WNLI/test.tsv": table("index | sentence1 | sentence2", "0 | M. | N."),
    }
    return files


Lay = Callable[[dict[str, str]], Path]


@pytest.fixture
def lay(tmp_path: Path) -> Lay:
    """A function that writes files, by their path, into a folder of data."""

    def write(files: dict[str, str]) -> Path:
        for name, content in files.items():
            path = tmp_path / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode())
        return tmp_path / "data"

    return write


@pytest.fixture
def clue(lay: Lay) -> Path:
    """A folder with every task of CLUE."""
    return lay(clue_files())


@pytest.fixture
def glue(lay: Lay) -> Path:
    """A folder with every task of GLUE."""
    return lay(glue_files())
