{{/*
The services get each database as one URL in a file. These helpers say which Secret and key that URL is in: one that the
user has made, one of CloudNativePG, or one that this chart makes.
*/}}
{{- define "hp-analytics.postgresql.secret" -}}
{{- $pg := .Values.postgresql -}}
{{- if eq $pg.mode "external" -}}
{{- $pg.external.existingSecret | default (printf "%s-postgresql-url" (include "hp-analytics.fullname" .)) -}}
{{- else if eq $pg.mode "cnpg" -}}
{{- printf "%s-postgresql-app" (include "hp-analytics.fullname" .) -}}
{{- else -}}
{{- $pg.bundled.existingSecret | default (printf "%s-postgresql" (include "hp-analytics.fullname" .)) -}}
{{- end -}}
{{- end -}}

{{- define "hp-analytics.postgresql.urlKey" -}}
{{- $pg := .Values.postgresql -}}
{{- if eq $pg.mode "external" -}}
{{- ternary $pg.external.urlKey "url" (ne $pg.external.existingSecret "") -}}
{{- else if eq $pg.mode "cnpg" -}}
uri
{{- else -}}
{{- ternary $pg.bundled.urlKey "url" (ne $pg.bundled.existingSecret "") -}}
{{- end -}}
{{- end -}}

{{- define "hp-analytics.postgresql.passwordKey" -}}
{{- ternary .Values.postgresql.bundled.passwordKey "password" (ne .Values.postgresql.bundled.existingSecret "") -}}
{{- end -}}

{{- define "hp-analytics.redis.secret" -}}
{{- $redis := .Values.redis -}}
{{- if eq $redis.mode "external" -}}
{{- $redis.external.existingSecret | default (printf "%s-redis-url" (include "hp-analytics.fullname" .)) -}}
{{- else -}}
{{- $redis.bundled.existingSecret | default (printf "%s-redis" (include "hp-analytics.fullname" .)) -}}
{{- end -}}
{{- end -}}

{{- define "hp-analytics.redis.urlKey" -}}
{{- $redis := .Values.redis -}}
{{- if eq $redis.mode "external" -}}
{{- ternary $redis.external.urlKey "url" (ne $redis.external.existingSecret "") -}}
{{- else -}}
{{- ternary $redis.bundled.urlKey "url" (ne $redis.bundled.existingSecret "") -}}
{{- end -}}
{{- end -}}

{{- define "hp-analytics.redis.passwordKey" -}}
{{- ternary .Values.redis.bundled.passwordKey "password" (ne .Values.redis.bundled.existingSecret "") -}}
{{- end -}}

{{- define "hp-analytics.admin.secret" -}}
{{- .Values.admin.existingSecret | default (printf "%s-admin" (include "hp-analytics.fullname" .)) -}}
{{- end -}}

{{- define "hp-analytics.admin.passwordKey" -}}
{{- ternary .Values.admin.passwordKey "password" (ne .Values.admin.existingSecret "") -}}
{{- end -}}

{{/* What ends the name of the task queue: it tells the releases that share a Redis apart. The longest is 55 characters. */}}
{{- define "hp-analytics.redis.namespace" -}}
{{- $name := printf "%s.%s" .Release.Namespace (include "hp-analytics.fullname" .) -}}
{{- if .Values.redis.namespace -}}
{{- .Values.redis.namespace -}}
{{- else if gt (len $name) 55 -}}
{{- printf "%s.%s" ($name | trunc 46 | trimSuffix "-" | trimSuffix ".") (sha256sum $name | trunc 8) -}}
{{- else -}}
{{- $name -}}
{{- end -}}
{{- end -}}

{{/* The name of the task queue in Redis. */}}
{{- define "hp-analytics.queue" -}}
rollups.{{ include "hp-analytics.redis.namespace" . }}
{{- end -}}

{{/* Whether the password of Postgres is given separately from its URL. */}}
{{- define "hp-analytics.postgresql.separatePassword" -}}
{{- $external := .Values.postgresql.external -}}
{{- if and (eq .Values.postgresql.mode "external") $external.host $external.passwordSecret.name -}}true{{- end -}}
{{- end -}}

{{/*
The environment that names the databases: (dict "root" $ "postgresql" true "redis" true). A password that comes without its
URL cannot be put into one here, because nobody here can read it; pgx takes it from PGPASSWORD.
*/}}
{{- define "hp-analytics.databaseEnv" -}}
{{- if .postgresql }}
- name: DATABASE_URL_FILE
  value: /etc/hp-analytics/credentials/database-url
{{- if include "hp-analytics.postgresql.separatePassword" .root }}
- name: PGPASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ .root.Values.postgresql.external.passwordSecret.name }}
      key: {{ .root.Values.postgresql.external.passwordSecret.key }}
{{- end }}
{{- end }}
{{- if .redis }}
- name: REDIS_URL_FILE
  value: /etc/hp-analytics/credentials/redis-url
{{- end }}
{{- if include "hp-analytics.trustedCAs" .root }}
- name: SSL_CERT_DIR
  value: /etc/ssl/certs:/etc/hp-analytics/trusted-cas
{{- end }}
{{- end -}}

{{/* The volumes of the credentials, and those of every container: (dict "root" $ "postgresql" true "redis" true "admin" false). */}}
{{- define "hp-analytics.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
- name: credentials
  projected:
    defaultMode: 0440
    sources:
      {{- if .postgresql }}
      - secret:
          name: {{ include "hp-analytics.postgresql.secret" .root }}
          items: [{key: {{ include "hp-analytics.postgresql.urlKey" .root }}, path: database-url}]
      {{- end }}
      {{- if .redis }}
      - secret:
          name: {{ include "hp-analytics.redis.secret" .root }}
          items: [{key: {{ include "hp-analytics.redis.urlKey" .root }}, path: redis-url}]
      {{- end }}
      {{- if .admin }}
      - secret:
          name: {{ include "hp-analytics.admin.secret" .root }}
          items: [{key: {{ include "hp-analytics.admin.passwordKey" .root }}, path: admin-password}]
      {{- end }}
{{- if include "hp-analytics.trustedCAs" .root }}
{{ include "hp-analytics.trustedCAsVolume" .root }}
{{- end }}
{{- end -}}

{{- define "hp-analytics.volumeMounts" -}}
- name: tmp
  mountPath: /tmp
- name: credentials
  mountPath: /etc/hp-analytics/credentials
  readOnly: true
{{- if include "hp-analytics.trustedCAs" .root }}
- name: trusted-cas
  mountPath: /etc/hp-analytics/trusted-cas
  readOnly: true
{{- end }}
{{- end -}}

{{/*
The URL of an external Postgres as far as the values say it. Its parts are escaped; a password never is in them.
*/}}
{{- define "hp-analytics.postgresql.externalURL" -}}
{{- $e := .Values.postgresql.external -}}
{{- if $e.url -}}
{{- $e.url -}}
{{- else if $e.host -}}
{{- $hosts := list -}}
{{- range splitList "," $e.host -}}
{{- $host := ternary (printf "[%s]" .) . (and (contains ":" .) (not (hasPrefix "[" .))) -}}
{{- $hosts = append $hosts (printf "%s:%d" $host (int $e.port)) -}}
{{- end -}}
{{- printf "postgres://%s@%s/%s?sslmode=%s" (urlquery $e.username | replace "+" "%20") (join "," $hosts) (urlquery $e.database | replace "+" "%20") $e.sslMode -}}
{{- end -}}
{{- end -}}

{{/* Changes together with a connection URL that this chart writes, so that pods restart and read it. */}}
{{- define "hp-analytics.checksums" -}}
{{- $urls := list -}}
{{- if and (eq .Values.postgresql.mode "external") (not .Values.postgresql.external.existingSecret) -}}
{{- $urls = append $urls (include "hp-analytics.postgresql.externalURL" .) -}}
{{- end -}}
{{- if and (eq .Values.redis.mode "external") (not .Values.redis.external.existingSecret) -}}
{{- $urls = append $urls .Values.redis.external.url -}}
{{- end -}}
{{- with $urls -}}
checksum/urls: {{ join "\n" . | sha256sum }}
{{- end -}}
{{- end -}}
