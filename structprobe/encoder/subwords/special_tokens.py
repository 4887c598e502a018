"""The special tokens of a tokenizer."""

from __future__ import annotations

from dataclasses import dataclass

from structprobe.errors import EncoderError
from structprobe.models import Tokenizer


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The special tokens around a text."""

    before: tuple[int, ...]
    after: tuple[int, ...]

    def __len__(self) -> int:
        """Count the tokens."""
        return len(self.before) + len(self.after)


def find_surroundings(tokenizer: Tokenizer, bos: bool = False) -> Surroundings:
    """Find the tokens that the tokenizer puts around a text."""
    before, after = _look(tokenizer)
    if bos and (token := tokenizer.bos_token_id) not in before:
        if token is None:
            what = f"bos=True, but {type(tokenizer).__name__} has no beginning-of-sequence token"
            raise EncoderError(what, hint="use bos=False")
        before = (int(token), *before)
    return Surroundings(before, after)


def named_tokens(tokenizer: Tokenizer) -> dict[int, str]:
    """Give the special tokens by id."""
    return dict(zip(tokenizer.all_special_ids, tokenizer.all_special_tokens, strict=True))


def _look(tokenizer: Tokenizer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Tokenize a plain text with and without special tokens, and compare."""
    for text in ("a", "the", "1", "."):
        bare = tokenizer(text, add_special_tokens=False)["input_ids"]
        full = tokenizer(text)["input_ids"]
        for start in range(len(full) - len(bare) + 1 if bare else 0):
            if full[start : start + len(bare)] == bare:
                return tuple(full[:start]), tuple(full[start + len(bare) :])
    raise EncoderError(f"{type(tokenizer).__name__} gives no subwords for plain text")
