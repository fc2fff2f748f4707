# The binary added to an image that has PHP and, best, your app: its jobs run in PHP processes, with --php.
#
#   docker build -f docker/Dockerfile.php --build-arg PHP_IMAGE=your-app -t your-app-worker .
#
# PHP_IMAGE has to be of Debian 12 or later (not Alpine), and its WORKDIR the app's directory. Every RUN is a script
# beside this file, which `make test` runs as it stands.
ARG PHP_IMAGE=php:8.3-cli-bookworm

FROM rust:1.95-slim-bookworm AS build
WORKDIR /handover
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY docker/build.sh docker/
RUN docker/build.sh /out

FROM ${PHP_IMAGE}
USER root
COPY docker/php.sh /docker/
RUN /docker/php.sh
COPY --from=build /out/bin/handover /usr/local/bin/
USER www-data
ENV HANDOVER_HEALTH=127.0.0.1:9600
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["handover", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["handover"]
