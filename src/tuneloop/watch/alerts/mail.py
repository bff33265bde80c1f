"""Alerts by e-mail."""

from __future__ import annotations

import json
import os
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate

from tuneloop.core.drifting import MailConfig
from tuneloop.core.errors import ConfigError
from tuneloop.core.i18n import t
from tuneloop.watch.alerts.base import Alert, AlertError, Channel

HERE = frozenset({"localhost", "127.0.0.1", "::1"})


class Mail(Channel):
    """Sends alerts through an SMTP server, its certificate checked.

    Raises:
        ConfigError: if an unsecured server is not on this machine, or the password is missing.
    """

    name = "mail"

    def __init__(self, config: MailConfig) -> None:
        self._config = config
        self._password = os.environ.get(config.password, "") if config.user else ""
        if config.security == "none" and (config.host not in HERE or config.user):
            raise ConfigError(
                t("alerts.mail.security: none is for a server on this machine, without a login."),
                t("Use starttls or tls."),
            )
        if config.user and not self._password:
            raise ConfigError(
                t(
                    "The environment variable {name} with the password of the SMTP server is empty.",
                    name=config.password,
                ),
                t("Set it, or leave out alerts.mail.user."),
            )

    def send(self, alert: Alert) -> None:
        try:
            with self._opened() as server:
                if self._config.user:
                    server.login(self._config.user, self._password)
                refused = server.send_message(message(alert, self._config))
        except (OSError, smtplib.SMTPException) as error:
            raise self._error(str(error)) from None
        if refused:
            raise self._error(", ".join(refused))

    def _opened(self) -> smtplib.SMTP:
        config = self._config
        if config.security == "tls":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(config.host, config.port, timeout=config.timeout_s, context=context)
        server = smtplib.SMTP(config.host, config.port, timeout=config.timeout_s)
        if config.security == "starttls":
            try:
                server.starttls(context=ssl.create_default_context())  # raises where the server does not offer it
            except BaseException:
                server.close()
                raise
        return server

    def _error(self, said: str) -> AlertError:
        return AlertError(
            t("The SMTP server {host} did not take the alert: {said}.", host=self._config.host, said=said)
        )


def message(alert: Alert, config: MailConfig) -> EmailMessage:
    """The alert as an e-mail. What ends up in a header has no line breaks."""
    mail = EmailMessage()
    mail["Subject"] = " ".join(f"tuneloop {alert.release}: {alert.sentence}".split())[:200]
    mail["From"], mail["To"] = config.sender, ", ".join(config.to)
    mail["Date"] = formatdate()
    mail["Message-ID"] = f"<{alert.id}@tuneloop>"
    mail.set_content(f"{alert.sentence}\n\n{json.dumps(alert.to_json(), ensure_ascii=False, indent=2)}\n")
    return mail
