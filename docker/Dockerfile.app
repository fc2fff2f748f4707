# The example's Laravel app: the fixture app of the tests on Debian's own Laravel. compose.yaml builds it.
FROM debian:bookworm-slim
COPY docker/install.sh docker/database.sh /docker/
RUN /docker/install.sh / php-cli php-redis php-sqlite3 php-mbstring php-laravel-framework
COPY --chown=www-data:www-data php-fixtures/laravel /app
WORKDIR /app
USER www-data
RUN /docker/database.sh /app
