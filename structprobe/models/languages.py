"""The language that a multilingual model is told that a text is in."""

from __future__ import annotations

import copy
import difflib
import logging
from collections.abc import Sequence

from structprobe.errors import EncoderError, Hint
from structprobe.models import Model, Tokenizer

_N_NEAR = 5  # codes shown for one that is unknown; the models know up to 200

_log = logging.getLogger(__name__)


def speak(tokenizer: Tokenizer, lang: str | None, name: str) -> Tokenizer:
    """Give the tokenizer that marks texts as being in a language, if it marks them at all."""
    if not marks_language(tokenizer):
        return tokenizer
    if lang is None:
        told = "%s: texts are read as %r, the default of %s; for another language, pass lang="
        _log.warning(told, name, tokenizer.src_lang, type(tokenizer).__name__)
        return tokenizer
    _check_code(lang, _codes(tokenizer), name)
    own = copy.deepcopy(tokenizer)  # the given one belongs to the user
    own.src_lang = lang
    return own


def set_language(
    model: Model, lang: str | None, tokenizer: Tokenizer, name: str, *, ours: bool
) -> None:
    """Set the language of a model that has parts for each, and refuse a code that none reads."""
    codes = list(getattr(model.config, "languages", None) or ())
    if not callable(getattr(model, "set_default_language", None)):
        if lang is not None and not marks_language(tokenizer):
            what = f"lang={lang!r}, but neither the model nor its tokenizer takes a language code"
            raise EncoderError(what, where=name, hint="leave it out")
    elif lang is not None:
        _check_code(lang, codes, name)
        if ours:
            model.set_default_language(lang)
        elif model.config.default_language != lang:
            hint = f"call model.set_default_language({lang!r}) first"
            raise EncoderError(f"the model is set to {model.config.default_language!r}", hint=hint)
    elif model.config.default_language is None:
        known = ", ".join(codes)
        python, shell = (f"pass {it}, one of {known}" for it in ("lang=", "--lang"))
        what = "the model has parts for several languages and no default"
        raise EncoderError(what, where=name, hint=Hint(python, shell=shell))


def language_of(tokenizer: Tokenizer, given: Tokenizer) -> str | None:
    """Give the language that the user set on a tokenizer, where only that tells."""
    is_ours = given is not tokenizer
    if is_ours or not marks_language(tokenizer) or getattr(tokenizer, "is_fast", False):
        return None  # the post-processor of a fast one tells
    return str(tokenizer.src_lang)


def marks_language(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer marks texts with the code of their language."""
    # A property, which changes the special tokens; where it is an attribute, it does not.
    return isinstance(getattr(type(tokenizer), "src_lang", None), property)


def _codes(tokenizer: Tokenizer) -> list[str]:
    """List the language codes of a tokenizer."""
    codes = getattr(tokenizer, "lang_code_to_id", None)
    if not codes:  # they are the special tokens that have no role
        roles = {str(token) for token in tokenizer.special_tokens_map.values()}
        codes = [token for token in tokenizer.all_special_tokens if token not in roles]
    return [code.strip("_") for code in codes]


def _check_code(lang: str, codes: Sequence[str], name: str) -> None:
    """Refuse an unknown language code, naming those that are near."""
    if lang in codes:
        return
    start = lang.lower()[:2]
    near = difflib.get_close_matches(lang, codes, n=_N_NEAR)
    near += [code for code in codes if code.lower().startswith(start) and code not in near]
    shown = ", ".join((near or list(codes))[:_N_NEAR])
    hint = f"near ones: {shown}" if near else f"such as {shown}"
    what = f"unknown language code {lang!r}; the model knows {len(codes)}"
    raise EncoderError(what, where=name, hint=hint)
