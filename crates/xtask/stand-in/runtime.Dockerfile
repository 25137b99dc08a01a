# A stand-in for distroless cc, nonroot: the same Debian packages, user, folders and variables, and nothing else.
FROM localhost/stand-in/debian:13 AS packages
COPY runtime.sh /
RUN sh /runtime.sh /rootfs

FROM scratch
COPY --from=packages /rootfs /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532
WORKDIR /home/nonroot
