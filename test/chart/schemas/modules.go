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

// module is a version of a Go module. Only its files are read; its code is not compiled.
type module string

const (
	kubernetesOldest module = "k8s.io/kubernetes@v1.31.14"
	kubernetesNewest module = "k8s.io/kubernetes@v1.37.2"
	keda             module = "github.com/kedacore/keda/v2@v2.21.0"
	gatewayAPI       module = "sigs.k8s.io/gateway-api@v1.6.3"
	prometheus       module = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
	certManager      module = "github.com/cert-manager/cert-manager@v1.21.2"
)

// kubernetes lists the versions that manifests must be valid for, oldest first. The oldest is the kubeVersion of the chart.
var kubernetes = []struct {
	minor  string
	module module
}{
	{"1.31", kubernetesOldest},
	{"1.37", kubernetesNewest},
}

// customResources lists the definitions of the custom resources of other projects that the chart renders.
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

// cloudNativePG defines the fields of a Cluster that the chart may use; any other field is an error. It is derived from the documentation
// of CloudNativePG's API, because the project cannot be downloaded as a Go module.
//
//go:embed cloudnativepg.yaml
var cloudNativePG []byte

// download downloads all modules into the module cache and returns their directories.
func download(ctx context.Context) (map[module]string, error) {
	args := []string{"mod", "download", "-json", string(keda), string(gatewayAPI), string(prometheus), string(certManager)}
	for _, k := range kubernetes {
		args = append(args, string(k.module))
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	// Run outside of every module, so that the downloads do not affect the requirements of this module.
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
