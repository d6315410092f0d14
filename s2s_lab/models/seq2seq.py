"""The network: embeds, encodes and bridges the source, then decodes the target."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from s2s_lab.faults import RequestError
from s2s_lab.models.attentions.base import Prepared, num_sentences
from s2s_lab.models.bridges.base import Bridge
from s2s_lab.models.decoders.base import Decoder, DecoderState
from s2s_lab.models.decoders.spreading import SpreadingDecoder
from s2s_lab.models.embeddings.base import Embedding
from s2s_lab.models.encoders.base import Encoder
from s2s_lab.models.outputs.base import Output, PreparedSource
from s2s_lab.nested import select_rows

Sources = tuple[tuple[Tensor, Tensor], ...]
State = tuple[Any, ...]


class Memory(NamedTuple):
    """What is kept of a batch of sources.

    Attributes:
        decoder: what the decoder prepared, sentences first.
        output: what the output prepared, sentences first; empty where it looks at no source.
    """

    decoder: Prepared
    output: PreparedSource


class PositionedState(NamedTuple):
    """A decoder's state where the target's embedding wants to know the position.

    Attributes:
        decoder: the decoder's state, rows first.
        position: (rows,) float32, of the next token fed, from 0; exact for any length that fits a memory.
    """

    decoder: DecoderState
    position: Tensor


class Seq2Seq(nn.Module):
    """An encoder and a decoder over one source, or as many as the encoder reads.

    `sources` is a tuple of (values, lengths), one for each source: ids (batch, source_len), whose real positions come
    first, and lengths (batch,), at least 1. Of several sources, source_len stands everywhere else for their positions
    one source after the other, padding at the end. Where tokens carry factors, values are (batch, source_len, 1 +
    factors), the word's id first.

    Args:
        source_embedding: source ids to vectors.
        target_embedding: target ids to vectors.
        encoder: embedded source to memory and final state.
        bridge: the encoder's final state to the decoder's first.
        decoder: embedded target prefix and memory to features.
        output: features to scores.

    Raises:
        RequestError: the output reads the attention's weights, and the attention gives none; or it reads the memory,
            which the encoder shortens; or the attention takes several sources for one.
    """

    def __init__(
        self,
        *,
        source_embedding: Embedding,
        target_embedding: Embedding,
        encoder: Encoder,
        bridge: Bridge,
        decoder: Decoder,
        output: Output,
    ) -> None:
        super().__init__()
        if output.reads_weights and decoder.attention.constant:
            raise RequestError(
                f"{type(output).__name__} reads the attention's weights, but {type(decoder.attention).__name__} gives "
                "none; take an attention over the source, or output=linear"
            )
        if encoder.num_sources > 1 and decoder.attention.ordered:
            raise RequestError(
                f"{type(decoder.attention).__name__} takes the memory for one source in its order, but the encoder "
                f"reads {encoder.num_sources}; take it within attention=hierarchical, or another attention"
            )
        self.source_embedding = source_embedding
        self.target_embedding = target_embedding
        if not encoder.reads:  # ranks that train together wait for a gradient of each parameter that asks for one
            used = {id(parameter) for parameter in target_embedding.parameters()}
            for parameter in source_embedding.parameters():
                parameter.requires_grad_(parameter.requires_grad and id(parameter) in used)
        self.encoder = encoder
        self.bridge = bridge
        reduction = encoder.reduction
        if reduction > 1 and output.reads_memory:
            raise RequestError(
                f"{type(output).__name__} reads a memory entry for each source position, but {type(encoder).__name__} "
                f"gives one for {reduction}"
            )
        self.decoder: Decoder = decoder
        if reduction > 1:
            self.decoder = SpreadingDecoder(decoder=decoder, reduction=reduction)
        self.output = output

    def forward(self, sources: Sources, target_inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Give the features of every target position, the tokens before it being the reference's.

        Args:
            sources: see the class.
            target_inputs: (batch, target_len) ids, bos first.

        Returns:
            The features (batch, target_len, feature_size), with what the output reads of the source beside them, and
            the attention's weights (batch, target_len, source_len) or None.
        """
        memory, state = self.start(sources)
        return self._all_features(target_inputs, state, memory)

    def forward_sampled(
        self, sources: Sources, target_inputs: Tensor, ratio: float, coins: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Give the features of every target position, some of the tokens before it being the network's own.

        Each token fed after the first is the reference's where its coin says so, else the network's best guess one
        step before. No gradient flows through a guess.

        Paper: Bengio et al. 2015, arXiv 1506.03099, section 2.4, which allows the best guess as well as a drawn one.

        Args:
            sources: see the class.
            target_inputs: (batch, target_len) ids, bos first.
            ratio: probability of the reference's token.
            coins: (batch, target_len) bool, True for the reference's token; drawn if None. The first is ignored.

        Returns:
            As `forward`.
        """
        if coins is None:
            coins = torch.rand(target_inputs.shape, device=target_inputs.device) < ratio
        memory, state = self.start(sources)
        previous_ids = target_inputs[:, 0]
        all_features, all_weights = [], []
        for position in range(target_inputs.shape[1]):
            if position:
                with torch.no_grad():
                    guess = self.output.scores(all_features[-1]).argmax(dim=1)
                previous_ids = torch.where(coins[:, position], target_inputs[:, position], guess)
            features, state, weights = self.features(previous_ids, state, memory)
            all_features.append(features)
            if weights is not None:
                all_weights.append(weights)
        return torch.stack(all_features, dim=1), torch.stack(all_weights, dim=1) if all_weights else None

    def forward_sampled_sequences(
        self, sources: Sources, target_inputs: Tensor, ratio: float, coins: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Give the features of every target position, some sentences being fed the network's own tokens throughout.

        A sentence is fed the reference's tokens where its coin says so, else after bos the network's best guesses. The
        guesses are made first, without gradients and with dropout of their own, then all is computed in one go.

        Args:
            sources: see the class.
            target_inputs: (batch, target_len) ids, bos first.
            ratio: probability of the reference's tokens.
            coins: (batch,) bool, True for the reference's tokens; drawn if None.

        Returns:
            As `forward`.
        """
        if coins is None:
            coins = torch.rand(len(target_inputs), device=target_inputs.device) < ratio
        memory, state = self.start(sources)
        rows = (~coins).nonzero().squeeze(1)
        with torch.no_grad():
            own = self._guesses(select_rows(memory, rows), select_rows(state, rows), target_inputs[rows])
        fed = target_inputs.index_copy(0, rows, own)
        return self._all_features(fed, state, memory)

    def _all_features(self, inputs: Tensor, state: State, memory: Memory) -> tuple[Tensor, Tensor | None]:
        if isinstance(state, PositionedState):
            state = state.decoder
        features, weights = self.decoder(self.target_embedding(inputs), state, memory.decoder)
        return self.output.read(features, weights, memory.output), weights

    def _guesses(self, memory: Any, state: Any, inputs: Tensor) -> Tensor:
        """Give inputs (rows, target_len) of which all after the first are the best guesses one step before."""
        fed = [inputs[:, 0]]
        for _ in range(inputs.shape[1] - 1 if len(inputs) else 0):
            scores, state, _ = self.step(fed[-1], state, memory)
            fed.append(scores.argmax(dim=1))
        return torch.stack(fed, dim=1) if len(inputs) else inputs

    def start(self, sources: Sources) -> tuple[Memory, DecoderState]:
        """Read the sources.

        Args:
            sources: see the class.

        Returns:
            The memory, a nested tuple of tensors, sentences first, and the state before the first step, a nested
            tuple of tensors, rows (here one for each sentence) first.

        Raises:
            RequestError: there are more or fewer sources than the encoder reads.
        """
        expected = self.encoder.num_sources
        if len(sources) != expected:
            counted = f"{expected} source{'s' if expected > 1 else ''}"
            raise RequestError(f"the network reads {counted}, but the batch holds {len(sources)}")
        embedded = tuple(self.source_embedding(self.known_source(ids)) for ids, _ in sources)
        words = [ids if ids.ndim == 2 else ids[..., 0] for ids, _ in sources]
        if expected == 1:
            values = words[0]
            encoded = self.encoder(embedded[0], sources[0][1])
        else:
            encoded = self.encoder(embedded, tuple(lengths for _, lengths in sources))
            assert encoded.places is not None
            values = torch.cat(words, 1).gather(1, encoded.places)
        prepared = self.decoder.prepare(encoded)
        state = self.decoder.initial_state(self.bridge.begin(encoded), prepared)
        if self.target_embedding.positional:
            state = PositionedState(state, torch.zeros(len(values), device=values.device))
        return Memory(prepared, self.output.prepare(values, encoded)), state

    def known_source(self, values: Tensor) -> Tensor:
        """Give a source's values as the embedding takes them: unk for words beyond the vocabulary."""
        if values.ndim == 2:
            return self.output.known(values, source=True)
        words = self.output.known(values[..., 0], source=True)
        return torch.cat((words.unsqueeze(2), values[..., 1:]), 2)

    def step(self, previous_ids: Tensor, state: State, memory: Memory) -> tuple[Tensor, State, Tensor | None]:
        """Make one step of decoding.

        Args:
            previous_ids: (rows,), the last token of each hypothesis; rows = sentences x width, sentence-major.
            state: nested tuple of tensors, rows first.
            memory: nested tuple of tensors, sentences first.

        Returns:
            The scores (rows, vocab), unnormalised; the next state; the attention's weights (rows, source_len) or None.
        """
        features, state, weights = self.features(previous_ids, state, memory)
        return self.output.scores(features), state, weights

    def features(self, previous_ids: Tensor, state: State, memory: Memory) -> tuple[Tensor, State, Tensor | None]:
        """Make one step up to what the output scores; as `step`, with features (rows, size) in place of scores."""
        previous_ids = self.output.known(previous_ids)
        if isinstance(state, PositionedState):
            embedded = self.target_embedding(previous_ids, state.position)
            features, following, weights = self.decoder.step(embedded, state.decoder, memory.decoder)
            state = PositionedState(following, state.position + 1.0)
        else:
            embedded = self.target_embedding(previous_ids)
            features, state, weights = self.decoder.step(embedded, state, memory.decoder)
        if self.output.reads_source:
            sentences = num_sentences(memory.output)
            shape = (sentences, len(features) // sentences if sentences else 1)
            wide = None if weights is None else weights.reshape(*shape, weights.shape[1])
            read = self.output.read(features.reshape(*shape, features.shape[1]), wide, memory.output)
            features = read.flatten(0, 1)
        return features, state, weights
