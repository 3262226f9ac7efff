# syntax=docker/dockerfile:1

FROM rust:1.94-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin muster \
    && cp target/release/muster /usr/local/bin/muster

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home muster
COPY --from=build /usr/local/bin/muster /usr/local/bin/muster
COPY LICENSE /usr/share/doc/muster/LICENSE
USER muster
EXPOSE 8080
ENTRYPOINT ["muster"]
CMD ["serve"]
