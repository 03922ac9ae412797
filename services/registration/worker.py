"""The registration worker: `faust -A services.registration.worker worker`."""

from __future__ import annotations

from services.registration.bootstrap import bootstrap
from services.registration.chores import do_chores
from services.registration.feed.builder import build_feed
from services.registration.handlers import handlers
from services.registration.importer import import_spreadsheets
from services.registration.lookalike_search import search_lookalikes
from services.registration.settings import RegistrationSettings
from shared.messaging import topics
from shared.messaging.worker import create_worker

settings = RegistrationSettings.load()

app = create_worker(
    settings,
    handlers,
    lambda: bootstrap(settings),
    sources=[topics.REGISTRATION_INBOX, topics.events("matching")],
    companions=[build_feed, do_chores, import_spreadsheets, search_lookalikes],
)
