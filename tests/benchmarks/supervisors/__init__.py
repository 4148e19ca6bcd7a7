"""The supervisors that are measured, each behind the interface of base.py."""
