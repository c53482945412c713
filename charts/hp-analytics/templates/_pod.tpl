{{/*
The values of a component laid over .Values.defaults: (dict "root" $ "values" .Values.services.auth). Maps are merged key by
key, lists are replaced, but extraEnv of both is kept. The result is YAML, for fromYaml.
*/}}
{{- define "hp-analytics.settings" -}}
{{- $defaults := deepCopy .root.Values.defaults -}}
{{- $own := deepCopy .values -}}
{{- $env := concat ($defaults.extraEnv | default list) ($own.extraEnv | default list) -}}
{{- toYaml (set (mergeOverwrite $defaults $own) "extraEnv" $env) -}}
{{- end -}}

{{/*
What every pod of HP Analytics has beside its containers: (dict "root" $ "component" "auth" "settings" <settings>
"token" false). Only the operator talks to the API server, so only its pod gets a token.
*/}}
{{- define "hp-analytics.podSettings" -}}
{{- $selector := include "hp-analytics.selectorLabels" . | fromYaml -}}
serviceAccountName: {{ include "hp-analytics.fullname" .root }}-{{ .component }}
automountServiceAccountToken: {{ .token | default false }}
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- toYaml .settings.podSecurityContext | nindent 2 }}
{{- with .settings.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .settings.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.topologySpread }}
topologySpreadConstraints:
  {{- range . }}
  - maxSkew: {{ .maxSkew | default 1 }}
    topologyKey: {{ .topologyKey }}
    whenUnsatisfiable: {{ .whenUnsatisfiable | default "ScheduleAnyway" }}
    labelSelector:
      matchLabels:
        {{- toYaml $selector | nindent 8 }}
    {{- /* Without the hash of the template, the pods of the previous revision would count during a rollout. */}}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- end -}}

{{/*
Labels and annotations of a pod template: (dict "root" $ "component" "auth" "settings" <settings> "checksums" dict). The version
is not among them: a new one of ours is no reason to restart nginx and the databases.
*/}}
{{- define "hp-analytics.podMetadata" -}}
labels:
  {{- include "hp-analytics.selectorLabels" . | nindent 2 }}
  app.kubernetes.io/part-of: hp-analytics
  {{- with .settings.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- $annotations := merge (dict) (.checksums | default dict) (.settings.podAnnotations | default dict) }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The ServiceAccount of a component: (dict "root" $ "component" "auth" "settings" <settings>). */}}
{{- define "hp-analytics.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "hp-analytics.metadata" . | nindent 2 }}
  {{- with .settings.serviceAccountAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}

{{/* The PodDisruptionBudget of a component: one pod at a time may be evicted. A single pod needs none. */}}
{{- define "hp-analytics.podDisruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "hp-analytics.metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "hp-analytics.selectorLabels" . | nindent 6 }}
{{- end -}}

{{/*
The memory at which Go collects harder, 85 % of the limit, so that a burst meets the collector and not the kernel. Given for
limits in whole Mi or Gi: (dict "resources" <resources>).
*/}}
{{- define "hp-analytics.goMemoryLimit" -}}
{{- with include "hp-analytics.memoryMebibytes" . -}}
{{- printf "%dMiB" (div (mul (int .) 85) 100) -}}
{{- end -}}
{{- end -}}

{{/* The memory limit of resources in MiB, empty unless it is in whole Mi or Gi: (dict "resources" <resources>). */}}
{{- define "hp-analytics.memoryMebibytes" -}}
{{- $memory := dig "limits" "memory" "" .resources | toString -}}
{{- if regexMatch "^[0-9]+Mi$" $memory -}}
{{- trimSuffix "Mi" $memory -}}
{{- else if regexMatch "^[0-9]+Gi$" $memory -}}
{{- mul (trimSuffix "Gi" $memory | int) 1024 -}}
{{- end -}}
{{- end -}}

{{/* The probes of a service. /ready answers 503 while the schema is old, so only /health may trigger a restart. */}}
{{- define "hp-analytics.probes" -}}
startupProbe:
  httpGet: {path: /health, port: http}
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /health, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /ready, port: http}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 2
{{- end -}}

{{/* CA certificates that pods trust in addition to the system's, in a directory that Go reads. */}}
{{- define "hp-analytics.trustedCAs" -}}
{{- if or .Values.trustedCAs.configMap .Values.trustedCAs.secret -}}true{{- end -}}
{{- end -}}

{{- define "hp-analytics.trustedCAsVolume" -}}
- name: trusted-cas
  {{- if .Values.trustedCAs.configMap }}
  configMap:
    name: {{ .Values.trustedCAs.configMap }}
  {{- else }}
  secret:
    secretName: {{ .Values.trustedCAs.secret }}
  {{- end }}
{{- end -}}
