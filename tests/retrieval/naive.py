"""The definitions again, one query at a time with plain loops, to compare with."""

import math

import numpy as np


def ordered(scores):
    """Places from the best score on, equal scores in gallery order."""
    return sorted(range(len(scores)), key=lambda i: (-scores[i], i))


def precisions(flags):
    """Precision at every hit of a ranked list of 0 and 1."""
    hits, found = 0, []
    for place, flag in enumerate(flags, 1):
        if flag:
            hits += 1
            found.append(hits / place)
    return found


def envelope(values):
    return [max(values[i:]) for i in range(len(values))]


def plain_ap(flags, k, R, denominator, voc=False):
    found = precisions(flags[:k])
    if voc:
        found = envelope(found)
    by = {"min": min(k, R), "R": R, "hits": len(found), "K": k}[denominator]
    return sum(found) / by if by else 0.0


def grouped_ap(flags, scores):
    """Average precision over distinct scores, the list's own hits as the relevant ones."""
    total = sum(flags)
    if not total:
        return 0.0
    value, before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        chosen = [flag for flag, score in zip(flags, scores, strict=True) if score >= threshold]
        recall = sum(chosen) / total
        value += (recall - before) * sum(chosen) / len(chosen)
        before = recall
    return value


def mean_over(values, labels, average):
    kept = [(v, c) for v, c in zip(values, labels, strict=True) if v is not None]
    if not kept:
        return None
    if average == "query":
        return sum(v for v, _ in kept) / len(kept)
    classes = {}
    for v, c in kept:
        classes.setdefault(c, []).append(v)
    return sum(sum(v) / len(v) for v in classes.values()) / len(classes)


def cosine(q, g):
    def length(x):
        return np.maximum(np.sqrt((x**2).sum(axis=1, keepdims=True)), 1e-300)

    return (q / length(q)) @ (g / length(g)).T


def euclidean(q, g):
    return -np.array([[math.dist(a, b) for b in g] for a in q])


def hamming(q, g):
    return -np.array([[int(((a >= 0) != (b >= 0)).sum()) for b in g] for a in q])


# What each preset says, written out again and independently of `Definition`:
# scores, kind of AP, denominator of AP@K, of P@K, averaging, and what becomes of R = 0 and h = 0.
PRESETS = {
    "standard": (cosine, "plain", "min", "K", "query", "drop", "count"),
    "sake": (cosine, "voc", "min", "K", "class", "drop", "count"),
    "zse": (cosine, "voc", "min", "min", "query", "drop", "count"),
    "sempcyc": (euclidean, "grouped", "hits", "list", "query", "zero", "count"),
    "doodle2search": (euclidean, "grouped", "hits", "next", "query", "zero", "count"),
    "zsih": (hamming, "plain", "min", "K", "query", "drop", "drop"),
    "yelamarthi": (cosine, "plain", "K", "K", "query", "drop", "count"),
    "clipprompt": (cosine, "plain", "hits", "K", "query", "drop", "count"),
    "sketch-lvm": (cosine, "plain", "min", "K", "query", "drop", "count"),
    "dsn": (cosine, "voc", "min", "K", "class", "drop", "count"),
    "tcn": (cosine, "voc", "min", "K", "class", "drop", "count"),
    "ffmln": (cosine, "voc", "min", "list", "query", "nan", "count"),
    "ffmln-paper": (cosine, "plain", "R", "K", "query", "drop", "count"),
}


def one_query(kind, k, flags, scores, preset):
    """The metric of one query, None where it is left out; `flags` and `scores` are ranked."""
    _, shape, denominator, precision, _, no_relevant, no_hits = preset
    R, N = sum(flags), len(flags)
    if R == 0:
        return {"drop": None, "zero": 0.0, "nan": math.nan}[no_relevant]
    length = N if k is None else k
    h = sum(flags[:length])
    if kind == "map" and shape == "grouped":
        value = grouped_ap(flags[:length], scores[:length])
    elif kind == "map":
        by = "R" if k is None else denominator
        value = plain_ap(flags, length, R, by, shape == "voc")
    elif kind == "recall":
        value = h / R
    elif precision == "next":
        return float(flags[k]) if k < N else 0.0
    else:
        value = h / {"K": k, "min": min(k, R), "list": min(k, N)}[precision]
    return None if no_hits == "drop" and h == 0 else value


def evaluate(kind, k, q, g, q_label, g_label, preset):
    """The mean of a metric over all queries under a preset."""
    scores = preset[0](q.astype(np.float64), g.astype(np.float64))
    values = []
    for row, label in zip(scores, q_label, strict=True):
        order = ordered(row)
        flags = [int(g_label[i] == label) for i in order]
        values.append(one_query(kind, k, flags, [row[i] for i in order], preset))
    return mean_over(values, q_label, preset[4])
