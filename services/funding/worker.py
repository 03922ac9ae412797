"""The funding worker: `faust -A services.funding.worker worker`."""

from __future__ import annotations

from services.funding.bootstrap import bootstrap
from services.funding.handlers import handlers
from services.funding.settings import FundingSettings
from shared.messaging import topics
from shared.messaging.worker import create_worker

settings = FundingSettings.load()

app = create_worker(settings, handlers, lambda: bootstrap(settings), sources=[topics.events("matching")])
