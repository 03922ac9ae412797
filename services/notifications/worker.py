"""The notifications worker: `faust -A services.notifications.worker worker`."""

from __future__ import annotations

from functools import partial

from services.notifications.bootstrap import bootstrap
from services.notifications.chat import carry_chat
from services.notifications.chores import do_chores
from services.notifications.courier import carry_mails
from services.notifications.digests import make_digests
from services.notifications.handlers import SOURCES, handlers
from services.notifications.retention import let_go_of_old
from services.notifications.settings import NotificationsSettings
from services.notifications.use_cases.erase_notifications import erase_notifications
from services.notifications.watch import watch_outgoing
from services.notifications.webhooks.dispatcher import send_webhooks
from services.notifications.webhooks.subscriptions import know_endpoints
from shared.erasure import keep_erased
from shared.messaging import topics
from shared.messaging.worker import create_worker

settings = NotificationsSettings.load()

app = create_worker(
    settings,
    handlers,
    lambda: bootstrap(settings),
    sources=[topics.events(source) for source in SOURCES],
    companions=[
        carry_mails,
        carry_chat,
        watch_outgoing,
        make_digests,
        know_endpoints,
        send_webhooks,
        do_chores,
        let_go_of_old,
        partial(keep_erased, erase=erase_notifications),
    ],
)
