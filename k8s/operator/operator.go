// Package operator scales workers by the backlog of their queues. It manages one HorizontalPodAutoscaler per AggregatorPool and
// serves the metric that this reads.
//
// Every replica polls the queues (internal/backlog), loads the certificate (internal/certs) and answers the cluster's requests
// for the metric (internal/externalmetrics), so the loss of a replica has no effect. Only the leader writes to the cluster:
// autoscalers and status (internal/pool), and the CA bundle (internal/registration).
package operator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/go-logr/logr"
	goredis "github.com/redis/go-redis/v9"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hp-analytics/hp-analytics/internal/platform/httpserver"
	platformredis "github.com/hp-analytics/hp-analytics/internal/platform/redis"
	"github.com/hp-analytics/hp-analytics/internal/platform/service"
	"github.com/hp-analytics/hp-analytics/k8s/operator/api/v1alpha1"
	"github.com/hp-analytics/hp-analytics/k8s/operator/internal/backlog"
	"github.com/hp-analytics/hp-analytics/k8s/operator/internal/certs"
	"github.com/hp-analytics/hp-analytics/k8s/operator/internal/externalmetrics"
)

// Service is the operator.
type Service struct {
	cfg      Config
	deps     service.Deps
	health   *httpserver.Health
	routes   http.Handler
	redis    *goredis.Client
	cluster  *rest.Config
	pools    *poolCache
	snapshot *backlog.Snapshot
	poller   *backlog.Poller
	keeper   *certs.Keeper
	metrics  *externalmetrics.Server
}

var _ service.Service = (*Service)(nil)

// New wires up the service. It does not connect to anything.
func New(cfg Config, deps service.Deps) (*Service, error) {
	cluster, err := clientcmd.BuildConfigFromFlags("", cfg.Cluster.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("load the cluster configuration: %w", err)
	}
	cluster.UserAgent = "hp-analytics-operator/" + service.Version()
	redis, err := platformredis.Open(cfg.Redis, "operator")
	if err != nil {
		return nil, err
	}
	source, err := certificateSource(&cfg, cluster)
	if err != nil {
		return nil, err
	}
	s := &Service{
		cfg: cfg, deps: deps, redis: redis, cluster: cluster,
		pools:    &poolCache{namespaces: cfg.Cluster.watched()},
		snapshot: backlog.NewSnapshot(cfg.SnapshotMaxAge),
		keeper:   certs.NewKeeper(source, deps.Logger, deps.Registerer),
	}
	s.poller = backlog.NewPoller(backlog.Options{
		Redis: redis, Queues: s.pools.Queues, Interval: cfg.PollInterval,
		Snapshot: s.snapshot, Logger: deps.Logger, Registerer: deps.Registerer,
	})
	s.metrics = &externalmetrics.Server{
		Provider:   &externalmetrics.Provider{Pools: s.pools.In, Backlog: s.snapshot},
		CertDir:    cfg.TLS.Dir,
		CertsReady: s.keeper.Loaded(),
		Client:     cluster,
		Kubeconfig: cfg.Cluster.Kubeconfig,
	}
	deps.Registerer.MustRegister(platformredis.NewPoolCollector(redis))
	s.health = httpserver.NewHealth(deps.Logger,
		httpserver.Check{Name: "certificate", Run: s.keeper.Ready},
		httpserver.Check{Name: "queues", Run: s.poller.Attempted},
		httpserver.Check{Name: "external_metrics", Run: s.metrics.Serving},
		httpserver.Check{Name: "redis", Run: platformredis.Ready(redis), Optional: true},
	)
	s.routes = httpserver.NewRouter(httpserver.RouterOptions{
		Config: cfg.HTTP, Logger: deps.Logger, Registerer: deps.Registerer, Gatherer: withKubernetes(deps.Gatherer),
		TracerProvider: deps.TracerProvider, Health: s.health,
	})
	return s, nil
}

// certificateSource returns the source of the certificate.
func certificateSource(cfg *Config, cluster *rest.Config) (certs.Source, error) {
	if cfg.TLS.Mode == tlsFiles {
		return &certs.Directory{Dir: cfg.TLS.Dir}, nil
	}
	// This client has no cache, because a cache lists all Secrets, and the operator may read only one.
	direct, err := client.New(cluster, client.Options{})
	if err != nil {
		return nil, fmt.Errorf("create a client of the cluster: %w", err)
	}
	host := cfg.apiService().Name + "." + cfg.apiService().Namespace + ".svc"
	return &certs.Secret{
		Client:   direct,
		Name:     types.NamespacedName{Namespace: cfg.Cluster.Namespace, Name: cfg.TLS.SecretName},
		DNSNames: []string{host},
		Dir:      cfg.TLS.Dir,
		Now:      time.Now,
	}, nil
}

// LogThrough makes the Kubernetes libraries log through logger. They only support one global logger per process, so only main
// calls this.
func LogThrough(logger *slog.Logger) {
	ctrl.SetLogger(logr.FromSlogHandler(logger.Handler()))
	klog.SetSlogLogger(logger)
}

// Routes implements service.Service. There is no public API, only the operational endpoints.
func (s *Service) Routes() http.Handler { return s.routes }

// Health implements service.Service.
func (s *Service) Health() *httpserver.Health { return s.health }

// Run implements service.Service. It returns when ctx ends. It fails when the replica has lost the leadership: another replica
// may be writing, so this process must restart.
func (s *Service) Run(ctx context.Context, ready func()) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.cfg.ExternalMetricsAddr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", s.cfg.ExternalMetricsAddr, err)
	}
	s.metrics.Listener = listener
	mgr, err := s.newManager(ctx)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	ready()
	err = mgr.Start(ctx)
	if err != nil {
		err = fmt.Errorf("run the manager: %w", err)
	}
	if closeErr := s.redis.Close(); closeErr != nil && !errors.Is(closeErr, goredis.ErrClosed) {
		err = errors.Join(err, fmt.Errorf("close Redis: %w", closeErr))
	}
	return err
}

// poolCache lists pools from the manager's cache. The reader is set before anything calls it.
type poolCache struct {
	namespaces []string // watched namespaces; nil means all
	reader     client.Reader
}

// In returns the pools of a namespace, or none if it is not watched.
func (c *poolCache) In(ctx context.Context, namespace string) ([]v1alpha1.AggregatorPool, error) {
	if c.namespaces != nil && !slices.Contains(c.namespaces, namespace) {
		return nil, nil
	}
	var list v1alpha1.AggregatorPoolList
	if err := c.reader.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list pools: %w", err)
	}
	return list.Items, nil
}

// Queues returns the queues of all pools, possibly with duplicates.
func (c *poolCache) Queues(ctx context.Context) ([]string, error) {
	var list v1alpha1.AggregatorPoolList
	if err := c.reader.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("list pools: %w", err)
	}
	var queues []string
	for i := range list.Items {
		queues = append(queues, list.Items[i].Spec.Queues...)
	}
	return queues, nil
}
