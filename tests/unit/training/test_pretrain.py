"""Pretraining on a tiny scale: resumed to the same bytes, opened by transformers alone, fine-tuned from."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tuneloop.core.config import RunConfig, parse_config
from tuneloop.core.errors import ConfigError, DataError, ModelError
from tuneloop.core.paths import Workspace
from tuneloop.data.masking import hide
from tuneloop.data.pretraining_texts import pretraining_texts
from tuneloop.methods.masked_lm import DEV
from tuneloop.models.tokenizer import Tokenizer
from tuneloop.training import loop
from tuneloop.training.interrupt import InterruptedTrainingError
from tuneloop.training.pretrain import Encoder, pretrain
from tuneloop.training.run import tune

TRAINING = {"precision": "fp32", "report_to": [], "schedule": "constant", "warmup": 0}
TINY = {"source": "scratch", "layers": 1, "hidden": 16, "heads": 2, "vocabulary": 60, "max_tokens": 8}


def config(folder: Path, training: Mapping[str, object] = {}, **changes: object) -> RunConfig:
    """Settings for 200 texts in which every word comes twice, so that one tells the other."""
    random = np.random.default_rng(0)
    texts = [" ".join(np.repeat(random.choice(list("abcdefgh"), random.integers(2, 6)), 2)) for _ in range(200)]
    (folder / "plain.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    own = {"texts": "plain.jsonl", "keep_test_unseen": False, "held_out": 0.1, "epochs": 3, "batch_size": 16}
    return parse_config(
        {"data": {"source": "x.csv"}, "pretraining": own | TINY | changes, "training": TRAINING | training, "seed": 3}
    )


def make(folder: Path, settings: RunConfig) -> Encoder:
    return pretrain(settings, snapshot=None, workspace=Workspace(folder / "w"), base=folder, quiet=True)


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunConfig, Encoder]:
    """A folder with texts, settings that suffice to learn something, and the encoder of them."""
    folder = tmp_path_factory.mktemp("pretrain")
    settings = config(folder, epochs=12, learning_rate=3e-3, hidden=64)
    return folder, settings, make(folder, settings)


def test_it_guesses_better_than_the_commonest_word_would(learnt: Any) -> None:
    _, _, made = learnt
    rows = [json.loads(line) for line in (made.path / "metrics.jsonl").read_text().splitlines()]
    dev = [row["dev_log_likelihood"] for row in rows if "dev_log_likelihood" in row]
    assert made.info["dev"]["loss"] == pytest.approx(-max(dev))
    assert made.info["dev"]["loss"] < np.log(8) / 2 and made.info["dev"]["masked_accuracy"] > 0.6
    assert made.info["texts"]["dev"] == round(0.1 * (made.info["texts"]["train"] + made.info["texts"]["dev"]))
    assert made.info["pieces"]["train"] > made.info["texts"]["train"]


def test_transformers_alone_opens_it_and_finds_the_loss_it_claims(learnt: Any) -> None:
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    folder, settings, made = learnt
    model, report = AutoModelForMaskedLM.from_pretrained(made.path, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    assert AutoTokenizer.from_pretrained(made.path).mask_token == "[MASK]"
    tokenizer = Tokenizer(made.path, 8)
    tokens = tokenizer.pieces(pretraining_texts(settings, None, base=folder).dev)
    order = np.argsort(tokens.lengths, kind="stable")  # one batch, as training judges it
    batch = tokens.batch(order)
    ids = batch["input_ids"]
    seen, hidden = hide(ids, marks=tokenizer.marks, share=0.15, key=[3, DEV, *order.tolist()])
    labels = torch.from_numpy(np.where(hidden, ids, -100))
    with torch.inference_mode():
        mask = torch.from_numpy(batch["attention_mask"])
        found = model(input_ids=torch.from_numpy(seen), attention_mask=mask, labels=labels)
    assert float(found.loss) == pytest.approx(made.info["dev"]["loss"], abs=1e-5)


def test_every_method_can_start_from_it(learnt: Any, made_up: Any, tmp_path: Path) -> None:
    _, _, made = learnt
    for method in ("full", "lora"):
        plain = {"data": {"source": "x.csv"}, "method": method, "training": {"report_to": [], "epochs": 1}}
        settings = parse_config(plain | {"model": {"source": str(made.path), "max_tokens": 8}})
        run = tune(settings, snapshot=made_up("classification"), workspace=Workspace(tmp_path), quiet=True)
        assert len(run.handle().predict(["good a b"])) == 1


def test_stopped_it_goes_on_and_ends_with_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    settings = config(tmp_path / "whole", {"checkpoint_every_steps": 4})
    whole = make(tmp_path / "whole", settings)
    config(tmp_path / "cut")

    def ctrl_c(step: int, **_: object) -> float:
        if step in (5, 14):
            signal.raise_signal(signal.SIGINT)
        return 1.0

    with monkeypatch.context() as patch:
        patch.setattr(loop, "rate_factor", ctrl_c)
        for _ in range(2):
            with pytest.raises(InterruptedTrainingError, match="was stopped") as stopped:
                make(tmp_path / "cut", settings)
            assert stopped.value.hint == "Go on with the same command."
    assert not (tmp_path / "cut" / "w" / "encoders").exists()
    cut = make(tmp_path / "cut", settings)
    for name in ("model.safetensors", "tokenizer.json", "metrics.jsonl", "config.json"):
        assert (cut.path / name).read_bytes() == (whole.path / name).read_bytes()
    assert not list((tmp_path / "cut" / "w" / "cache" / "pretraining").iterdir())


def test_regularisers_of_a_run_do_not_end_it(tmp_path: Path) -> None:
    made = make(tmp_path, config(tmp_path, {"r_drop": 1.0, "supcon": 0.2, "fgm": 0.5}, epochs=1))
    assert (made.path / "model.safetensors").is_file()


def test_a_text_without_a_known_word_is_no_piece(learnt: Any, tmp_path: Path) -> None:
    _, _, made = learnt
    (tmp_path / "plain.txt").write_text("\u2603\na b\nc d\n\u2602\u2602")
    going_on = {"texts": "plain.txt", "held_out": 0.5, "source": str(made.path), "epochs": 1}
    pieces = make(tmp_path, config(tmp_path, **going_on)).info["pieces"]
    assert pieces == {"train": 1, "dev": 1}
    (tmp_path / "plain.txt").write_text("\u2603\n\u2602\u2602")
    with pytest.raises(DataError, match="knows no word of the texts"):
        make(tmp_path, config(tmp_path, name="none", **going_on))


def test_a_finished_one_is_given_again_and_another_may_not_take_its_name(learnt: Any) -> None:
    folder, settings, made = learnt
    before = (made.path / "model.safetensors").stat().st_mtime_ns
    assert make(folder, settings).info == made.info
    assert (made.path / "model.safetensors").stat().st_mtime_ns == before
    with pytest.raises(ConfigError, match="made from other texts or settings"):
        make(folder, config(folder, epochs=1))


def test_going_on_keeps_the_head_or_says_that_it_is_new(learnt: Any, tmp_path: Path) -> None:
    from transformers import AutoModel

    from tuneloop.training.save import copy_tokenizer

    _, _, made = learnt
    headless = tmp_path / "headless"
    AutoModel.from_pretrained(made.path).save_pretrained(headless)
    copy_tokenizer(made.path, headless)
    (headless / "1_Pooling").mkdir()
    (headless / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    kept, new = (
        make(tmp_path, config(tmp_path, name=name, source=str(source), epochs=1, learning_rate=1e-4))
        for name, source in (("kept", made.path), ("new", headless))
    )
    assert (kept.info["new_head"], new.info["new_head"]) == (False, True)
    assert kept.info["dev"]["loss"] < made.info["dev"]["loss"] + 0.3 < new.info["dev"]["loss"]
    assert (new.path / "1_Pooling" / "config.json").is_file()


def test_what_cannot_guess_tokens_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    maskless = tmp_path / "maskless"
    shutil.copytree(tiny_model, maskless)
    (maskless / "tokenizer_config.json").unlink()
    with pytest.raises(ModelError, match="has no mask token"):
        make(tmp_path, config(tmp_path, source=str(maskless)))
    with pytest.raises(ConfigError, match="no multiple of 3 heads"):
        make(tmp_path, config(tmp_path, heads=3))
