{{/*
Who scales the aggregator: builtin, keda, external, cpu or none. Any mode but auto is taken as it is.

v1beta1.external.metrics.k8s.io exists once per cluster, so auto looks who has it before it takes it:
  1. nobody to ask (helm template, GitOps that renders elsewhere): none, because a guess could take it from its owner;
  2. it is this release's already: builtin, what has been chosen is kept;
  3. KEDA is installed and the chart knows how it reaches Redis: keda;
  4. nobody has it: builtin;
  5. somebody else has it: cpu where there are resource metrics, none where there are not. NOTES.txt says so.
*/}}
{{- define "hp-analytics.autoscaling.mode" -}}
{{- $scaling := .Values.aggregator.autoscaling -}}
{{- if gt (int $scaling.minReplicas) (int $scaling.maxReplicas) -}}
{{- fail (printf "aggregator.autoscaling: minReplicas is %d and must not be above maxReplicas, which is %d" (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- end -}}
{{- $mode := .Values.aggregator.autoscaling.mode -}}
{{- if ne $mode "auto" -}}
{{- $mode -}}
{{- else if not (lookup "v1" "Namespace" "" "kube-system") -}}
none
{{- else -}}
{{- $owner := include "hp-analytics.autoscaling.owner" . -}}
{{- if eq $owner "self" -}}
builtin
{{- else if and (.Capabilities.APIVersions.Has "keda.sh/v1alpha1/ScaledObject") (include "hp-analytics.keda.address" .) -}}
keda
{{- else if eq $owner "nobody" -}}
builtin
{{- else if .Capabilities.APIVersions.Has "metrics.k8s.io/v1beta1" -}}
cpu
{{- else -}}
none
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The owner of the cluster's external metrics: self, nobody, or a description of another owner. */}}
{{- define "hp-analytics.autoscaling.owner" -}}
{{- $registration := lookup "apiregistration.k8s.io/v1" "APIService" "" "v1beta1.external.metrics.k8s.io" -}}
{{- if not $registration -}}
nobody
{{- else -}}
{{- $annotations := dig "metadata" "annotations" (dict) $registration | default dict -}}
{{- $release := index $annotations "meta.helm.sh/release-name" | default "" -}}
{{- $namespace := index $annotations "meta.helm.sh/release-namespace" | default "" -}}
{{- if and (eq $release .Release.Name) (eq $namespace .Release.Namespace) -}}
self
{{- else if $release -}}
the Helm release {{ $namespace }}/{{ $release }}
{{- else -}}
{{- $service := dig "spec" "service" (dict) $registration | default dict -}}
the service {{ index $service "namespace" | default "?" }}/{{ index $service "name" | default "?" }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Whether the operator is part of this release. */}}
{{- define "hp-analytics.operator.enabled" -}}
{{- if eq (include "hp-analytics.autoscaling.mode" .) "builtin" -}}true{{- end -}}
{{- end -}}

{{/* The address of Redis for KEDA, which runs in another namespace. Empty if the values do not contain it. */}}
{{- define "hp-analytics.keda.address" -}}
{{- with .Values.aggregator.autoscaling.keda.redis.address -}}
{{- . -}}
{{- else -}}
{{- if eq .Values.redis.mode "bundled" -}}
{{- printf "%s-redis.%s.svc:6379" (include "hp-analytics.fullname" .) .Release.Namespace -}}
{{- end -}}
{{- end -}}
{{- end -}}
