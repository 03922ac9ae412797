"""The console's worker: `faust -A services.console.worker worker`."""

from __future__ import annotations

from functools import partial

from services.console.bootstrap import bootstrap
from services.console.handlers import SOURCES, handlers
from services.console.settings import ConsoleSettings
from services.console.use_cases.erase_case import erase_case
from shared.erasure import keep_erased
from shared.messaging import topics
from shared.messaging.worker import create_worker

settings = ConsoleSettings.load()

app = create_worker(
    settings,
    handlers,
    lambda: bootstrap(settings),
    sources=[topics.events(source) for source in SOURCES],
    companions=[partial(keep_erased, erase=erase_case)],
)
