"""Applications to begin with: folders that are copied, and then yours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tuneloop.core.errors import ConfigError
from tuneloop.core.fsio import copy_dir, new_dir
from tuneloop.core.i18n import t
from tuneloop.core.paths import check_id

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Template:
    """One application.

    Args:
        name: of its folder.
        about: what it does, one line in English.
        about_zh: the same in Chinese.
    """

    name: str
    about: str
    about_zh: str


TEMPLATES = {
    each.name: each
    for each in (
        Template(
            "customer-service",
            "What a customer wants, the details in it, an answer with its source, or a person.",
            "识别客户意图与细节，给出有出处的回答，或转给人工。",
        ),
        Template(
            "opinion-monitor",
            "News and posts as they come: who they are about, good or bad, and an alarm when bad news bursts.",
            "新闻与帖子随到随读：涉及谁、正面或负面，负面突增时报警。",
        ),
        Template(
            "medical-qa",
            "Patients' questions: emergencies sent to care at once, answers with their source, or none.",
            "患者提问：紧急情况立即转急救，回答都有出处，否则不答。",
        ),
        Template(
            "recommend",
            "Films for who likes others or says what they look for, each with a reason; measured against item-kNN.",
            "按喜欢的影片或一句话推荐影片，每部都有理由；与 item-kNN 对比评测。",
        ),
        Template(
            "writing",
            "Rewrite, correct, continue, summarise, change tone, with differences shown and changed numbers refused.",
            "改写、纠错、续写、摘要、改变语气；显示改动，拒绝改变数字或名称的回答。",
        ),
    )
}


def create(name: str, template: str, *, into: Path = Path()) -> Path:
    """A new folder with an application, complete once it is there.

    Args:
        name: of the folder.
        template: one of `TEMPLATES`.
        into: the folder that it is made in.

    Raises:
        ConfigError: if there is no such template, or the folder exists.
    """
    if template not in TEMPLATES:
        raise ConfigError(
            t("There is no template {name}.", name=template),
            t("Choose one of: {known}.", known=", ".join(TEMPLATES)),
        )
    target = into / check_id(name)
    if target.exists():
        raise ConfigError(t("{path} exists already.", path=target), t("Choose another name."))
    with new_dir(target) as folder:
        copy_dir(HERE / template, folder)
    return target
