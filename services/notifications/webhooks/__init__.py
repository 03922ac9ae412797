"""Webhooks: events sent on to the systems of others, signed and in order, until they are taken."""
