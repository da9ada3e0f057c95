"""What is computed when it is first asked for."""

import threading

from storage.lazy import lazy


class Asked:
    def __init__(self, wait=lambda: None):
        self.times = 0
        self._wait = wait

    @lazy
    def answer(self):
        """What it is."""
        self.times += 1
        self._wait()
        return object()


def test_it_is_computed_once():
    asked = Asked()
    assert asked.answer is asked.answer
    assert asked.times == 1
    assert Asked.answer.__doc__ == "What it is."


def test_nothing_is_kept_of_what_failed():
    class Failing(Asked):
        @lazy
        def answer(self):
            self.times += 1
            return 1 // (self.times - 1)

    failing = Failing()
    for _ in range(2):
        try:
            assert failing.answer == 1
        except ZeroDivisionError:
            assert failing.times == 1
    assert failing.times == 2


def test_nobody_waits_for_another_object_of_its_kind():
    entered, leave = threading.Event(), threading.Event()

    def wait():
        entered.set()
        assert leave.wait(60)

    slow = threading.Thread(target=lambda: Asked(wait).answer)
    slow.start()
    assert entered.wait(60)
    assert Asked().answer
    leave.set()
    slow.join()


def test_two_threads_that_computed_it_have_one_answer():
    both = threading.Barrier(2)
    asked = Asked(lambda: both.wait(60))
    found = []
    threads = [threading.Thread(target=lambda: found.append(asked.answer)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] is found[1] is asked.answer
