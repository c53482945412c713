package main

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/hp-analytics/hp-analytics/test/chart/internal/manifest"
)

// selectors reports Services and PodDisruptionBudgets that match no pods or those of several workloads, Services with a port that the
// pods do not declare, and workloads that do not select their own pods.
func selectors(in manifest.Install) []problem {
	var problems []problem
	for _, w := range in.Workloads {
		if w.Selector == nil {
			continue
		}
		selector, err := metav1.LabelSelectorAsSelector(w.Selector)
		switch {
		case err != nil:
			problems = append(problems, problemf(w.Object, "%v", err))
		case !selector.Matches(labels.Set(w.Template.Labels)):
			problems = append(problems, problemf(w.Object, "its selector %s does not match its own pods", selector))
		}
	}
	for _, o := range in.OfKind("PodDisruptionBudget") {
		selector, err := metav1.LabelSelectorAsSelector(manifest.Decode[struct{ Selector *metav1.LabelSelector }](o).Selector)
		if err != nil {
			problems = append(problems, problemf(o, "%v", err))
			continue
		}
		problems = append(problems, one(in, o, selector)...)
	}
	for _, o := range in.OfKind("Service") {
		spec := manifest.Decode[corev1.ServiceSpec](o)
		if len(spec.Selector) == 0 {
			continue // its endpoints are managed externally
		}
		selector := labels.SelectorFromSet(spec.Selector)
		problems = append(problems, one(in, o, selector)...)
		for _, w := range in.Selected(selector) {
			for _, port := range spec.Ports {
				if !listens(w, port.TargetPort) {
					problems = append(problems, problemf(o, "port %s: no container of %s/%s has a port %s", port.Name, w.Kind, w.Name, port.TargetPort.String()))
				}
			}
		}
	}
	return problems
}

func one(in manifest.Install, o manifest.Object, selector labels.Selector) []problem {
	switch found := in.Selected(selector); len(found) {
	case 0:
		return []problem{problemf(o, "selector %s matches no pods", selector)}
	case 1:
		return nil
	default:
		return []problem{problemf(o, "selector %s matches the pods of %s/%s and of %s/%s", selector, found[0].Kind, found[0].Name, found[1].Kind, found[1].Name)}
	}
}

// listens reports whether pods declare the named port of a Service. A numeric port need not be declared.
func listens(w manifest.Workload, port intstr.IntOrString) bool {
	return port.Type == intstr.Int || slices.ContainsFunc(w.Containers(), func(c corev1.Container) bool {
		return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == port.StrVal })
	})
}
