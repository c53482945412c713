package main

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/hp-analytics/hp-analytics/test/chart/internal/manifest"
)

// backendRef is the reference of an Ingress or an HTTPRoute to a port of a Service.
type backendRef struct {
	service  string
	port     int32
	portName string
}

func (b backendRef) in(s corev1.ServiceSpec) bool {
	return slices.ContainsFunc(s.Ports, func(p corev1.ServicePort) bool {
		return p.Port == b.port || b.portName != "" && p.Name == b.portName
	})
}

// backends reports routes to Services, or ports of Services, that do not exist.
func backends(in manifest.Install) []problem {
	services := make(map[string]corev1.ServiceSpec)
	for _, o := range in.OfKind("Service") {
		services[o.Name] = manifest.Decode[corev1.ServiceSpec](o)
	}
	var problems []problem
	check := func(o manifest.Object, refs []backendRef) {
		for _, ref := range refs {
			if spec, ok := services[ref.service]; !ok {
				problems = append(problems, problemf(o, "routes to Service/%s, which does not exist", ref.service))
			} else if !ref.in(spec) {
				problems = append(problems, problemf(o, "routes to port %d%s of Service/%s, which it does not have", ref.port, ref.portName, ref.service))
			}
		}
	}
	for _, o := range in.OfKind("Ingress") {
		check(o, ingressBackends(o))
	}
	for _, o := range in.OfKind("HTTPRoute") {
		check(o, routeBackends(o))
	}
	return problems
}

func ingressBackends(o manifest.Object) []backendRef {
	spec := manifest.Decode[struct {
		Rules []struct {
			HTTP struct {
				Paths []struct {
					Backend struct {
						Service struct {
							Name string
							Port struct {
								Name   string
								Number int32
							}
						}
					}
				}
			}
		}
	}](o)
	var out []backendRef
	for _, r := range spec.Rules {
		for _, p := range r.HTTP.Paths {
			s := p.Backend.Service
			out = append(out, backendRef{s.Name, s.Port.Number, s.Port.Name})
		}
	}
	return out
}

func routeBackends(o manifest.Object) []backendRef {
	spec := manifest.Decode[struct {
		Rules []struct {
			BackendRefs []struct {
				Name string
				Port int32
			}
		}
	}](o)
	var out []backendRef
	for _, r := range spec.Rules {
		for _, b := range r.BackendRefs {
			out = append(out, backendRef{service: b.Name, port: b.Port})
		}
	}
	return out
}
