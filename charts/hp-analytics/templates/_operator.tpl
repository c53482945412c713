{{- define "hp-analytics.operator.tlsSecret" -}}
{{- if eq .Values.operator.tls.mode "existingSecret" -}}
{{- required "operator.tls.existingSecret: name the Secret with tls.crt and tls.key" .Values.operator.tls.existingSecret -}}
{{- else -}}
{{- include "hp-analytics.fullname" . -}}-operator-tls
{{- end -}}
{{- end -}}

{{/* The names of cluster-scoped objects contain the namespace, so that releases of the same name do not collide. */}}
{{- define "hp-analytics.operator.clusterName" -}}
{{- printf "%s-operator-%s" (include "hp-analytics.fullname" .) .Release.Namespace -}}
{{- end -}}

{{/*
The namespaces that the operator watches, as a YAML list. The release's is always among them, because the aggregator's pool is there.
*/}}
{{- define "hp-analytics.operator.namespaces" -}}
{{- $given := .Values.operator.watchNamespaces -}}
{{- ternary $given (prepend $given .Release.Namespace | uniq) (has "*" $given) | toYaml -}}
{{- end -}}

{{/* The operator's rights in a watched namespace. */}}
{{- define "hp-analytics.operator.rules" -}}
- apiGroups: [analytics.hp-analytics.dev]
  resources: [aggregatorpools]
  verbs: [get, list, watch]
- apiGroups: [analytics.hp-analytics.dev]
  resources: [aggregatorpools/status]
  verbs: [patch]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch]
- apiGroups: ["", events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}
