"""Placeholder until the reader is written."""

from data.corpus.reader import Reader

READER = Reader(files="tokens", labels="tokens", read=lambda corpus, problems: iter(()))
