"""Who tells others that a bundle is complete."""

from penstock.bundles.notifications.sqs_publisher import LocalStackCredentialsError, SqsPublisher

__all__ = ["LocalStackCredentialsError", "SqsPublisher"]
