"""`LanguageModel`: the log-probabilities that a model gives to texts and their words."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.behaviour.causal import CausalPasses
from structprobe.behaviour.masked import MaskedPasses
from structprobe.behaviour.texts import Text, TokenRow, make_rows, sum_by_word
from structprobe.encoder.encoder import Encoder
from structprobe.encoder.subwords.special_tokens import Surroundings
from structprobe.errors import EncoderError, check_encoder, unknown_name
from structprobe.masking.masked_head import find_mask
from structprobe.models.heads.loading import CAUSAL, KINDS, find_kind, load_head
from structprobe.models.heads.scoring import TokenScorer
from structprobe.models.inside.edits import is_edited
from structprobe.models.reading import PADDED
from structprobe.models.text_part import part_at
from structprobe.progress import progress_bar

_UNITS = ("token", "word")

Floats = NDArray[np.float64]


class LanguageModel:
    """A language model with its head, which gives log-probabilities to texts.

    A causal model gives the log-probability of a text: the sum over all its tokens, the final stop
    included, without an end-of-sequence token. In front stands what the tokenizer puts there, and
    its beginning-of-sequence token whether or not it puts it there by itself; if there is neither,
    the first token has no probability and is left out (`scores_first`). A masked model gives the
    pseudo-log-likelihood [1]_: the sum over tokens, each masked together with the later tokens of
    its word [2]_.

    A string is split at white space into words, and read as it is, without white space around it;
    a sentence or a list of words is spaced as the encoder does. A token of two words counts for the
    word in which it begins; one that is only spaces, for the word that follows: so the
    log-probabilities of the words of a text sum to that of the text.

    Parameters
    ----------
    encoder : Encoder
        The model. By name, it is loaded again with its head; a loaded model must have it.
    kind : {"causal", "masked"}, optional
        The kind of head; by default the one that the model can have, which is found by whether its
        vectors depend on the words that follow.

    Attributes
    ----------
    encoder : Encoder
        An encoder that shares its weights with the head, so that what changes it changes both.
    kind : str
        ``"causal"`` or ``"masked"``.
    scores_first : bool
        Whether the first token of a text is scored: False for a causal model whose tokenizer has no
        beginning-of-sequence token.

    Raises
    ------
    EncoderError
        If the model has no head of this kind.

    References
    ----------
    .. [1] Salazar, J., Liang, D., Nguyen, T. Q., & Kirchhoff, K. (2020). Masked Language Model
       Scoring. ACL 2020. Equation 1.
    .. [2] Kauf, C., & Ivanova, A. (2023). A Better Way to Do Masked Language Model Scoring. ACL
       2023. Equation 3, PLL-word-l2r.

    Examples
    --------
    >>> model = LanguageModel(Encoder("gpt2"))  # doctest: +SKIP
    >>> model.pair_log_probs([("The dogs bark.", "The dogs barks.")])  # doctest: +SKIP
    array([[-27.31, -33.08]])
    """

    def __init__(self, encoder: Encoder, kind: str | None = None) -> None:
        check_encoder(encoder, EncoderError)
        if kind is not None and kind not in KINDS:
            raise EncoderError(unknown_name("kind of head", kind, KINDS))
        self.kind = kind or find_kind(encoder.loaded)
        whole = load_head(
            encoder.loaded,
            encoder.model,
            self.kind,
            gguf_file=encoder.gguf_file,
            trust_remote_code=encoder.trust_remote_code,
            needed_by="scoring texts",
        )
        self.encoder = copy.copy(encoder)
        self.encoder.loaded = replace(encoder.loaded, model=part_at(whole, encoder.loaded.part))
        scorer = TokenScorer(whole, self.encoder.loaded)
        if self.kind == CAUSAL:
            self._around = Surroundings(self._before(), ())
            self._causal = CausalPasses(self.encoder, scorer, len(self._around.before))
        else:
            self._around = self.encoder.surroundings
            mask_token = find_mask(encoder, "pseudo-log-likelihood")
            self._masked = MaskedPasses(self.encoder, scorer, mask_token)
        self.scores_first = self.kind != CAUSAL or bool(self._around.before)

    def __repr__(self) -> str:
        return f"LanguageModel({self.encoder.loaded.name!r}, kind={self.kind!r})"

    def log_probs(
        self, texts: Iterable[Text], *, per: str | None = None, progress: bool | None = None
    ) -> Floats:
        """Give the log-probabilities of texts.

        Parameters
        ----------
        texts : iterable of str, Sentence or sequences of str
            The texts; forms may be mixed.
        per : {"token", "word"}, optional
            Divide by the number of tokens that are scored, or of words; by default not.
        progress : bool, optional
            Whether to show a progress bar; by default if stderr is a terminal.

        Returns
        -------
        ndarray of float64, shape (n_texts,)
            Natural logarithms; of a masked model, pseudo-log-likelihoods.

        Raises
        ------
        EncoderError
            If a text has no word, none of its tokens is scored, or it has more tokens than the
            model reads.
        """
        return self._sums(*self._scores(texts, None, progress), per)

    def pair_log_probs(
        self,
        pairs: Iterable[Sequence[Text]],
        *,
        per: str | None = None,
        share: bool | None = None,
        progress: bool | None = None,
    ) -> Floats:
        """Give the log-probabilities of pairs of texts, which mostly begin alike.

        Parameters
        ----------
        pairs : iterable of pairs of texts
            Each text as for `log_probs`.
        per : {"token", "word"}, optional
            As for `log_probs`.
        share : bool, optional
            Whether a causal model may read once what texts share in front, which gives the same
            numbers. By default it may, but not within an intervention, which may change texts that
            begin alike in different ways, or need to see them whole.
        progress : bool, optional
            As for `log_probs`.

        Returns
        -------
        ndarray of float64, shape (n_pairs, 2)
            Natural logarithms; within an intervention, text `k` of pair `i` is number `2 i + k`.

        Raises
        ------
        EncoderError
            As for `log_probs`, or if what is given are not pairs.
        """
        listed = list(pairs)
        for number, pair in enumerate(listed):
            if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
                what = f"pair {number} is {str(pair)[:40]!r}, not two texts"
                raise EncoderError(what, hint="pass a list of pairs of texts")
        texts = list(chain.from_iterable(listed))
        return self._sums(*self._scores(texts, share, progress), per).reshape(-1, 2)

    def word_log_probs(
        self, texts: Iterable[Text], *, progress: bool | None = None
    ) -> list[Floats]:
        """Give the log-probability of each word: the sum over its tokens.

        Parameters
        ----------
        texts, progress
            As for `log_probs`.

        Returns
        -------
        list of ndarray of float64, each of shape (n_words,)
            Natural logarithms; NaN for the first word if its first token is not scored.

        Raises
        ------
        EncoderError
            As for `log_probs`.
        """
        scored = self._scores(texts, None, progress)
        return [sum_by_word(row, one) for row, one in zip(*scored, strict=True)]

    def surprisals(self, texts: Iterable[Text], *, progress: bool | None = None) -> list[Floats]:
        """Give the surprisal of each word, -log2 of its probability given the words before it.

        Parameters
        ----------
        texts, progress
            As for `log_probs`.

        Returns
        -------
        list of ndarray of float64, each of shape (n_words,)
            Bits; NaN for the first word if its first token is not scored.

        Raises
        ------
        EncoderError
            As for `log_probs`, or if the model is masked.
        """
        if self.kind != CAUSAL:
            what = f"{self.encoder.loaded.name!r} is a masked model, which has no surprisal: it"
            hint = "use word_log_probs, or a causal model"
            raise EncoderError(f"{what} reads the words that follow too", hint=hint)
        return [one / -np.log(2) for one in self.word_log_probs(texts, progress=progress)]

    def _before(self) -> tuple[int, ...]:
        """Give the special tokens in front of a text, with that of the beginning of a sequence."""
        loaded, before = self.encoder.loaded, self.encoder.surroundings.before
        token = loaded.tokenizer.bos_token_id
        if token is None or token in before:
            return before
        if loaded.n_tokens is not None and token >= loaded.n_tokens:
            what = f"the tokenizer begins texts with token {token}, but {loaded.name!r} has only"
            hint = "does the tokenizer belong to the model?"
            raise EncoderError(f"{what} tokens 0 to {loaded.n_tokens - 1}", hint=hint)
        return (int(token), *before)

    def _scores(
        self, texts: Iterable[Text], share: bool | None, progress: bool | None
    ) -> tuple[list[TokenRow], list[Floats]]:
        """Score the tokens of texts."""
        rows, batch_tokens = make_rows(self.encoder, texts, self._around)
        for row in rows:
            if len(row) < 2 and not self.scores_first:
                what = "the text has one token, and the model no beginning-of-sequence token"
                raise EncoderError(f"{what}, so nothing is scored", where=row.where)
        with progress_bar("score", len(rows), "text", shown=progress) as advance:
            if self.kind != CAUSAL:
                return rows, self._checked(rows, self._masked.read(rows, batch_tokens, advance))
            edited = is_edited()
            how: dict[str, Any] = {"share": not edited if share is None else share}
            # What a model that is read without padding gives depends on the length of a text.
            whole = edited or self.encoder.loaded.batching != PADDED
            how |= {"to_the_end": whole, "advance": advance}
            return rows, self._checked(rows, self._causal.read(rows, batch_tokens, **how))

    def _checked(self, rows: Sequence[TokenRow], scores: list[Floats]) -> list[Floats]:
        """Refuse a token without a score, which a sum would pass over."""
        first = 0 if self.scores_first else 1
        for row, one in zip(rows, scores, strict=True):
            if np.isnan(one[first:][row.words[first:] >= 0]).any():
                what = f"{self.encoder.loaded.name!r} gives log-probabilities that are not finite"
                hint = "load it with dtype float32; its weights may be damaged"
                raise EncoderError(f"{what} (NaN)", where=row.where, hint=hint)
        return scores

    def _sums(self, rows: Sequence[TokenRow], scores: Sequence[Floats], per: str | None) -> Floats:
        """Sum the scores of each text."""
        # -> (n_texts,)
        if per is not None and per not in _UNITS:
            raise EncoderError(unknown_name("unit", per, _UNITS))
        by = {
            None: [1] * len(rows),
            "token": [(~np.isnan(one)).sum() for one in scores],
            "word": [row.n_words for row in rows],
        }
        return np.array([np.nansum(one) for one in scores]) / np.array(by[per], dtype=np.float64)
