"""How much one client, and all of them together, may ask of the server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds on size, time and number; what is above them is refused with a message.

    Attributes:
        body: bytes of one upload.
        bodies: bytes of all uploads until they are answered.
        pixels: of an uploaded picture, told by its header before it is decoded.
        strokes: bytes of an uploaded drawing made of lines, which take long to read and draw.
        decoders: processes that make pictures of uploads.
        decode_seconds: of processor that one upload may take to become a picture.
        decode_memory: bytes that it may take.
        decode_patience: seconds of processor after which it gives way, where others wait.
        photo_decoders: processes that decode photos of the gallery, to make them small.
        photo_patience: seconds of processor after which a photo gives way, where others wait.
        file: bytes of a photo of the gallery that is still shown.
        photos: answers of one search.
        words: characters of a description.
        folders: of a gallery that are offered to choose from.
        filter_seconds: that one search may look into photos for the days they were taken.
        rate: searches and uploads a second from one address, in the long run.
        burst: how many of them at once.
        waiting: uploads that wait to be decoded, and again to be embedded.
        pictures: photos that wait to be read or made small.
        shown: photos that wait to be shown in the file manager.
        connections: open at a time.
        receive_seconds: until the head of a request is there, and again until its body is.
        answer_seconds: until the answer is sent; loading a model is part of it.
        thumbnail: greatest side of a small picture, in pixels.
        thumbnails: bytes of small pictures that are kept.
        open_galleries: kept in memory with their models; those not asked for longest leave first.
    """

    body: int = 12_000_000
    bodies: int = 96_000_000
    pixels: int = 30_000_000
    strokes: int = 500_000
    decoders: int = 3
    decode_seconds: float = 5.0
    decode_memory: int = 512_000_000
    decode_patience: float = 0.7
    photo_decoders: int = 2
    photo_patience: float = 5.0
    file: int = 200_000_000
    photos: int = 1000
    words: int = 300
    folders: int = 1000
    filter_seconds: float = 2.0
    rate: float = 20.0
    burst: int = 120
    waiting: int = 64
    pictures: int = 2000
    shown: int = 2
    connections: int = 512
    receive_seconds: float = 15.0
    answer_seconds: float = 120.0
    thumbnail: int = 320
    thumbnails: int = 64_000_000
    open_galleries: int = 4
