# All images: docker buildx bake             one: docker buildx bake auth
# To a registry, for amd64 and arm64, with provenance and a bill of materials: docker buildx bake release --push

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

# Seconds since 1970. Equal sources with an equal value make equal layers, wherever they are built.
variable "SOURCE_DATE_EPOCH" {
  default = "0"
}

# "host" where the network of builds does not reach the Go module proxy; it then needs --allow=network.host as well.
variable "BUILD_NETWORK" {
  default = "default"
}

# Of the Go module proxy, if another than Go's own is to be used.
variable "GOPROXY" {
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
  }
}

target "release" {
  name      = "release-${service}"
  matrix    = { service = SERVICES }
  inherits  = [service]
  platforms = ["linux/amd64", "linux/arm64"]
  attest    = ["type=provenance,mode=max", "type=sbom"]
}
