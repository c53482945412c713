{{/* Pods of this release, as a peer: (dict "root" $ "components" (list "auth")). */}}
{{- define "hp-analytics.networkPolicy.peer" -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/name: hp-analytics
      app.kubernetes.io/instance: {{ .root.Release.Name }}
    matchExpressions:
      - key: app.kubernetes.io/component
        operator: In
        values: {{ .components | toJson }}
{{- end -}}

{{/* The pods that a policy selects, same arguments. */}}
{{- define "hp-analytics.networkPolicy.podSelector" -}}
matchLabels:
  app.kubernetes.io/name: hp-analytics
  app.kubernetes.io/instance: {{ .root.Release.Name }}
matchExpressions:
  - key: app.kubernetes.io/component
    operator: In
    values: {{ .components | toJson }}
{{- end -}}

{{/* Name and labels of a policy: (dict "root" $ "name" "services"). */}}
{{- define "hp-analytics.networkPolicy.metadata" -}}
name: {{ include "hp-analytics.fullname" .root }}-{{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "hp-analytics.labels" (dict "root" .root "component" "networkpolicy") | nindent 2 }}
{{- end -}}
