"""The training loop, read from top to bottom: batches, loss, backward, clip, step, log, evaluate, save.

Everything that decides a step is a pure function of the configuration, the data and the number of
the step, or is in the checkpoint. So a run that was killed and resumed ends with the same bits.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneloop.core.errors import TrainingError
from tuneloop.core.i18n import t
from tuneloop.core.progress import note, progress
from tuneloop.data.batches import split_by_tokens
from tuneloop.methods.base import GradientMethod
from tuneloop.methods.split import Split
from tuneloop.models.device import autocast
from tuneloop.models.first_token import read_first_token_only
from tuneloop.models.forward import to_tensors
from tuneloop.models.frozen import frozen_prefix
from tuneloop.training import checkpoint, recompute
from tuneloop.training.checkpoint import Place
from tuneloop.training.distributed.pieces import in_pieces, own, put
from tuneloop.training.distributed.ranks import Ranks
from tuneloop.training.distributed.sharded import sharing
from tuneloop.training.interrupt import InterruptedTrainingError, held_interrupts
from tuneloop.training.logs import open_log
from tuneloop.training.optim import create_optimizer, load_state, set_rate, state_tensors
from tuneloop.training.regularisers import fgm, regularised, tokens_per_part
from tuneloop.training.schedule import ema_decay, rate_factor
from tuneloop.training.steps import Steps

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from tuneloop.core.config import TrainingConfig
    from tuneloop.data.tokens import Tokens
    from tuneloop.models.frozen import Prefix
    from tuneloop.tasks.base import Goal
    from tuneloop.training.continual.held import Held


def train(
    model: PreTrainedModel,
    task: Goal,
    method: GradientMethod,
    *,
    train_split: Split,
    dev_split: Split,
    config: TrainingConfig,
    seed: int,
    precision: str,
    folder: Path,
    fingerprint: dict[str, Any],
    cache: Path | None = None,
    held: Held | None = None,
    ranks: Ranks | None = None,
    quiet: bool = False,
    judged: Callable[[int, float], None] | None = None,
    after_step: Callable[[int], None] | None = None,
) -> Place:
    """Train `model` in place, to the weights that were best on dev.

    Args:
        precision: fp32 or bf16 (autocast; the weights stay fp32).
        folder: the run's folder, for metrics.jsonl and checkpoints; training goes on from the newest.
        fingerprint: what the checkpoints are bound to.
        cache: where the states behind frozen layers are kept; None computes them in every epoch.
        held: what holds the weights to an older model.
        ranks: the processes that train together; every one calls this with the same arguments.
        judged: called with the number of each evaluation on dev, from 1, and its figure.
        after_step: called with the number of each finished step.

    Returns:
        Where training ended, with the best dev figure; of several processes the first one's model alone has the best
        weights.

    Raises:
        InterruptedTrainingError: after Ctrl-C or SIGTERM; the place is kept and the run can be resumed.
        LostRankError: if another of the processes has ended.
        TrainingError: if a checkpoint cannot be used, or the loss is no longer a number.
    """
    import torch

    from tuneloop.training.cpu import kept_memory, use_cheap_operations

    ranks = sharing(ranks or Ranks(), config)
    torch.manual_seed(seed)
    model.eval()  # until the first step
    use_cheap_operations(model, precision, device=ranks.device_of(model))
    read_first_token_only(model)
    again = ranks.any(recompute.wanted(config, model, train_split.tokens, ranks=ranks, quiet=quiet))
    given, model = model, ranks.spread(model, precision)
    prefix = frozen_prefix(model)
    if cache and ranks.pieces == 1:  # else the frozen layers are computed in every epoch
        with ranks.in_turn():
            prefix.keep(train_split.tokens, precision, folder=cache, limit_bytes=config.frozen_cache_bytes, quiet=quiet)
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    optimizer = create_optimizer(method.parameter_groups(model), config)
    targets = torch.from_numpy(train_split.targets(task)).to(model.device)
    steps = Steps(method, train_split, config, seed)
    total, metric = steps.total, method.selects_by(task)

    method.begin(model, task, train_split, total=total, per_epoch=steps.per_epoch, precision=precision)
    average = {name: value.detach().clone() for name, value in trained.items()} if config.ema else {}
    place, checkpoints = Place(), folder / "checkpoints"
    if found := ranks.told(lambda: path.name if (path := checkpoint.newest(checkpoints)) else ""):
        place, tensors = checkpoint.load(checkpoints / found, fingerprint=fingerprint)
        _restore(tensors, trained, average, optimizer, method)
        del tensors
        if place.ranks != ranks.size and not quiet:
            before = t("Begun with {before} processes and gone on with {now}: not bit-exact.",
                       before=place.ranks, now=ranks.size)  # fmt: skip
            note(before)
    place.ranks = ranks.size
    ranks.equal([*trained.values(), *average.values()])

    def keep_place() -> None:
        place.metrics_bytes = log.flush()
        save = partial(checkpoint.save, checkpoints, place=place, fingerprint=fingerprint)
        ranks.keep(_collect(trained, average, optimizer, method), save)

    saved_s, losses = time.monotonic(), []
    bar_of_steps = progress(t("tuning"), total, done=place.step, quiet=quiet)
    recomputing = recompute.recomputed(model, wanted=again)
    with (
        held_interrupts() as interrupted,  # before the log shows anyone that training is on
        closing(open_log(config.report_to, folder, place, writes=ranks.first)) as log,
        bar_of_steps as bar, prefix, kept_memory(wanted=ranks.pieces == 1), recomputing, ranks.company(),
    ):  # fmt: skip
        for step, rows in steps.since(place.step):
            if place.finished:
                break
            began_s = time.monotonic()
            if not model.training:  # nor is it after an evaluation
                model.train(), prefix.eval()
            factor = rate_factor(step, total=total, warmup=config.warmup, schedule=config.schedule)
            set_rate(optimizer, factor)
            ranks.draw(seed, step)
            shared = ranks.share(rows, train_split.tokens)
            idle = ranks.idle(rows, train_split.tokens, tokens_per_part(config))
            loss = backward(
                model, task, method, train_split.tokens, targets, shared, config, precision,
                count=len(rows), prefix=prefix, held=held, idle=idle,
            )  # fmt: skip
            loss = ranks.add_up(trained.values(), loss)
            for penalty in (method.penalty(model), held.penalty(model) if held else None):
                if penalty is not None:
                    penalty.backward()  # type: ignore[no-untyped-call]
                    loss += float(penalty.detach())
            if not math.isfinite(loss):
                raise TrainingError(
                    t("The loss is no longer a number at step {step}.", step=step + 1),
                    t("Start again with a lower training.learning_rate, or with training.precision: fp32."),
                )
            if config.clip:
                torch.nn.utils.clip_grad_norm_(trained.values(), config.clip)
            optimizer.step()
            method.after_step(model, step)
            optimizer.zero_grad(set_to_none=True)
            if average:
                means, weights = ([own(each.detach()) for each in some.values()] for some in (average, trained))
                torch._foreach_lerp_(means, weights, 1 - ema_decay(step, config.ema))
            place.step = step + 1
            place.samples += len(rows)
            place.steps_s += time.monotonic() - began_s
            losses.append(loss)
            log.write({"step": place.step, "loss": loss, "learning_rate": config.learning_rate * factor})

            if place.step in steps.due:
                with _Averaged(trained, average):
                    method.before_evaluation(model)
                    figures = ranks.judged(lambda: method.figures(model, task, dev_split, precision))
                    if method.settled(step) and _judge(place, figures[metric], config.patience):
                        ranks.keep(trained, partial(checkpoint.save_best, checkpoints, step=place.step))
                log.write({"step": place.step, **{f"dev_{name}": value for name, value in figures.items()}})
                if judged:
                    judged(sum(step <= place.step for step in steps.due), figures[metric])
            bar.update(place.step, _note(losses, place, metric))
            late, stopping = ranks.any_of(time.monotonic() - saved_s > config.checkpoint_every_s, interrupted())
            if late or stopping or place.step % config.checkpoint_every_steps == 0:
                keep_place()
                saved_s = time.monotonic()
            if stopping:
                ranks.wait()  # one that ends before the first has kept the place may have it killed
                raise InterruptedTrainingError(
                    t(
                        "Tuning was stopped after step {step} of {total}; nothing is lost.",
                        step=place.step,
                        total=total,
                    ),
                    t("Go on with: tuneloop tune --resume --run {run}", run=folder.name),
                )
            if after_step:
                after_step(place.step)
    average.clear(), optimizer.state.clear()  # room for the best weights
    with ranks.company():
        ranks.put_back(given, model, lambda: checkpoint.load_best(checkpoints, step=place.best_step))
    return place


def backward(
    model: PreTrainedModel,
    task: Goal,
    method: GradientMethod,
    tokens: Tokens,
    targets: torch.Tensor,
    rows: np.ndarray[Any, Any],
    config: TrainingConfig,
    precision: str,
    *,
    count: int | None = None,
    prefix: Prefix | None = None,
    held: Held | None = None,
    idle: Sequence[np.ndarray[Any, Any]] = (),
) -> float:
    """Gradients of the loss of `rows`, their part of the mean over `count` rows (these by default), in parts that fit
    the token budget; returns that loss.

    Args:
        idle: rows of passes that count for nothing: see `Ranks.idle`.
    """
    plain = held.around(method.loss) if held else method.loss
    whole, losses = 0.0, regularised(prefix.loss(plain) if prefix else plain, config)
    parts = split_by_tokens(rows, tokens, tokens_per_part(config))
    for part, over in [*((part, count or len(rows)) for part in parts), *((part, math.inf) for part in idle)]:
        batch = to_tensors(model, tokens, part)
        for _ in fgm.passes(model, config.fgm):
            with autocast(precision, model.device.type):
                loss = losses(model, task, batch, method.targets(targets, part), part).sum() / over
            loss.backward()  # type: ignore[no-untyped-call]
            whole += float(loss.detach())
    return whole


class _Averaged:
    """Inside the block the model has the averaged weights, if there are any."""

    def __init__(self, trained: dict[str, Any], average: dict[str, Any]) -> None:
        self.trained, self.average = trained, average

    def _swap(self) -> None:
        for name, mean in self.average.items():
            weight = self.trained[name]
            if in_pieces(weight):  # whose memory FSDP knows, so it stays where it is
                before = own(weight.detach()).clone()
                own(weight.detach()).copy_(own(mean)), own(mean).copy_(before)
            else:
                weight.data, self.average[name] = mean, weight.data

    def __enter__(self) -> None:
        self._swap()

    def __exit__(self, *_: object) -> None:
        self._swap()


def _judge(place: Place, figure: float, patience: int) -> bool:
    """Whether the weights are the best so far; training ends after `patience` evaluations without gain."""
    if place.best is None or figure > place.best:
        place.best, place.best_step, place.stale = figure, place.step, 0
        return True
    place.stale += 1
    place.finished = bool(patience) and place.stale >= patience
    return False


def _note(losses: list[float], place: Place, metric: str) -> str:
    """For example: loss 0.512 · dev macro_f1 0.750 · 120/s (training samples per second)."""
    parts = [f"loss {float(np.mean(losses[-20:])):.3f}"]
    if place.best is not None:
        parts.append(f"dev {metric} {place.best:.3f}")
    return " · ".join([*parts, f"{place.samples_per_s:.0f}/s"])


def _collect(
    trained: dict[str, Any], average: dict[str, Any], optimizer: torch.optim.Optimizer, method: GradientMethod
) -> dict[str, torch.Tensor]:
    tensors = {f"model.{name}": value for name, value in trained.items()}
    tensors |= {f"average.{name}": value for name, value in average.items()}
    tensors |= {f"method.{name}": value for name, value in method.state().items()}
    return tensors | {f"optimizer.{name}": value for name, value in state_tensors(optimizer).items()}


def _restore(
    tensors: dict[str, torch.Tensor],
    trained: dict[str, Any],
    average: dict[str, Any],
    optimizer: torch.optim.Optimizer,
    method: GradientMethod,
) -> None:
    import torch

    remembered: dict[str, torch.Tensor] = {}
    moments: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        for name, tensor in tensors.items():
            kind, _, rest = name.partition(".")
            if kind == "optimizer":
                moments[rest] = tensor
            elif kind == "method":
                remembered[rest] = tensor
            else:
                put({"model": trained, "average": average}[kind][rest], tensor)
    method.restore(remembered)
    load_state(optimizer, moments)
