package v1alpha1

//go:generate ../../../../.bin/controller-gen object crd:crdVersions=v1 paths=. output:crd:artifacts:config=../../../../charts/hp-analytics/crds
