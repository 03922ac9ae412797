"""The console's worker: `faust -A services.console.worker worker`."""

from __future__ import annotations

from services.console.bootstrap import bootstrap
from services.console.handlers import SOURCES, handlers
from services.console.settings import ConsoleSettings
from shared.messaging import topics
from shared.messaging.worker import create_worker

settings = ConsoleSettings.load()

app = create_worker(
    settings,
    handlers,
    lambda: bootstrap(settings),
    sources=[topics.events(source) for source in SOURCES],
)
