# syntax=docker/dockerfile:1
# One step from the sources to an image: docker build -t auspex .
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin auspex && cp target/release/auspex /usr/local/bin/auspex

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /var/lib/auspex auspex
COPY --from=build /usr/local/bin/auspex /usr/local/bin/auspex
USER auspex
VOLUME /var/lib/auspex
# Other containers have to reach it; who else may is decided by the ports that are published.
ENV AUSPEX_LISTEN=0.0.0.0:9280 AUSPEX_ALLOW_REMOTE=true AUSPEX_DATA=/var/lib/auspex
# The names under which other containers and their host know it; with another service name, set it anew.
ENV AUSPEX_ALLOWED_HOSTS=auspex,host.docker.internal
EXPOSE 9280
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD curl -fsS http://127.0.0.1:9280/_health || exit 1
ENTRYPOINT ["auspex"]
CMD ["serve"]
