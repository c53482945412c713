package main

import "github.com/hp-analytics/hp-analytics/test/chart/internal/manifest"

// target is the workload whose replicas an autoscaler sets.
type target struct {
	scaler     manifest.Object
	kind, name string
}

func targets(in manifest.Install) []target {
	var out []target
	for _, o := range in.OfKind("HorizontalPodAutoscaler", "ScaledObject", "AggregatorPool") {
		spec := manifest.Decode[struct {
			ScaleTargetRef struct{ Kind, Name string }
			DeploymentName string
		}](o)
		t := target{o, spec.ScaleTargetRef.Kind, spec.ScaleTargetRef.Name}
		if o.Kind == "AggregatorPool" {
			t.name = spec.DeploymentName
		}
		if t.kind == "" { // an AggregatorPool scales only Deployments, and a ScaledObject does by default
			t.kind = "Deployment"
		}
		out = append(out, t)
	}
	return out
}

func (t target) workload(in manifest.Install) (manifest.Workload, bool) {
	for _, w := range in.Workloads {
		if w.Kind == t.kind && w.Name == t.name {
			return w, true
		}
	}
	return manifest.Workload{}, false
}

// scaledReplicas reports rendered replicas of autoscaled workloads. Every upgrade would reset the number, or fail with server-side
// apply, because the autoscaler owns the field.
func scaledReplicas(in manifest.Install) []problem {
	var problems []problem
	for _, t := range targets(in) {
		if w, ok := t.workload(in); ok && w.Replicas != nil {
			problems = append(problems, problemf(w.Object, "replicas: %d, which %s/%s scales", *w.Replicas, t.scaler.Kind, t.scaler.Name))
		}
	}
	return problems
}

// scalingTargets reports autoscalers without a target, and those with the same target, which the HPA controller ignores.
func scalingTargets(in manifest.Install) []problem {
	var problems []problem
	first := make(map[string]manifest.Object)
	for _, t := range targets(in) {
		w, ok := t.workload(in)
		if !ok {
			problems = append(problems, problemf(t.scaler, "scales %s/%s, which does not exist", t.kind, t.name))
			continue
		}
		key := w.Kind + "/" + w.Name
		if other, ok := first[key]; ok {
			problems = append(problems, problemf(t.scaler, "scales %s, as %s/%s does", key, other.Kind, other.Name))
			continue
		}
		first[key] = t.scaler
	}
	return problems
}
