# All images: docker buildx bake             one: docker buildx bake auth
# Push to a registry, for amd64 and arm64, with provenance and an SBOM, and sign: make release (infra/images/release).

variable "REGISTRY" {
  default = "ghcr.io/hp-analytics"
}

variable "VERSION" {
  default = "dev"
}

variable "TAG" {
  default = VERSION
}

variable "REVISION" {
  default = ""
}

# Unix time. Equal sources and an equal value produce equal layers on every machine.
variable "SOURCE_DATE_EPOCH" {
  default = "0"
}

# "host" if builds cannot reach the Go module proxy otherwise; this also needs --allow=network.host.
variable "BUILD_NETWORK" {
  default = "default"
}

# URL of a Go module proxy; unset means Go's default.
variable "GOPROXY" {
  default = null
}

# The images that a build starts from. The Dockerfile has their tags; a release takes digests from infra/images/base.lock.hcl.
variable "GO_IMAGE" {
  default = null
}

variable "BASE_IMAGE" {
  default = null
}

variable "SERVICES" {
  default = ["auth", "catalog", "ingest", "analytics", "aggregator", "operator", "hp-analytics"]
}

group "default" {
  targets = ["image"]
}

target "image" {
  name       = service
  matrix     = { service = SERVICES }
  context    = "."
  dockerfile = "Dockerfile"
  network    = BUILD_NETWORK
  tags       = ["${REGISTRY}/${service}:${TAG}"]
  args = {
    SERVICE           = service
    VERSION           = VERSION
    REVISION          = REVISION
    SOURCE_DATE_EPOCH = SOURCE_DATE_EPOCH
    GOPROXY           = GOPROXY
    GO_IMAGE          = GO_IMAGE
    BASE_IMAGE        = BASE_IMAGE
  }
}

target "release" {
  name      = "release-${service}"
  matrix    = { service = SERVICES }
  inherits  = [service]
  platforms = ["linux/amd64", "linux/arm64"]
  attest    = ["type=provenance,mode=max", "type=sbom"]
}
