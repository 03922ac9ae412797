"""The notifications worker: `faust -A services.notifications.worker worker`."""

from __future__ import annotations

from services.notifications.bootstrap import bootstrap
from services.notifications.courier import carry_mails
from services.notifications.handlers import SOURCES, handlers
from services.notifications.settings import NotificationsSettings
from shared.messaging import topics
from shared.messaging.worker import create_worker

settings = NotificationsSettings.load()

app = create_worker(
    settings,
    handlers,
    lambda: bootstrap(settings),
    sources=[topics.events(source) for source in SOURCES],
    companions=[carry_mails],
)
