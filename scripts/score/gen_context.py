#!/usr/bin/env python3
"""Seasonal curves with anomalies of context in them, for kpi_score.py.

  gen_context.py OUT_DIR --seed N [--series 36]

Writes OUT_DIR/sNNN.csv: timestamp,value,label. Curves of 1 minute to 1 hour and 21 to 70 days: a random daily shape, another one
at the weekend for most, a wandering level, noise that is white or correlated, of one size or in proportion to the level, normal,
log-normal or of whole numbers, and rare spikes that are not labelled. Four events in each: six hours that are those of half a day
before, a day without its peak, a day of larger or smaller swing, a day that comes two to six hours late.
"""
import argparse
import os

import numpy as np

DAYS = {60: 21, 300: 35, 600: 42, 1800: 56, 3600: 70}
SPANS = [60, 300, 300, 600, 1800, 3600]
START = 1_524_614_400


def shape(rng, n):
    """A periodic curve of four harmonics with mean 0 and standard deviation 1."""
    t = np.arange(n) / n * 2 * np.pi
    wave = sum(rng.normal() / h * np.sin(h * t + rng.uniform(0, 2 * np.pi)) for h in range(1, 5))
    return (wave - wave.mean()) / wave.std()


def curve(rng, i):
    """Interval, days, rows of a day, and values."""
    span = SPANS[i % len(SPANS)]
    days = DAYS[span]
    per_day = 86_400 // span
    n = days * per_day
    workday = shape(rng, per_day)
    weekend = workday if i % 3 == 0 else 0.5 * workday + 0.3 * shape(rng, per_day) - rng.uniform(0, 0.8)
    pattern = np.concatenate([weekend if day % 7 in (5, 6) else workday for day in range(days)])
    pattern = pattern * np.repeat(1 + 0.08 * rng.normal(size=days), per_day)
    level = 4 + rng.uniform(0, 3)
    base = level + pattern + np.cumsum(rng.normal(size=n)) * 0.15 / np.sqrt(per_day * 7)
    sigma = rng.uniform(0.05, 0.25)
    noise, white, rho = np.zeros(n), rng.normal(size=n), rng.choice([0, 0.6, 0.9])
    for t in range(1, n):
        noise[t] = rho * noise[t - 1] + white[t] * np.sqrt(1 - rho * rho)
    scale = sigma if i % 4 < 2 else sigma * np.clip(base, 0.3, None) / level
    if i % 4 == 3:
        values = np.exp(0.35 * (base - level) + 0.35 * scale * noise)
    else:
        values = base + scale * noise
    spikes = rng.integers(0, n, size=max(1, days // 10))
    values[spikes] += rng.normal(size=len(spikes)) * 3 * sigma * np.std(values)
    if i % 5 == 0:
        values = rng.poisson(np.clip(values, 0.01, None) * rng.choice([5, 50, 500])).astype(float)
    return span, days, per_day, values


def event(rng, kind, before, start, per_day):
    """Where an event begins, its values, and whether all of it is labelled."""
    up = rng.random() < 0.5
    if kind == 0:
        start += int(rng.integers(0, per_day * 3 // 4))
        return start, before[start - per_day // 2 : start - per_day // 2 + per_day // 4], True
    day = before[start : start + per_day]
    if kind == 1:
        median, high = np.median(day), np.quantile(day, 0.75)
        return start, np.where(day > high, median + (1 - rng.uniform(0.6, 1)) * (day - median), day), False
    if kind == 2:
        size = rng.uniform(0.3, 0.8)
        return start, day.mean() + (day - day.mean()) * (1 + size if up else 1 - size), False
    late = int(rng.uniform(2, 6) * per_day / 24) or 1
    return start, before[start - late : start - late + per_day], False


def inject(rng, values, per_day, days):
    labels, before = np.zeros(len(values)), values.copy()
    warm = max(int(days * 0.4), 14) if days >= 28 else int(days * 0.5)
    used = []
    for kind in range(4):
        for _ in range(30):
            day = int(rng.integers(warm, days - 1))
            if all(abs(day - other) >= 3 for other in used):
                break
        else:
            continue
        used.append(day)
        start, new, whole = event(rng, kind, before, day * per_day, per_day)
        rows = slice(start, start + len(new))
        changed = np.flatnonzero(np.abs(new - before[rows]) > 0.3 * np.std(before))
        values[rows] = new
        if whole:
            labels[rows] = 1
        elif len(changed):
            labels[start + changed[0] : start + changed[-1] + 1] = 1
    return labels


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--series", type=int, default=36)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    os.makedirs(args.out, exist_ok=True)
    for i in range(args.series):
        span, days, per_day, values = curve(rng, i)
        labels = inject(rng, values, per_day, days)
        with open(os.path.join(args.out, f"s{i:03d}.csv"), "w") as file:
            file.write("timestamp,value,label\n")
            for k, (value, label) in enumerate(zip(values, labels)):
                file.write(f"{START + k * span},{value:.6g},{int(label)}\n")


if __name__ == "__main__":
    main()
