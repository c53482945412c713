{{/*
The five services are one shape; this is what tells them apart. For each: its settings, whether it verifies tokens with the
keys of auth, and the variables of its own. As YAML, for fromYaml.
*/}}
{{- define "hp-analytics.services" -}}
{{- $c := .Values.config -}}
auth:
  values: {{ .Values.services.auth | toJson }}
  env:
    REGISTRATION: {{ $c.registration }}
catalog:
  values: {{ .Values.services.catalog | toJson }}
  verifiesTokens: true
ingest:
  values: {{ .Values.services.ingest | toJson }}
  verifiesTokens: true
  env:
    RETENTION_DAYS: {{ $c.retentionDays | quote }}
analytics:
  values: {{ .Values.services.analytics | toJson }}
  verifiesTokens: true
aggregator:
  values: {{ omit .Values.aggregator "autoscaling" "concurrency" "foldRowBudget" "smtp" "webhookNetworks" "dashboardURL" | toJson }}
  env:
    RETENTION_DAYS: {{ $c.retentionDays | quote }}
    AGGREGATOR_CONCURRENCY: {{ .Values.aggregator.concurrency | quote }}
    FOLD_ROW_BUDGET: {{ .Values.aggregator.foldRowBudget | int | quote }}
    {{- with .Values.aggregator.smtp }}
    {{- if .host }}
    SMTP_HOST: {{ .host | quote }}
    SMTP_PORT: {{ .port | int | quote }}
    SMTP_TLS: {{ .tls | quote }}
    SMTP_FROM: {{ .from | quote }}
    SMTP_USERNAME: {{ .username | quote }}
    {{- end }}
    {{- end }}
    {{- with .Values.aggregator.webhookNetworks }}
    WEBHOOK_ALLOW_NETWORKS: {{ join "," . | quote }}
    {{- end }}
    {{- with .Values.aggregator.dashboardURL }}
    DASHBOARD_URL: {{ . | quote }}
    {{- end }}
    {{- /* A quarter of the memory limit, and at least 1 MiB for each fold. A limit in other units keeps the default of the service. */}}
    {{- with include "hp-analytics.memoryMebibytes" (dict "resources" .Values.aggregator.resources) }}
    AGGREGATOR_FOLD_BYTES: {{ max (mul . 262144) (mul (add1 (int $.Values.aggregator.concurrency)) 1048576) | quote }}
    {{- end }}
  {{- with .Values.aggregator.smtp.passwordSecret }}
  {{- if .name }}
  secretEnv:
    - name: SMTP_PASSWORD
      valueFrom: {secretKeyRef: {name: {{ .name | quote }}, key: {{ .key | quote }}}}
  {{- end }}
  {{- end }}
{{- end -}}

{{/* Whether an autoscaler controls the replicas of a service: (dict "root" $ "name" "auth" "settings" <settings>). */}}
{{- define "hp-analytics.autoscaled" -}}
{{- if eq .name "aggregator" -}}
{{- if ne (include "hp-analytics.autoscaling.mode" .root) "none" -}}true{{- end -}}
{{- else if .settings.autoscaling.enabled -}}true{{- end -}}
{{- end -}}

{{/* The minimum number of replicas of a service, same arguments. */}}
{{- define "hp-analytics.minReplicas" -}}
{{- if not (include "hp-analytics.autoscaled" .) -}}
{{- int .settings.replicas -}}
{{- else if eq .name "aggregator" -}}
{{- int .root.Values.aggregator.autoscaling.minReplicas -}}
{{- else -}}
{{- int .settings.autoscaling.minReplicas -}}
{{- end -}}
{{- end -}}

{{/* The environment of a service: (dict "root" $ "name" "auth" "service" <of hp-analytics.services> "settings" <settings>). */}}
{{- define "hp-analytics.serviceEnv" -}}
{{- $c := .root.Values.config -}}
- name: HTTP_ADDR
  value: ":8080"
- name: HTTP_ACCESS_LOG
  value: {{ $c.accessLog }}
- name: HTTP_TRUSTED_PROXY_HOPS
  value: {{ $c.trustedProxyHops | quote }}
- name: HTTP_MAX_REQUESTS_PER_ADDRESS
  value: {{ $c.requestsPerAddress | quote }}
- name: HTTP_MAX_CONCURRENT_REQUESTS
  value: {{ $c.concurrentRequests | quote }}
{{- with $c.basePath }}
- name: HTTP_BASE_PATH
  value: {{ . | quote }}
{{- end }}
- name: SHUTDOWN_DRAIN_DELAY
  value: {{ $c.drainSeconds }}s
- name: LOG_LEVEL
  value: {{ $c.logLevel }}
- name: LOG_FORMAT
  value: {{ $c.logFormat }}
{{ include "hp-analytics.databaseEnv" (dict "root" .root "postgresql" true "redis" true) | trim }}
- name: REDIS_NAMESPACE
  value: {{ include "hp-analytics.redis.namespace" .root | quote }}
- name: DATABASE_MAX_CONNS
  value: {{ $c.databaseMaxConnections | quote }}
{{- if .service.verifiesTokens }}
- name: JWKS_URL
  value: http://{{ include "hp-analytics.fullname" .root }}-auth:8080{{ $c.basePath }}/auth/.well-known/jwks.json
{{- end }}
{{- range $name, $value := .service.env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- with .service.secretEnv }}
{{ toYaml . }}
{{- end }}
{{- with include "hp-analytics.goMemoryLimit" (dict "resources" .settings.resources) }}
- name: GOMEMLIMIT
  value: {{ . }}
{{- end }}
{{- with include "hp-analytics.otelEnv" .root }}
{{ . }}
{{- end }}
{{- with .settings.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The standard variables of OpenTelemetry. Without an endpoint, none are set and nothing is sent. */}}
{{- define "hp-analytics.otelEnv" -}}
{{- with .Values.otel -}}
{{- if .endpoint -}}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .endpoint | quote }}
- name: OTEL_EXPORTER_OTLP_PROTOCOL
  value: {{ .protocol }}
- name: OTEL_TRACES_SAMPLER
  value: {{ .sampler }}
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ .samplerArg | quote }}
{{- if .headersSecret.name }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom:
    secretKeyRef:
      name: {{ .headersSecret.name }}
      key: {{ .headersSecret.key }}
{{- end }}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: {{ printf "k8s.namespace.name=%s,k8s.pod.name=$(POD_NAME)" $.Release.Namespace }}
  {{- range $name, $value := .resourceAttributes }},{{ $name }}={{ $value }}{{ end }}
{{- end -}}
{{- end -}}
{{- end -}}
