package operator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/hp-analytics/hp-analytics/k8s/operator/api/v1alpha1"
	"github.com/hp-analytics/hp-analytics/k8s/operator/internal/pool"
	"github.com/hp-analytics/hp-analytics/k8s/operator/internal/registration"
)

// stopTimeout limits the shutdown of the manager's components. It is less than the 15 s of the whole lifecycle.
const stopTimeout = 10 * time.Second

// newScheme returns a scheme of only the types that the operator reads and writes.
func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	err := errors.Join(
		v1alpha1.AddToScheme(scheme),
		appsv1.AddToScheme(scheme),
		autoscalingv2.AddToScheme(scheme),
		apiregistrationv1.AddToScheme(scheme),
	)
	if err != nil {
		return nil, fmt.Errorf("create the scheme: %w", err)
	}
	return scheme, nil
}

// newManager wires up the components. It queries the API of the cluster.
func (s *Service) newManager(ctx context.Context) (ctrl.Manager, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(s.cluster, ctrl.Options{
		Scheme:                        scheme,
		Logger:                        logr.FromSlogHandler(s.deps.Logger.Handler()),
		Cache:                         s.cacheOptions(),
		Metrics:                       metricsserver.Options{BindAddress: "0"}, // served on HTTP_ADDR instead
		LeaderElection:                true,
		LeaderElectionID:              s.cfg.Cluster.LeaderElectionID,
		LeaderElectionNamespace:       s.cfg.Cluster.Namespace,
		LeaderElectionReleaseOnCancel: true,
		GracefulShutdownTimeout:       new(stopTimeout),
		// Tests run several operators in one process, so controller names are not unique there.
		Controller: ctrlconfig.Controller{SkipNameValidation: new(true)},
	})
	if err != nil {
		return nil, fmt.Errorf("create the manager: %w", err)
	}
	s.pools.reader = mgr.GetCache()
	// Followers answer requests too, so they need the pools. The manager waits for the cache before it starts anything else.
	if _, err := mgr.GetCache().GetInformer(ctx, &v1alpha1.AggregatorPool{}, cache.BlockUntilSynced(false)); err != nil {
		return nil, fmt.Errorf("watch the pools: %w", err)
	}
	for _, part := range []manager.Runnable{s.keeper, s.poller, s.metrics} {
		if err := mgr.Add(part); err != nil {
			return nil, fmt.Errorf("add %T to the manager: %w", part, err)
		}
	}
	return mgr, s.addControllers(mgr)
}

// addControllers adds the controllers that run only on the leader.
func (s *Service) addControllers(mgr ctrl.Manager) error {
	pools := &pool.Reconciler{
		Client:   mgr.GetClient(),
		Backlog:  s.snapshot,
		Service:  s.cfg.apiService(),
		Events:   mgr.GetEventRecorder(pool.FieldOwner),
		Logger:   s.deps.Logger,
		Interval: s.cfg.PollInterval,
	}
	if err := pools.SetupWithManager(mgr); err != nil {
		return err
	}
	if s.cfg.TLS.CABundle == caBundleExternal {
		return nil
	}
	bundle := &registration.Reconciler{
		Client: mgr.GetClient(), Service: s.cfg.apiService(), Keeper: s.keeper, Logger: s.deps.Logger,
	}
	return bundle.SetupWithManager(mgr)
}

func (s *Service) cacheOptions() cache.Options {
	options := cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			// Only this APIService is relevant, and the operator has no right to read others.
			&apiregistrationv1.APIService{}: {Field: fields.OneTermEqualSelector("metadata.name", registration.Name)},
			&appsv1.Deployment{}:            {Transform: withoutTemplate},
		},
	}
	if namespaces := s.cfg.Cluster.watched(); namespaces != nil {
		options.DefaultNamespaces = map[string]cache.Config{}
		for _, namespace := range namespaces {
			options.DefaultNamespaces[namespace] = cache.Config{}
		}
	}
	return options
}

// withoutTemplate drops the large and unused parts of a Deployment before it is cached.
func withoutTemplate(object any) (any, error) {
	if deployment, ok := object.(*appsv1.Deployment); ok {
		deployment.ManagedFields, deployment.Annotations = nil, nil
		deployment.Spec.Template = corev1.PodTemplateSpec{}
	}
	return object, nil
}
