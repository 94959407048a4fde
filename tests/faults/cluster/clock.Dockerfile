# The service's image with libfaketime, at one place whatever the architecture.
ARG IMAGE
FROM ${IMAGE}
USER root
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libfaketime \
    && rm -rf /var/lib/apt/lists/* \
    && mkdir -p /usr/lib/faketime \
    && ln -s /usr/lib/*/faketime/libfaketime.so.1 /usr/lib/faketime/
