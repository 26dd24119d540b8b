"""Runs on Celery workers, with a real Redis and a real PostgreSQL: minutes, so `make test-deep`."""
