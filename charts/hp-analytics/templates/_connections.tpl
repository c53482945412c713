{{/*
How many connections the pods may open when every Deployment is at its maximum and in the middle of a rollout, which adds two
pods to each: one that starts and one that stops. The other 20 are for the leaders, the migration, the jobs and commands, the
operator of Postgres, and those that Postgres reserves for superusers.
*/}}
{{- define "hp-analytics.postgresql.neededConnections" -}}
{{- $needed := 20 -}}
{{- range $name, $service := include "hp-analytics.services" . | fromYaml -}}
{{- $pods := int $service.values.replicas -}}
{{- if eq $name "aggregator" -}}
{{- if ne $.Values.aggregator.autoscaling.mode "none" -}}
{{- $pods = max $pods (int $.Values.aggregator.autoscaling.maxReplicas) -}}
{{- end -}}
{{- else if $service.values.autoscaling.enabled -}}
{{- $pods = int $service.values.autoscaling.maxReplicas -}}
{{- end -}}
{{- $each := int $.Values.config.databaseMaxConnections -}}
{{- range $service.values.extraEnv -}}
{{- if and (eq .name "DATABASE_MAX_CONNS") .value -}}
{{- $each = int .value -}}
{{- end -}}
{{- end -}}
{{- $needed = add $needed (mul $each (add $pods 2)) -}}
{{- end -}}
{{- $needed -}}
{{- end -}}

{{/*
The settings of Postgres with max_connections: (dict "root" $ "settings" <settings> "path" "postgresql.cnpg.parameters"). One that is
given must suffice, because Postgres refuses connections just when the load is highest.
*/}}
{{- define "hp-analytics.postgresql.settings" -}}
{{- $needed := include "hp-analytics.postgresql.neededConnections" .root | int -}}
{{- $settings := deepCopy (.settings | default dict) -}}
{{- if not (hasKey $settings "max_connections") -}}
{{- $_ := set $settings "max_connections" (max 100 $needed) -}}
{{- else if lt (int $settings.max_connections) $needed -}}
{{- fail (printf "%s.max_connections is %d, but the pods at their maximum may open %d connections: raise it or leave it out, or lower config.databaseMaxConnections" .path (int $settings.max_connections) $needed) -}}
{{- end -}}
{{- toYaml $settings -}}
{{- end -}}
