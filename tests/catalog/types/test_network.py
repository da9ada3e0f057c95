"""inet and cidr: what is stored sorts as PostgreSQL's network_cmp does."""

from functools import cmp_to_key

from hypothesis import given
from hypothesis import strategies as st

from catalog.types.network import Network, pack_network, unpack_network
from tests.strategies import NETWORK


def network_cmp(a: Network, b: Network) -> int:
    """Families; then the bits that both networks have; then their number; then the addresses."""
    if a.family != b.family:
        return a.family - b.family
    shift = a.width - min(a.bits, b.bits)
    keys = [(n.address >> shift, n.bits, n.address) for n in (a, b)]
    return (keys[0] > keys[1]) - (keys[0] < keys[1])


@given(st.lists(NETWORK, max_size=8))
def test_stored_networks_sort_as_networks_do(values):
    networks = [unpack_network(value) for value in values]
    in_order = sorted(networks, key=cmp_to_key(network_cmp))
    assert sorted(values) == [pack_network(network) for network in in_order]


@given(NETWORK)
def test_a_stored_network_is_what_it_was_made_of(value):
    assert pack_network(unpack_network(value)) == value
