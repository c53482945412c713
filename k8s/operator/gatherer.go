package operator

import (
	"errors"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"k8s.io/component-base/metrics/legacyregistry"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
)

// union gathers from several registries. The Kubernetes libraries use global registries, which all contain the metrics of the
// Go runtime and the process. If several registries have a metric family, the first one wins.
type union []prometheus.Gatherer

// withKubernetes adds the metrics of controller-runtime and of the API server library to own.
func withKubernetes(own prometheus.Gatherer) prometheus.Gatherer {
	return union{own, ctrlmetrics.Registry, legacyregistry.DefaultGatherer}
}

// Gather implements prometheus.Gatherer.
func (u union) Gather() ([]*dto.MetricFamily, error) {
	var families []*dto.MetricFamily
	var problems []error
	seen := map[string]bool{}
	for _, gatherer := range u {
		gathered, err := gatherer.Gather()
		problems = append(problems, err)
		for _, family := range gathered {
			if !seen[family.GetName()] {
				seen[family.GetName()] = true
				families = append(families, family)
			}
		}
	}
	slices.SortFunc(families, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return families, errors.Join(problems...)
}
