{{/* The pod that migrates the schema and then creates the first admin if there is none. */}}
{{- define "hp-analytics.migratePod" -}}
{{- $settings := include "hp-analytics.settings" (dict "root" . "values" (omit .Values.migrations "waitForDatabase" "backoffLimit" "activeDeadlineSeconds" "ttlSecondsAfterFinished" "useHelmHooks")) | fromYaml -}}
{{- $scope := dict "root" . "component" "migrate" "settings" (omit $settings "topologySpread") "checksums" (include "hp-analytics.checksums" . | fromYaml) -}}
{{- $admin := ne .Values.admin.email "" -}}
metadata:
  {{- include "hp-analytics.podMetadata" $scope | nindent 2 }}
spec:
  {{- include "hp-analytics.podSettings" $scope | nindent 2 }}
  restartPolicy: Never
  {{- if $admin }}
  initContainers:
    - name: migrate
      args: [migrate, up, --wait, {{ .Values.migrations.waitForDatabase }}]
      {{- include "hp-analytics.commandContainer" $scope | nindent 6 }}
  containers:
    - name: admin
      args: [admin, create, --email, {{ .Values.admin.email | quote }}, --if-none]
      {{- include "hp-analytics.commandContainer" (merge (dict "admin" true) $scope) | nindent 6 }}
  {{- else }}
  containers:
    - name: migrate
      args: [migrate, up, --wait, {{ .Values.migrations.waitForDatabase }}]
      {{- include "hp-analytics.commandContainer" $scope | nindent 6 }}
  {{- end }}
  volumes:
    {{- include "hp-analytics.volumes" (dict "root" . "postgresql" true "admin" $admin) | nindent 4 }}
{{- end -}}

{{/* The common part of containers that run a command of the all-in-one against the database: (dict "root" $ "settings" <settings>). */}}
{{- define "hp-analytics.commandContainer" -}}
image: {{ include "hp-analytics.image" (dict "root" .root "name" "hp-analytics" "image" .settings.image) }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
env:
  {{- include "hp-analytics.databaseEnv" (dict "root" .root "postgresql" true) | trim | nindent 2 }}
  {{- if .admin }}
  - name: ADMIN_PASSWORD_FILE
    value: /etc/hp-analytics/credentials/admin-password
  {{- end }}
  {{- with include "hp-analytics.goMemoryLimit" (dict "resources" .settings.resources) }}
  - name: GOMEMLIMIT
    value: {{ . }}
  {{- end }}
  {{- with .settings.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
resources:
  {{- toYaml .settings.resources | nindent 2 }}
securityContext:
  {{- toYaml .settings.containerSecurityContext | nindent 2 }}
volumeMounts:
  {{- include "hp-analytics.volumeMounts" . | nindent 2 }}
{{- end -}}
