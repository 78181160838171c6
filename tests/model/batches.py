"""Batches as training makes them."""

from __future__ import annotations

from data.batches.dataset import SegmentDataset, collate_samples


def samples_of(network, processed, count=4, documents=None):
    """The first segments of the training part, or of some documents, with labels as the network's head wants them."""
    numbers = processed.of_part("train") if documents is None else documents
    dataset = SegmentDataset(processed, numbers, network.head.labeller)
    return [dataset[index] for index in range(count or len(dataset))]


def batch_of(network, samples, processed):
    """What the network reads of samples."""
    return collate_samples(samples, processed.vocabulary, network.inputs, network.head.labeller)
