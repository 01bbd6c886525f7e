"""An RTSP server in the test itself: PyAV codes and packs the frames, each with a time code, and this hands them on.

FFmpeg's RTP packets go to a socket of ours and from there, interleaved (RFC 2326, 10.12), to the one who plays.
"""

import re
import socket
import threading
import time
from contextlib import suppress
from fractions import Fraction

import av

from tests.runtime.streams.clips import SIZE, coded

_SDP = "\r\n".join(
    (
        "v=0",
        "o=- 0 0 IN IP4 127.0.0.1",
        "s=time code",
        "c=IN IP4 127.0.0.1",
        "t=0 0",
        "m=video 0 RTP/AVP 96",
        "a=rtpmap:96 H264/90000",
        "a=fmtp:96 packetization-mode=1",
        "a=control:video",
        "",
    )
)


class RtspServer:
    """Plays frames 0, 1, 2, ... from when it is started, ``rate`` a second, to any client, one after the other.

    Attributes:
        sent: how many frames were coded so far.
    """

    def __init__(self, rate=50, port=0):
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        self.address = f"rtsp://127.0.0.1:{self.port}/camera"
        self.rate, self.sent = rate, 0
        self._ended, self._playing = threading.Event(), threading.Event()
        self._clients, self._threads = [], []
        self._start(self._accept)

    def _start(self, work, *arguments):
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while not self._ended.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._clients.append(client)
            self._start(self._serve, client)

    def _serve(self, client):
        with suppress(OSError), client.makefile("rb") as requests:
            while request := self._request(requests):
                self._answer(client, *request)

    @staticmethod
    def _request(requests):
        lines = []
        while (line := requests.readline()) not in (b"\r\n", b"\n", b""):
            lines.append(line.decode().strip())
        if not lines:
            return None
        number = next(line.split(":")[1].strip() for line in lines if line.lower().startswith("cseq"))
        return lines[0].split()[0], number, "\n".join(lines)

    def _answer(self, client, method, number, request):
        body, more = "", ""
        if method == "OPTIONS":
            more = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
        elif method == "DESCRIBE":
            body, more = _SDP, f"Content-Type: application/sdp\r\nContent-Base: {self.address}/\r\n"
        elif method == "SETUP":
            channels = re.search(r"interleaved=(\d+-\d+)", request)[1]
            more = f"Transport: RTP/AVP/TCP;unicast;interleaved={channels}\r\n"
        head = f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\nSession: 1\r\n{more}Content-Length: {len(body)}\r\n\r\n"
        client.sendall((head + body).encode())
        if method == "PLAY":
            self._start(self._play, client)

    def _play(self, client):
        relay = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        relay.bind(("127.0.0.1", 0))
        relay.settimeout(0.2)
        self._start(self._encode, relay.getsockname()[1])
        with relay:
            while not self._ended.is_set():
                try:
                    packet = relay.recv(65536)
                except TimeoutError:
                    continue
                try:
                    client.sendall(b"$\x00" + len(packet).to_bytes(2, "big") + packet)
                except OSError:
                    return

    def _encode(self, port):
        with av.open(f"rtp://127.0.0.1:{port}?pkt_size=1200", "w", format="rtp") as container:
            options = {"preset": "ultrafast", "tune": "zerolatency", "crf": "12", "g": "10"}
            stream = container.add_stream("libx264", rate=self.rate, options=options)
            stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
            began = time.monotonic()
            for number in range(10**9):
                if self._ended.wait(max(0.0, began + number / self.rate - time.monotonic())):
                    return
                frame = av.VideoFrame.from_ndarray(coded(number), format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, self.rate)
                for packet in stream.encode(frame):
                    container.mux(packet)
                self.sent = number + 1

    def kill(self):
        """End as by a crash: nothing is said to anybody."""
        self._ended.set()
        # Shut down first: what waits in accept() would go on listening.
        for each in (self._listener, *self._clients):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(5)
