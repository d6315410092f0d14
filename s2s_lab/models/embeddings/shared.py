"""One embedding for source and target."""

from s2s_lab.faults import RequestError
from s2s_lab.models.embeddings.token import TokenEmbedding


def build(
    *,
    source_vocabulary_size: int,
    target_vocabulary_size: int,
    shared_vocabulary: bool,
    padding_id: int,
    embedding_size: int,
    dropout: float = 0.0,
) -> tuple[TokenEmbedding, TokenEmbedding]:
    """Build one embedding that serves both sides.

    Args:
        source_vocabulary_size: number of source ids.
        target_vocabulary_size: number of target ids.
        shared_vocabulary: whether both sides have one vocabulary.
        padding_id: the id of padding.
        embedding_size: width of a vector.
        dropout: probability of zeroing an entry.

    Returns:
        The same embedding twice.

    Raises:
        RequestError: the two sides have no common vocabulary.
    """
    if not shared_vocabulary or source_vocabulary_size != target_vocabulary_size:
        raise RequestError(
            "embedding=shared needs one vocabulary for both sides, but the source has its own of "
            f"{source_vocabulary_size} tokens and the target of {target_vocabulary_size}; share the vocabulary, "
            "or take embedding=separate"
        )
    embedding = TokenEmbedding(
        vocabulary_size=target_vocabulary_size, embedding_size=embedding_size, padding_id=padding_id, dropout=dropout
    )
    return embedding, embedding
