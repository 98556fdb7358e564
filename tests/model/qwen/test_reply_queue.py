"""The queue of a reply, and the numbers that come back: in order, and never more than fits."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the extra qwen")

from omni_agent.errors import UsageError
from omni_agent.model.qwen.readback import Readback
from omni_agent.model.qwen.reply_queue import ReplyQueue


def entry(number):
    return torch.full((2,), float(number))


def new_queue(capacity=3):
    queue = ReplyQueue(2, dtype=torch.float32, device="cpu", capacity=capacity)
    queue.begin()
    return queue


def read(queue):
    got = queue.read()
    queue.was_read()
    assert got.shape == (1, 2)
    return int(got[0, 0])


def test_it_goes_round_and_ends_with_the_last_entry_for_ever():
    queue = new_queue()
    assert queue.ahead == 0
    got = []
    for number in range(8):
        queue.push(entry(number))
        assert queue.ahead == 1 + number % 2
        if number % 2:
            got += [read(queue), read(queue)]
    queue.close(entry(8))
    got += [read(queue) for _ in range(7)]
    assert got == [0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 8, 8, 8, 8]


def test_it_takes_no_more_than_it_holds_and_nothing_after_its_end():
    queue = new_queue()
    for number in range(3):
        queue.push(entry(number))
    with pytest.raises(UsageError, match="3 tokens ahead"):
        queue.push(entry(3))
    assert read(queue) == 0
    queue.close(entry(3))
    with pytest.raises(UsageError, match="closed"):
        queue.push(entry(4))
    assert [read(queue) for _ in range(4)] == [1, 2, 3, 3]


def test_it_begins_anew():
    queue = new_queue()
    queue.close(entry(1))
    read(queue)
    queue.begin()
    assert (queue.ahead, queue.closed) == (0, False)
    queue.push(entry(5))
    assert read(queue) == 5


def test_numbers_come_back_in_order_and_late():
    readback, number = Readback("cpu", slots=3), torch.zeros(1, dtype=torch.int64)
    got = []
    for value in range(10):
        readback.send(number.fill_(value))
        if len(readback) == 3:
            got.append(readback.take())
    assert len(readback) == 2
    got += [readback.take(), readback.take()]
    assert got == list(range(10))
    with pytest.raises(IndexError):
        readback.take()


def test_numbers_that_nobody_takes_are_told_of_or_forgotten():
    readback, number = Readback("cpu", slots=2), torch.zeros(1, dtype=torch.int64)
    for _ in range(2):
        readback.send(number)
    with pytest.raises(UsageError, match="2 numbers are waiting"):
        readback.send(number)
    readback.clear()
    readback.send(number.fill_(7))
    assert readback.take() == 7
