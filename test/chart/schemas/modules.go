package main

import (
	"bytes"
	"context"
	_ "embed" // the definition of CloudNativePG's Cluster
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// module is a Go module at a version, of which only files are read: none of its code is built or linked.
type module string

const (
	kubernetesOldest module = "k8s.io/kubernetes@v1.31.14"
	kubernetesNewest module = "k8s.io/kubernetes@v1.37.2"
	keda             module = "github.com/kedacore/keda/v2@v2.21.0"
	gatewayAPI       module = "sigs.k8s.io/gateway-api@v1.6.3"
	prometheus       module = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
	certManager      module = "github.com/cert-manager/cert-manager@v1.21.2"
)

// kubernetes are the versions that manifests must be valid for, the newest last: the oldest is the kubeVersion of the chart.
var kubernetes = []struct {
	minor  string
	module module
}{
	{"1.31", kubernetesOldest},
	{"1.37", kubernetesNewest},
}

// customResources are the definitions of what the chart can render for other projects.
var customResources = []struct {
	module module
	file   string
}{
	{keda, "config/crd/bases/keda.sh_scaledobjects.yaml"},
	{keda, "config/crd/bases/keda.sh_triggerauthentications.yaml"},
	{gatewayAPI, "config/crd/standard/gateway.networking.k8s.io_gateways.yaml"},
	{gatewayAPI, "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"},
	{prometheus, "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml"},
	{prometheus, "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml"},
	{prometheus, "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml"},
	{certManager, "deploy/crds/cert-manager.io_certificates.yaml"},
	{certManager, "deploy/crds/cert-manager.io_issuers.yaml"},
}

// cloudNativePG defines the part of a Cluster that the chart may use, closed: a field that is not in it is an error. It is written
// after the documentation of CloudNativePG's API, because the project's module cannot be downloaded as a Go module.
//
//go:embed cloudnativepg.yaml
var cloudNativePG []byte

// download makes sure that all modules are in the module cache, and tells where.
func download(ctx context.Context) (map[module]string, error) {
	args := []string{"mod", "download", "-json", string(keda), string(gatewayAPI), string(prometheus), string(certManager)}
	for _, k := range kubernetes {
		args = append(args, string(k.module))
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	// Outside of every module: what is downloaded here must not be mixed with the requirements of this one.
	cmd.Dir, cmd.Env = os.TempDir(), append(os.Environ(), "GOWORK=off")
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	dirs, decodeErr := decodeDownloads(text)
	if decodeErr != nil {
		return nil, decodeErr
	}
	if err != nil {
		return nil, fmt.Errorf("go mod download: %w", err)
	}
	return dirs, nil
}

// decodeDownloads reads what `go mod download -json` prints: one object per module.
func decodeDownloads(text []byte) (map[module]string, error) {
	dirs := make(map[module]string)
	for decoder := json.NewDecoder(bytes.NewReader(text)); ; {
		var m struct{ Path, Version, Dir, Error string }
		if err := decoder.Decode(&m); errors.Is(err, io.EOF) {
			return dirs, nil
		} else if err != nil {
			return nil, fmt.Errorf("go mod download: %w", err)
		}
		if m.Error != "" {
			return nil, fmt.Errorf("go mod download: %s", m.Error)
		}
		dirs[module(m.Path+"@"+m.Version)] = m.Dir
	}
}
