"""What a plugin remembers for the one that takes its place: JSON values by name. Where they are kept, hosts decide."""

from __future__ import annotations

import json
from typing import Any


class Memory:
    """Values as they were when they were remembered; what becomes of them later changes nothing here."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def remember(self, name: str, value: object) -> None:
        """Keep a value, or with None forget it; raises TypeError for what JSON has no word for."""
        if value is None:
            if self.texts.pop(name, None) is None:
                return
        else:
            text = json.dumps(value)
            if self.texts.get(name) == text:
                return
            self.texts[name] = text
        self.changed()

    def recall(self, name: str) -> Any:
        """What was kept, with lists for tuples, as JSON has it; None if there is nothing."""
        text = self.texts.get(name)
        return None if text is None else json.loads(text)

    def changed(self) -> None:
        """Something was kept or forgotten."""
