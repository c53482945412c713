package manifest

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Install contains all objects of one rendering.
type Install struct {
	Objects   []Object
	Workloads []Workload
}

// Workload is an object that creates pods.
type Workload struct {
	Object

	Replicas *int32
	Selector *metav1.LabelSelector
	Template corev1.PodTemplateSpec
}

// NewInstall finds the workloads among objects.
func NewInstall(objects []Object) Install {
	in := Install{Objects: objects}
	for _, o := range objects {
		if w, ok := workload(o); ok {
			in.Workloads = append(in.Workloads, w)
		}
	}
	return in
}

func workload(o Object) (Workload, bool) {
	w := Workload{Object: o}
	switch o.Kind {
	case "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job":
		spec := Decode[struct {
			Replicas *int32
			Selector *metav1.LabelSelector
			Template corev1.PodTemplateSpec
		}](o)
		w.Replicas, w.Selector, w.Template = spec.Replicas, spec.Selector, spec.Template
	case "CronJob":
		w.Template = Decode[struct {
			JobTemplate struct {
				Spec struct{ Template corev1.PodTemplateSpec }
			}
		}](o).JobTemplate.Spec.Template
	case "Pod":
		w.Template = corev1.PodTemplateSpec{ObjectMeta: o.ObjectMeta, Spec: Decode[corev1.PodSpec](o)}
	default:
		return Workload{}, false
	}
	return w, true
}

// OfKind returns the objects of the given kinds, in the order of the stream.
func (in Install) OfKind(kinds ...string) []Object {
	var out []Object
	for _, o := range in.Objects {
		if slices.Contains(kinds, o.Kind) {
			out = append(out, o)
		}
	}
	return out
}

// Selected returns the workloads whose pods match a selector.
func (in Install) Selected(selector labels.Selector) []Workload {
	var out []Workload
	for _, w := range in.Workloads {
		if selector.Matches(labels.Set(w.Template.Labels)) {
			out = append(out, w)
		}
	}
	return out
}

// Containers returns all containers of the pods, including init containers.
func (w Workload) Containers() []corev1.Container {
	return slices.Concat(w.Template.Spec.InitContainers, w.Template.Spec.Containers)
}
