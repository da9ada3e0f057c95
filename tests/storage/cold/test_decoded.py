"""What was decoded stays in memory up to a size, and goes with its file."""

from storage.cold.decoded import Decoded


def test_decoded_parts_are_kept_up_to_a_size():
    decoded = Decoded(bytes_max=100)
    for number in range(3):
        decoded.put("path", number, f"value {number}", 40)
    assert [decoded.get("path", number) for number in range(3)] == [None, "value 1", "value 2"]
    decoded.put("path", 3, "value 3", 40)
    assert decoded.get("path", 1) is None
    decoded.forget("path")
    assert decoded.get("path", 3) is None


def test_a_part_that_was_asked_for_lately_stays():
    decoded = Decoded(bytes_max=100)
    decoded.put("path", 0, "value 0", 40)
    decoded.put("path", 1, "value 1", 40)
    assert decoded.get("path", 0) == "value 0"
    decoded.put("other", 0, "value 2", 40)
    assert decoded.get("path", 0) == "value 0"
    assert decoded.get("path", 1) is None
