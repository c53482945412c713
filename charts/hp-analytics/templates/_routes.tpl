{{/*
Which path leads to which service, for Ingress and HTTPRoute. No path begins another, so their order does not matter, and a
controller that takes a prefix for a plain beginning of the path routes the same. /metrics leads nowhere.
*/}}
{{- define "hp-analytics.routes" -}}
- {path: /auth, type: Prefix, service: auth}
- {path: /products, type: Prefix, service: catalog}
- {path: /events, type: Prefix, service: ingest}
- {path: /purchases, type: Prefix, service: ingest}
- {path: /analytics, type: Prefix, service: analytics}
- {path: /docs, type: Prefix, service: auth}
- {path: /openapi.yaml, type: Exact, service: auth}
{{- end -}}
