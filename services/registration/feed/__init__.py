"""The numbered feed of every change of the platform: built from the event topics, read over HTTP."""
