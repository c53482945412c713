package main

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	psaapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/hp-analytics/hp-analytics/test/chart/internal/manifest"
)

// containerOf is a container with its workload.
type containerOf struct {
	manifest.Workload

	container corev1.Container
}

// podSecurity evaluates pod templates like the admission controller of a namespace with the level "restricted".
func podSecurity() (func(manifest.Install) []problem, error) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return nil, fmt.Errorf("pod security checks: %w", err)
	}
	level := psaapi.LevelVersion{Level: psaapi.LevelRestricted, Version: psaapi.LatestVersion()}
	return func(in manifest.Install) []problem {
		var problems []problem
		for _, w := range in.Workloads {
			result := policy.AggregateCheckResults(evaluator.EvaluatePod(level, &w.Template.ObjectMeta, &w.Template.Spec))
			if !result.Allowed {
				problems = append(problems, problemf(w.Object, "%s", result.ForbiddenDetail()))
			}
		}
		return problems
	}, nil
}

// readOnlyRoots reports containers with a writable root file system, which the restricted level allows.
func readOnlyRoots(in manifest.Install) []problem {
	return eachContainer(in, func(c containerOf) []problem {
		if sc := c.container.SecurityContext; sc == nil || sc.ReadOnlyRootFilesystem == nil || !*sc.ReadOnlyRootFilesystem {
			return []problem{problemf(c.Object, "container %s: readOnlyRootFilesystem is not true", c.container.Name)}
		}
		return nil
	})
}

// images reports images with a tag that can change.
func images(in manifest.Install) []problem {
	return eachContainer(in, func(c containerOf) []problem {
		image := c.container.Image
		name, _, digest := strings.Cut(image, "@")
		_, tag, _ := strings.Cut(name[strings.LastIndex(name, "/")+1:], ":")
		switch {
		case tag == "latest":
			return []problem{problemf(c.Object, "container %s: image %s has the tag latest", c.container.Name, image)}
		case tag == "" && !digest:
			return []problem{problemf(c.Object, "container %s: image %q has neither tag nor digest", c.container.Name, image)}
		}
		return nil
	})
}

// resources reports containers without resource requests, or without a memory limit.
func resources(in manifest.Install) []problem {
	return eachContainer(in, func(c containerOf) []problem {
		var problems []problem
		check := func(list string, quantities corev1.ResourceList) {
			for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
				if q, ok := quantities[name]; !ok || q.Sign() <= 0 {
					problems = append(problems, problemf(c.Object, "container %s: no resources.%s.%s", c.container.Name, list, name))
				}
			}
		}
		check("requests", c.container.Resources.Requests)
		check("limits", c.container.Resources.Limits)
		return problems
	})
}
