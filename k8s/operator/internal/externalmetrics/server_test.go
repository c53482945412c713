package externalmetrics

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	certutil "k8s.io/client-go/util/cert"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"

	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/k8s/operator/api/v1alpha1"
	"github.com/hp-analytics/hp-analytics/k8s/operator/internal/backlog"
)

const root = "/apis/external.metrics.k8s.io/v1beta1"

// surface is a server without a cluster.
type surface struct {
	tb       testing.TB
	url      string
	client   *http.Client
	certDir  string
	snapshot *backlog.Snapshot
	pools    []v1alpha1.AggregatorPool
}

func serve(t *testing.T, pools ...v1alpha1.AggregatorPool) *surface {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &surface{
		tb: t, url: "https://" + listener.Addr().String(), certDir: t.TempDir(),
		snapshot: backlog.NewSnapshot(30 * time.Second), pools: pools,
	}
	s.client = s.trust(s.writeCert())
	loaded := make(chan struct{})
	close(loaded)
	server := &Server{
		Listener: listener, CertDir: s.certDir, CertsReady: loaded, anonymous: true,
		Client: &rest.Config{Host: "https://127.0.0.1:1"}, // never called
		Provider: &Provider{Backlog: s.snapshot, Pools: func(_ context.Context, namespace string) ([]v1alpha1.AggregatorPool, error) {
			var in []v1alpha1.AggregatorPool
			for _, pool := range s.pools {
				if pool.Namespace == namespace {
					in = append(in, pool)
				}
			}
			return in, nil
		}},
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- server.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the server stopped with %v", err)
		}
		if server.Serving(t.Context()) == nil {
			t.Error("a server that has stopped calls itself ready")
		}
	})
	platformtest.Eventually(t, 30*time.Second, "serving", func() bool { return server.Serving(t.Context()) == nil })
	return s
}

// writeCert writes a new certificate for the server and returns it.
func (s *surface) writeCert() []byte {
	s.tb.Helper()
	cert, key, err := certutil.GenerateSelfSignedCertKey("operator.hp.svc", []net.IP{net.IPv4(127, 0, 0, 1)}, nil)
	if err != nil {
		s.tb.Fatal(err)
	}
	for name, content := range map[string][]byte{"tls.crt": cert, "tls.key": key} {
		if err := os.WriteFile(filepath.Join(s.certDir, name), content, 0o600); err != nil {
			s.tb.Fatal(err)
		}
	}
	return cert
}

// trust returns a client that trusts only cert and opens a new connection for each request.
func (s *surface) trust(cert []byte) *http.Client {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}},
	}
}

// get returns status and body of a GET.
func (s *surface) get(path string) (int, []byte) {
	s.tb.Helper()
	resp, err := s.client.Get(s.url + path)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.tb.Fatal(err)
	}
	return resp.StatusCode, body
}

// values returns the items of a namespace that a selector matches, as pool/queue=value.
func (s *surface) values(namespace, selector string) map[string]string {
	s.tb.Helper()
	status, body := s.get(root + "/namespaces/" + namespace + "/" + MetricName + "?labelSelector=" + url.QueryEscape(selector))
	if status != http.StatusOK {
		s.tb.Fatalf("%s of %s: status %d: %s", selector, namespace, status, body)
	}
	var list externalmetricsv1beta1.ExternalMetricValueList
	if err := json.Unmarshal(body, &list); err != nil {
		s.tb.Fatal(err)
	}
	values := map[string]string{}
	for _, item := range list.Items {
		values[item.MetricLabels[LabelPool]+"/"+item.MetricLabels[LabelQueue]] = item.Value.String()
	}
	return values
}

func pool(namespace, name string, queues ...string) v1alpha1.AggregatorPool {
	return v1alpha1.AggregatorPool{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       v1alpha1.AggregatorPoolSpec{Queues: queues},
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	s := serve(t, pool("shop", "folders", "rollups", "reports"), pool("shop", "mail", "mail"), pool("other", "folders", "rollups"))
	now := time.Now()
	s.snapshot.Put("rollups", backlog.Reading{Backlog: 40, Time: now})
	s.snapshot.Put("reports", backlog.Reading{Backlog: 2, Time: now})
	s.snapshot.Put("mail", backlog.Reading{Backlog: 0, Time: now})

	for _, test := range []struct {
		name, namespace, selector string
		want                      map[string]string
	}{
		{"of a pool", "shop", "pool=folders", map[string]string{"folders/rollups": "40", "folders/reports": "2"}},
		{"of a queue", "shop", "pool=folders,queue=reports", map[string]string{"folders/reports": "2"}},
		{"of a set", "shop", "queue in (mail,reports)", map[string]string{"folders/reports": "2", "mail/mail": "0"}},
		{"without a selector", "shop", "", map[string]string{"folders/rollups": "40", "folders/reports": "2", "mail/mail": "0"}},
		{"of the other namespace", "other", "", map[string]string{"folders/rollups": "40"}},
		{"of a pool that is elsewhere", "other", "pool=mail", map[string]string{}},
		{"of a namespace without pools", "empty", "", map[string]string{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, s.values(test.namespace, test.selector)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestDiscoveryListsTheMetricWithoutPools(t *testing.T) {
	t.Parallel()
	s := serve(t)
	status, body := s.get(root)
	var list metav1.APIResourceList
	if err := json.Unmarshal(body, &list); status != http.StatusOK || err != nil {
		t.Fatalf("status %d, %v: %s", status, err, body)
	}
	if len(list.APIResources) != 1 || list.APIResources[0].Name != MetricName || !list.APIResources[0].Namespaced {
		t.Errorf("discovery lists %v, want just %s", list.APIResources, MetricName)
	}
}

// An autoscaler keeps the number of workers after an error. It would act on any number, and on a list without the queue.
func TestMissingReadingIsAnError(t *testing.T) {
	t.Parallel()
	s := serve(t, pool("shop", "folders", "rollups", "reports"), pool("shop", "mail", "mail"))
	now := time.Now()
	path := root + "/namespaces/shop/" + MetricName + "?labelSelector=pool%3Dfolders"
	refused := func(when string) {
		t.Helper()
		status, body := s.get(path)
		var answer metav1.Status
		if err := json.Unmarshal(body, &answer); err != nil {
			t.Fatal(err)
		}
		if status != http.StatusServiceUnavailable || answer.Reason != metav1.StatusReasonServiceUnavailable {
			t.Errorf("%s: status %d, want 503: %s", when, status, body)
		}
	}
	refused("before the first poll")
	s.snapshot.Put("rollups", backlog.Reading{Backlog: 40, Time: now})
	refused("one of two queues is not read")
	s.snapshot.Put("reports", backlog.Reading{Backlog: 2, Time: now.Add(-31 * time.Second)})
	refused("one of two queues is stale")
	s.snapshot.Put("mail", backlog.Reading{Backlog: 1, Time: now})
	if diff := cmp.Diff(map[string]string{"mail/mail": "1"}, s.values("shop", "pool=mail")); diff != "" {
		t.Errorf("another pool is affected: -want +got:\n%s", diff)
	}
	s.snapshot.Put("reports", backlog.Reading{Backlog: 2, Time: now})
	if got := len(s.values("shop", "pool=folders")); got != 2 {
		t.Errorf("%d values when all queues are read, want 2", got)
	}
}

func TestUnknownMetric(t *testing.T) {
	t.Parallel()
	s := serve(t, pool("shop", "folders", "rollups"))
	if status, body := s.get(root + "/namespaces/shop/another"); status != http.StatusNotFound {
		t.Errorf("status %d, want 404: %s", status, body)
	}
}

func TestServerReloadsCertificate(t *testing.T) {
	t.Parallel()
	s := serve(t)
	client := s.trust(s.writeCert())
	platformtest.Eventually(t, 90*time.Second, "the new certificate is served", func() bool {
		resp, err := client.Get(s.url + root)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}
