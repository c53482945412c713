// Package kind_test checks the files of k8s/kind: kind accepts the configuration, and its ports match the chart.
package kind_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/kind/pkg/apis/config/defaults"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/yaml"
)

func file(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../..", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func config(t *testing.T) v1alpha4.Cluster {
	t.Helper()
	var c v1alpha4.Cluster
	if err := yaml.Unmarshal(file(t, "k8s/kind/kind-config.yaml"), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// docker is a fake that answers kind's first queries and then fails.
const docker = `#!/bin/sh
case "$1" in
info) echo '{"CgroupVersion": "2", "MemoryLimit": true, "PidsLimit": true, "CPUShares": true}' ;;
inspect | ps) ;;
*) echo "here ends the test" >&2; exit 1 ;;
esac
`

// create lets kind parse, default and validate a configuration, and returns its last message. Only with a valid configuration does
// kind reach the creation of the nodes' network.
func create(t *testing.T, text string) string {
	t.Helper()
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "docker"), []byte(docker), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	provider := cluster.NewProvider(cluster.ProviderWithDocker())
	err := provider.Create("", cluster.CreateWithRawConfig([]byte(text)), cluster.CreateWithKubeconfigPath(filepath.Join(bin, "kubeconfig")))
	if err == nil {
		t.Fatal("a cluster was made")
	}
	return err.Error()
}

func TestConfigIsAccepted(t *testing.T) {
	const accepted = "failed to ensure docker network"
	good := string(file(t, "k8s/kind/kind-config.yaml"))
	if got := create(t, good); !strings.Contains(got, accepted) {
		t.Errorf("kind says: %s", got)
	}
	for name, test := range map[string]struct{ old, change, want string }{
		"field that does not exist": {"hostPort: 80,", "hostport: 80,", "field hostport not found"},
		"port that does not exist":  {"hostPort: 443", "hostPort: 70000", "invalid port"},
		"role that does not exist":  {"control-plane", "control-plain", "is not a valid node role"},
	} {
		bad := strings.Replace(good, test.old, test.change, 1)
		if got := create(t, bad); bad == good || strings.Contains(got, accepted) || !strings.Contains(got, test.want) {
			t.Errorf("%s: kind says %q, want %q", name, got, test.want)
		}
	}
}

func TestNodeImageIsThatOfKind(t *testing.T) {
	t.Parallel()
	for _, node := range config(t).Nodes {
		if node.Image != defaults.Image {
			t.Errorf("node image %s, this version of kind has %s", node.Image, defaults.Image)
		}
	}
	required := regexp.MustCompile(`sigs\.k8s\.io/kind v(\S+)`).FindSubmatch(file(t, "test/chart/go.mod"))
	built := regexp.MustCompile(`KIND +:= \.bin/kind-(\S+)`).FindSubmatch(file(t, "Makefile"))
	if required == nil || built == nil || string(required[1]) != string(built[1]) {
		t.Errorf("this test is of kind %s, the Makefile builds %s", required, built)
	}
}

func TestPortsLeadToTheGateway(t *testing.T) {
	t.Parallel()
	var values struct {
		Gateway struct {
			Service struct {
				Type     string
				NodePort int32
			}
		}
	}
	if err := yaml.Unmarshal(file(t, "k8s/kind/values.yaml"), &values); err != nil {
		t.Fatal(err)
	}
	service := values.Gateway.Service
	mapped := make(map[int32]int32)
	for _, m := range config(t).Nodes[0].ExtraPortMappings {
		if m.ListenAddress != "127.0.0.1" {
			t.Errorf("port %d is not limited to the loopback interface: %q", m.HostPort, m.ListenAddress)
		}
		mapped[m.HostPort] = m.ContainerPort
	}
	if service.Type != "NodePort" || mapped[80] != service.NodePort || service.NodePort == 0 {
		t.Errorf("http://localhost leads to port %d of the node, the gateway is %s %d", mapped[80], service.Type, service.NodePort)
	}
	ingress := regexp.MustCompile(`httpPort\.nodePort=(\d+) .*httpsPort\.nodePort=(\d+)`).FindSubmatch(file(t, "k8s/kind/README.md"))
	if ingress == nil || string(ingress[1]) != decimal(mapped[80]) || string(ingress[2]) != decimal(mapped[443]) {
		t.Errorf("README.md installs an ingress controller at %s, the ports lead to %v", ingress, mapped)
	}
}

func decimal(port int32) string { return strconv.Itoa(int(port)) }

func TestNameOfTheCluster(t *testing.T) {
	t.Parallel()
	name := config(t).Name
	for _, use := range []struct{ file, text string }{
		{"k8s/kind/up", "cluster=" + name + "\n"},
		{"Makefile", "delete cluster --name " + name + "\n"},
		{"Tiltfile", "allow_k8s_contexts('kind-" + name + "')"},
	} {
		if !strings.Contains(string(file(t, use.file)), use.text) {
			t.Errorf("%s does not say %q", use.file, use.text)
		}
	}
}
