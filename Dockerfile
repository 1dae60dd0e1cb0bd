# The page of `sbirctl serve`, without torch. docs/docker.md says how to build and run it.

FROM python:3.12-slim AS build
WORKDIR /source
RUN pip install --no-cache-dir build tomli-w
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY .ci/wheels.py .ci/
COPY sbirctl sbirctl
COPY splits splits
RUN python .ci/wheels.py /wheels

FROM python:3.12-slim
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir /wheels/sbirctl_core-*.whl && rm -r /wheels
RUN useradd --uid 1000 --create-home sbirctl && mkdir /data && chown sbirctl /data
USER sbirctl
ENV SBIRCTL_HOME=/data
VOLUME /data
EXPOSE 8321
ENTRYPOINT ["sbirctl"]
# All addresses of the container, so that a port can be published; the page then demands a token.
CMD ["serve", "--host", "0.0.0.0"]
