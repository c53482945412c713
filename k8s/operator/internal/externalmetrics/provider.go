// Package externalmetrics serves the API external.metrics.k8s.io/v1beta1, from which a HorizontalPodAutoscaler reads the backlog
// of a pool. Every replica serves it, and requests are answered from memory without I/O.
package externalmetrics

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/metrics/pkg/apis/external_metrics"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider"

	"github.com/hp-analytics/hp-analytics/k8s/operator/api/v1alpha1"
	"github.com/hp-analytics/hp-analytics/k8s/operator/internal/backlog"
)

// MetricName is the only metric. It has one item per queue and pool, with the labels below.
const MetricName = "hpa_queue_backlog"

// Labels of the metric.
const (
	LabelPool  = "pool"
	LabelQueue = "queue"
)

// Provider returns the metric for the pools of one namespace.
type Provider struct {
	// Pools lists the pools of a namespace, from memory.
	Pools func(ctx context.Context, namespace string) ([]v1alpha1.AggregatorPool, error)
	// Backlog provides the readings.
	Backlog *backlog.Snapshot
}

var _ provider.ExternalMetricsProvider = (*Provider)(nil)

// ListAllExternalMetrics implements provider.ExternalMetricsProvider. It lists the metric even if there is no pool:
// an API group without resources makes kubectl and other clients report a discovery error for the whole cluster.
func (p *Provider) ListAllExternalMetrics() []provider.ExternalMetricInfo {
	return []provider.ExternalMetricInfo{{Metric: MetricName}}
}

// GetExternalMetric implements provider.ExternalMetricsProvider. It returns all queues of the namespace's pools that match the
// selector. If one of them has no current reading, it returns 503 for all: with a partial list the autoscaler would see a
// smaller sum and remove workers.
func (p *Provider) GetExternalMetric(ctx context.Context, namespace string, selector labels.Selector, info provider.ExternalMetricInfo,
) (*external_metrics.ExternalMetricValueList, error) {
	if info.Metric != MetricName {
		return nil, provider.NewMetricNotFoundError(schema.GroupResource{Group: external_metrics.GroupName, Resource: "externalmetrics"}, info.Metric)
	}
	pools, err := p.Pools(ctx, namespace)
	if err != nil {
		return nil, apierrors.NewInternalError(fmt.Errorf("list the pools: %w", err))
	}
	list := &external_metrics.ExternalMetricValueList{}
	var problems []error
	for _, pool := range pools {
		for _, queue := range pool.Spec.Queues {
			set := labels.Set{LabelPool: pool.Name, LabelQueue: queue}
			if !selector.Matches(set) {
				continue
			}
			reading, err := p.Backlog.Get(queue)
			if err != nil {
				problems = append(problems, err)
				continue
			}
			list.Items = append(list.Items, external_metrics.ExternalMetricValue{
				MetricName:   MetricName,
				MetricLabels: set,
				Timestamp:    metav1.NewTime(reading.Time),
				Value:        *resource.NewQuantity(reading.Backlog, resource.DecimalSI),
			})
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, apierrors.NewServiceUnavailable(err.Error())
	}
	return list, nil
}
