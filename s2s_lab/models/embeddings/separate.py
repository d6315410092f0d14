"""Separate embeddings for source and target."""

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
    """Build one embedding for each side.

    Args:
        source_vocabulary_size: number of source ids.
        target_vocabulary_size: number of target ids.
        shared_vocabulary: whether both sides have one vocabulary; makes no difference here.
        padding_id: the id of padding.
        embedding_size: width of a vector.
        dropout: probability of zeroing an entry.

    Returns:
        The source's embedding and the target's.
    """
    source, target = (
        TokenEmbedding(vocabulary_size=size, embedding_size=embedding_size, padding_id=padding_id, dropout=dropout)
        for size in (source_vocabulary_size, target_vocabulary_size)
    )
    return source, target
