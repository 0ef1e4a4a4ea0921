"""The plan's hash: blind to order and layout, awake to every value."""

import copy
import random

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from baseeval.plan import nearest, plan_hash

names = st.text("abz_ -.\"'é\n1", max_size=8)
values = st.recursive(
    st.booleans() | st.integers(-1000, 1000) | st.floats(allow_nan=False) | names | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
plans = st.dictionaries(names, values, max_size=4)


def shuffled(value, order):
    if isinstance(value, dict):
        keys = list(value)
        order.shuffle(keys)
        return {key: shuffled(value[key], order) for key in keys}
    if isinstance(value, list):
        return [shuffled(inner, order) for inner in value]
    return value


def leaves(value, path=()):
    inner = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    for key, held in inner:
        yield from leaves(held, (*path, key))
    if not inner and path:
        yield path


@settings(max_examples=60, deadline=None)
@given(plan=plans, seed=st.integers(0, 99))
def test_the_order_of_keys_does_not_matter(plan, seed):
    assert plan_hash(shuffled(plan, random.Random(seed))) == plan_hash(plan)


@settings(max_examples=60, deadline=None)
@given(plan=plans, data=st.data())
def test_every_value_matters(plan, data):
    paths = list(leaves(plan))
    assume(paths)
    *way, last = data.draw(st.sampled_from(paths))
    changed = copy.deepcopy(plan)
    place = changed
    for key in way:
        place = place[key]
    place[last] = [place[last], "more"]

    assert plan_hash(changed) != plan_hash(plan)


@settings(max_examples=40, deadline=None)
@given(plan=plans, key=names, value=values)
def test_a_further_key_matters(plan, key, value):
    assume(key not in plan)

    assert plan_hash({**plan, key: value}) != plan_hash(plan)


@settings(max_examples=40, deadline=None)
@given(word=names, known=st.lists(names, min_size=1, max_size=5))
def test_the_known_words_are_always_listed(word, known):
    assert all(f"`{name}`" in nearest(word, known) for name in known)
