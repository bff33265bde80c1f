# The command line and the server, for CPUs. docs/kubernetes.md says how to run it.
#
#   docker build -t tuneloop --build-arg TORCH_INDEX=... .
#   docker run --rm tuneloop --help
#
# No key, release or text is in the image: releases come from a volume or an object store, keys from secrets.

FROM python:3.11-slim-bookworm AS build
# what a server needs to answer with any form of a release
ARG EXTRAS=serve,postgres,onnx,openvino,generation,knowledge,media,sentencepiece
WORKDIR /build
RUN python -m venv /opt/tuneloop
COPY constraints.txt ./
# PyTorch's index of wheels for CPUs, as its page tells it; without, the default index gives one that brings CUDA
ARG TORCH_INDEX=
RUN /opt/tuneloop/bin/pip install --no-cache-dir --constraint constraints.txt \
    ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} torch==2.13.0
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /opt/tuneloop/bin/pip install --no-cache-dir --constraint constraints.txt ".[${EXTRAS}]"

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 tuneloop \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin tuneloop \
    && install --directory --owner=10001 --group=10001 /workspace
COPY --from=build /opt/tuneloop /opt/tuneloop
# only /workspace and /tmp are written to, so that the rest may be read-only
ENV PATH=/opt/tuneloop/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    HF_HUB_OFFLINE=1 \
    TUNELOOP_WORKSPACE=/workspace \
    TUNELOOP_CACHE=/workspace/cache
USER 10001:10001
WORKDIR /workspace
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["tuneloop"]
CMD ["--help"]
