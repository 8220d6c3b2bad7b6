# One image that does all of it: pages, registry, and builds by BuildKit as child processes.
# docker-compose.yml names the privileges that the builds need, and why.

# BuildKit and runc, every byte pinned by script/tools/*/go.sum.
FROM golang:1.26-bookworm AS tools
RUN apt-get update \
    && apt-get install -y --no-install-recommends libseccomp-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY script/lib.sh script/tools.sh script/
COPY script/tools script/tools
RUN --mount=type=cache,target=/root/.cache/go-build --mount=type=cache,target=/go/pkg/mod \
    SLIPWAY_CACHE=/out bash -c '. script/lib.sh; . script/tools.sh; build_tool buildkit; build_tool runc'

FROM rust:1.95.0-bookworm AS build
# The image's own toolchain; rust-toolchain.toml asks for lints and formatting besides, which nobody needs here.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/target \
    CARGO_TARGET_DIR=/target cargo build --release --locked -p slipway \
    && cp /target/release/slipway /usr/local/bin/slipway

FROM debian:bookworm-slim
# git fetches sources; iptables and the plugins make each namespace's build network; libseccomp filters RUN steps;
# PostgreSQL's client programs are for `slipway backup` and `restore`.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates containernetworking-plugins git iptables libseccomp2 \
       postgresql-client \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -m 711 /data
COPY --from=tools /out/tools/bin/buildkitd /out/tools/bin/runc /usr/local/lib/slipway/
COPY --from=build /usr/local/bin/slipway /usr/local/bin/slipway
COPY script/entrypoint /usr/local/lib/slipway/entrypoint
# Listens on all addresses of the container; which of the machine's reach it is decided by `ports`.
ENV SLIPWAY_DATA_DIR=/data \
    SLIPWAY_LISTEN=0.0.0.0:8080 \
    SLIPWAY_BUILDKIT_BIN_DIR=/usr/local/lib/slipway
VOLUME /data
EXPOSE 8080
# Behind a certificate of its own only whether it listens: the shell speaks no TLS.
HEALTHCHECK --start-period=30s --interval=30s --timeout=5s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080 && { [ -n \"$SLIPWAY_TLS_CERTIFICATE\" ] || { printf 'GET /readyz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '; }; }"]
ENTRYPOINT ["/usr/local/lib/slipway/entrypoint"]
CMD ["slipway", "serve"]
