"""Models: quantized layers, their quantizers, and the student built from a teacher."""

from datasets import disable_progress_bars
from transformers.utils import logging

# The library's own progress bars and load reports would mix with our one-event-a-line output.
logging.disable_progress_bar()
logging.set_verbosity_error()
disable_progress_bars()
