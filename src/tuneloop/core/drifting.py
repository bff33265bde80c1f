"""How served answers are watched: the settings of drift, early warnings and alerts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tuneloop.core.options import Options


class WebhookConfig(Options):
    """Where alerts are posted to."""

    url: str = Field(description="An https address; http only for hosts that are listed in `private`.")
    hosts: tuple[str, ...] = Field((), description="Hosts that may be posted to; that of the address must be there.")
    private: tuple[str, ...] = Field(
        (), description="Hosts of `hosts` that may have addresses inside your own network, or speak plain http."
    )
    secret: str = Field(
        "TUNELOOP_WEBHOOK_SECRET", description="Name of the environment variable with the key that signs what is sent."
    )
    attempts: int = Field(4, ge=1, le=10, description="How often an alert is tried.")
    timeout_s: float = Field(5.0, gt=0, le=60, description="How long one attempt may take.")


class MailConfig(Options):
    """Which server sends alerts by e-mail, and to whom."""

    host: str = Field(description="The SMTP server.")
    port: int = Field(587, ge=1, le=65535, description="Its port.")
    sender: str = Field(description="The address that alerts come from.")
    to: tuple[str, ...] = Field(min_length=1, description="The addresses that alerts go to.")
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="How the connection is secured; none sends no password and is for this machine alone."
    )
    user: str = Field("", description="The name to log in with; no login by default.")
    password: str = Field("TUNELOOP_SMTP_PASSWORD", description="Name of the environment variable with the password.")
    timeout_s: float = Field(10.0, gt=0, le=120, description="How long the server may take to answer.")


class AlertConfig(Options):
    """Who hears of alarms. Each alarm is told once by each way."""

    log: bool = Field(True, description="Whether alarms are written to alerts.jsonl of the watched release.")
    webhook: WebhookConfig | None = Field(None, description="A web address that takes alarms; none by default.")
    mail: MailConfig | None = Field(None, description="E-mail; none by default.")
    cooldown_s: float = Field(
        3600.0, ge=0, description="How long nothing more is told of the same figure of the same slice, in seconds."
    )


class DriftConfig(Options):
    """Whether what is served is still like what the release was measured on."""

    reference: Literal["release", "events"] = Field(
        "release", description="release: its dev and test rows, answered by it; events: the first ones served."
    )
    reference_events: int = Field(500, ge=40, description="Rows or events of the reference, at most.")
    window: int = Field(100, ge=20, description="Events that are tested together.")
    false_alarms: float = Field(
        0.05, gt=0, lt=1, description="Chance of any false alarm in the life of a stream, all detectors together."
    )
    detectors: tuple[str, ...] = Field((), description="What is watched; all by default.")
    slices: tuple[str, ...] = Field(
        (), description="What events are also watched apart by: language, release, or names of tags."
    )
    most_slices: int = Field(20, ge=1, description="Slices that are watched, the first that come.")
    most_events: int = Field(100_000, ge=1000, description="Events after which watching begins anew.")
    examples: int = Field(5, ge=0, description="New texts that the page shows, where texts are kept.")
    to_label: int = Field(20, ge=0, description="Texts that are suggested for labelling, where texts are kept.")
    warnings: str = Field("", description="A YAML file with early warnings, such as a burst of complaints of one name.")
    alerts: AlertConfig = Field(default_factory=AlertConfig)  # type: ignore[arg-type]
