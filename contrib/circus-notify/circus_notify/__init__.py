"""The plugin `notify`: tells people what went wrong. It decides nothing about processes."""

from circus_notify.plugin import Notify

__all__ = ["Notify"]
