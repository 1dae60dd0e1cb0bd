"""Re-ranking again with plain loops over full matrices, to compare with."""

import numpy as np


def unit(rows):
    return np.array([row / np.linalg.norm(row) if row.any() else row for row in rows])


def expanded(vectors, gallery, k, alpha, itself):
    """Sums of unit vectors weighted by their cosine to the power alpha."""
    vectors, gallery = unit(vectors), unit(gallery)
    made = []
    for i, vector in enumerate(vectors):
        cosine = [float(vector @ photo) for photo in gallery]
        order = sorted(range(len(gallery)), key=lambda j, c=cosine: (-c[j], j))
        chosen = [j for j in order if not (itself and j == i)][:k]
        total = vector.copy()
        for j in chosen:
            if cosine[j] > 0:
                total = total + cosine[j] ** alpha * gallery[j]
        made.append(total / np.linalg.norm(total))
    return np.array(made)


def mixed_distance(query, gallery, k1, k2, share):
    """Zhong et al.'s d*, (Q, N), step by step as the paper and its released code go."""
    nodes = unit(np.concatenate([query, gallery]))
    size = len(nodes)
    original = 2 - 2 * nodes @ nodes.T
    np.fill_diagonal(original, 0)
    original = original / original.max(axis=1, keepdims=True)
    rank = []
    for i in range(size):
        others = sorted((j for j in range(size) if j != i), key=lambda j, i=i: (original[i, j], j))
        rank.append([i, *others])

    def mutual(i, k):
        return [j for j in rank[i][: k + 1] if i in rank[j][: k + 1]]

    vectors = np.zeros((size, size))
    for i in range(size):
        first = mutual(i, k1)
        grown = set(first)
        for candidate in first:
            theirs = mutual(candidate, int(np.around(k1 / 2)))
            if 3 * len(set(theirs) & set(first)) > 2 * len(theirs):
                grown |= set(theirs)
        for j in grown:
            vectors[i, j] = np.exp(-original[i, j])
        vectors[i] /= vectors[i].sum()
    vectors = np.array([np.mean([vectors[j] for j in rank[i][:k2]], axis=0) for i in range(size)])
    count = len(query)
    found = np.empty((count, len(gallery)))
    for i in range(count):
        for j in range(len(gallery)):
            a, b = vectors[i], vectors[count + j]
            jaccard = 1 - np.minimum(a, b).sum() / np.maximum(a, b).sum()
            found[i, j] = (1 - share) * jaccard + share * original[i, count + j]
    return found


def reciprocal_ranks(matrices, constant):
    total = np.zeros(matrices[0].shape)
    for scores in matrices:
        for i, row in enumerate(scores):
            order = sorted(range(len(row)), key=lambda j, row=row: (-row[j], j))
            for place, j in enumerate(order, 1):
                total[i, j] += 1 / (constant + place)
    return total
