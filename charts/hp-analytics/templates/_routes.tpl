{{/*
Generated from openapi.yaml by "make generate".
Which path leads to which service, for Ingress and HTTPRoute. No path begins another, so their order does not matter, and
controllers that compare prefixes as text route in the same way. There is no route to /metrics.
*/}}
{{- define "hp-analytics.routes" -}}
- {path: /alerts, type: Prefix, service: auth}
- {path: /annotations, type: Prefix, service: auth}
- {path: /auth, type: Prefix, service: auth}
- {path: /digests, type: Prefix, service: auth}
- {path: /views, type: Prefix, service: auth}
- {path: /products, type: Prefix, service: catalog}
- {path: /cloudevents, type: Prefix, service: ingest}
- {path: /erasures, type: Prefix, service: ingest}
- {path: /events, type: Prefix, service: ingest}
- {path: /exports, type: Prefix, service: ingest}
- {path: /hooks, type: Prefix, service: ingest}
- {path: /imports, type: Prefix, service: ingest}
- {path: /orders, type: Prefix, service: ingest}
- {path: /otlp, type: Prefix, service: ingest}
- {path: /plausible, type: Prefix, service: ingest}
- {path: /posthog, type: Prefix, service: ingest}
- {path: /purchases, type: Prefix, service: ingest}
- {path: /refunds, type: Prefix, service: ingest}
- {path: /rejections, type: Prefix, service: ingest}
- {path: /segment, type: Prefix, service: ingest}
- {path: /users, type: Prefix, service: ingest}
- {path: /analytics, type: Prefix, service: analytics}
- {path: /system, type: Prefix, service: analytics}
- {path: /, type: Exact, service: auth}
- {path: /app, type: Prefix, service: auth}
- {path: /docs, type: Prefix, service: auth}
- {path: /hp.js, type: Exact, service: auth}
- {path: /openapi.yaml, type: Exact, service: auth}
{{- end -}}
