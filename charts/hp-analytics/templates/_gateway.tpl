{{/* The files of nginx: those shared with compose, and those specific to this release. */}}
{{- define "hp-analytics.gateway.files" -}}
nginx.conf: |
  worker_processes {{ int .Values.gateway.workerProcesses }};
  worker_shutdown_timeout 20s;
  pid /tmp/nginx.pid;
  error_log stderr warn;
  events {
    worker_connections 4096;
  }
  http {
    include /etc/nginx/hp-analytics/http.conf;
    {{- range .Values.gateway.trustedProxies }}
    set_real_ip_from {{ . }};
    {{- end }}
    {{- if .Values.gateway.trustedProxies }}
    real_ip_header X-Forwarded-For;
    real_ip_recursive on;
    {{- end }}
    limit_req_zone $gateway_client zone=per_address:10m rate={{ .Values.gateway.limits.perAddress }};
    limit_req_zone $gateway_client zone=logins:10m rate={{ .Values.gateway.limits.logins }};
    limit_conn client {{ int .Values.gateway.limits.requestsInProgress }};
    limit_conn client_uploads {{ int .Values.gateway.limits.uploadsInProgress }};
    {{- /* 5 MiB each, in a volume of 1 GiB. */}}
    limit_conn uploads 160;
    # Connections are closed together with a response before a stopping pod would break them (drainSeconds).
    keepalive_time {{ sub .Values.config.drainSeconds 2 | max 1 }}s;
    {{- /* The address of each Service, which does not change with the pods. */}}
    {{- range list "auth" "catalog" "ingest" "analytics" }}
    upstream {{ . }} {
      zone {{ . }} 64k;
      server {{ include "hp-analytics.fullname" $ }}-{{ . }}:8080;
      include /etc/nginx/hp-analytics/upstream.conf;
    }
    {{- end }}
    server {
      listen 8080;
      {{- if .Values.gateway.ipv6 }}
      listen [::]:8080;
      {{- end }}
      include /etc/nginx/hp-analytics/server.conf;
    }
  }
{{- $base := .Values.config.basePath | replace "." "\\." }}
{{- range $path, $_ := .Files.Glob "files/nginx/*.conf" }}
{{ base $path }}: |
  {{- /* The services remove the base path; only the choice of the location depends on it. */}}
  {{- $.Files.Get $path | replace "location ~ ^" (printf "location ~ ^%s" $base) | replace (printf "location ~ ^%s/_gateway" $base) "location ~ ^/_gateway" | nindent 2 }}
{{- end }}
{{- end -}}
