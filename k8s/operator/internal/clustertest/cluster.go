// Package clustertest provides a real API server for tests, with the CRD installed and with aggregation, but without the
// controllers of a cluster. Tests play the part of the autoscaler themselves.
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

// assets is envtest's variable for the directory with the programs etcd and kube-apiserver.
const assets = "KUBEBUILDER_ASSETS"

// startTimeout is long enough for all packages to start their servers at once.
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
	// Config connects with all rights.
	Config *rest.Config
	// Client has all rights, no cache, and knows all types that the tests use.
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

// Get returns the shared API server. It skips the test if the programs for it are not available.
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
		return nil, fmt.Errorf("create a scheme: %w", err)
	}
	return client.New(config, client.Options{Scheme: known})
}

// systemNamespace waits until the API server has published the CA of its front proxy in kube-system.
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

// Namespace creates a namespace for the test.
func (c *Cluster) Namespace(tb testing.TB) string {
	tb.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	c.Create(tb, namespace)
	return namespace.Name
}

// Create creates objects for the test.
func (c *Cluster) Create(tb testing.TB, objects ...client.Object) {
	tb.Helper()
	for _, object := range objects {
		if err := c.Client.Create(tb.Context(), object); err != nil {
			tb.Fatalf("create %T %s: %v", object, object.GetName(), err)
		}
	}
}

// Kubeconfig adds a user without rights and returns the path of its kubeconfig. The test grants the rights it needs.
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
