"""A server that misbehaves as it is told."""

from collections.abc import Iterator

import pytest

from assistant.providers.chat_server import ChatServer


@pytest.fixture
def server() -> Iterator[ChatServer]:
    one = ChatServer()
    yield one
    one.close()
