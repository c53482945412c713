// Package externalmetrics serves the API external.metrics.k8s.io/v1beta1, from which a HorizontalPodAutoscaler reads the
// backlog of a pool. Every replica serves it, and no request waits for anything but memory.
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

// MetricName is the one metric that there is: an item for each queue of each pool, with the labels below.
const MetricName = "hpa_queue_backlog"

// Labels of the metric.
const (
	LabelPool  = "pool"
	LabelQueue = "queue"
)

// Provider answers for the pools of one namespace at a time.
type Provider struct {
	// Pools lists the pools of a namespace, from memory.
	Pools func(ctx context.Context, namespace string) ([]v1alpha1.AggregatorPool, error)
	// Backlog has the readings.
	Backlog *backlog.Snapshot
}

var _ provider.ExternalMetricsProvider = (*Provider)(nil)

// ListAllExternalMetrics implements provider.ExternalMetricsProvider. The metric is listed even when there is no pool: a
// group without any resource makes kubectl and others report an error in the discovery of the whole cluster.
func (p *Provider) ListAllExternalMetrics() []provider.ExternalMetricInfo {
	return []provider.ExternalMetricInfo{{Metric: MetricName}}
}

// GetExternalMetric implements provider.ExternalMetricsProvider: all queues of the namespace's pools that the selector
// matches. If one of them has no current reading the whole answer is 503, because the autoscaler would add up the others
// and take workers away.
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
