package operator

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	externalmetricsv1beta1 "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hp-analytics/hp-analytics/internal/platform/config"
	"github.com/hp-analytics/hp-analytics/internal/platform/platformtest"
	"github.com/hp-analytics/hp-analytics/internal/platform/redistest"
	"github.com/hp-analytics/hp-analytics/k8s/operator/api/v1alpha1"
	"github.com/hp-analytics/hp-analytics/k8s/operator/internal/clustertest"
	"github.com/hp-analytics/hp-analytics/k8s/operator/internal/registration"
)

func TestMain(m *testing.M) { platformtest.Main(m, redistest.Stop, clustertest.Stop) }

// waitTimeout limits how long a test waits on a busy machine.
const waitTimeout = 90 * time.Second

// bench is an installation: a namespace of a real API server, a Redis, and the replicas that the test starts. Each replica has
// exactly the rights that the README lists.
type bench struct {
	*clustertest.Cluster
	t          *testing.T
	namespace  string
	kubeconfig string
	redis      *redistest.Server
}

func newBench(t *testing.T) *bench {
	t.Helper()
	cluster := clustertest.Get(t)
	b := &bench{Cluster: cluster, t: t, namespace: cluster.Namespace(t), redis: redistest.StartServer(t)}
	user := "operator-of-" + b.namespace
	b.kubeconfig = cluster.Kubeconfig(t, user)
	b.Create(t, rights(b.namespace, user)...)
	b.Create(t,
		&corev1.Secret{ObjectMeta: b.named("operator-tls"), Type: corev1.SecretTypeTLS, Data: map[string][]byte{"tls.crt": {}, "tls.key": {}}},
		// The API server has no cluster network. An ExternalName lets it reach a local process.
		&corev1.Service{ObjectMeta: b.named("operator"), Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"}},
	)
	return b
}

func (b *bench) named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: b.namespace, Name: name}
}

// replica is one running operator.
type replica struct {
	*Service
	stop func()
}

// start starts a replica with the settings of the chart.
func (b *bench) start(settings ...string) *replica {
	b.t.Helper()
	var cfg Config
	environ := append([]string{
		"REDIS_URL=" + string(b.redis.Config().URL),
		"REDIS_TIMEOUT=1s",
		"POD_NAMESPACE=" + b.namespace,
		"KUBECONFIG=" + b.kubeconfig,
		"EXTERNAL_METRICS_ADDR=127.0.0.1:0",
		"QUEUE_POLL_INTERVAL=1s",
		"SNAPSHOT_MAX_AGE=4s",
		"TLS_SERVICE_NAME=operator",
		"TLS_SECRET_NAME=operator-tls",
		"TLS_DIR=" + b.t.TempDir(),
	}, settings...)
	if err := config.Load(b.t.Context(), &cfg, config.Environ(environ, "")); err != nil {
		b.t.Fatal(err)
	}
	svc, err := New(cfg, platformtest.Deps(b.t))
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := svc.Run(ctx, func() {}); err != nil {
			b.t.Errorf("a replica stopped with %v", err)
		}
	}()
	r := &replica{Service: svc, stop: func() { cancel(); <-done }}
	b.t.Cleanup(r.stop)
	b.eventually("a replica is ready", func() bool {
		_, ready := svc.Health().Ready(b.t.Context())
		return ready
	})
	return r
}

// register creates the APIService that routes the cluster's requests to a replica.
func (b *bench) register(r *replica) *apiregistrationv1.APIService {
	b.t.Helper()
	api := &apiregistrationv1.APIService{
		ObjectMeta: metav1.ObjectMeta{Name: registration.Name},
		Spec: apiregistrationv1.APIServiceSpec{
			Group: "external.metrics.k8s.io", Version: "v1beta1", GroupPriorityMinimum: 100, VersionPriority: 100,
			Service: &apiregistrationv1.ServiceReference{Namespace: b.namespace, Name: "operator", Port: new(int32(r.port()))},
		},
	}
	b.Create(b.t, api)
	b.t.Cleanup(func() {
		if err := b.Client.Delete(context.WithoutCancel(b.t.Context()), api); client.IgnoreNotFound(err) != nil {
			b.t.Error(err)
		}
	})
	return api
}

func (r *replica) port() int {
	tcp, ok := r.metrics.Listener.Addr().(*net.TCPAddr)
	if !ok {
		panic("the listener is of TCP")
	}
	return tcp.Port
}

func (b *bench) eventually(what string, condition func() bool) {
	b.t.Helper()
	platformtest.Eventually(b.t, waitTimeout, what, condition)
}

func (b *bench) get(object client.Object) {
	b.t.Helper()
	if err := b.Client.Get(b.t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		b.t.Fatal(err)
	}
}

// condition returns status and reason of a pool's condition.
func (b *bench) condition(pool *v1alpha1.AggregatorPool, kind string) string {
	b.t.Helper()
	b.get(pool)
	c := meta.FindStatusCondition(pool.Status.Conditions, kind)
	if c == nil {
		return ""
	}
	return string(c.Status) + " " + c.Reason
}

// metric requests the backlog of a pool from the cluster, as the HPA controller does. It returns the HTTP status and
// the sum, and -1 for an empty list.
func (b *bench) metric(namespace, pool string) (status int, sum int64) {
	b.t.Helper()
	httpClient, err := rest.HTTPClientFor(b.Config)
	if err != nil {
		b.t.Fatal(err)
	}
	url := strings.TrimSuffix(b.Config.Host, "/") + "/apis/external.metrics.k8s.io/v1beta1/namespaces/" + namespace +
		"/hpa_queue_backlog?labelSelector=pool%3D" + pool
	resp, err := httpClient.Get(url)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, -1
	}
	var list externalmetricsv1beta1.ExternalMetricValueList
	if err := json.Unmarshal(body, &list); err != nil {
		b.t.Fatal(err)
	}
	if len(list.Items) == 0 {
		return resp.StatusCode, -1
	}
	for _, item := range list.Items {
		sum += item.Value.Value()
	}
	return resp.StatusCode, sum
}

func (b *bench) enqueue(n int) {
	b.t.Helper()
	tasks := asynq.NewClientFromRedisClient(redistest.Client(b.t, b.redis.Config()))
	for range n {
		if _, err := tasks.Enqueue(asynq.NewTask("fold", nil), asynq.Queue("rollups")); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bench) workers() (*appsv1.Deployment, *v1alpha1.AggregatorPool) {
	labels := map[string]string{"app": "aggregator"}
	deployment := &appsv1.Deployment{ObjectMeta: b.named("aggregator"), Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "aggregator", Image: "aggregator:test"}}},
		},
	}}
	pool := &v1alpha1.AggregatorPool{ObjectMeta: b.named("aggregator"), Spec: v1alpha1.AggregatorPoolSpec{
		DeploymentName: "aggregator", Queues: []string{"rollups"}, MinReplicas: 1, MaxReplicas: 10, TargetBacklogPerReplica: 4,
	}}
	return deployment, pool
}

// The tests in this file share the cluster's only APIService, so they do not run in parallel.

func TestInstallation(t *testing.T) {
	b := newBench(t)
	b.enqueue(9)
	leader := b.start()
	api := b.register(leader)

	// The certificate is created, stored and published, and the API server accepts it.
	b.eventually("the cluster reaches the metrics", func() bool {
		b.get(api)
		for _, c := range api.Status.Conditions {
			if c.Type == apiregistrationv1.Available && c.Status == apiregistrationv1.ConditionTrue {
				return true
			}
		}
		return false
	})
	secret := &corev1.Secret{ObjectMeta: b.named("operator-tls")}
	b.get(secret)
	if string(secret.Data["ca.crt"]) != string(api.Spec.CABundle) {
		t.Error("the APIService has another bundle than the Secret")
	}

	deployment, pool := b.workers()
	b.Create(t, deployment, pool)
	b.eventually("an autoscaler", func() bool {
		hpa := &autoscalingv2.HorizontalPodAutoscaler{}
		return b.Client.Get(t.Context(), client.ObjectKeyFromObject(pool), hpa) == nil
	})
	b.eventually("a backlog of 9", func() bool {
		status, sum := b.metric(b.namespace, "aggregator")
		if status == http.StatusOK && sum != 9 {
			t.Fatalf("unexpected backlog of %d", sum)
		}
		return sum == 9
	})
	if status, sum := b.metric("default", "aggregator"); status != http.StatusOK || sum != -1 {
		t.Errorf("another namespace sees status %d and %d", status, sum)
	}
	b.eventually("status of the pool", func() bool {
		return b.condition(pool, v1alpha1.ConditionMetricsAvailable) == "True Polled" &&
			b.condition(pool, v1alpha1.ConditionAPIServiceOwned) == "True Owned" &&
			pool.Status.Backlog != nil && *pool.Status.Backlog == 9
	})
	checkMetricsEndpoint(t, leader)

	// A second replica serves with the same authority, and takes over when the first one stops.
	follower := b.start()
	if string(follower.keeper.Bundle()) != string(api.Spec.CABundle) {
		t.Error("the second replica has another authority")
	}
	leader.stop()
	hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: b.named("aggregator")}
	if err := b.Client.Delete(t.Context(), hpa); err != nil {
		t.Fatal(err)
	}
	b.eventually("the new leader makes the autoscaler anew", func() bool {
		return b.Client.Get(t.Context(), client.ObjectKeyFromObject(hpa), hpa) == nil
	})
}

func TestRedisOutage(t *testing.T) {
	b := newBench(t)
	deployment, pool := b.workers()
	b.Create(t, deployment, pool)
	b.enqueue(9)
	b.register(b.start())
	b.eventually("a backlog of 9", func() bool { _, sum := b.metric(b.namespace, "aggregator"); return sum == 9 })

	b.redis.Kill()
	b.eventually("503", func() bool {
		status, sum := b.metric(b.namespace, "aggregator")
		if status == http.StatusOK && sum != 9 {
			t.Fatalf("the backlog is %d while Redis is down", sum)
		}
		return status == http.StatusServiceUnavailable
	})
	b.eventually("the pool says so", func() bool {
		return b.condition(pool, v1alpha1.ConditionMetricsAvailable) == "False Stale" &&
			b.condition(pool, v1alpha1.ConditionReady) == "False MetricsUnavailable"
	})
	if pool.Status.Backlog == nil || *pool.Status.Backlog != 9 {
		t.Errorf("the last known backlog is gone: %v", pool.Status.Backlog)
	}

	b.redis.Restart()
	b.eventually("numbers again", func() bool {
		status, _ := b.metric(b.namespace, "aggregator")
		return status == http.StatusOK && b.condition(pool, v1alpha1.ConditionMetricsAvailable) == "True Polled"
	})
}

// An operator that starts without Redis becomes ready, because it can answer with an error. It has no number until the first
// successful reading.
func TestStartWithoutRedis(t *testing.T) {
	b := newBench(t)
	deployment, pool := b.workers()
	b.Create(t, deployment, pool)
	b.enqueue(9)
	b.redis.Stop()
	b.register(b.start())
	b.eventually("503", func() bool {
		status, sum := b.metric(b.namespace, "aggregator")
		if status == http.StatusOK {
			t.Fatalf("the backlog is %d before any reading", sum)
		}
		// The path is unknown until the API server has processed the APIService; after that it is unavailable.
		return status == http.StatusServiceUnavailable && b.condition(pool, v1alpha1.ConditionMetricsAvailable) == "False Stale"
	})
	if pool.Status.Backlog != nil {
		t.Errorf("the status has a backlog of %d before any reading", *pool.Status.Backlog)
	}
}

func TestForeignAPIServiceIsLeftAlone(t *testing.T) {
	b := newBench(t)
	deployment, pool := b.workers()
	b.Create(t, deployment, pool)
	replica := b.start()
	api := b.register(replica)
	b.eventually("the bundle", func() bool { b.get(api); return len(api.Spec.CABundle) > 0 })

	// Another program takes over the registration, as an installation of KEDA with kubectl does.
	b.eventually("a change", func() bool {
		b.get(api)
		api.Spec.Service.Name, api.Spec.CABundle, api.Spec.InsecureSkipTLSVerify = "keda-operator-metrics-apiserver", nil, true
		return b.Client.Update(t.Context(), api) == nil
	})
	b.eventually("the pool says so", func() bool {
		return b.condition(pool, v1alpha1.ConditionAPIServiceOwned) == "False Foreign"
	})
	b.get(api)
	if len(api.Spec.CABundle) > 0 || !api.Spec.InsecureSkipTLSVerify {
		t.Errorf("the operator has changed somebody else's APIService: %+v", api.Spec)
	}
	if _, ready := replica.Health().Ready(t.Context()); !ready {
		t.Error("the operator is not ready, although it serves")
	}
}

// checkMetricsEndpoint checks that /metrics contains all three registries and no duplicate family.
func checkMetricsEndpoint(t *testing.T, r *replica) {
	t.Helper()
	recorder := httptest.NewRecorder()
	r.Routes().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	body := recorder.Body.String()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if recorder.Code != http.StatusOK || err != nil {
		t.Fatalf("/metrics: status %d, %v", recorder.Code, err)
	}
	for _, name := range []string{
		"hpa_queue_backlog", "hpa_queue_oldest_pending_seconds", "hpa_queue_retry", "hpa_queue_archived", "hpa_queue_paused",
		"hpa_queue_snapshot_age_seconds", "hpa_queue_poll_errors_total", "hpa_certificate_expiry_timestamp_seconds",
		"controller_runtime_reconcile_total", "workqueue_depth", "rest_client_requests_total", "apiserver_request_total",
	} {
		if families[name] == nil {
			t.Errorf("/metrics has no %s", name)
		}
		if n := strings.Count(body, "# TYPE "+name+" "); n > 1 {
			t.Errorf("/metrics has %s %d times", name, n)
		}
	}
}
