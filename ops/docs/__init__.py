"""Docs that are made from the contracts: docs/asyncapi.yaml and docs/events.md."""
