# One recipe for every image: docker build --build-arg SERVICE=auth . — all of them: docker buildx bake (docker-bake.hcl).
# There is no syntax line on purpose: nothing here needs more than what every BuildKit has built in.
ARG GO_IMAGE=golang:1.26-bookworm
ARG BASE_IMAGE=gcr.io/distroless/static-debian12:nonroot

# The compiler runs on the machine's own architecture and cross-compiles: that is faster than to run it emulated.
FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
WORKDIR /src
# Empty, and then not set at all, unless given: a mirror of the Go module proxy.
ARG GOPROXY
ARG TARGETOS=linux
ARG TARGETARCH
ARG VERSION=dev
# SERVICE comes after what all images share.
ARG SERVICE
# The sources are mounted, not copied, so no list of go.mod files has to follow the workspace. Modules and compiled
# packages live in caches that outlast the layer: what go.sum names is downloaded once, whatever else changes. The
# compiler's cache is locked, because images built at the same time share most packages: each compiles only what is left.
# Every module builds alone, as its go.mod says, without the workspace. The time stamp makes equal sources equal layers.
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

# No shell, no package manager, no root: CA certificates, time zones and the binary.
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
# By number, or Kubernetes could not tell that it is not root (runAsNonRoot).
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/app"]
