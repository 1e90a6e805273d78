"""Reading with a tokenizer that several threads share."""

import threading
from typing import Any

_reading = threading.Lock()


def tokenized(tokenizer: Any, *texts: list[Any], **options: Any) -> Any:
    """What `tokenizer(*texts, **options)` gives, one thread after the other: truncation is a
    setting inside the tokenizer, which refuses to change it while another thread reads."""
    with _reading:
        return tokenizer(*texts, **options)
