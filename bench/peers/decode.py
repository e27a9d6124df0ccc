"""Decodes a file, keeps two frames a second, shrinks them: `decode.py BACKEND FILE FPS WIDTH HEIGHT THREADS`."""

import sys

from common import Clock


def pyav(path, fps, size, threads):
    import av

    taken, due, total = 0, 0.0, 0
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        for frame in container.decode(stream):
            total += 1
            if frame.time >= due - 1e-9:
                frame.to_ndarray(format="rgb24", width=size[0], height=size[1], interpolation="BILINEAR")
                taken, due = taken + 1, due + 1 / fps
    return total, taken


def opencv(path, fps, size, threads):
    import cv2

    options = [cv2.CAP_PROP_N_THREADS, threads]
    video = cv2.VideoCapture(path, cv2.CAP_FFMPEG, options)
    rate = video.get(cv2.CAP_PROP_FPS)
    taken, due, total = 0, 0.0, 0
    while video.grab():
        if total / rate >= due - 1e-9:
            _, picture = video.retrieve()
            cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
            taken, due = taken + 1, due + 1 / fps
        total += 1
    return total, taken


def decord(path, fps, size, threads):
    import decord as library

    video = library.VideoReader(path, library.cpu(0), width=size[0], height=size[1], num_threads=threads)
    step = video.get_avg_fps() / fps
    wanted = [round(i * step) for i in range(int(len(video) / step) + 1) if round(i * step) < len(video)]
    taken = sum(len(video.get_batch(wanted[i : i + 16]).asnumpy()) for i in range(0, len(wanted), 16))
    return len(video), taken


backend, path, fps, width, height, threads = sys.argv[1:]
work = {"pyav": pyav, "opencv": opencv, "decord": decord}[backend]
__import__({"opencv": "cv2", "pyav": "av"}.get(backend, backend))
clock = Clock()
frames, taken = work(path, float(fps), (int(width), int(height)), int(threads))
clock.tell(frames=frames, samples=taken)
