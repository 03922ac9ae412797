"""The matching worker: `faust -A services.matching.worker worker`."""

from __future__ import annotations

from services.matching.bootstrap import bootstrap
from services.matching.chores import do_chores
from services.matching.handlers import handlers
from services.matching.newcomers import tell_newcomers
from services.matching.plan_maker import make_plans, publish_plans
from services.matching.settings import MatchingSettings
from shared.messaging import topics
from shared.messaging.worker import create_worker

settings = MatchingSettings.load()

app = create_worker(
    settings,
    handlers,
    lambda: bootstrap(settings, browsed=False),
    sources=[topics.events("registration")],
    companions=[do_chores, tell_newcomers, make_plans, publish_plans],
)
