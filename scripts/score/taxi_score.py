#!/usr/bin/env python3
"""Scores of the taxi demo's series as one job says them: `mean(value)` in half-hours, the known windows and the other days.

    taxi_score.py AUSPEX NYC_TAXI_CSV

Runs `AUSPEX detect`; needs nothing beyond Python 3. Windows are those of the benchmark's labels, days those of New York's clocks.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
from collections import defaultdict
from datetime import datetime, timezone

WINDOWS = [
    ("New York marathon", "2014-10-30 15:30", "2014-11-03 22:30"),
    ("Thanksgiving", "2014-11-25 12:00", "2014-11-29 19:00"),
    ("Christmas", "2014-12-23 11:30", "2014-12-27 18:30"),
    ("New Year", "2014-12-29 21:30", "2015-01-03 04:30"),
    ("Blizzard", "2015-01-24 20:30", "2015-01-29 03:30"),
]
# Before, the model has not seen each hour of the week twice.
LEARNT = datetime(2014, 7, 22, tzinfo=timezone.utc)
JOB = {
    "job_id": "taxi",
    "analysis_config": {"bucket_span": "30m", "detectors": [{"function": "mean", "field_name": "value"}]},
    "data_description": {"time_field": "timestamp", "time_format": "yyyy-MM-dd HH:mm:ss"},
}


def utc(text):
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=timezone.utc)


def records(auspex, series):
    with tempfile.TemporaryDirectory() as folder:
        job, out = pathlib.Path(folder, "job.json"), pathlib.Path(folder, "out.ndjson")
        job.write_text(json.dumps(JOB))
        command = [auspex, "detect", "--job", job, "--input", series, "--output", out]
        subprocess.run(command, check=True, stderr=subprocess.PIPE)
        for line in out.read_text().splitlines():
            result = json.loads(line)
            if result.get("result_type") == "record":
                yield datetime.fromtimestamp(result["timestamp"] / 1000, timezone.utc), result["record_score"]


def main(auspex, series):
    best, days = dict.fromkeys((name for name, _, _ in WINDOWS), 0.0), defaultdict(float)
    for time, score in records(auspex, series):
        inside = [name for name, first, last in WINDOWS if utc(first) <= time <= utc(last)]
        for name in inside:
            best[name] = max(best[name], score)
        if not inside:
            days[time.date()] = max(days[time.date()], score)
    print("| window | highest record score |\n| --- | --- |")
    for name, score in best.items():
        print(f"| {name} | {score:.0f} |")
    print(f"\n{sum(score >= 50 for score in best.values())} of {len(best)} windows ≥ 50")
    for least in (50, 75):
        over = sorted(day for day, score in days.items() if score >= least)
        learnt = [day for day in over if day >= LEARNT.date()]
        named = ", ".join(day.isoformat() for day in learnt)
        print(f"other days ≥ {least}: {len(over)}, of them after three weeks: {len(learnt)} {named}".rstrip())


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
