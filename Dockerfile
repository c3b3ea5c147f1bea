# Webserver and daemon in one container. Publish the port on this machine only: Dagster has no
# log-in. deploy/compose.yaml does that; deploy/README.md says how.
FROM python:3.11-slim

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONUNBUFFERED=1 \
    TZ=UTC

WORKDIR /app

# The libraries alone: this layer stays while only our code changes.
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY trading_pipeline/__init__.py trading_pipeline/
RUN pip install -c constraints.txt -e ".[postgres]"

COPY config.yaml dagster.yaml workspace.yaml ./
COPY trading_pipeline trading_pipeline

RUN useradd --create-home --uid 10001 trading \
    && install --directory --owner=trading --group=trading /data /var/cache/numba
ENV TRADING__STORAGE__ROOT=/data \
    NUMBA_CACHE_DIR=/var/cache/numba
USER trading

# Compiled for the processor of this build; another kind of processor compiles once more.
RUN trading warm

VOLUME /data
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:3000/server_info', timeout=5)"]

# All interfaces of the container, not of the machine.
CMD ["trading", "ui", "--host", "0.0.0.0", "--port", "3000"]
