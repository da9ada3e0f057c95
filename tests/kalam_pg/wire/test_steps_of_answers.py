"""How many rows of an answer are encoded before others have their turn."""

from kalam_pg.wire.results import ROWS_PER_STEP, STEP_BYTES, next_step


def test_small_rows_go_up_to_a_full_step_and_stay_there():
    step = 16
    for _ in range(10):
        step = next_step(step, step * 50)
    assert step == ROWS_PER_STEP


def test_large_rows_go_down_to_one_at_a_time_and_no_further():
    step = ROWS_PER_STEP
    for _ in range(10):
        step = next_step(step, step * 8 * STEP_BYTES)
    assert step == 1


def test_a_step_of_about_the_right_size_is_kept():
    assert next_step(100, STEP_BYTES // 2) == 100
