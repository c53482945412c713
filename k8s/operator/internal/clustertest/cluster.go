// Package clustertest gives tests a real API server, with the CRD installed and with aggregation, but without any of the
// controllers of a cluster: what an autoscaler would do, tests do themselves.
package clustertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/k8s/operator/api/v1alpha1"
)

// assets is the variable that names the directory of the programs etcd and kube-apiserver, as it does for all users of envtest.
const assets = "KUBEBUILDER_ASSETS"

// startTimeout allows for a machine on which all packages start their servers at once.
const startTimeout = 3 * time.Minute

// shared is the API server of this test process. It starts with the first test that needs it.
var shared struct {
	sync.Mutex
	cluster *Cluster
	dir     string
	err     error
}

// Cluster is an API server.
type Cluster struct {
	// Config reaches it with all rights.
	Config *rest.Config
	// Client does so too, without a cache, and knows all types that matter here.
	Client client.Client

	environment *envtest.Environment
}

// Stop stops the shared API server, through platformtest.Main.
func Stop() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil {
		return nil
	}
	return errors.Join(shared.cluster.environment.Stop(), os.RemoveAll(shared.dir))
}

// Get returns the shared API server. It skips the test where the programs for one are not given.
func Get(tb testing.TB) *Cluster {
	tb.Helper()
	if os.Getenv(assets) == "" {
		tb.Skipf("NOT TESTED: this needs a Kubernetes API server; set %s to a directory with etcd and kube-apiserver", assets)
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.cluster == nil && shared.err == nil {
		shared.cluster, shared.err = start(tb.Context())
	}
	if shared.err != nil {
		tb.Fatalf("start a Kubernetes API server: %v", shared.err)
	}
	return shared.cluster
}

func start(ctx context.Context) (*Cluster, error) {
	if !platformtest.HasMain() {
		return nil, errors.New("clustertest needs `func TestMain(m *testing.M) { platformtest.Main(m, clustertest.Stop) }` in the package")
	}
	crds, err := crdDirectory()
	if err != nil {
		return nil, err
	}
	shared.dir, err = platformtest.ServerDir("cluster")
	if err != nil {
		return nil, err
	}
	proxy, err := newProxyIdentity(shared.dir)
	if err != nil {
		return nil, err
	}
	environment := &envtest.Environment{
		CRDDirectoryPaths:        []string{crds},
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: startTimeout,
		ControlPlaneStopTimeout:  startTimeout,
	}
	environment.ControlPlane.GetAPIServer().Configure().
		Set("requestheader-client-ca-file", proxy.cert).
		Set("proxy-client-cert-file", proxy.cert).
		Set("proxy-client-key-file", proxy.key).
		Set("requestheader-username-headers", "X-Remote-User").
		Set("requestheader-group-headers", "X-Remote-Group").
		Set("requestheader-extra-headers-prefix", "X-Remote-Extra-")
	config, err := environment.Start()
	if err != nil {
		return nil, errors.Join(err, environment.Stop())
	}
	c := &Cluster{Config: config, environment: environment}
	c.Client, err = newClient(config)
	if err != nil {
		return nil, errors.Join(err, environment.Stop())
	}
	return c, c.systemNamespace(ctx)
}

func newClient(config *rest.Config) (client.Client, error) {
	known := runtime.NewScheme()
	err := errors.Join(scheme.AddToScheme(known), v1alpha1.AddToScheme(known), apiregistrationv1.AddToScheme(known))
	if err != nil {
		return nil, fmt.Errorf("make a scheme: %w", err)
	}
	return client.New(config, client.Options{Scheme: known})
}

// systemNamespace waits until the API server has told, in kube-system, by what its proxy is known.
func (c *Cluster) systemNamespace(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	key := client.ObjectKey{Namespace: metav1.NamespaceSystem, Name: "extension-apiserver-authentication"}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := c.Client.Get(ctx, key, &corev1.ConfigMap{})
		if client.IgnoreNotFound(err) != nil || err == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the API server: %w", err)
		case <-tick.C:
		}
	}
}

// crdDirectory finds the chart's CRDs from the directory of the test's package.
func crdDirectory() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the CRDs: %w", err)
	}
	for parent := filepath.Dir(dir); parent != dir; dir, parent = parent, filepath.Dir(parent) {
		crds := filepath.Join(parent, "charts", "hp-analytics", "crds")
		if _, err := os.Stat(crds); err == nil {
			return crds, nil
		}
	}
	return "", errors.New("find the CRDs: no directory above has charts/hp-analytics/crds")
}

// Namespace makes a namespace that is the test's alone.
func (c *Cluster) Namespace(tb testing.TB) string {
	tb.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	c.Create(tb, namespace)
	return namespace.Name
}

// Create makes objects that the test needs.
func (c *Cluster) Create(tb testing.TB, objects ...client.Object) {
	tb.Helper()
	for _, object := range objects {
		if err := c.Client.Create(tb.Context(), object); err != nil {
			tb.Fatalf("create %T %s: %v", object, object.GetName(), err)
		}
	}
}

// Kubeconfig adds a user, who has no rights but those that the test gives it, and returns the path of its kubeconfig.
func (c *Cluster) Kubeconfig(tb testing.TB, user string) string {
	tb.Helper()
	added, err := c.environment.AddUser(envtest.User{Name: user}, nil)
	if err != nil {
		tb.Fatalf("add a user: %v", err)
	}
	content, err := added.KubeConfig()
	if err != nil {
		tb.Fatalf("add a user: %v", err)
	}
	path := filepath.Join(tb.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}
