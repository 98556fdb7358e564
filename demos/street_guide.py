"""Ask the way in Helsinki, aloud if you like: python demos/street_guide.py [question.wav …]

Each answer is printed with what was found, and saved as out/answer-N.wav.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from omni_agent import Position, street_guide

STATION_SQUARE = Position(60.1711, 24.9441, heading=180, label="the Railway Square")
QUESTIONS = ("Where can I get a good coffee?", "Is the second one open?", "去第一家怎么走？")


def main() -> None:
    asked = [Path(name) for name in sys.argv[1:]] or QUESTIONS
    Path("out").mkdir(exist_ok=True)
    with street_guide(place=STATION_SQUARE) as guide:
        for number, question in enumerate(asked, 1):
            reply = guide.ask_sync(question, speak=True)
            print(f"\n{reply.heard or question}\n  {reply.text}")
            for run in reply.tools:
                if run.call.name == "find_places" and not run.result.is_error:
                    for place in json.loads(run.result.content)["places"]:
                        print(f"    {place['name']}, {place['direction']}: {place['why']}")
            if reply.audio is not None:
                reply.audio.save(f"out/answer-{number}.wav")


main()
