"""inet and cidr: what is stored sorts as PostgreSQL's network_cmp does."""

import random
from functools import cmp_to_key

from catalog.types.network import Network, pack_network, unpack_network

CHOOSE = random.Random(7)


def network() -> Network:
    """One of either family; addresses that are often alike in their first bits."""
    family = CHOOSE.choice((1, 2))
    width = 32 if family == 1 else 128
    address = CHOOSE.choice((0, 10 << width - 8, CHOOSE.getrandbits(width)))
    return Network(family, address ^ CHOOSE.getrandbits(4), CHOOSE.randint(0, width))


NETWORKS = [network() for _ in range(400)]


def network_cmp(a: Network, b: Network) -> int:
    """Families; then the bits that both networks have; then their number; then the addresses."""
    if a.family != b.family:
        return a.family - b.family
    shift = a.width - min(a.bits, b.bits)
    keys = [(n.address >> shift, n.bits, n.address) for n in (a, b)]
    return (keys[0] > keys[1]) - (keys[0] < keys[1])


def test_stored_networks_sort_as_networks_do():
    in_order = sorted(NETWORKS, key=cmp_to_key(network_cmp))
    assert sorted(map(pack_network, NETWORKS)) == [pack_network(n) for n in in_order]


def test_a_stored_network_is_what_it_was_made_of():
    assert [unpack_network(pack_network(n)) for n in NETWORKS] == NETWORKS
