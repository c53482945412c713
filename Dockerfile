# One recipe for every image: docker build --build-arg SERVICE=auth . — all of them: docker buildx bake (docker-bake.hcl).
# There is no syntax line, because the frontend that is built into BuildKit suffices.
ARG GO_IMAGE=golang:1.26-bookworm
ARG BASE_IMAGE=gcr.io/distroless/static-debian12:nonroot

# The compiler runs natively and cross-compiles, which is faster than running it in emulation.
FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
WORKDIR /src
# A mirror of the Go module proxy; unset by default.
ARG GOPROXY
ARG TARGETOS=linux
ARG TARGETARCH
ARG VERSION=dev
# SERVICE comes last, because all images share the layers before it.
ARG SERVICE
# The sources are mounted and not copied. Downloaded modules and compiled packages are in cache mounts, which survive changes of the
# sources. The compiler's cache is locked: images that are built at the same time share most packages, so each one compiles only what the
# others have not. Modules are built without the workspace. The fixed time stamp makes builds of equal sources reproducible.
ARG SOURCE_DATE_EPOCH=0
RUN --mount=type=bind,target=. \
    --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build,sharing=locked \
    set -eu; \
    case "$SERVICE" in \
      hp-analytics) module=. command=./cmd/hp-analytics ;; \
      operator) module=k8s/operator command=./cmd/operator ;; \
      auth|catalog|ingest|analytics|aggregator) module=. command=./services/$SERVICE/cmd/$SERVICE ;; \
      *) echo "SERVICE must be auth, catalog, ingest, analytics, aggregator, operator or hp-analytics, not '$SERVICE'" >&2; exit 1 ;; \
    esac; \
    cd "$module"; \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=${TARGETARCH:-$(go env GOARCH)} GOWORK=off GOTOOLCHAIN=local \
      go build -trimpath -buildvcs=false \
      -ldflags "-s -w -X github.com/hp-analytics/hp-analytics/internal/platform/service.version=$VERSION" \
      -o /out/app "$command"; \
    touch -d "@$SOURCE_DATE_EPOCH" /out/app

# Only CA certificates, time zones and the binary: no shell, no package manager, no root.
FROM ${BASE_IMAGE}
ARG SERVICE
ARG VERSION=dev
ARG REVISION
LABEL org.opencontainers.image.title="HP Analytics $SERVICE" \
      org.opencontainers.image.description="HP Analytics: product analytics on Postgres and Redis, with numbers that are provably right" \
      org.opencontainers.image.source="https://github.com/hp-analytics/hp-analytics" \
      org.opencontainers.image.vendor="HP Analytics" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.base.name="gcr.io/distroless/static-debian12:nonroot"
COPY --from=build /out/app /app
# A number, because Kubernetes cannot check a name for runAsNonRoot.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/app"]
