"""An RTSP camera of GStreamer's whose frames hold their number as a time code; run by the system's Python.

    /usr/bin/python3 benchmarks/rtsp_camera.py [--rate 1000] [--port 8554] [--size 64x48]

Debian's packages: gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-ugly gstreamer1.0-plugins-good python3-gi. Prints its
address when it listens, and plays, from frame 0, to one client after the other. The code is 16 bars from top to bottom,
the lowest bit at the left, bright for 1.
"""

import argparse

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402  # the versions have to be named first

BITS = 16


class Camera(GstRtspServer.RTSPMediaFactory):
    """Makes a pipeline for each client."""

    def __init__(self, rate: int, width: int, height: int) -> None:
        super().__init__()
        self.rate, self.width, self.height = rate, width, height

    def do_create_element(self, url: object) -> Gst.Element:
        caps = f"video/x-raw,format=GRAY8,width={self.width},height={self.height},framerate={self.rate}/1"
        pipeline = Gst.parse_launch(
            f"( appsrc name=frames is-live=true do-timestamp=false format=time caps={caps} ! videoconvert"
            " ! video/x-raw,format=I420"
            f" ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max={self.rate} bitrate=4000"
            " ! rtph264pay name=pay0 pt=96 config-interval=-1 )"
        )
        source = pipeline.get_by_name("frames")
        source.number = 0
        source.connect("need-data", self.push)
        return pipeline

    def push(self, source: Gst.Element, _: int) -> None:
        code, bar = source.number % (1 << BITS), self.width // BITS
        row = b"".join(bytes([230 if code >> bit & 1 else 20]) * bar for bit in range(BITS))
        buffer = Gst.Buffer.new_wrapped(row * self.height)
        buffer.duration = Gst.SECOND // self.rate
        buffer.pts = buffer.dts = source.number * buffer.duration
        source.number += 1
        source.emit("push-buffer", buffer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--port", default="8554")
    parser.add_argument("--size", default="64x48")
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    Gst.init(None)
    server = GstRtspServer.RTSPServer(service=arguments.port)
    server.get_mount_points().add_factory("/camera", Camera(arguments.rate, width, height))
    server.attach(None)
    print(f"rtsp://127.0.0.1:{server.get_bound_port()}/camera", flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
