# A stand-in for the official Rust image: Debian's C tools and the Rust of this machine, in the places that image has them.
# The build context is the folder of a Rust toolchain.
FROM localhost/stand-in/debian:13
# The release's newest: this image is never released.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates g++ libc6-dev libssl-dev make perl pkgconf \
 && rm -rf /var/lib/apt/lists/*
COPY bin/cargo bin/rustc /usr/local/rustup/toolchains/local/bin/
COPY lib /usr/local/rustup/toolchains/local/lib
ENV CARGO_HOME=/usr/local/cargo \
    RUSTUP_HOME=/usr/local/rustup \
    PATH=/usr/local/cargo/bin:/usr/local/rustup/toolchains/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
