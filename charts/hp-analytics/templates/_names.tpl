{{/*
The name that every object's name begins with: the release's, which is enough when it already says hp-analytics. At most 40 characters:
pods of a StatefulSet have a label of its name and a hash (<fullname>-postgresql-<10>), which may have 63, as may the name of a Job
(<fullname>-migrate-<10>); the name of a CronJob may have 52 (<fullname>-reconcile).
*/}}
{{- define "hp-analytics.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains "hp-analytics" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-hp-analytics" (.Release.Name | trunc 27 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{/* The labels that select the pods of a component: (dict "root" $ "component" "auth"). They never change. */}}
{{- define "hp-analytics.selectorLabels" -}}
app.kubernetes.io/name: hp-analytics
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* The labels of an object of a component. */}}
{{- define "hp-analytics.labels" -}}
{{ include "hp-analytics.selectorLabels" . }}
app.kubernetes.io/version: {{ include "hp-analytics.tag" .root | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: hp-analytics
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Name, namespace and labels of an object: (dict "root" $ "component" "auth"); "suffix" names a second one of its kind. */}}
{{- define "hp-analytics.metadata" -}}
name: {{ include "hp-analytics.fullname" .root }}-{{ .component }}{{ with .suffix }}-{{ . }}{{ end }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "hp-analytics.labels" . | nindent 2 }}
{{- end -}}

{{- define "hp-analytics.tag" -}}
{{- .Values.image.tag | default .Chart.AppVersion -}}
{{- end -}}

{{/* An image of HP Analytics: (dict "root" $ "name" "auth" "image" <values of the component>). */}}
{{- define "hp-analytics.image" -}}
{{- $own := .image | default dict -}}
{{- $default := .name -}}
{{- with .root.Values.image.registry }}{{ $default = printf "%s/%s" (trimSuffix "/" .) $.name }}{{ end -}}
{{- $repository := $own.repository | default $default -}}
{{- with $own.digest -}}
{{- printf "%s@%s" $repository . -}}
{{- else -}}
{{- printf "%s:%s" $repository ($own.tag | default (include "hp-analytics.tag" $.root)) -}}
{{- end -}}
{{- end -}}

{{/* A third-party image: (dict "image" <values>). */}}
{{- define "hp-analytics.thirdPartyImage" -}}
{{- with .image.digest -}}
{{- printf "%s@%s" $.image.repository . -}}
{{- else -}}
{{- printf "%s:%s" .image.repository .image.tag -}}
{{- end -}}
{{- end -}}
