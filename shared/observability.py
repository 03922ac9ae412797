"""Logs as JSON lines, and the metrics every process shows at `/metrics`."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog
from prometheus_client import Counter, Gauge, Histogram

CONSUMED = Counter("cxc_messages_consumed_total", "Messages by what became of them", ["service", "outcome"])
BATCH_SIZE = Histogram(
    "cxc_batch_messages",
    "Messages in one transaction",
    ["service"],
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000),
)
BATCH_SECONDS = Histogram(
    "cxc_batch_seconds",
    "From a batch at hand to its transaction committed",
    ["service"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
)
BATCH_RETRIES = Counter("cxc_batch_retries_total", "Batches run again, by why", ["service", "reason"])
DEAD_LETTERS = Counter("cxc_dead_letters_total", "Messages set aside", ["service", "reason"])
CONSUMER_LAG = Gauge("cxc_consumer_lag", "Messages not yet handled", ["service", "topic", "partition"])
OUTBOX_PUBLISHED = Counter("cxc_outbox_published_total", "Messages the broker confirmed", ["service"])
OUTBOX_OLDEST_SECONDS = Gauge(
    "cxc_outbox_oldest_seconds", "Age of the oldest unpublished outbox row; 0 when there is none", ["service"]
)
RELAY_ACTIVE = Gauge("cxc_relay_active", "1 in the worker whose relay holds the lease", ["service"])
HTTP_SECONDS = Histogram(
    "cxc_http_request_seconds", "Requests by route and status", ["service", "method", "route", "status"]
)


def configure_logging(service: str, level: str, format: Literal["json", "console"]) -> logging.Handler:
    """Send this process's logs, those of libraries included, to standard error as one line each."""
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer() if format == "json" else structlog.dev.ConsoleRenderer()
    )
    common: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*common, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.__stderr__)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=common,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for noisy in ("aiokafka", "pymongo", "httpx", "httpx2", "uvicorn.access", "faust.web", "mode"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    structlog.contextvars.bind_contextvars(service=service)
    return handler
