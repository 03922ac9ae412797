"""The funding worker: `faust -A services.funding.worker worker`."""

from __future__ import annotations

from functools import partial

from services.funding.bootstrap import bootstrap
from services.funding.chores import do_chores
from services.funding.handlers import handlers
from services.funding.settings import FundingSettings
from services.funding.use_cases.erase_grants import erase_grants
from shared.erasure import keep_erased
from shared.messaging import topics
from shared.messaging.worker import create_worker

settings = FundingSettings.load()

app = create_worker(
    settings,
    handlers,
    lambda: bootstrap(settings),
    sources=[topics.events("matching"), topics.events("registration")],
    companions=[do_chores, partial(keep_erased, erase=erase_grants)],
)
