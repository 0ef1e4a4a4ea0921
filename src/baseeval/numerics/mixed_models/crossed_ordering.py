"""In which order sparse random effects are eliminated, and what fills in.

Nodes are levels of factors; two are neighbours where the matrix has an entry. The order is one
of minimum degree; elimination then gives each node the set of later nodes that it meets, and
nodes with all but equal sets are eliminated together (George and Liu 1981; Liu 1992,
doi:10.1137/1034004).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import spilu

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Share of zeros that a set of nodes eliminated together may hold, and nodes of a small set.
_MOST_ZEROS, _SMALL = 0.2, 16


@dataclass(frozen=True, slots=True)
class Elimination:
    """Sets of nodes that are eliminated together, in order.

    Parameters
    ----------
    order : ndarray of int, shape (nodes,)
        Node eliminated at each place.
    starts : ndarray of int, shape (sets + 1,)
        Place of the first node of each set.
    later : list of ndarray of int
        Places of the later nodes that each set meets, ascending.
    parent : ndarray of int, shape (sets,)
        Set of the first of those; -1 where there are none.
    """

    order: Ints
    starts: Ints
    later: list[Ints]
    parent: Ints

    @property
    def work(self) -> float:
        """Return about how many multiplications the elimination and its inverse take."""
        own = np.diff(self.starts).astype(float)
        later = np.array([len(found) for found in self.later], dtype=float)
        return float((own**3 + 2 * own**2 * later + 2 * own * later**2).sum())


def plan_elimination(nodes: int, first: Ints, second: Ints) -> Elimination:
    """Order nodes and find their sets.

    Parameters
    ----------
    nodes : int
    first, second : ndarray of int
        Pairs of neighbours, each once.

    Returns
    -------
    Elimination
    """
    entries = np.ones(len(first))
    half = sparse.csr_matrix((entries, (first, second)), (nodes, nodes))
    graph = sparse.csr_matrix(half + half.T)
    graph.setdiag(0)
    graph.eliminate_zeros()
    order = _minimum_degree(graph)
    order = order[_postorder(_tree(graph, order))]
    place = np.empty(nodes, dtype=np.intp)
    place[order] = np.arange(nodes)
    meets = _fill(graph, order, place)
    return _join(order, meets)


def _minimum_degree(graph: sparse.csr_matrix) -> Ints:
    """Return an order of minimum degree: SuperLU's, from a factor that keeps nothing."""
    nodes = graph.shape[0]
    matrix = graph + sparse.diags_array(np.asarray(graph.sum(axis=1)).ravel() + 1.0)
    held = spilu(matrix.tocsc(), drop_tol=1.0, fill_factor=1.0, permc_spec="MMD_AT_PLUS_A")
    order = np.empty(nodes, dtype=np.intp)
    order[held.perm_c] = np.arange(nodes)
    return order


def _tree(graph: sparse.csr_matrix, order: Ints) -> Ints:
    """Return the parent of each place in the elimination tree (Liu 1990), -1 for roots."""
    nodes = len(order)
    place = np.empty(nodes, dtype=np.intp)
    place[order] = np.arange(nodes)
    parent, ancestor = [-1] * nodes, [-1] * nodes
    for at, node in enumerate(order):
        for other in place[graph.indices[graph.indptr[node] : graph.indptr[node + 1]]].tolist():
            climb = other
            while climb != -1 and climb < at:
                above = ancestor[climb]
                ancestor[climb] = at
                if above == -1:
                    parent[climb] = at
                climb = above
    return np.array(parent, dtype=np.intp)


def _postorder(parent: Ints) -> Ints:
    """Return places with every child before its parent and next to its brothers' children."""
    nodes = len(parent)
    children: list[list[int]] = [[] for _ in range(nodes + 1)]
    for child in range(nodes - 1, -1, -1):
        children[parent[child]].append(child)
    found, stack = [], list(children[nodes])
    while stack:
        node = stack.pop()
        found.append(node)
        stack.extend(reversed(children[node]))
    return np.array(found[::-1], dtype=np.intp)


def _fill(graph: sparse.csr_matrix, order: Ints, place: Ints) -> list[Ints]:
    """Return the later places that each meets when it is eliminated, ascending."""
    nodes = len(order)
    waiting: list[list[Ints]] = [[] for _ in range(nodes)]
    meets = []
    for at, node in enumerate(order):
        own = place[graph.indices[graph.indptr[node] : graph.indptr[node + 1]]]
        found = np.unique(np.concatenate([own[own > at], *waiting[at]]))
        waiting[at] = []
        meets.append(found)
        if len(found):
            waiting[found[0]].append(found[1:])
    return meets


def _join(order: Ints, meets: list[Ints]) -> Elimination:
    """Put a node with the set of its parent where next to nothing is lost."""
    nodes = len(order)
    starts, zeros = [0], 0
    for at in range(1, nodes):
        before, own = meets[at - 1], meets[at]
        held = at - starts[-1]
        follows = len(before) > 0 and before[0] == at
        # Nodes that the earlier ones of the set do not meet, and would have to hold as zeros.
        extra = (len(own) + 1 - len(before)) * held + zeros if follows else 0
        whole = (held + 1) * (held + 1 + len(own))
        if follows and (extra <= _MOST_ZEROS * whole or whole <= _SMALL**2):
            zeros = extra
        else:
            starts.append(at)
            zeros = 0
    ends = np.append(starts, nodes).astype(np.intp)
    later = [meets[end - 1] for end in ends[1:]]
    owner = np.repeat(np.arange(len(starts)), np.diff(ends))
    parent = np.array([owner[found[0]] if len(found) else -1 for found in later], dtype=np.intp)
    return Elimination(order, ends, later, parent)
