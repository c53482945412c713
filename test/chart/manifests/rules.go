package main

import (
	"fmt"
	"slices"

	"github.com/hp-analytics/hp-analytics/test/chart/internal/manifest"
)

// rule is a requirement for every installation.
type rule struct {
	name  string
	check func(manifest.Install) []problem
}

// problem is a violation of a rule.
type problem struct {
	object manifest.Object
	text   string
}

func problemf(o manifest.Object, format string, args ...any) problem {
	return problem{o, fmt.Sprintf(format, args...)}
}

func allRules() ([]rule, error) {
	restricted, err := podSecurity()
	if err != nil {
		return nil, err
	}
	return []rule{
		{"pod-security", restricted},
		{"read-only-root", readOnlyRoots},
		{"image", images},
		{"resources", resources},
		{"replicas", scaledReplicas},
		{"scaling-target", scalingTargets},
		{"selector", selectors},
		{"backend", backends},
		{"token", tokens},
	}, nil
}

// rulesWithout returns all rules except the given ones, which must exist.
func rulesWithout(names []string) ([]rule, error) {
	rules, err := allRules()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		i := slices.IndexFunc(rules, func(r rule) bool { return r.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no rule is called %q", name)
		}
		rules = slices.Delete(rules, i, i+1)
	}
	return rules, nil
}

// eachContainer applies a check to every container of every pod template.
func eachContainer(in manifest.Install, check func(containerOf) []problem) []problem {
	var problems []problem
	for _, w := range in.Workloads {
		for _, c := range w.Containers() {
			problems = append(problems, check(containerOf{w, c})...)
		}
	}
	return problems
}
