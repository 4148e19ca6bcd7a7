"""What single options of a watcher change, where no other module tells it on the way."""

from __future__ import annotations

import asyncio

import pytest

from circus_core.testing import watcher


@pytest.mark.covers("option:max_age_variance")
async def test_max_age_variance_spreads_the_ages_that_processes_reach(supervise):
    async with supervise(watcher("w", numprocesses=8, max_age=1000, max_age_variance=500)) as run:
        now = asyncio.get_running_loop().time()
        ages = [process.expiry.when() - now + process.age for process in run.supervisor.watcher("w").slots.processes()]
        assert len(ages) == 8
        assert all(999 < age < 1501 for age in ages)
        assert max(ages) - min(ages) > 1
