package main

import "github.com/hp-analytics/hp-analytics/test/chart/internal/manifest"

// operatorComponent is the label app.kubernetes.io/component of the only component that uses the API server.
const operatorComponent = "operator"

// tokens reports pods other than the operator's that get a token of the API server, and ServiceAccounts that do not exist.
func tokens(in manifest.Install) []problem {
	accounts := make(map[string]manifest.Object)
	for _, o := range in.OfKind("ServiceAccount") {
		accounts[o.Name] = o
	}
	var problems []problem
	for _, w := range in.Workloads {
		pod := w.Template.Spec
		account, ok := accounts[pod.ServiceAccountName]
		if !ok && pod.ServiceAccountName != "" && pod.ServiceAccountName != "default" {
			problems = append(problems, problemf(w.Object, "runs as ServiceAccount/%s, which does not exist", pod.ServiceAccountName))
		}
		automount := pod.AutomountServiceAccountToken
		if automount == nil {
			automount = account.AutomountServiceAccountToken
		}
		mounted := automount == nil || *automount
		if mounted && w.Template.Labels["app.kubernetes.io/component"] != operatorComponent {
			problems = append(problems, problemf(w.Object, "automountServiceAccountToken is not false"))
		}
	}
	return problems
}
