"""What a fetcher's parts have in common."""

from penstock.bundles.utils.retry import RetryConfig, RetryEngine, create_retry_engine

__all__ = ["RetryConfig", "RetryEngine", "create_retry_engine"]
