"""The process in which a plug-in is asked: it loses sight of the grid's files, then loads it.

python -m reassess.evaluation.plugin_process REQUEST REPLY
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

from reassess.core.files import Json, read_json, write_json
from reassess.core.view import View, enter
from reassess.evaluation.plugins import reply_to


def main(request: Path, reply: Path) -> None:
    """Answer a request; an error is part of the answer."""
    content = read_json(request)
    sight = enter(View.read(content["view"]))
    subject = f"method {content['method']!r}"
    answer: Json
    try:
        answer = reply_to(content)
        sight.require_kept(subject)
    except Exception as error:
        traceback.print_exc()
        answer = {"error": sight.problem(subject) or f"{type(error).__name__}: {error}"}
    write_json(reply, answer)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
